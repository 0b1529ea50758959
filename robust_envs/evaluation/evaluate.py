"""Measure a policy under many natures and levels of uncertainty, in common random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from robust_envs.channels import scaled
from robust_envs.evaluation.results import TEAM, Episodes, Evaluation
from robust_envs.evaluation.rollouts import Played, play, reseed, seeded_globals
from robust_envs.evaluation.sources import make_source
from robust_envs.evaluation.spreading import Told, shares
from robust_envs.executors import Executor, make_executor
from robust_envs.natures import Uniform
from robust_envs.numbers import whole
from robust_envs.policies import check_policy
from robust_envs.shells.layers import Layer
from robust_envs.streams import episode_seed
from robust_envs.wrap import robust

__all__ = ["evaluate"]

Progress = Callable[[int, int], None]
Place = tuple[str, float]  # nature and level; without a name at level 0
Both = tuple[dict[str, float], Played]  # nominal returns, and what was given


def evaluate(
    policy: Any,
    env_fn: Callable[[], Any],
    *,
    reward: Any = None,
    observation: Any = None,
    action: Any = None,
    natures: Any = None,
    levels: Sequence[float] = (0.0, 0.5, 1.0),
    episodes: int = 100,
    seed: int = 0,
    env_seed: int | None = None,
    deterministic: bool = True,
    team: Sequence[str] | None = None,
    executor: Any = None,
    progress: Progress | None = None,
    **others: Any,
) -> Evaluation:
    r"""Measure what a policy earns as the world departs from the model.

    For every nature \(\nu\) and level \(\lambda\) estimate the return
    \(J_\nu(\lambda) = E[\sum_t r_t]\) of the policy in `robust(env_fn(), channel=set.scaled(level), nature=nature)`;
    at level 0 in the environment itself. Rewards are added up twice: nominal (before nature touched them) and
    perturbed (as the agents got them). Episode k starts from the same derived seed under every nature, at every
    level and for every policy, so that differences between policies are not luck (see `paired_difference`).

    Args:
        policy: an object with `predict`, a callable from observation to action, or a dict of those by agent. An
            attribute `multi_agent` that is true lets `predict` take and return dicts by agent.
        env_fn: builds the environment without robust(): a ParallelEnv, an AECEnv (played through its turns) or a
            gymnasium Env; an episode must end by itself. Called for each nature and level, and to try out what fits.
        reward, observation, action: an uncertainty set at level 1, as in `robust`.
        others: the same for its other channels (``delay=``, ``message=``, ...).
        natures: a nature, or a dict from a name to a nature; `{"uniform": Uniform()}` by default.
        levels: factors on the sets, finite, >= 0, all different; sorted in the result.
        episodes: for each nature and level, >= 1.
        seed: what episode seeds are derived from, >= 0.
        env_seed: seed of every episode's start, so that only nature varies; None draws a fresh start each episode.
        deterministic: handed to the policy's `predict`. A policy that explores through Python's, numpy's or torch's
            global generator, or has a method `reseed(seed)`, explores alike in every evaluation.
        team: agents whose rewards make up the team's return; all of them by default.
        executor: where episodes are played: in this process by default, `"process"` (as many as there are cores),
            `"ray"`, or an executor such as `robust_envs.executors.Ray(address)`. Returns are the same everywhere.
            Policy, environment and natures travel as cloudpickle; each process has its own copy.
        progress: called with (episodes done, episodes in all) after each episode, with an executor after several.

    Returns:
        An `Evaluation`; its `table()` has mean, 95% interval, CVaR at 10% and worst episode by agent and team.

    Raises:
        ValueError: for levels, episodes, seeds or agents out of range, or sets that do not fit the environment.
        TypeError: for a policy or an environment of another kind.

    Example:
        >>> from gymnasium.envs.classic_control import CartPoleEnv
        >>> from gymnasium.wrappers import TimeLimit
        >>> from robust_envs import Linf
        >>> def lean(observation):
        ...     return int(observation[2] + observation[3] > 0)
        >>> found = evaluate(lean, lambda: TimeLimit(CartPoleEnv(), 50), observation=Linf(2.0), episodes=5)
        >>> found.summary("uniform", 0.0).mean > found.summary("uniform", 1.0).mean
        True

    References:
        Rishabh Agarwal et al., 2021, Deep Reinforcement Learning at the Edge of the Statistical Precipice.
        Paul Glasserman, David Yao, 1992, Some Guidelines and Guarantees for Common Random Numbers.
    """
    check_policy(policy)
    if not callable(env_fn):
        raise TypeError(f"env_fn must be callable and build an environment, got {type(env_fn).__name__}")
    given = {"reward": reward, "observation": observation, "action": action, **others}
    channels = {name: value for name, value in given.items() if value is not None}
    plan = _Plan(
        policy=policy,
        env_fn=env_fn,
        channels=channels,
        natures=_named_natures(natures),
        levels=_checked_levels(levels, channels),
        episodes=whole("episodes", episodes, least=1),
        seed=whole("seed", seed, least=0),
        env_seed=None if env_seed is None else whole("env_seed", env_seed, least=0),
        deterministic=deterministic,
        progress=progress,
    )
    cells = plan.run(make_executor(executor))
    return Evaluation(
        cells=cells,
        team=_checked_team(team, cells),
        seed=plan.seed,
        env_seed=plan.env_seed,
        deterministic=deterministic,
        channels={name: repr(value) for name, value in channels.items()},
    )


@dataclass(frozen=True)
class _Plan:
    policy: Any
    env_fn: Callable[[], Any]
    channels: Mapping[str, Any]
    natures: Mapping[str, Any]
    levels: tuple[float, ...]
    episodes: int
    seed: int
    env_seed: int | None
    deterministic: bool
    progress: Progress | None

    def run(self, executor: Executor | None) -> tuple[Episodes, ...]:
        self._try_out()
        # At level 0 there is no nature: one cell serves all of them.
        places = [("", 0.0)] if self.levels[0] == 0.0 else []
        places += [(name, level) for name in self.natures for level in self.levels if level > 0.0]
        told = Told(self.progress, self.episodes * len(places))
        if executor is None:
            found = {place: self.play(*place, 0, self.episodes, told.one_more) for place in places}
        else:
            found = self._spread(executor, places, told)
        return tuple(
            self._cell(name, level, found[name if level > 0.0 else "", level])
            for name in self.natures
            for level in self.levels
        )

    def _spread(self, executor: Executor, places: Sequence[Place], told: Told) -> dict[Place, list[Both]]:
        tasks = shares(places, self.episodes, executor.workers)
        plan = replace(self, progress=None)
        played: dict[int, list[Both]] = {}
        for number, result in executor.run(lambda task, _: plan.play(*task), tasks):
            played[number] = result
            told.more(len(result))
        found: dict[Place, list[Both]] = {place: [] for place in places}
        for number, (name, level, _, _) in enumerate(tasks):
            found[name, level] += played[number]
        return found

    def _try_out(self) -> None:
        """Wrap once for each nature before anything is played: what does not fit is told at once."""
        if self.levels[-1] > 0.0:
            for nature in self.natures.values():
                self._wrapped(self._source(), self.levels[-1], nature).close()

    def play(
        self, name: str, level: float, first: int, stop: int, each: Callable[[], None] = lambda: None
    ) -> list[Both]:
        """Play episodes first, first + 1, ... before stop: their numbers decide what happens in them."""
        found = []
        source = self._source()
        with closing(self._wrapped(source, level, self.natures.get(name))) as env:
            if first and isinstance(env, Layer):
                env.skip_episodes(first)
            for k in range(first, stop):
                played = self._episode(env, k)
                found.append((dict(source.nominal), played))
                each()
        return found

    def _cell(self, name: str, level: float, found: Sequence[Both]) -> Episodes:
        nominal, played = zip(*found, strict=True)
        lengths = tuple(episode.length for episode in played)
        return Episodes(name, level, _by_agent(nominal), _by_agent([episode.returns for episode in played]), lengths)

    def _source(self) -> Any:
        source = make_source(self.env_fn(), start=self.env_seed)
        if Layer.layers_below(source):
            raise ValueError(f"env_fn must build the environment without robust(), which evaluate adds, got {source}")
        return source

    def _wrapped(self, source: Any, level: float, nature: Any) -> Any:
        if level == 0.0:
            return source
        channels = {name: scaled(name, value, level) for name, value in self.channels.items()}
        return robust(source, **channels, nature=nature)

    def _episode(self, env: Any, k: int) -> Played:
        seed = episode_seed(self.seed, k)
        reseed(self.policy, seed)
        with seeded_globals(seed):
            return play(env, self.policy, seed=seed, deterministic=self.deterministic)


def _by_agent(returns: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """List each agent's return in every episode; 0 where it did not take part."""
    agents = tuple(dict.fromkeys(agent for episode in returns for agent in episode))
    if TEAM in agents:
        raise ValueError(f"agents must not be called {TEAM!r}, which names the sum over them, got {agents}")
    return {agent: tuple(episode.get(agent, 0.0) for episode in returns) for agent in agents}


def _named_natures(natures: Any) -> Mapping[str, Any]:
    if natures is None:
        return {"uniform": Uniform()}
    if not isinstance(natures, Mapping):
        return {getattr(natures, "__name__", type(natures).__name__).lower(): natures}
    if not natures:
        raise ValueError("natures must hold at least one nature, got an empty dict")
    if not all(isinstance(name, str) for name in natures):
        raise TypeError(f"natures must be named by text, got {list(natures)}")
    return dict(natures)


def _checked_levels(levels: Sequence[float], channels: Mapping[str, Any]) -> tuple[float, ...]:
    if isinstance(levels, str) or not isinstance(levels, Sequence | np.ndarray):
        raise TypeError(f"levels must be a sequence of numbers, got {levels!r}")
    for level in levels:
        if not isinstance(level, Real) or not math.isfinite(level) or level < 0:
            raise ValueError(f"levels must be finite and >= 0, got levels={levels!r}")
    ordered = tuple(sorted(float(level) for level in levels))
    if not ordered or len(set(ordered)) < len(ordered):
        raise ValueError(f"levels must be at least one number, all different, got levels={levels!r}")
    if not channels and ordered != (0.0,):
        raise ValueError(f"levels above 0 need a set on some channel to scale, got levels={levels!r}")
    return ordered


def _checked_team(team: Sequence[str] | None, cells: Sequence[Episodes]) -> tuple[str, ...]:
    agents = tuple(dict.fromkeys(agent for cell in cells for agent in cell.nominal))
    if team is None:
        return agents
    if not team or not set(team) <= set(agents):
        raise ValueError(f"team must name agents among {agents}, got team={tuple(team)}")
    return tuple(team)
