"""What every set of distributions can do."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import array_api_compat as aac
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _draw
from robust_envs.sets._geometry import NUMPY, Array, as_array, columns, like, nonzero, piece, short_buffer, slack
from robust_envs.sets.ambiguity._simplex import exponential, highest, lowest, total
from robust_envs.sets.base import Shape

Radius = float | tuple[Any, ...]


class AmbiguitySet(ABC):
    """Hold the distributions nature may put in place of a nominal one.

    Distributions are rows on the last axis of an array, with entries >= 0 and sum 1; nothing is ever rescaled to
    that. Every operation is batched over the axes before it, values, nominal and radius broadcasting, and serves
    numpy and torch in float32 and float64. A set is a value: frozen, hashable, comparable, picklable.
    """

    support_only: bool = False
    _continuous = False  # every member is 0 where the nominal is, whatever `support_only` says
    _ordinal = False  # the worst case depends on the order of the values alone

    def worst_case(self, values: Any, nominal: Any) -> tuple[Array, Array]:
        """Minimise the expected value over the set: min_p <p, values>.

        In torch the value is differentiable in `values`: its gradient is the minimising distribution (the envelope
        theorem). Nothing flows to `nominal` or through the distribution.

        Args:
            values: (..., n), finite.
            nominal: (..., n), entries >= 0 and sum 1, broadcast against `values`.

        Returns:
            The least expected value, (...), and a distribution that attains it, (..., n).

        Raises:
            ValueError: if a value is not finite, `nominal` is no distribution, or the shapes do not broadcast.
            TypeError: if an argument is no array of numbers.

        Example:
            >>> from robust_envs.sets import TotalVariation
            >>> value, p = TotalVariation(0.25).worst_case([0.0, 1.0, 4.0], [0.5, 0.25, 0.25])
            >>> float(value), p
            (0.25, array([0.75, 0.25, 0.  ]))
        """
        xp, (v, p0) = _arrays(values=values, nominal=nominal)
        plain = v.detach() if hasattr(v, "detach") else v
        p0 = p0.detach() if hasattr(p0, "detach") else p0
        p, value = self._by_columns(xp, self._worst_columns, plain, p0)
        return xp.sum(p * v, axis=-1) if getattr(v, "requires_grad", False) else value[..., 0][()], p

    def contains(self, p: Any, nominal: Any, tolerance: float = 0.0) -> Array:
        """Say which rows are distributions of the set around `nominal`.

        Args:
            p: (..., n); rows that are no distributions are not inside.
            nominal: (..., n), broadcast against `p`.
            tolerance: slack on the distance from the nominal and on the sum, >= 0, on top of rounding.

        Returns:
            (...) bool.

        Raises:
            ValueError: if `nominal` is no distribution or the shapes do not broadcast.

        Example:
            >>> from robust_envs.sets import TotalVariation
            >>> bool(TotalVariation(0.1).contains([0.6, 0.4], [0.5, 0.5]))
            True
        """
        tolerance = _check.at_least_zero("tolerance", tolerance)
        xp, (q, p0) = _arrays(p=p, nominal=nominal)
        check_distribution(xp, "nominal", p0)
        q, p0, level = self._spread(xp, q, p0)
        with np.errstate(all="ignore"):
            give = tolerance + slack(xp, q)
            inside = xp.all(q >= -give, axis=-1) & (xp.abs(xp.sum(q, axis=-1) - 1) <= give)
            if self.support_only or self._continuous:
                inside = inside & xp.all((p0 > 0) | (q <= give), axis=-1)
            return inside & (self._distance(xp, q, p0) <= level[..., 0] * (1 + slack(xp, q)) + give)

    def project(self, q: Any, nominal: Any) -> Array:
        """Return the member nearest to `q` (Euclidean, where the set's own page says nothing else).

        Args:
            q: (..., n), finite; need not be a distribution.
            nominal: (..., n), broadcast against `q`.

        Returns:
            (..., n).

        Raises:
            ValueError: if `q` is not finite, `nominal` is no distribution, or the shapes do not broadcast.
            NotImplementedError: where no exact method is known (`ReverseKL`, `Wasserstein`).

        Example:
            >>> from robust_envs.sets import TotalVariation
            >>> TotalVariation(0.1).project([1.0, 0.0], [0.5, 0.5])
            array([0.6, 0.4])
        """
        xp, (z, p0) = _arrays(q=q, nominal=nominal)
        _check_finite(xp, "q", z)
        check_distribution(xp, "nominal", p0)
        return self._by_columns(xp, lambda *given: (self._project(*given),), z, p0)[0]

    def sample(self, rng: Any, nominal: Any, shape: Shape = ()) -> Array:
        """Draw members around `nominal`: uniformly, where the set's own page says nothing else.

        Most sets walk: `SWEEPS` times n steps of hit-and-run from the middle of the set, which is uniform in the limit.

        Args:
            rng: numpy Generator, or torch Generator for torch.
            nominal: (..., n).
            shape: axes put before those of `nominal` (and of an array of radii).

        Returns:
            (*shape, ..., n).

        Raises:
            ValueError: if `nominal` is no distribution.
            TypeError: if `rng` is no generator.

        Example:
            >>> import numpy as np
            >>> from robust_envs.sets import Contamination
            >>> drawn = Contamination(0.1).sample(np.random.default_rng(0), [0.5, 0.5], 3)
            >>> drawn.shape, bool(Contamination(0.1).contains(drawn, [0.5, 0.5]).all())
            ((3, 2), True)
        """
        _draw.uniform(rng, (0,))  # refuses what is no generator
        xp, (p0,) = _arrays(nominal=nominal)
        check_distribution(xp, "nominal", p0)
        axes = (shape,) if isinstance(shape, int) else tuple(shape)
        _, p0, level = self._spread(xp, p0, p0)
        p0 = xp.broadcast_to(p0, (*axes, *p0.shape))
        with np.errstate(all="ignore"):
            return self._sample(xp, rng, p0, xp.broadcast_to(level, (*axes, *level.shape)))

    def _by_columns(self, xp: Any, act: Any, x: Array, p0: Array) -> list[Array]:
        """Apply `act` to (n, rows) and put what it returns back on the last axis.

        On a CPU it gets a piece at a time, so that what it makes stays in the cache.
        """
        x, p0, level = self._spread(xp, x, p0)
        shape, n = x.shape, x.shape[-1]
        x, p0, level = (xp.reshape(a, (-1, a.shape[-1])) for a in (x, p0, level))
        on_cpu = xp is NUMPY or x.device.type == "cpu"
        step = piece(n) if on_cpu else max(1, x.shape[0])
        whole: list[Array] = []
        with np.errstate(all="ignore"), short_buffer():
            for i in range(0, max(1, x.shape[0]), step):
                part = slice(i, i + step)
                made = act(xp, columns(xp, x[part]), columns(xp, p0[part]), columns(xp, level[part]))
                whole = whole or [xp.empty((x.shape[0], a.shape[0]), dtype=x.dtype, device=aac.device(x)) for a in made]
                for out, a in zip(whole, made, strict=True):
                    out[part] = a.T
        return [xp.reshape(a, (*shape[:-1], a.shape[-1])) for a in whole]

    def _worst_columns(self, xp: Any, v: Array, p0: Array, level: Array) -> tuple[Array, Array]:
        least, most = lowest(xp, v), highest(xp, v)
        check_columns(xp, least, most, p0)
        y = v
        if (self.support_only or self._continuous) and not xp.all(lowest(xp, p0) > 0):
            # places outside the support count as dear as the dearest inside: no minimiser puts anything there
            least = lowest(xp, xp.where(p0 > 0, v, xp.full_like(v, xp.inf)))
            most = highest(xp, xp.where(p0 > 0, v, xp.full_like(v, -xp.inf)))
            y = xp.where(p0 > 0, v, most)
        if not self._ordinal:
            y = _scaled(xp, y, least, most)
        p = self._worst(xp, y, p0, level)
        idle = (most == least) | (level == 0)
        if xp.any(idle):
            p = xp.where(idle, p0, p)
        return p, total(xp, p * v)

    def _spread(self, xp: Any, x: Array, p0: Array) -> tuple[Array, Array, Array]:
        level = like(xp, self._level, x)[..., None]
        try:
            shape = np.broadcast_shapes(tuple(x.shape), tuple(p0.shape), tuple(level.shape))
        except ValueError as error:
            shapes = f"{tuple(x.shape)}, {tuple(p0.shape)} and {tuple(level.shape)[:-1]}"
            raise ValueError(f"values, nominal and radius must broadcast, got shapes {shapes}") from error
        if x.shape[-1] != p0.shape[-1]:
            raise ValueError(f"nominal must have {x.shape[-1]} entries on its last axis, got shape {tuple(p0.shape)}")
        return xp.broadcast_to(x, shape), xp.broadcast_to(p0, shape), xp.broadcast_to(level, (*shape[:-1], 1))

    @property
    @abstractmethod
    def _level(self) -> float | NDArray[np.float64]:
        """The distance from the nominal up to which a distribution is inside."""

    @abstractmethod
    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        """Minimise <p, y> over columns p.

        y is in [0, 1], with 0 and 1 attained wherever the result is used; where only its order counts, any y.
        """

    @abstractmethod
    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        """Return how far rows p, (..., n), are from the nominal."""

    @abstractmethod
    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        """Project columns."""

    def _sample(self, xp: Any, rng: Any, p0: Array, level: Array) -> Array:
        on = p0 > 0 if self.support_only or self._continuous else p0 >= 0

        def inside(p: Array) -> Array:
            near = self._distance(xp, p, p0) <= level[..., 0]
            return (near & xp.all(p >= 0, axis=-1))[..., None]

        return walk(xp, rng, p0, on, inside)

    def __repr__(self) -> str:
        given = [(f, getattr(self, f.name)) for f in fields(self)]  # type: ignore[arg-type]
        positional = [repr(value) for f, value in given if not f.kw_only]
        named = [f"{f.name}={value!r}" for f, value in given if f.kw_only and value != f.default]
        return f"{type(self).__name__}({', '.join(positional + named)})"

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, repr=False)
class DistributionBall(AmbiguitySet):
    """Share what sets with a radius have in common."""

    radius: Any
    support_only: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", levels("radius", self.radius, *self._rule()))
        if not isinstance(self.support_only, bool):
            raise TypeError(f"support_only must be a bool, got support_only={self.support_only!r}")

    def _rule(self) -> tuple[str, float, float]:
        return "be finite and >= 0", 0.0, np.inf

    @cached_property
    def _level(self) -> float | NDArray[np.float64]:
        return self.radius if isinstance(self.radius, float) else np.asarray(self.radius)


SWEEPS = 4  # hit-and-run steps for each coordinate


def walk(xp: Any, rng: Any, p0: Array, on: Array, inside: Any) -> Array:
    """Walk by hit-and-run through a convex set inside the simplex, all rows at once.

    The chord's ends are found by halving, so nothing but membership is asked of the set. The walk starts between
    the nominal and the uniform distribution on the places that may hold mass: a nominal with zeros is on the border.
    """
    flags = xp.astype(on, p0.dtype)
    middle = flags / _sum(xp, flags)
    share = xp.ones_like(p0[..., :1])
    for _ in range(60):
        share = xp.where(inside(p0 + share * (middle - p0)), share, share / 2)
    p = p0 + share / 2 * (middle - p0)
    for _ in range(SWEEPS * p0.shape[-1]):
        g = like(xp, _draw.normal(rng, tuple(p0.shape)), p0) * flags
        g = (g - middle * _sum(xp, g)) * flags
        g = g / nonzero(xp, xp.sqrt(_sum(xp, g**2)))
        ahead, behind = (_reach(xp, p, side * g, inside) for side in (1.0, -1.0))
        u = like(xp, _draw.uniform(rng, tuple(share.shape)), p0)
        moved = xp.maximum(p + (u * (ahead + behind) - behind) * g, xp.zeros_like(p))
        p = xp.where(inside(moved), moved, p)
    return p / _sum(xp, p)  # the rounding errors of many steps


def _reach(xp: Any, p: Array, g: Array, inside: Any) -> Array:
    low = xp.zeros_like(p[..., :1])
    falls = xp.where(g < 0, p / nonzero(xp, -g), xp.full_like(p, 2.0))
    high = xp.minimum(xp.min(falls, axis=-1, keepdims=True), xp.full_like(low, 2.0))
    for _ in range(24):
        middle = (low + high) / 2
        fits = inside(xp.maximum(p + middle * g, xp.zeros_like(p)))
        low, high = xp.where(fits, middle, low), xp.where(fits, high, middle)
    return low


def _sum(xp: Any, x: Array) -> Array:
    return xp.sum(x, axis=-1, keepdims=True)


def dirichlet(xp: Any, rng: Any, p0: Array, on: Array) -> Array:
    """Draw uniformly from the simplex over the places that are on."""
    drawn = xp.where(on, like(xp, exponential(rng, tuple(p0.shape)), p0), xp.zeros_like(p0))
    return drawn / _sum(xp, drawn)


def levels(name: str, value: Any, rule: str, low: float, high: float) -> Radius:
    """Return a float, or nested tuples of floats for an array."""
    if not _check.is_sequence(value):
        return _check.number(name, value, rule, low, high)
    value = value.tolist() if hasattr(value, "tolist") else list(value)
    if not value:
        raise ValueError(f"{name} must not be empty, got {name}={value!r}")
    nested = tuple(levels(name, entry, rule, low, high) for entry in value)
    if len({np.shape(entry) for entry in nested}) > 1:
        raise ValueError(f"{name} must have rows of equal length, got {name}={value!r}")
    return nested


def _arrays(**given: Any) -> tuple[Any, list[Array]]:
    """Return all as floating arrays of one kind: torch if one is torch, double precision if one is double."""
    made = {name: as_array(name, value) for name, value in given.items()}
    kind, xp, model = "numpy", NUMPY, None
    for space, array in made.values():
        if space is not NUMPY:
            kind, xp, model = "torch", space, array
    plain = [
        xp.asarray(np.array(a), device=aac.device(model)) if kind == "torch" and s is NUMPY else a
        for s, a in made.values()
    ]
    # a list of Python floats has no precision of its own
    typed = [a.dtype for (name, a) in zip(given, plain, strict=True) if hasattr(given[name], "dtype")]
    dtype = xp.result_type(*typed) if typed else xp.float64
    dtype = dtype if xp.isdtype(dtype, "real floating") else xp.float64
    for name, array in zip(given, plain, strict=True):
        if array.shape[-1] == 0:
            raise ValueError(f"{name} must not be empty on its last axis, got shape {tuple(array.shape)}")
    return xp, [xp.astype(a, dtype, copy=False) if a.dtype != dtype else a for a in plain]


def _check_finite(xp: Any, name: str, x: Array) -> None:
    if not xp.all(xp.isfinite(x)):
        bad = x[~xp.isfinite(x)]
        raise ValueError(f"{name} must be finite, got an entry {float(bad[0])}")


def check_distribution(xp: Any, name: str, p: Array) -> None:
    """Refuse rows that are not distributions; the sum may be off by the square root of the precision."""
    if not xp.all(p >= 0):
        bad = p[~(p >= 0)]
        raise ValueError(f"{name} must have entries >= 0, got an entry {float(bad[0])}")
    sums = xp.sum(p, axis=-1)
    wrong = ~(xp.abs(sums - 1) <= _sum_slack(xp, p))
    if xp.any(wrong):
        raise ValueError(f"{name} must sum to 1 over its last axis, got a sum of {float(sums[wrong][0])}")


def check_columns(xp: Any, least: Array, most: Array, p0: Array) -> None:
    """Refuse values whose ends are not finite, and columns that are not distributions."""
    _check_finite(xp, "values", least)  # NaN is both least and most
    _check_finite(xp, "values", most)
    if not (xp.all(lowest(xp, p0) >= 0) and xp.all(xp.abs(total(xp, p0) - 1) <= _sum_slack(xp, p0))):
        check_distribution(xp, "nominal", p0.T)


def _sum_slack(xp: Any, p: Array) -> float:
    return math.sqrt(float(xp.finfo(p.dtype).eps))


def _scaled(xp: Any, v: Array, least: Array, most: Array) -> Array:
    """Move and scale values to [0, 1], so that no scale overflows."""
    # the range itself may overflow: halve first, but halving would lose denormal numbers
    half = xp.where(most / 2 - least / 2 > 1e-300, 0.5 * xp.ones_like(most), xp.ones_like(most))
    width = most * half - least * half
    return (v * half - least * half) / nonzero(xp, width)
