"""What the numbers of known environments are called, so that a rule can be told in words."""

from __future__ import annotations

from typing import Any

__all__ = ["choice_names", "observation_names", "state_names"]

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

_STATES = {
    "Pendulum": ("theta", "theta_dot"),
    "Acrobot": ("theta_1", "theta_2", "theta_dot_1", "theta_dot_2"),
}
_CHOICES = {  # what a choice is called where not as its channel, and the choice to leave things as they are
    "message": ("word", "as it was"),
    "partners": ("partner", "the agent itself"),
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
    known = _GYM.get(_task(env))
    if known is None:
        known = _spread(env, agent)
    return known if known is not None and len(known) == size else tuple(f"obs[{k}]" for k in range(size))


def state_names(env: Any, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Name the numbers of the world: parameters by themselves, states of known environments by what they are.

    Example:
        >>> import gymnasium
        >>> state_names(gymnasium.make("Pendulum-v1"), ("state[0]", "state[1]")), state_names(None, ("masspole",))
        (('theta', 'theta_dot'), ('masspole',))
    """
    known = _STATES.get(_task(env), _GYM.get(_task(env), ()))
    whole = tuple(f"state[{k}]" for k in range(len(known)))
    return known if labels == whole else labels


def choice_names(channel: str, space: Any, *, menu: bool) -> tuple[str, ...]:
    """Name the choices that nature has on a channel; of a menu 0 is to leave things as they are.

    Example:
        >>> from gymnasium.spaces import Discrete
        >>> choice_names("action", Discrete(2), menu=False), choice_names("dropout", Discrete(2), menu=True)
        (('action 0', 'action 1'), ('kept', 'lost'))
        >>> choice_names("partners", Discrete(3), menu=True)
        ('the agent itself', 'partner 1', 'partner 2')
    """
    if channel == "dropout":
        return "kept", "lost"
    word, none = _CHOICES.get(channel, (channel, None))
    first = int(space.start)
    names = [f"{word} {k}" for k in range(first, first + int(space.n))]
    return (none, *names[1:]) if menu and none is not None else tuple(names)


def _task(env: Any) -> str:
    return str(getattr(getattr(env, "spec", None), "id", "")).split("-v")[0]


def _spread(env: Any, agent: Any) -> tuple[str, ...] | None:
    """Cooperative navigation: own velocity and place, then landmarks, others and their messages, seen from here."""
    if not str(getattr(env, "metadata", {}).get("name", "")).startswith("simple_spread") or isinstance(agent, tuple):
        return None
    count = len(env.possible_agents)
    words = [*(f"landmark_{k}" for k in range(count)), *(f"other_{k}" for k in range(count - 1))]
    places = [f"{word}.{axis}" for word in words for axis in "xy"]
    messages = [f"message_{k}.{part}" for k in range(count - 1) for part in "01"]
    return ("velocity.x", "velocity.y", "x", "y", *places, *messages)
