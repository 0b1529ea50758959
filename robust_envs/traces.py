"""The record of an episode: what nature chose, what was executed, what the agents did; it replays bit for bit."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from robust_envs._version import __version__
from robust_envs.files import read_versioned, write_atomic
from robust_envs.trace_plots import plot_moves

__all__ = ["Executed", "Recorded", "Trace"]

Array = np.ndarray[Any, np.dtype[Any]]
_KIND, _VERSION = "robust-envs trace", 1


class Executed(NamedTuple):
    """One move of nature, flat, each of shape (dim,).

    Attributes:
        nominal: What the environment (or the agent) said.
        chosen: What nature answered: a delta; on a discrete space the choice it put in place.
        executed: Perturbed minus nominal value, after rounding and clipping.
    """

    nominal: Array
    chosen: Array
    executed: Array


class Recorded(NamedTuple):
    """All moves of one nature in an episode, each of shape (T, dim); see `Executed`."""

    chosen: Array
    executed: Array


@dataclass(frozen=True, eq=False)
class Trace:
    """Hold one episode's perturbations.

    Args:
        seed: Seed which the episode was reset with; ``None`` if there was none.
        options: Options which it was reset with.
        depth: Number of robust layers below the one that recorded it.
        moves: `Recorded` by (channel, agent); a nature that covers several agents is ``"*"``.
        actions: What each agent wanted to do, by agent, flat, shape (T, ...).
        sets: The declared sets, in words, by ``"channel agent"``.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf, Uniform, robust
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform(), trace=True)
        >>> _ = env.reset(seed=0)
        >>> _ = env.step(1)
        >>> env.trace.moves["observation", "agent_0"].executed.shape
        (2, 4)
    """

    seed: int | None
    options: dict[str, Any] | None
    depth: int
    moves: dict[tuple[str, str], Recorded]
    actions: dict[str, Array] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return max((len(recorded.executed) for recorded in self.moves.values()), default=0)

    @property
    def perturbed_steps(self) -> tuple[int, ...]:
        """The moves at which any nature executed a delta other than 0, counted from the start of the episode.

        Example:
            >>> still, moved = np.zeros(1), np.ones(1)
            >>> moves = {("reward", "agent_0"): Recorded(np.array([still, moved]), np.array([still, moved]))}
            >>> Trace(seed=0, options=None, depth=0, moves=moves).perturbed_steps
            (1,)
        """
        moved = [np.flatnonzero(recorded.executed.any(axis=1)) for recorded in self.moves.values()]
        return tuple(int(t) for t in np.unique(np.concatenate(moved))) if moved else ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and not self.differences(other)

    def differences(self, other: Trace) -> list[str]:
        """Say in words where two traces differ; an empty list means: not in a single bit.

        Example:
            >>> a = Trace(seed=0, options=None, depth=0, moves={})
            >>> a.differences(Trace(seed=1, options=None, depth=0, moves={}))
            ['seed: 0 against 1']
        """
        found = [
            f"{name}: {getattr(self, name)!r} against {getattr(other, name)!r}"
            for name in ("seed", "options", "depth")
            if getattr(self, name) != getattr(other, name)
        ]
        mine, theirs = self._arrays(), other._arrays()
        for key in sorted(mine.keys() | theirs.keys()):
            if key not in mine or key not in theirs:
                found.append(f"{key}: only in {'the first' if key in mine else 'the second'}")
            elif not _same(mine[key], theirs[key]):
                found.append(f"{key}: the numbers differ")
        return found

    def plot(self, path: str | os.PathLike[str] | None = None, *, title: str | None = None) -> Any:
        """Draw the executed deltas over the episode, one panel for each (channel, agent).

        Args:
            path: Where to write the picture (PNG; the file name's ending chooses another format).
            title: Instead of one that names the seed.

        Returns:
            The matplotlib Figure.

        Raises:
            ImportError: Without matplotlib; the message says what to install.
        """
        heading = f"what nature did, seed {self.seed}" if title is None else title
        return plot_moves({key: moves.executed for key, moves in self.moves.items()}, title=heading, path=path)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the trace whole or not at all: ``.npz`` for machines, ``.json`` for people; both are exact.

        Raises:
            ValueError: If the ending is neither.
        """
        target = Path(path)
        if target.suffix == ".json":
            listed = {
                key: {"dtype": str(a.dtype), "shape": a.shape, "data": a.tolist()} for key, a in self._arrays().items()
            }
            return write_atomic(target, self._text(arrays=listed))
        if target.suffix != ".npz":
            raise ValueError(f"path must end in .npz or .json, got path={os.fspath(path)!r}")
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"head": np.array(self._text()), **self._arrays()}
        np.savez_compressed(buffer, **arrays)
        return write_atomic(target, buffer.getvalue())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Trace:
        """Read a trace; no pickle is ever loaded.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not a trace, is damaged, or comes from a newer version.
        """
        target = Path(path)
        try:
            head, arrays = _read_json(target) if target.suffix == ".json" else _read_npz(target)
            return _assemble(head, arrays)
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged archive raises zlib.error, NotImplementedError, RuntimeError and more
            raise ValueError(f"path must be a trace saved by Trace.save, got {target.name!r}: {error}") from error

    def _text(self, **more: Any) -> str:
        try:
            return json.dumps({**self._head(), **more})
        except TypeError as error:
            raise ValueError(f"options must be JSON to be saved, got options={self.options!r}: {error}") from error

    def _head(self) -> dict[str, Any]:
        head = {"format": _KIND, "version": _VERSION, "robust_envs": __version__}
        return head | {"seed": self.seed, "options": self.options, "depth": self.depth, "sets": self.sets}

    def _arrays(self) -> dict[str, Array]:
        arrays = {
            f"{name}|{channel}|{agent}": numbers
            for (channel, agent), recorded in self.moves.items()
            for name, numbers in zip(Recorded._fields, recorded, strict=True)
        }
        return arrays | {f"action||{agent}": actions for agent, actions in self.actions.items()}


def _same(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _read_json(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    head = read_versioned(path.read_text(), kind=_KIND, version=_VERSION)
    return head, {key: np.array(a["data"], a["dtype"]).reshape(a["shape"]) for key, a in head["arrays"].items()}


def _read_npz(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    # a stream of our own: numpy leaves a damaged file open
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return read_versioned(str(arrays.pop("head")), kind=_KIND, version=_VERSION), arrays


def _check_head(head: Mapping[str, Any]) -> None:
    for name, kinds, words in (
        ("seed", int | None, "an integer or null"),
        ("options", dict | None, "an object or null"),
        ("depth", int, "an integer"),
        ("sets", dict, "an object"),
    ):
        if name not in head:
            raise ValueError(f"{name} is missing")
        if not isinstance(head[name], kinds) or isinstance(head[name], bool):
            raise ValueError(f"{name} must be {words}, got {name}={head[name]!r}")


def _partner(arrays: Mapping[str, Array], key: str, numbers: Array) -> Array:
    """Return the array that goes with another one, move by move."""
    if key not in arrays:
        raise ValueError(f"array {key!r} is missing")
    if numbers.ndim != 2 or arrays[key].shape != numbers.shape:
        raise ValueError(f"array {key!r} must be of shape {numbers.shape}, (T, dim), got {arrays[key].shape}")
    return arrays[key]


def _assemble(head: Mapping[str, Any], arrays: Mapping[str, Array]) -> Trace:
    _check_head(head)
    moves: dict[tuple[str, str], Recorded] = {}
    actions: dict[str, Array] = {}
    for key, numbers in arrays.items():
        name, channel, agent = key.split("|", 2)
        if name == "action":
            actions[agent] = numbers
        elif name == "chosen":
            moves[channel, agent] = Recorded(numbers, _partner(arrays, f"executed|{channel}|{agent}", numbers))
        elif name == "executed":
            _partner(arrays, f"chosen|{channel}|{agent}", numbers)
        else:
            raise ValueError(f"unknown array {key!r}")
    return Trace(head["seed"], head["options"], head["depth"], moves, actions, head["sets"])
