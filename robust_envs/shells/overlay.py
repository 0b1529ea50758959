"""What nature did, drawn over what the environment renders."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import BaseParallelWrapper, BaseWrapper

from robust_envs.drawing import Row, draw_bars
from robust_envs.seats import Seat
from robust_envs.sets import Finite, Switch
from robust_envs.shells.layers import Layer, inwards

__all__ = ["overlay"]


def overlay(env: Any) -> Any:
    """Show in every rendered picture what nature did last: a bar for each number, by channel and agent.

    A bar's full height is the most that the set allows that number: up (orange) added, down (blue) taken away. Where
    nature replaces choices the bar is full when it did. Many numbers are drawn as the extremes of groups. All else
    about the environment stays as it is.

    Args:
        env: A robust environment (or one with a robust layer inside) with ``render_mode="rgb_array"``.

    Returns:
        An environment of the same kind whose ``render()`` has the bars in its upper left corner.

    Raises:
        TypeError: If it is no single environment.
        ValueError: If there is no robust layer in it, or it renders something else.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf, Uniform, overlay, robust
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform())
        >>> overlay(env)
        Traceback (most recent call last):
        ValueError: env must have render_mode='rgb_array' to be drawn on, got render_mode=None
    """
    kinds: tuple[tuple[type, Any], ...] = (
        (gymnasium.Env, OverlayEnv),
        (ParallelEnv, OverlayParallelEnv),
        (AECEnv, OverlayAECEnv),
    )
    for kind, wrapper in kinds:
        if isinstance(env, kind) and not isinstance(env, VectorEnv):
            if not _layers(env):
                raise ValueError(f"env must have a robust layer: robust(env, ...), got {env}")
            if getattr(env, "render_mode", None) != "rgb_array":
                mode = getattr(env, "render_mode", None)
                raise ValueError(f"env must have render_mode='rgb_array' to be drawn on, got render_mode={mode!r}")
            return wrapper(env)
    raise TypeError(f"env must be a gymnasium Env, a pettingzoo ParallelEnv or an AECEnv, got {env!r}")


def _layers(env: Any) -> list[Layer]:
    return [layer for layer in inwards(env) if isinstance(layer, Layer)]


def _drawn(env: Any) -> Any:
    frame = env.render()
    if not isinstance(frame, np.ndarray):  # pictures of an episode, or none
        return frame
    seats = [seat for layer in reversed(_layers(env)) for seat in layer._perturber.seats]
    return draw_bars(frame, [_row(seat) for seat in seats])


def _row(seat: Seat) -> Row:
    channel, agent = seat.key
    executed = np.zeros(seat.port.dim) if seat.last is None else seat.last.executed
    members = seat.members
    if isinstance(members, Switch) or (isinstance(members, Finite) and members.discrete):
        return f"{channel} {agent}", np.sign(executed)
    most = np.maximum(np.abs(members.bounds.low), np.abs(members.bounds.high))
    return f"{channel} {agent}", executed / np.where(most > 0, most, 1.0)


class OverlayEnv(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """A Gymnasium environment whose pictures show what nature did; made by `overlay`."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)

    def render(self) -> Any:
        return _drawn(self.env)


class OverlayParallelEnv(BaseParallelWrapper[Any, Any, Any]):
    """A ParallelEnv whose pictures show what nature did; made by `overlay`."""

    def render(self) -> Any:
        return _drawn(self.env)


class OverlayAECEnv(BaseWrapper[Any, Any, Any]):
    """An AECEnv whose pictures show what nature did; made by `overlay`."""

    def render(self) -> Any:
        return _drawn(self.env)
