"""How a trained run is tested: which departures from the model, how large, how often."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gymnasium import spaces

from robust_envs import Linf, Noise, Switch, Uniform
from robust_envs.evaluation import Evaluation, RobustnessCurve, evaluate, robustness_curve

if TYPE_CHECKING:
    from algos.experiments.config import RunConfig

__all__ = ["Measurement"]

Progress = Callable[[int, int], None]
_NATURES: Mapping[str, Any] = {"uniform": Uniform(), "noise": Noise()}


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Describe a test: perturbations at level 1, the levels they are scaled to, and the episodes.

    Args:
        observation: radius of the noise on every number observed, in the observation's units, >= 0.
        action: for continuous actions the radius of the noise on every number, in the action's units; for discrete
            ones the probability (at most 1) that a random legal action is played instead; >= 0.
        reward: radius of the noise on rewards, >= 0. It moves what is reported, and nothing that a trained policy
            does, so it is off by default; nominal and perturbed returns are reported both.
        levels: factors on these sizes, finite, >= 0; 0 is the environment itself.
        natures: who perturbs: "uniform" (anything within the radius alike), "noise" (Gaussian, cut at the radius).
        episodes: for each nature and level, >= 1.
        seed: of the test, apart from the seeds of training.

    Raises:
        ValueError: for sizes that are not finite and >= 0, a probability above 1, or a nature that is not known.

    Example:
        >>> Measurement(action=0.2).natures
        ('uniform',)
    """

    observation: float = 1.0
    action: float = 0.4
    reward: float = 0.0
    levels: tuple[float, ...] = (0.0, 0.5, 1.0)
    natures: tuple[str, ...] = ("uniform",)
    episodes: int = 100
    seed: int = 10_000

    def __post_init__(self) -> None:
        for name in ("levels", "natures"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("observation", "action", "reward"):
            check_size(name, getattr(self, name))
        for level in self.levels:
            check_size("levels", level)
        if not self.levels or len(set(self.levels)) < len(self.levels):
            raise ValueError(f"levels must be at least one number, all different, got levels={self.levels}")
        check_count("episodes", self.episodes, 1)
        check_count("seed", self.seed, 0)
        for nature in self.natures:
            if nature not in _NATURES:
                raise ValueError(f"natures must be among {', '.join(_NATURES)}, got {nature!r}")

    def channels(self, env: Any) -> dict[str, Any]:
        """Turn the sizes into uncertainty sets by agent; a space that holds no numbers to move is left alone."""
        agents = env.possible_agents
        found = {
            "reward": dict.fromkeys(agents, Linf(self.reward) if self.reward > 0 else None),
            "observation": {agent: self._observation_set(env.observation_space(agent)) for agent in agents},
            "action": {agent: self._action_set(env.action_space(agent)) for agent in agents},
        }
        by_agent = {
            channel: {agent: members for agent, members in sets.items() if members is not None}
            for channel, sets in found.items()
        }
        return {channel: _one_for_all(sets, agents) for channel, sets in by_agent.items() if sets}

    def evaluate(
        self, policy: Any, config: RunConfig, *, executor: Any = None, progress: Progress | None = None
    ) -> Evaluation:
        """Evaluate one policy on the task of a run."""
        return evaluate(policy, config.make_env, executor=executor, progress=progress, **self._arguments(config))

    def curve(
        self,
        policies: Mapping[str, Any],
        config: RunConfig,
        *,
        executor: Any = None,
        progress: Progress | None = None,
    ) -> RobustnessCurve:
        """Evaluate several policies on the task of a run, in common random numbers."""
        title = config.task if config.env is None else config.env
        told: dict[str, Any] = {"title": title, "progress": progress}
        return robustness_curve(policies, config.make_env, executor=executor, **told, **self._arguments(config))

    def _arguments(self, config: RunConfig) -> dict[str, Any]:
        env = config.make_env()
        channels = self.channels(env)
        env.close()
        return {
            **channels,
            "natures": {name: _NATURES[name] for name in self.natures},
            "levels": self.levels,
            "episodes": self.episodes,
            "seed": self.seed,
            "team": config.find_task().team or None,
        }

    def _observation_set(self, space: Any) -> Any:
        part = space["observation"] if isinstance(space, spaces.Dict) and "observation" in space.spaces else space
        return Linf(self.observation) if isinstance(part, spaces.Box) and self.observation > 0 else None

    def _action_set(self, space: Any) -> Any:
        if self.action == 0 or not isinstance(space, spaces.Discrete | spaces.Box):
            return None
        if isinstance(space, spaces.Box):
            return Linf(self.action)
        largest = max(self.levels)
        if self.action * largest > 1.0:
            raise ValueError(
                f"action must be a probability at every level for {space}, "
                f"got action={self.action:g} at level {largest:g}"
            )
        return Switch(self.action)


def nature_named(name: str) -> Any:
    """Return the nature that a measurement calls by this name."""
    return _NATURES[name]


def _one_for_all(sets: Mapping[str, Any], agents: Sequence[str]) -> Any:
    """Say it once where all agents have the same set."""
    first = next(iter(sets.values()))
    return first if len(sets) == len(agents) and all(members == first for members in sets.values()) else dict(sets)


def check_size(name: str, value: float) -> None:
    """Raise unless `value` is a finite number >= 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {name}={value!r}")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} must be finite and >= 0, got {name}={value}")


def check_count(name: str, value: int, least: int) -> None:
    """Raise unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {name}={value!r}")
    if value < least:
        raise ValueError(f"{name} must be >= {least}, got {name}={value}")
