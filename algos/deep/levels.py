"""How uncertain the world is that a trainer plays in: the radius of its sets, changed between episodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Radius = float | Mapping[str, float]
_DEEPEST = 100  # a wrapper that answers every name would never end


def set_radius(env: Any, radius: Radius) -> None:
    """Set the radius of the uncertainty sets of an environment, or of many games, wherever their layers are.

    Args:
        env: an environment made robust, under any wrappers; or games that have `set_radius`.
        radius: a number for all channels of all layers, or a dict by channel.

    Raises:
        ValueError: there is no robust layer, none with a channel that is named, or a set has no radius.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf, Uniform, robust
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform())
        >>> set_radius(env, {"observation": 0.3})
        >>> env.radius
        {'observation': 0.3}
    """
    if callable(getattr(env, "set_radius", None)):
        env.set_radius(radius)
        return
    layers = _layers(env)
    if not layers:
        raise ValueError(f"env must be made robust for its radius to be set, got {env}")
    if not isinstance(radius, Mapping):
        for layer in layers:
            layer.radius = radius
        return
    known = {channel for layer in layers for channel in layer.radius}
    for channel in radius:
        if channel not in known:
            raise ValueError(f"radius names channel {channel!r}, the environment has {', '.join(sorted(known))}")
    for layer in layers:
        own = {channel: value for channel, value in radius.items() if channel in layer.radius}
        if own:
            layer.radius = own


def _layers(env: Any) -> list[Any]:
    """Find what has a radius that can be set; a wrapper that only hands the name through has none."""
    found, depth = [], 0
    while env is not None and depth < _DEEPEST:
        if isinstance(getattr(type(env), "radius", None), property):
            found.append(env)
        env, depth = getattr(env, "env", None), depth + 1
    return found
