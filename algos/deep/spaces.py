"""What a network sees of an agent's spaces, and the spaces as plain values that fit into JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten

from algos.deep.config import Continuous

Kind = Literal["discrete", "simplex", "box"]
Space = spaces.Space[Any]
_FLAT = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


@dataclass(frozen=True)
class Seat:
    """Hold one agent's spaces and how the networks read and write them.

    Args:
        agent: name of the agent.
        observation_space: Box, Discrete, MultiDiscrete, MultiBinary, or a Dict or Tuple of them. Of a Dict that holds
            "action_mask" only the part "observation" is seen, and the mask is respected.
        action_space: Discrete, or a bounded Box of real numbers.
        continuous: how Box actions are made, see `ActorCriticConfig`.

    Raises:
        ValueError: a space is of another kind; the message names the agent.
    """

    agent: str
    observation_space: Space
    action_space: Space
    continuous: Continuous

    def __post_init__(self) -> None:
        _check_flat(self.agent, self.seen_space)
        _check_action(self.agent, self.action_space, self.continuous)
        if self.has_mask and not isinstance(self.action_space, spaces.Discrete):
            raise ValueError(
                f"agent {self.agent!r}: action_mask needs a Discrete action space, got {self.action_space}"
            )

    @cached_property
    def has_mask(self) -> bool:
        """Whether the observation brings a mask of legal actions."""
        return isinstance(self.observation_space, spaces.Dict) and "action_mask" in self.observation_space.spaces

    @cached_property
    def seen_space(self) -> Space:
        """The part of the observation that the networks see."""
        if self.has_mask and isinstance(self.observation_space, spaces.Dict):
            if "observation" not in self.observation_space.spaces:
                raise ValueError(f"agent {self.agent!r}: a Dict with 'action_mask' must also hold 'observation'")
            return self.observation_space["observation"]
        return self.observation_space

    @cached_property
    def kind(self) -> Kind:
        """How the actor's outputs become an action."""
        if isinstance(self.action_space, spaces.Discrete):
            return "discrete"
        return "box" if self.continuous == "tanh" else "simplex"

    @cached_property
    def observation_size(self) -> int:
        """Numbers in a flat observation."""
        return flatdim(self.seen_space)

    @cached_property
    def action_size(self) -> int:
        """Outputs of the actor."""
        return flatdim(self.action_space)

    def flatten(self, observation: Any) -> npt.NDArray[Any]:
        """Flatten what the networks see of an observation to shape (observation_size,)."""
        seen = observation["observation"] if self.has_mask else observation
        if self._box_shape is None:
            return np.asarray(flatten(self.seen_space, seen))
        values = np.asarray(seen)
        if values.shape != self._box_shape:
            raise ValueError(f"shape must be {self._box_shape}, got {values.shape}")
        return values.reshape(-1)

    def legal(self, observation: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
        """Read the mask of legal actions; an agent that is left no action is given all."""
        mask = np.asarray(observation["action_mask"]).astype(bool).reshape(-1)
        if mask.shape != (self.action_size,):
            raise ValueError(f"action_mask must have {self.action_size} entries, got {mask.size}")
        return mask if mask.any() else np.ones_like(mask)

    def action(self, values: npt.NDArray[np.float32]) -> Any:
        """Turn the networks' form of an action, shape (action_size,), into an element of the action space."""
        space = self.action_space
        if isinstance(space, spaces.Box):
            low, high = self._corners
            point = values if self.kind == "simplex" else low + (values + 1.0) * 0.5 * (high - low)
            return np.minimum(np.maximum(point, low), high).astype(space.dtype).reshape(space.shape)
        return int(values.argmax()) + self._first

    def element(self, values: npt.NDArray[np.float32]) -> Any:
        """Turn numbers in the environment's units (an index first, if discrete) into an element of the action space."""
        space = self.action_space
        if isinstance(space, spaces.Box):
            return values[: self.action_size].astype(space.dtype).reshape(space.shape)
        return int(values[0])

    @cached_property
    def _box_shape(self) -> tuple[int, ...] | None:
        return self.seen_space.shape if isinstance(self.seen_space, spaces.Box) else None

    @cached_property
    def _corners(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        box = self.action_space
        return (
            (box.low.reshape(-1), box.high.reshape(-1)) if isinstance(box, spaces.Box) else (np.empty(0), np.empty(0))
        )

    @cached_property
    def _first(self) -> int:
        return int(self.action_space.start) if isinstance(self.action_space, spaces.Discrete) else 0


def _check_flat(agent: str, space: Space) -> None:
    parts = [space]
    while parts:
        part = parts.pop()
        if isinstance(part, spaces.Dict | spaces.Tuple):
            parts.extend(part.spaces.values() if isinstance(part, spaces.Dict) else part.spaces)
        elif not isinstance(part, _FLAT):
            raise ValueError(
                f"agent {agent!r}: observation space must be Box, Discrete, MultiDiscrete, MultiBinary, Dict or Tuple, "
                f"got {part}"
            )


def _check_action(agent: str, space: Space, continuous: Continuous) -> None:
    if isinstance(space, spaces.Discrete):
        return
    rule = f"agent {agent!r}: action space must be Discrete or a bounded Box of real numbers, got {space}"
    if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype, np.floating):
        raise ValueError(rule)
    if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
        raise ValueError(rule)
    if continuous == "softmax" and not ((space.low == 0).all() and (space.high == 1).all()):
        raise ValueError(f"agent {agent!r}: continuous='softmax' needs an action space Box(0, 1), got {space}")


def space_to_json(space: Space) -> dict[str, Any]:
    """Describe a space by plain values; equal spaces have equal descriptions."""
    match space:
        case spaces.Dict():
            return {"kind": "Dict", "spaces": {name: space_to_json(part) for name, part in space.spaces.items()}}
        case spaces.Tuple():
            return {"kind": "Tuple", "spaces": [space_to_json(part) for part in space.spaces]}
        case spaces.Box():
            bounds = {"low": _compact(space.low), "high": _compact(space.high)}
            return {"kind": "Box", "shape": list(space.shape), "dtype": str(space.dtype), **bounds}
        case spaces.Discrete():
            return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
        case spaces.MultiDiscrete():
            return {"kind": "MultiDiscrete", "nvec": space.nvec.tolist(), "start": space.start.tolist()}
        case spaces.MultiBinary():
            return {"kind": "MultiBinary", "n": space.n if isinstance(space.n, int) else list(space.shape)}
    raise ValueError(f"space must be Box, Discrete, MultiDiscrete, MultiBinary, Dict or Tuple, got {space}")


def space_from_json(values: Mapping[str, Any]) -> Space:
    """Rebuild the space that `space_to_json` described."""
    match values["kind"]:
        case "Dict":
            return spaces.Dict({name: space_from_json(part) for name, part in values["spaces"].items()})
        case "Tuple":
            return spaces.Tuple([space_from_json(part) for part in values["spaces"]])
        case "Box":
            shape, dtype = tuple(values["shape"]), np.dtype(values["dtype"])
            low, high = (np.broadcast_to(np.asarray(values[end], dtype), shape) for end in ("low", "high"))
            return spaces.Box(low, high, shape, dtype.type)
        case "Discrete":
            return spaces.Discrete(values["n"], start=values["start"])
        case "MultiDiscrete":
            return spaces.MultiDiscrete(np.array(values["nvec"]), start=np.array(values["start"]))
        case "MultiBinary":
            return spaces.MultiBinary(values["n"])
    raise ValueError(f"unknown kind of space {values['kind']!r}")


def _compact(bound: npt.NDArray[Any]) -> Any:
    """Write a bound that is the same everywhere as one number: images have many pixels."""
    return bound.flat[0].item() if bound.size and (bound == bound.flat[0]).all() else bound.tolist()
