"""What the numbers of known environments are called, so that a rule can be told in words."""

from __future__ import annotations

from typing import Any

__all__ = ["observation_names"]

_GYM = {
    "CartPole": ("x", "x_dot", "theta", "theta_dot"),
    "Pendulum": ("cos_theta", "sin_theta", "theta_dot"),
    "MountainCar": ("position", "velocity"),
    "MountainCarContinuous": ("position", "velocity"),
    "Acrobot": ("cos_1", "sin_1", "cos_2", "sin_2", "theta_dot_1", "theta_dot_2"),
    "LunarLander": ("x", "y", "x_dot", "y_dot", "angle", "angle_dot", "left_leg", "right_leg"),
    "HalfCheetah": (
        *("z", "pitch", "back_thigh", "back_shin", "back_foot", "front_thigh", "front_shin", "front_foot"),
        *("x_dot", "z_dot", "pitch_dot", "back_thigh_dot", "back_shin_dot", "back_foot_dot"),
        *("front_thigh_dot", "front_shin_dot", "front_foot_dot"),
    ),
}


def observation_names(env: Any, agent: Any, size: int) -> tuple[str, ...]:
    """Name the flat numbers of an observation: from the table of known environments, else by their place.

    Example:
        >>> import gymnasium
        >>> observation_names(gymnasium.make("CartPole-v1"), "agent_0", 4)
        ('x', 'x_dot', 'theta', 'theta_dot')
        >>> observation_names(None, "agent_0", 2)
        ('obs[0]', 'obs[1]')
    """
    spec = getattr(env, "spec", None)
    known = _GYM.get(str(getattr(spec, "id", "")).split("-v")[0])
    if known is None:
        known = _spread(env, agent)
    return known if known is not None and len(known) == size else tuple(f"obs[{k}]" for k in range(size))


def _spread(env: Any, agent: Any) -> tuple[str, ...] | None:
    """Cooperative navigation: own velocity and place, then landmarks, others and their messages, seen from here."""
    if not str(getattr(env, "metadata", {}).get("name", "")).startswith("simple_spread") or isinstance(agent, tuple):
        return None
    count = len(env.possible_agents)
    words = [*(f"landmark_{k}" for k in range(count)), *(f"other_{k}" for k in range(count - 1))]
    places = [f"{word}.{axis}" for word in words for axis in "xy"]
    messages = [f"message_{k}.{part}" for k in range(count - 1) for part in "01"]
    return ("velocity.x", "velocity.y", "x", "y", *places, *messages)
