"""Numbers that a reset is given, such as the range from which a start is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Real
from operator import itemgetter
from typing import Any

import numpy as np

from robust_envs.sets import Product
from robust_envs.worlds.lever import Lever
from robust_envs.worlds.parameter import Parameter

__all__ = ["Option", "OptionsLever", "asks_options"]


@dataclass(frozen=True)
class Option:
    """Name a number among the options of `reset`, for the channel ``start``.

    Nature moves it before the environment is reset, about the value that ``reset(options=...)`` gives, or else about
    the nominal one.

    Args:
        name: Its key in the options.
        nominal: What the environment takes when the option is not given.
        low: The least it may be.
        high: The most it may be.

    Raises:
        TypeError: If `name` is not text or `nominal` not a number.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Interval, Option, Uniform, robust
        >>> furthest = Option("high", nominal=0.05, low=0.0)
        >>> env = robust(gymnasium.make("CartPole-v1"), start={furthest: Interval(0.0, 0.2)}, nature=Uniform())
        >>> _ = env.reset(seed=0)
        >>> bool(0 <= 0.05 + env.last_move["start", "*"].executed[0] <= 0.2)
        True
    """

    name: str
    nominal: float
    low: float = -np.inf
    high: float = np.inf

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be text, got name={self.name!r}")
        if isinstance(self.nominal, bool) or not isinstance(self.nominal, Real):
            raise TypeError(f"nominal must be a number, got nominal={self.nominal!r}")


def asks_options(given: Any) -> bool:
    """Tell whether a channel was given options of `reset`.

    Raises:
        ValueError: If it was given both, options and parts of the state.
    """
    parts = _parts(given)
    options = [isinstance(key, Option) for key in parts]
    if any(options) and not all(options):
        raise ValueError(
            f"start must name options of reset or parts of the state, not both: nest two robust(), got {given!r}"
        )
    return any(options)


class OptionsLever(Lever):
    """Move the options that the next reset is given."""

    def __init__(self, given: Any) -> None:
        parts = _parts(given)
        self._nominal = {option.name: float(option.nominal) for option in parts}
        named = {_parameter(option): members for option, members in parts.items()}
        super().__init__("start", dict(self._nominal), named, {})

    def take(self, options: Mapping[str, Any] | None) -> None:
        """Begin with what a reset was given."""
        given = options or {}
        self.root.update({name: float(given.get(name, nominal)) for name, nominal in self._nominal.items()})


def _put(name: str, options: dict[str, float], number: Any) -> None:
    options[name] = float(np.asarray(number).reshape(()))


def _parts(given: Any) -> dict[Any, Any]:
    parts: Any = given.parts if isinstance(given, Product) else given
    return dict(parts) if isinstance(parts, Mapping) else {}


def _parameter(option: Option) -> Parameter:
    get, put = itemgetter(option.name), partial(_put, option.name)
    return Parameter(option.name, get=get, set=put, low=option.low, high=option.high)
