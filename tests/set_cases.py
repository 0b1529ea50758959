"""One table of uncertainty sets, each with the laws it claims."""

from dataclasses import dataclass
from functools import cached_property

import gymnasium as gym
import numpy as np
import pytest

from robust_envs.sets import (
    L1,
    L2,
    Budgeted,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Product,
    UncertaintySet,
    intersect,
    joint,
    per_episode,
    per_state,
)

N = 200


@dataclass(frozen=True)
class Case:
    """A bound set and which of the laws beyond those of all sets it claims."""

    set: UncertaintySet
    convex: bool = True
    nominal: bool = True  # 0 is inside
    radius: bool = True  # has one scalar radius
    blocks: bool = True  # a block of draws equals as many single draws
    pinned: tuple[int, ...] = ()
    tight: float = 1e-12  # to which part of its reach `worst` is known
    evaluates: bool = True  # its repr is the expression that makes it

    @cached_property
    def reach(self) -> float:
        return float(max(np.abs(self.set.bounds.low).max(), np.abs(self.set.bounds.high).max()))

    def points(self, seed: int = 1, n: int = N) -> np.ndarray:
        """Inside, near, far and very far points, some coordinates 0, some tied."""
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, self.set.dim)) * 10.0 ** rng.uniform(-2, 4, size=(n, 1))
        x[: n // 4] = np.round(x[: n // 4])
        x[rng.random(x.shape) < 0.1] = 0.0
        return x * max(self.reach, 1e-3)

    def members(self, seed: int = 2, n: int = N) -> np.ndarray:
        return self.set.sample(np.random.default_rng(seed), (n,))

    def extremes(self, seed: int = 3, n: int = N) -> np.ndarray:
        return self.set.worst(np.random.default_rng(seed).normal(size=(n, self.set.dim)))


def turned(widths, seed=0):
    """The matrix of an ellipsoid with given half-widths in random directions."""
    widths = np.asarray(widths)
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(widths), len(widths))))
    matrix = q @ np.diag(widths**2) @ q.T
    return (matrix + matrix.T) / 2


def rule(observation, action):
    return 1.0


def dict_space(**dims):
    return gym.spaces.Dict({key: gym.spaces.Box(-1, 1, (dim,)) for key, dim in dims.items()})


CUT = {"radius": False, "blocks": False}  # drawn by rejection; scaled by `scaled`

CASES = {
    "linf": Case(Linf(0.5).bind(4)),
    "linf unit": Case(Linf(2.0, unit=(0.5, 0.0, 3.0)).bind(3), pinned=(1,)),
    "l1": Case(L1(1.5).bind(4)),
    "l1 unit": Case(L1(2.0, unit=(0.5, 1.0, 3.0)).bind(3)),
    "l1 pinned": Case(L1(2.0, unit=(0.5, 0.0, 3.0, 1.0)).bind(4), pinned=(1,)),
    "l1 wild unit": Case(L1(1.0, unit=(1e-3, 1.0, 1e3)).bind(3)),
    "l1 long": Case(L1(1.0).bind(60)),
    "l2": Case(L2(0.7).bind(4)),
    "l2 unit": Case(L2(2.0, unit=(0.5, 1.0, 3.0)).bind(3)),
    "l2 pinned": Case(L2(2.0, unit=(0.5, 0.0, 3.0, 1.0)).bind(4), pinned=(1,)),
    "l2 wild unit": Case(L2(1.0, unit=(1e-3, 1.0, 1e3)).bind(3)),
    "l2 long": Case(L2(1.0).bind(60)),
    "budgeted": Case(Budgeted(0.5, 1.5).bind(4), blocks=False),
    "budgeted unit": Case(Budgeted(2.0, 2.0, unit=(0.5, 0.0, 3.0, 1.0)).bind(4), blocks=False, pinned=(1,)),
    "budgeted slack": Case(Budgeted(2.0, 9.0).bind(3), blocks=False),
    "budgeted long": Case(Budgeted(1.0, 10.0).bind(60), blocks=False),
    "linf one number": Case(Linf(0.3).bind(1)),
    "l1 one number": Case(L1(0.3).bind(1)),
    "l2 one number": Case(L2(0.3).bind(1)),
    "l2 point": Case(L2(0.0).bind(3), pinned=(0, 1, 2)),
    "l1 point": Case(L1(0.0).bind(3), pinned=(0, 1, 2)),
    "linf all pinned": Case(Linf(1.0, unit=0.0).bind(2), pinned=(0, 1)),
    "ellipsoid": Case(Ellipsoid(turned([1.0, 2.0, 0.5]), 0.8).bind(3)),
    "ellipsoid thin": Case(Ellipsoid(turned([1.0, 1e-4])).bind(2)),
    "ellipsoid diagonal": Case(Ellipsoid([[4.0, 0.0], [0.0, 0.25]]).bind(2)),
    "ellipsoid point": Case(Ellipsoid(turned([1.0, 2.0]), 0.0).bind(2), pinned=(0, 1)),
    "interval": Case(Interval(-0.5, (0.1, 0.2, 0.0)).bind(3), radius=False),
    "interval without 0": Case(Interval((0.1, -2.0), (0.3, -1.0)).bind(2), nominal=False, radius=False),
    "interval below 0": Case(Interval(-2.0, -1.0).bind(1), nominal=False, radius=False),
    "finite": Case(Finite([[0.0, 0.0], [1.0, -2.0], [0.5, 0.5]]).bind(2), convex=False, radius=False),
    "finite without 0": Case(Finite([0.3, -0.2, 1.0]).bind(1), convex=False, nominal=False, radius=False),
    "product": Case(
        Product({"b": L2(1.0), "a": Linf(0.1, unit=(1.0, 0.0))}).bind(dict_space(a=2, b=3)),
        radius=False,
        blocks=False,
        pinned=(4,),
    ),
    "product of products": Case(
        Product({0: Product({"x": L1(0.5)}), 1: Ellipsoid(turned([1.0, 2.0]))}).bind(
            gym.spaces.Tuple([dict_space(x=2), gym.spaces.Box(-1, 1, (2,))])
        ),
        radius=False,
        blocks=False,
    ),
    "product with finite": Case(
        Product({"a": Finite([[0.0], [1.0]]), "b": L2(1.0)}).bind(dict_space(a=1, b=2)),
        convex=False,
        radius=False,
        blocks=False,
    ),
    "joint": Case(joint(L2(0.5)).bind(5)),
    "per episode": Case(per_episode(L1(2.0), horizon=4).bind(3)),
    "l2 in a box": Case(intersect(L2(1.0), Interval((-0.5, -2.0, 0.0), (0.3, 2.0, 0.8))).bind(3), **CUT),
    "l2 unit in a box": Case(intersect(L2(2.0, unit=(0.5, 1.0, 3.0)), Linf(1.1)).bind(3), **CUT),
    "l2 in a box without 0": Case(intersect(L2(1.0), Interval((0.3, -2.0), (0.9, -0.2))).bind(2), nominal=False, **CUT),
    "l1 in a box": Case(intersect(L1(1.0), Interval((-0.5, -2.0, 0.0), (0.3, 2.0, 0.8))).bind(3), **CUT),
    "l1 unit in a box": Case(intersect(L1(2.0, unit=(0.5, 1.0, 3.0)), Linf(1.1)).bind(3), **CUT),
    "budgeted in a box": Case(intersect(Budgeted(1.0, 1.5), Interval(-0.8, (0.3, 1.0, 3.0))).bind(3), **CUT),
    "ellipsoid in a box": Case(
        intersect(Ellipsoid(turned([1.0, 2.0, 0.5])), Interval(-0.7, (0.3, 1.0, 3.0))).bind(3), tight=1e-9, **CUT
    ),
    "ellipsoid diagonal in a box": Case(
        intersect(Ellipsoid([[4.0, 0.0], [0.0, 0.25]]), Interval(-0.4, (1.5, 0.1))).bind(2), **CUT
    ),
    "per state": Case(per_state(L2(0.7), rule).bind(4), evaluates=False),
    "joint per episode": Case(joint(per_episode(Linf(2.0, unit=(1.0, 0.5)))).bind(2)),
}


def table(*flags):
    """All sets that claim the law."""
    chosen = {name: case for name, case in CASES.items() if all(getattr(case, flag) for flag in flags)}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen.keys())
