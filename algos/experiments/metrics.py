"""metrics.csv: Stable-Baselines3's numbers, in a file that a resumed run goes on writing."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter

from robust_envs.files import write_atomic

__all__ = ["MetricsFile", "read_metrics"]

_STEP = "time/total_timesteps"


class MetricsFile(KVWriter):
    """Append a row for every dump of the logger; a name met for the first time becomes a column of all rows.

    Rows are whole or absent after a kill. SB3's own CSV writer empties the file that it opens.

    Args:
        path: of the file.
        until: keep only rows up to this number of environment steps: those later than the checkpoint which a run
            resumes from will be written again.
    """

    def __init__(self, path: str | os.PathLike[str], *, until: int = 0) -> None:
        self._path = Path(path)
        rows = read_metrics(self._path) if self._path.exists() else []
        self._rows = [row for row in rows if int(float(row.get(_STEP) or 0)) <= until and until > 0]
        self._columns = list(dict.fromkeys(key for row in self._rows for key in row))
        self._rewrite()

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Write one row; values which are not numbers or text (figures, histograms) are left out."""
        row = {
            key: str(value)
            for key, value in sorted(key_values.items())
            if "csv" not in (key_excluded.get(key) or ()) and isinstance(value, int | float | str)
        }
        row.setdefault(_STEP, str(step))
        self._rows.append(row)
        if set(row) <= set(self._columns):
            with self._path.open("a", newline="") as file:
                self._writer(file).writerow(row)
            return
        self._columns = list(dict.fromkeys([*self._columns, *row]))
        self._rewrite()

    def close(self) -> None:
        """Nothing is held open."""

    def _writer(self, file: Any) -> csv.DictWriter[str]:
        return csv.DictWriter(file, self._columns, lineterminator="\n")

    def _rewrite(self) -> None:
        text = io.StringIO()
        writer = self._writer(text)
        if self._columns:
            writer.writeheader()
        writer.writerows(self._rows)
        write_atomic(self._path, text.getvalue())


def read_metrics(path: str | os.PathLike[str]) -> list[Mapping[str, str]]:
    """Read a metrics file, leaving out a last line that a kill cut short."""
    whole, newline, _ = Path(path).read_text().rpartition("\n")
    return [{key: value for key, value in row.items() if value} for row in csv.DictReader(io.StringIO(whole + newline))]
