"""`robust-envs solve`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

if TYPE_CHECKING:
    from algos.tabular import RadiusPath
    from robust_envs.envs import MarkovGame

__all__ = ["solve"]

Channel = Literal["transition", "reward"]
Members = Literal["contamination", "total-variation", "l1", "l2", "linf", "kl", "chi-squared"]
Selection = Literal["welfare", "first", "egalitarian", "payoff_dominant", "risk_dominant"]
_MOST_SHOWN = 6  # actions of a player that fit into a line


def solve(
    game: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="GAME")],
    /,
    *,
    radius: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2),
    channel: Channel = "transition",
    set: Members = "contamination",  # noqa: A002 - the flag's name
    where: Literal["exposed", "everywhere"] = "exposed",
    selection: Selection = "welfare",
    discount: Annotated[float | None, tyro.conf.arg(help_behavior_hint="")] = None,
    tolerance: float = 1e-10,
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("solve"),
) -> int:
    """Solve a small game exactly at several radii, and show how its equilibrium moves.

    Every player expects the worst of a nature of its own. Prints values, policies and certificates; writes solve.json
    and solve.png.

    Args:
        game: Name of a game (a wrong one lists them all), or a file that MarkovGame.save wrote.
        radius: How much room nature gets.
        channel: What is uncertain: where play goes on, or what it pays.
        set: Which distributions nature may choose from; for rewards it is an interval, whatever is said here.
        where: Exposed: where the game's own story has a risk; everywhere: in every state, for every joint action.
        selection: Which equilibrium of a stage game, where there are several.
        discount: Instead of the game's own.
        tolerance: Of the values.
        out: Folder for the files.
    """
    from algos.tabular import radius_path
    from algos.tabular.plots import plot_path
    from robust_envs.commands.screen import say

    played, exposed = _game(game, discount)
    mask = exposed if where == "exposed" else np.ones_like(exposed)
    sets: dict[str, Callable[[float], Any]] = {
        f"{channel}_set": (lambda r: r * mask) if channel == "reward" else _sets(set, mask)
    }
    path = radius_path(played, radius, selection=selection, tolerance=tolerance, **sets)
    name = f"{Path(game).stem}: {'reward interval' if channel == 'reward' else set} {_place(mask)}"
    _show(path, name)
    written = [path.save(out / "solve.json")]
    say(f"written: {written[0]}")
    plot_path(path, out / "solve.png", title=name)
    say(f"written: {out / 'solve.png'}")
    return 0


def _game(name: str, discount: float | None) -> tuple[MarkovGame, Any]:
    from dataclasses import replace

    from robust_envs.envs import MarkovGame, exposure, named_game

    if Path(name).suffix == ".npz":
        played = MarkovGame.load(name)
        exposed = np.ones(played.transitions.shape[:-1])
    else:
        played, exposed = named_game(name), exposure(name)
    return (played if discount is None else replace(played, discount=discount)), exposed


def _sets(name: Members, mask: Any) -> Callable[[float], Any]:
    import robust_envs

    kinds: dict[str, Callable[[Any], Any]] = {
        "contamination": robust_envs.Contamination,
        "total-variation": robust_envs.TotalVariation,
        "l1": robust_envs.L1Ambiguity,
        "l2": robust_envs.L2Ambiguity,
        "linf": robust_envs.LinfAmbiguity,
        "kl": robust_envs.KL,
        "chi-squared": robust_envs.ChiSquared,
    }
    return lambda radius: kinds[name](radius * mask)


def _place(mask: Any) -> str:
    return "everywhere" if mask.all() else f"in {int(mask.sum())} of {mask.size} places"


def _show(path: RadiusPath, title: str) -> None:
    from robust_envs.commands.screen import show_rows

    agents = path.game.players
    values, moved = path.values(), path.moved()
    rows = [
        (
            f"{radius:g}",
            found.status,
            f"{float(found.exploitability.max()):.1e}",
            *(f"{value:.6g}" for value in values[k]),
            str(moved[k]),
        )
        for k, (radius, found) in enumerate(zip(path.radii, path.solutions, strict=True))
    ]
    show_rows(title, ("radius", "status"), ("exploitability", *(f"value {a}" for a in agents), "states moved"), rows)
    state = f"state {path.start}" if path.game.states is None else f"state '{path.game.states[path.start]}'"
    plays = [(f"{radius:g}", *(_mix(path, i, k) for i in range(len(agents)))) for k, radius in enumerate(path.radii)]
    show_rows(f"What they do in {state}", ("radius", *agents), (), plays)


def _mix(path: RadiusPath, player: int, place: int) -> str:
    weights, names = path.policy(player)[place], path.game.actions
    named = [(w, names[player][a] if names is not None else str(a)) for a, w in enumerate(weights) if w > 5e-4]
    shown = sorted(named, key=lambda pair: -pair[0])[:_MOST_SHOWN]
    return ", ".join(f"{name} {weight:.3f}" for weight, name in shown)
