"""Draw bars with names on a picture: numpy and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Row", "draw_bars"]

Array = np.ndarray[Any, np.dtype[Any]]
Row = tuple[str, Array]
"""A name, and numbers in [-1, 1]: what share of the most that was allowed."""

# Rows of three pixels from the top, five to a letter: 7 is a full row, 4 its left pixel.
_CODES = (
    "A25755 B65656 C34443 D65556 E74647 F74644 G34553 H55755 I72227 J11152 K55655 L44447 M57755 N65555 O25552 "
    "P65644 Q25573 R65655 S34216 T72222 U55557 V55552 W55775 X55255 Y55222 Z71247 075557 126227 261247 361216 "
    "455711 574616 634652 771244 825252 925316 _00007 -00700 .00002 +02720 *05250 /11244 "
)
_GLYPHS = {code[0]: code[1:] for code in _CODES.split()}
_UP, _DOWN = np.array([230, 159, 0]), np.array([86, 180, 233])  # Okabe and Ito: told apart by colour-blind readers too
_INK, _AXIS, _SHADE = 240, 130, 0.35
_HEIGHT, _PAD, _MOST = 13, 3, 24  # of a row, around it, and bars in it: more are drawn as the extremes of groups


def draw_bars(frame: Array, rows: Sequence[Row]) -> Array:
    """Return a copy of the picture with a bar for each number, up or down from a line in the middle of its row.

    Args:
        frame: Shape (height, width, 3), uint8.
        rows: What to draw, from the top; those that find no room are counted in the last row.

    Returns:
        The picture, of the same shape.

    Example:
        >>> drawn = draw_bars(np.zeros((60, 120, 3), np.uint8), [("reward a_0", np.array([-1.0]))])
        >>> drawn.shape, bool(drawn.any())
        ((60, 120, 3), True)
    """
    picture = np.array(frame)
    height, width = picture.shape[:2]
    scale = max(1, min(height // 200, height // (2 * _HEIGHT * max(1, len(rows)))))
    room = (height // scale - 2 * _PAD) // _HEIGHT
    if room < 1 or not rows:
        return picture
    shown = list(rows)
    if len(rows) > room:
        shown = [*rows[: room - 1], (f"+{len(rows) - room + 1} more", np.zeros(0))]
    small = _panel(shown, min(width // scale, _width(shown)))
    panel = small.repeat(scale, axis=0).repeat(scale, axis=1)[:height, :width]
    corner = picture[: panel.shape[0], : panel.shape[1]]
    ink = panel.any(axis=2, keepdims=True)
    corner[:] = np.where(ink, panel, (corner * _SHADE).astype(picture.dtype))
    return picture


def _width(rows: Sequence[Row]) -> int:
    bars = max(min(len(numbers), _MOST) for _, numbers in rows)
    return _names(rows) + max(4 * bars, 24) + 3 * _PAD


def _names(rows: Sequence[Row]) -> int:
    return 4 * max(len(name) for name, _ in rows)


def _panel(rows: Sequence[Row], width: int) -> Array:
    """Draw all rows on black, in pixels of the smallest size, shape (height, width, 3)."""
    panel = np.zeros((len(rows) * _HEIGHT + 2 * _PAD, width, 3), np.uint8)
    left = min(_names(rows) + 2 * _PAD, max(width // 2, width - 24 - _PAD))
    for k, (name, numbers) in enumerate(rows):
        top = _PAD + k * _HEIGHT
        _write(panel[top + 4 : top + 9, _PAD : left - 1], name)
        if len(numbers):
            _bars(panel[top + 1 : top + _HEIGHT - 1, left : width - _PAD], _few(numbers))
    return panel


def _write(area: Array, text: str) -> None:
    for k, letter in enumerate(text.upper()[: area.shape[1] // 4]):
        for line, bits in enumerate(_GLYPHS.get(letter, "00000")):
            for column in range(3):
                if int(bits) & (4 >> column):
                    area[line, 4 * k + column] = _INK


def _bars(area: Array, numbers: Array) -> None:
    middle, step = area.shape[0] // 2, max(1, area.shape[1] // len(numbers))
    area[middle] = _AXIS
    for k, number in enumerate(np.clip(numbers, -1, 1)):
        length = int(np.ceil(abs(number) * (middle - 0.5)))
        columns = slice(k * step, k * step + max(1, step - 1))
        if number > 0:
            area[middle - length : middle, columns] = _UP
        else:
            area[middle + 1 : middle + 1 + length, columns] = _DOWN


def _few(numbers: Array) -> Array:
    """Keep the extreme of each group where there are more numbers than bars."""
    if len(numbers) <= _MOST:
        return numbers
    groups = np.array_split(numbers, _MOST)
    return np.array([group[np.abs(group).argmax()] for group in groups])
