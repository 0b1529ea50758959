"""Draw the pictures of the pages on sets: `python docs/pictures.py [folder]`.

Each shows a set in two dimensions, a point outside and its projection, and the worst member for a direction. Sets of
distributions over three places are drawn in the triangle of all such distributions.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from gymnasium.spaces import Box, Dict

from robust_envs import sets
from robust_envs.sets import L1, L2, Budgeted, Ellipsoid, Finite, Interval, Linf, Product, TotalVariation, intersect

mpl.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent / "sets" / "pictures"
FILL, EDGE, POINT, WORST = "#cfe3f5", "#1f5f99", "#333333", "#c0392b"
LINE = Box(-1.0, 1.0, (1,))
OUTSIDE, DIRECTION = np.array([1.25, 1.0]), np.array([0.5, 1.0])
FAR, VALUES = np.array([0.05, 0.2, 0.75]), np.array([1.0, 0.0, 0.4])
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])  # places 1, 2, 3
LADDER = [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]


@dataclass(frozen=True)
class Deltas:
    """A set of deltas, what its axes are called, and more outlines of it."""

    members: Any
    axes: tuple[str, str] = ("delta 1", "delta 2")
    others: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Distributions:
    """A set of distributions over three places."""

    members: Any
    places: tuple[str, str, str] = ("place 1", "place 2", "place 3")
    nominal: tuple[float, float, float] = (0.5, 0.3, 0.2)


PICTURES: dict[str, Deltas | Distributions] = {
    "interval": Deltas(Interval((-1.0, -0.3), (0.6, 0.7))),
    "linf": Deltas(Linf(0.8)),
    "l1": Deltas(L1(1.0)),
    "l2": Deltas(L2(1.0)),
    "ellipsoid": Deltas(Ellipsoid([[1.0, -0.45], [-0.45, 0.4]])),
    "budgeted": Deltas(Budgeted(0.8, 1.5)),
    "finite": Deltas(Finite([[0.0, 0.0], [0.9, 0.3], [-0.7, 0.6], [0.2, -0.8], [-0.9, -0.6], [0.5, 0.8]])),
    "product": Deltas(Product({"position": Linf(0.9), "velocity": Interval(-0.2, 0.5)}), ("position", "velocity")),
    "joint": Deltas(L2(1.0), ("reward of agent_0", "reward of agent_1")),
    "per_episode": Deltas(L1(1.0), ("delta at step 0", "delta at step 1")),
    "per_state": Deltas(L2(0.6), others=(L2(0.3), L2(1.0))),
    "intersection": Deltas(intersect(L2(1.0), Interval((-0.7, -1.5), (0.9, 0.5)))),
    "switch": Distributions(sets.Contamination(0.4), ("chosen", "another", "another"), (1.0, 0.0, 0.0)),
    "totalvariation": Distributions(TotalVariation(0.25)),
    "l1ambiguity": Distributions(sets.L1Ambiguity(0.5)),
    "l2ambiguity": Distributions(sets.L2Ambiguity(0.3)),
    "linfambiguity": Distributions(sets.LinfAmbiguity(0.2)),
    "kl": Distributions(sets.KL(0.15)),
    "reversekl": Distributions(sets.ReverseKL(0.15)),
    "chisquared": Distributions(sets.ChiSquared(0.3)),
    "wasserstein": Distributions(sets.Wasserstein(0.3, LADDER)),
    "contamination": Distributions(sets.Contamination(0.4)),
    "cvar": Distributions(sets.CVaR(0.5)),
    "scenarios": Distributions(
        sets.Scenarios([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.25, 0.25, 0.5], [0.7, 0.05, 0.25]])
    ),
}


def arrow(ax: Any, start: Any, end: Any, colour: str, *, dashed: bool = False) -> None:
    """Draw an arrow between two points."""
    style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0, "lw": 1.2}
    ax.annotate("", end, start, arrowprops={**style, "ls": "--"} if dashed else style)


def mark(ax: Any, at: Any, name: str, colour: str, shape: str, shift: tuple[int, int]) -> None:
    """Draw a named point."""
    ax.plot(*at, shape, color=colour, ms=6, zorder=5)
    ax.annotate(name, at, shift, textcoords="offset points", color=colour, fontsize=9, zorder=6, ha="center")


def region(ax: Any, x: Any, y: Any, inside: Any, *, filled: bool = True) -> None:
    """Fill the points that are inside and draw their border."""
    if filled:
        ax.contourf(x, y, inside.astype(float), [0.5, 1.5], colors=[FILL])
    ax.contour(x, y, inside.astype(float), [0.5], colors=[EDGE], linewidths=1.4, linestyles="-" if filled else "--")


def draw_deltas(ax: Any, picture: Deltas) -> None:
    """Draw a set of deltas around the nominal value."""
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, 801), np.linspace(-1.6, 1.6, 801))
    grid = np.stack([x, y], axis=-1)
    for k, members in enumerate((picture.members, *picture.others)):
        space = Dict(position=LINE, velocity=LINE) if isinstance(members, Product) else 2
        bound = members.bind(space)
        if isinstance(members, Finite):
            ax.plot(*np.asarray(members.members).T, "o", color=EDGE, ms=8, mfc=FILL)
        else:
            region(ax, x, y, bound.contains(grid), filled=k == 0)
    bound = picture.members.bind(Dict(position=LINE, velocity=LINE) if isinstance(picture.members, Product) else 2)
    near, worst = bound.project(OUTSIDE), bound.worst(DIRECTION)
    arrow(ax, OUTSIDE, near, POINT, dashed=True)
    arrow(ax, np.zeros(2), 0.6 * DIRECTION / np.linalg.norm(DIRECTION), WORST)
    ax.annotate("direction", 0.6 * DIRECTION / np.linalg.norm(DIRECTION), (0, 4), textcoords="offset points",
                color=WORST, fontsize=9, ha="center")  # fmt: skip
    mark(ax, np.zeros(2), "nominal", POINT, "+", (-22, -12))
    mark(ax, OUTSIDE, "point", POINT, "o", (0, 7))
    mark(ax, near, "projection", EDGE, "s", (30, -12))
    mark(ax, worst, "worst", WORST, "D", (0, -15))
    ax.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xlabel=picture.axes[0], ylabel=picture.axes[1])
    ax.set_xticks([-1, 0, 1])
    ax.set_yticks([-1, 0, 1])


def draw_distributions(ax: Any, picture: Distributions) -> None:
    """Draw a set of distributions in the triangle of all."""
    x, y = np.meshgrid(np.linspace(0, 1, 901), np.linspace(0, CORNERS[2, 1], 781))
    third = y / CORNERS[2, 1]
    p = np.stack([1 - x - third / 2, x - third / 2, third], axis=-1)
    members, nominal, triangle = picture.members, np.array(picture.nominal), np.all(p >= 0, axis=-1)
    p = np.where(triangle[..., None], p, nominal)
    if isinstance(members, sets.Scenarios):
        ax.plot(*(np.asarray(members.members) @ CORNERS).T, "o", color=EDGE, ms=8, mfc=FILL)
    else:
        coarse = isinstance(members, sets.Wasserstein)  # each point is a transport problem
        step = 3 if coarse else 1
        inside = members.contains(p[::step, ::step], nominal) & triangle[::step, ::step]
        region(ax, x[::step, ::step], y[::step, ::step], inside)
    ax.fill(*CORNERS.T, fill=False, color=POINT, lw=1)
    _, worst = members.worst_case(VALUES, nominal)
    downhill = (VALUES.mean() - VALUES) @ CORNERS
    tip = nominal @ CORNERS + 0.22 * downhill / np.linalg.norm(downhill)
    arrow(ax, nominal @ CORNERS, tip, WORST)
    ax.annotate("cheaper", tip, (4, 7), textcoords="offset points", color=WORST, fontsize=9)
    with suppress(NotImplementedError):  # not every set has an exact projection
        near = members.project(FAR, nominal)
        arrow(ax, FAR @ CORNERS, near @ CORNERS, POINT, dashed=True)
        mark(ax, FAR @ CORNERS, "point", POINT, "o", (22, 3))
        mark(ax, near @ CORNERS, "projection", EDGE, "s", (0, 8))
    mark(ax, nominal @ CORNERS, "nominal", POINT, "+", (-26, -4))
    mark(ax, worst @ CORNERS, "worst", WORST, "D", (18, -13))
    for corner, name, shift in zip(CORNERS, picture.places, ((0, -14), (0, -14), (0, 6)), strict=True):
        ax.annotate(name, corner, shift, textcoords="offset points", ha="center", fontsize=9)
    ax.set(xlim=(-0.12, 1.12), ylim=(-0.14, 1.0), aspect="equal")
    ax.axis("off")


def draw(name: str, folder: Path) -> Path:
    """Draw one picture and return where it is."""
    picture = PICTURES[name]
    figure, ax = plt.subplots(figsize=(4.2, 4.0), dpi=90)
    work: Callable[..., None] = draw_deltas if isinstance(picture, Deltas) else draw_distributions
    work(ax, picture)
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    return path


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for each in PICTURES:
        draw(each, where)
