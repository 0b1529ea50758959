"""Draw what nature did in an episode. matplotlib is imported when something is drawn, not before."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robust_envs.files import write_atomic

__all__ = ["plot_moves"]

Array = np.ndarray[Any, np.dtype[Any]]
# Okabe and Ito, 2008: told apart by colour-blind readers too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = len(_COLOURS)  # more coordinates than that are drawn as a map


def plot_moves(
    moves: Mapping[tuple[str, str], Array], *, title: str, path: str | os.PathLike[str] | None = None
) -> Any:
    """Draw executed deltas over the steps of an episode, one panel for each (channel, agent).

    A line for each coordinate; of many coordinates a map with coordinates upwards and deltas as colours.

    Args:
        moves: Executed deltas, shape (T, dim), by (channel, agent).
        title: Over the picture.
        path: Where to write it, whole or not at all; the ending chooses the format.

    Returns:
        The matplotlib Figure, which belongs to no window.

    Raises:
        ImportError: Without matplotlib; the message says what to install.

    Example:
        >>> figure = plot_moves({("reward", "agent_0"): np.array([[0.1], [-0.1]])}, title="two steps")
        >>> figure.axes[0].get_title()
        'reward of agent_0'
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "robust-envs[plot]"') from error
    columns = min(3, len(moves)) if len(moves) > 3 else 1
    rows = -(-max(1, len(moves)) // columns)
    figure = Figure(figsize=(4.6 * columns + 2.0, 1.7 * rows + 1.0), dpi=120, layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).reshape(-1)
    for axes, (key, executed) in zip(panels, moves.items(), strict=False):
        _panel(figure, axes, key, executed)
    for axes in panels[len(moves) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(moves) - columns) : len(moves)]:
        axes.set_xlabel("move of the episode")
        axes.tick_params(labelbottom=True)
    figure.suptitle(title, fontsize="medium")
    if path is not None:
        _save(figure, Path(path))
    return figure


def _panel(figure: Any, axes: Any, key: tuple[str, str], executed: Array) -> None:
    channel, agent = key
    axes.set_title(f"{channel} of {'all agents' if agent == '*' else agent}", fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    steps, size = np.arange(len(executed)), executed.shape[1]
    if size > _LINES:
        most = float(np.abs(executed).max(initial=0.0)) or 1.0
        drawn = axes.imshow(
            executed.T, aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most, origin="lower", interpolation="nearest"
        )
        figure.colorbar(drawn, ax=axes, label="executed delta")
        axes.set_ylabel("coordinate")
        return
    for k in range(size):
        axes.step(steps, executed[:, k], where="mid", color=_COLOURS[k], linewidth=1.1, label=str(k))
    axes.axhline(0.0, color="0.6", linewidth=0.6)
    axes.set_ylabel("executed delta")
    if size > 1:
        axes.legend(title="coordinate", fontsize="x-small", title_fontsize="x-small", loc="center left",
                    bbox_to_anchor=(1.0, 0.5), frameon=False)  # fmt: skip


def _save(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lstrip(".") or "png")
    write_atomic(path, buffer.getvalue())
