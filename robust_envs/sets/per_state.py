"""A set whose size depends on where the agent is and what it does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import gymnasium as gym

from robust_envs.sets import _check
from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.episode import PerEpisode
from robust_envs.sets.finite import Switch
from robust_envs.sets.joint import Joint
from robust_envs.sets.wrapping import Wrapping

Rule = Callable[[Any, Any], Any]


@dataclass(frozen=True, repr=False)
class PerState(Wrapping):
    """Scale a set by a number that depends on the observation and the action: {c d : d in inner}, c = rule(s, a).

    `per_state` is the function to call. As a set (`contains`, `project`, ...) it speaks of the set inside; `at` is the
    set in one situation.

    Args:
        inner: the set to be scaled.
        rule: called with the nominal observation and action, returns a finite number >= 0.

    Raises:
        ValueError: if `inner` is a `Joint`, `PerEpisode`, `PerState` or `Switch`.
        TypeError: if `inner` is not a set or `rule` cannot be called.

    Example:
        >>> from robust_envs.sets import L2, PerState
        >>> far = PerState(L2(1.0), lambda observation, action: abs(observation))
        >>> far.at(-3.0, None)
        L2(3.0)
    """

    inner: UncertaintySet
    rule: Rule

    def __post_init__(self) -> None:
        if not isinstance(self.inner, UncertaintySet):
            raise TypeError(f"per_state must hold an uncertainty set, got inner={self.inner!r}")
        if isinstance(self.inner, Joint | PerEpisode | PerState | Switch):
            raise ValueError(f"per_state cannot hold a {type(self.inner).__name__}, got inner={self.inner!r}")
        if not callable(self.rule):
            raise TypeError(f"radius must be a function of (observation, action), got radius={self.rule!r}")

    def bind(self, space: gym.Space[Any] | int) -> Self:
        if isinstance(space, gym.spaces.Discrete):
            raise ValueError(f"per_state cannot act on a Discrete space: choices have no size, got {self!r}")
        return super().bind(space)

    def factor(self, observation: Any, action: Any) -> float:
        """Return what `rule` says, checked.

        Raises:
            ValueError: if it is negative or not finite.
            TypeError: if it is no number.
        """
        value = self.rule(observation, action)
        if getattr(value, "shape", None) in ((), (1,)):
            value = value.item()  # an array of one number, as observations give
        return _check.at_least_zero("radius(observation, action)", value)

    def at(self, observation: Any, action: Any) -> UncertaintySet:
        """Return the set in one situation.

        Raises:
            ValueError: if the radius there is negative or not finite.
            TypeError: if it is no number.
        """
        return self.inner.scaled(self.factor(observation, action))

    def __repr__(self) -> str:
        # A function has no expression that makes it again; its name is the same in every process.
        return f"per_state({self.inner!r}, radius={getattr(self.rule, '__qualname__', type(self.rule).__name__)})"


def per_state(inner: UncertaintySet, radius: Rule) -> PerState | Joint:
    """Let the size of a set depend on state and action: L(s, a).

    In every move the deltas of `inner` are multiplied by ``radius(observation, action)``; with ``inner`` of radius 1
    that is the radius itself. Both arguments are nominal and of the opposed agent (for a `joint` set: dicts by agent):

    - on `observation`: the observation to be perturbed, and None;
    - on `action`: the observation the agent acts on, and the action to be perturbed;
    - on `reward`: the observation and the action that earned it (None for an agent that has not acted yet).

    The function must not change them, and should depend on nothing else, or traces will not replay.

    Args:
        inner: any set but `per_episode` and `Switch`; `joint` may stand inside or outside.
        radius: returns a finite number >= 0, in multiples of `inner`; 0 leaves the nominal value untouched.

    Returns:
        A `PerState`; `joint` is always outermost: `Joint(PerState(set))`.

    Raises:
        ValueError: if `inner` is another set; when nature moves, if the radius is negative or not finite.
        TypeError: if `inner` is not a set or `radius` cannot be called.

    Example:
        >>> import gymnasium
        >>> from robust_envs import L2, Uniform, per_state, robust
        >>> def worse_when_tilted(observation, action):
        ...     return 0.1 * abs(observation[2])
        >>> env = gymnasium.make("CartPole-v1")
        >>> env = robust(env, observation=per_state(L2(1.0), radius=worse_when_tilted), nature=Uniform())

    References:
        W. Wiesemann, D. Kuhn, B. Rustem, 2013, Robust Markov decision processes ((s, a)-rectangular sets).
    """
    if isinstance(inner, Joint):
        return Joint(PerState(inner.inner, radius))
    return PerState(inner, radius)
