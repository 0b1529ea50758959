"""Draw how an equilibrium moves. matplotlib is imported when something is drawn, not before."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from algos.tabular.radius_path import RadiusPath
from robust_envs.files import write_atomic

__all__ = ["plot_path"]

# Okabe and Ito, 2008: told apart by colour-blind readers too; the markers tell them apart in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"


def plot_path(path: RadiusPath, file: str | os.PathLike[str] | None = None, *, title: str = "") -> Any:
    """Draw the values from the start on, and what every player does in the likeliest first state, over the radius.

    Args:
        path: what `radius_path` returned.
        file: where to write the picture (PNG; the name's ending chooses another format), whole or not at all.
        title: above the panels.

    Returns:
        The matplotlib Figure, which belongs to no window.

    Raises:
        ImportError: without matplotlib; the message says what to install.

    Example:
        >>> from algos.tabular import radius_path
        >>> from robust_envs import Linf
        >>> from robust_envs.envs import named_game
        >>> figure = plot_path(radius_path(named_game("stag-hunt"), [0.0, 1.0], reward_set=Linf))
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['radius', 'radius', 'radius']
    """
    game = path.game
    figure = _figure(1 + game.n_players)
    panels = figure.subplots(1, 1 + game.n_players, squeeze=False)[0]
    lines = {agent: path.values()[:, i] for i, agent in enumerate(game.players)}
    _draw(panels[0], path.radii, lines)
    panels[0].set_title("value from the start on", fontsize="medium")
    state = f"state {path.start}" if game.states is None else f"state '{game.states[path.start]}'"
    for i, agent in enumerate(game.players):
        mixed = path.policy(i)
        names = [f"action {a}" for a in range(game.n_actions[i])] if game.actions is None else game.actions[i]
        _draw(panels[1 + i], path.radii, {name: mixed[:, a] for a, name in enumerate(names)})
        panels[1 + i].set_title(f"{agent}: probability of each action\nin {state}", fontsize="medium")
        panels[1 + i].set_ylim(-0.04, 1.04)
    if title:
        figure.suptitle(title)
    if file is not None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=Path(file).suffix.lstrip(".") or "png")
        write_atomic(file, buffer.getvalue())
    return figure


def _figure(panels: int) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "robust-envs[plot]"') from error
    # A Figure of its own, not pyplot's: no window, no global state, the same on a server.
    return Figure(figsize=(1.0 + 3.8 * panels, 4.4), dpi=150, layout="constrained")


def _draw(axes: Any, radii: tuple[float, ...], lines: dict[str, Any]) -> None:
    for index, (name, heights) in enumerate(lines.items()):
        # Thinner and thinner, so that lines which lie on one another are all seen.
        width, size = max(1.0, 3.5 - 0.8 * index), max(3.0, 8.0 - 1.5 * index)
        look = {"color": _COLOURS[index % len(_COLOURS)], "marker": _MARKERS[index % len(_MARKERS)]}
        axes.plot(radii, heights, label=name, linewidth=width, markersize=size, **look)
    axes.set_xlabel("radius")
    axes.legend(frameon=False, fontsize="small", ncols=1 + len(lines) // 7)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
