"""A small law from what nature sees to what it does."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from robust_envs.files import read_versioned, write_atomic
from robust_envs.natures.move import Array, Move, check_rests, discrete
from robust_envs.sets import UncertaintySet

__all__ = ["LinearFeedback"]

_KIND, _VERSION = "robust-envs linear feedback", 1
_SQUASH = {"tanh": np.tanh, "sign": np.sign}


@final
@dataclass(frozen=True)
class LinearFeedback:
    r"""Answer what is seen by a linear law: \(\delta = \Pi(\mathrm{scale}(\sigma(K o + b)))\).

    \(o\) is the nominal observation of the opposed agent (flat, mask removed), \(\sigma\) squashes each coordinate
    into [-1, 1], 1 stands for the upper end of the set's bounds and -1 for the lower one, and \(\Pi\) is the set's
    projection. A disturbance that feeds back what a system does breaks policies far sooner than noise of the same
    size, and it is a few numbers: to be searched, kept and read.

    Args:
        gain: K, shape (dim, numbers seen).
        bias: b, shape (dim,); 0 by default.
        squash: ``"tanh"`` or ``"sign"`` (all or nothing: 0 only where the law is 0).

    Raises:
        TypeError: If `gain` or `bias` does not hold numbers.
        ValueError: If a shape does not fit or a number is not finite; at ``robust()``, on a discrete space; at the
            first move, if another number of values is seen.

    Example:
        >>> import gymnasium
        >>> from robust_envs import LinearFeedback, Linf, robust
        >>> push = LinearFeedback([[0.0, 0.0, 1.0]])  # along the pendulum's angular velocity
        >>> env = robust(gymnasium.make("Pendulum-v1"), action=Linf(0.5), nature=push)
        >>> observation, _ = env.reset(seed=0)
        >>> _ = env.step([0.0])
        >>> bool(env.last_move["action", "agent_0"].executed[0] * observation[2] > 0)
        True
    """

    gain: Sequence[Sequence[float]]
    bias: Sequence[float] | None = None
    squash: str = field(default="tanh", kw_only=True)

    def __post_init__(self) -> None:
        gain = _numbers("gain", self.gain, 2)
        object.__setattr__(self, "gain", tuple(map(tuple, gain.tolist())))
        if self.bias is not None:
            bias = _numbers("bias", self.bias, 1)
            if len(bias) != len(gain):
                raise ValueError(f"bias must have {len(gain)} numbers, as gain has rows, got bias={self.bias!r}")
            object.__setattr__(self, "bias", tuple(bias.tolist()))
        if self.squash not in _SQUASH:
            raise ValueError(f"squash must be 'tanh' or 'sign', got squash={self.squash!r}")

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise unless the law has a row for each coordinate, and 0 is something it may answer."""
        if discrete(members):
            raise ValueError(f"LinearFeedback() adds deltas and cannot replace a choice, got {members} on {channel}")
        check_rests("LinearFeedback()", members)
        if len(self.gain) != members.dim:
            raise ValueError(f"gain must have {members.dim} rows on {channel}, got {len(self.gain)}")

    def __call__(self, move: Move) -> Array:
        """Return the delta for what is seen."""
        gain = np.asarray(self.gain)
        if gain.shape[1] != len(move.seen):
            raise ValueError(f"gain must have {len(move.seen)} columns, what nature sees, got {gain.shape[1]}")
        law = gain @ move.seen.astype(np.float64) + (0.0 if self.bias is None else np.asarray(self.bias))
        push, bounds = _SQUASH[self.squash](law), move.set.bounds
        return np.asarray(move.set.project(np.where(push >= 0, push * bounds.high, -push * bounds.low)))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the law as JSON, whole or not at all."""
        return write_atomic(Path(path), json.dumps({"format": _KIND, "version": _VERSION, **asdict(self)}))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> LinearFeedback:
        """Read a law.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not one, or comes from a newer version.
        """
        target = Path(path)
        try:
            head = read_versioned(target.read_text(), kind=_KIND, version=_VERSION)
            return LinearFeedback(head["gain"], head["bias"], squash=head["squash"])
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"path must be a law saved by LinearFeedback.save, got {target.name}: {error}") from error


def _numbers(name: str, value: Any, ndim: int) -> Array:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold numbers in {ndim} dimension(s), got {name}={value!r}") from error
    if array.ndim != ndim or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers in {ndim} dimension(s), got {name}={value!r}")
    return array
