"""Look for the perturbation that breaks a policy, make it small, and say how hard it was to find."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from robust_envs.executors import Executor, make_executor
from robust_envs.numbers import whole
from robust_envs.streams import episode_seed
from robust_envs.testing.arena import Arena
from robust_envs.testing.away import Away, away
from robust_envs.testing.counterexample import Counterexample, Expect
from robust_envs.testing.declarations import tell_channel
from robust_envs.testing.fingerprint import describe_env, describe_policy, wrapper_names
from robust_envs.testing.hunt import Hunt, Progress, begin
from robust_envs.testing.properties import as_property
from robust_envs.testing.result import Result
from robust_envs.testing.witness import SINGLE

__all__ = ["falsify"]

_AHEAD = 4  # natures for each worker at a time: the more, the more are played in vain when one is found


def falsify(
    policy: Any,
    env_fn: Callable[[], Any],
    *,
    reward: Any = None,
    observation: Any = None,
    action: Any = None,
    message: Any = None,
    delay: Any = None,
    dropout: Any = None,
    partners: Any = None,
    dynamics: Any = None,
    start: Any = None,
    transition: Any = None,
    property: Any,  # noqa: A002 - the same name means the same thing everywhere
    max_episodes: int = 300,
    seed: int = 0,
    env_seed: int | None = None,
    search: Any = "auto",
    oblivious: bool = False,
    deterministic: bool = True,
    shrink_rules: int = 100,
    shrink_traces: int = 1000,
    unseen: int = 40,
    saved: Iterable[Counterexample] = (),
    executor: Any = None,
    progress: Progress | None = None,
) -> Result:
    r"""Search the uncertainty sets for an episode that violates a property, and shrink what was found.

    Looks for a nature \(\nu\) with \(\rho(\mathrm{episode}(\pi, \nu)) < 0\), where \(\rho\) is the margin of the
    property, every delta lies in its set, and every episode starts from the same seed. Natures of the search look at
    the truth and act in closed loop; what they did is kept as a list of moves, which replays without them.

    Args:
        policy: An object with `predict`, a callable from observation to action, or a dict of those by agent.
        env_fn: Builds the environment without robust(): a gymnasium Env, a ParallelEnv or an AECEnv; an episode must
            end by itself.
        reward, observation, action, message, delay, dropout, partners, dynamics, start, transition: Uncertainty sets,
            as `robust` takes them; without those that are another set at every move (`per_state`, distributions).
        property: A `Property`, or a function from `Episode` to a margin.
        max_episodes: Of the search, >= 1; the nominal episode, played twice to see that it repeats, comes on top.
        seed: Of the search, >= 0.
        env_seed: Of the start; derived from `seed` by default.
        search: ``"auto"``, ``"signs"``, ``"steer"``, ``"cem"``, ``"segments"``, ``"noise"``, ``"pgd"``, ``"cma"``,
            ``"best_response"``, an object with ``ask()`` and ``tell(nature, margin)``, or a function from `Problem` to
            one.
        oblivious: Whether nature may not look at the episode: open-loop perturbations only.
        deterministic: Handed to the policy's `predict`.
        shrink_rules, shrink_traces: Episodes for making rule and trace small; 0 leaves it.
        unseen: Starts on which the rule, and its opposite, are tried; 0 leaves it.
        saved: Counterexamples to be tried first.
        executor: Where the episodes of the search are played: here by default, ``"process"``, ``"ray"``, or an
            executor of `robust_envs.executors`. What is found is the same everywhere. Natures that may not repeat
            themselves (of one's own search, of ``"best_response"``) are played here.
        progress: Called with (episodes searched, smallest margin so far).

    Returns:
        A `Result`.

    Raises:
        TypeError: For a policy, environment, property or search of another kind, or a property that answers a bool.
        ValueError: For numbers out of range, a property that answers NaN, an environment or a policy that does not
            repeat itself.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf
        >>> from robust_envs.testing import returns_at_least
        >>> def lean(observation):
        ...     return int(observation[2] + observation[3] > 0)
        >>> found = falsify(lean, lambda: gymnasium.make("CartPole-v1", max_episode_steps=100),
        ...                 observation=Linf(0.3), property=returns_at_least(100.0), max_episodes=30)
        >>> found.found
        True

    References:
        Xiaobai Ma et al., 2018, Improved Robustness and Safety for Autonomous Vehicle Control with Adversarial
        Reinforcement Learning. Anthony Corso et al., 2021, A Survey of Algorithms for Black-Box Safety Validation.
    """
    for name, value, least in (
        ("max_episodes", max_episodes, 1),
        ("seed", seed, 0),
        ("shrink_rules", shrink_rules, 0),
        ("shrink_traces", shrink_traces, 0),
        ("unseen", unseen, 0),
    ):
        whole(name, value, least=least)
    origin = episode_seed(seed, 0) if env_seed is None else whole("env_seed", env_seed, least=0)
    channels = {
        "reward": reward,
        "observation": observation,
        "action": action,
        "message": message,
        "delay": delay,
        "dropout": dropout,
        "partners": partners,
        "dynamics": dynamics,
        "start": start,
        "transition": transition,
    }
    demanded = as_property(property)
    with closing(Arena(policy, env_fn, channels, deterministic=deterministic)) as arena:
        hunt = begin(arena, demanded, origin, seed, oblivious=oblivious)
        if hunt.nominal_margin >= 0:
            hunt.try_least()
            for kept in saved:
                hunt.try_saved(kept)
            _search(hunt, search, max_episodes, progress, make_executor(executor), env_fn)
            if hunt.nature is not None:
                hunt.shrink(shrink_rules, shrink_traces, unseen)
        return _result(hunt, max_episodes)


def _search(
    hunt: Hunt, search: Any, budget: int, progress: Progress | None, executor: Executor | None, env_fn: Any
) -> None:
    if executor is None or hunt.nature is not None:
        hunt.search(search, budget, progress)
        return
    arena = hunt.arena
    work = Away(
        arena.policy,
        env_fn,
        arena.channels,
        deterministic=arena.deterministic,
        demanded=hunt.demanded,
        nominal=hunt.nominal,
        seed=hunt.problem.seed,
    )
    with away(executor, work) as margins:
        hunt.search(search, budget, progress, margins, most=_AHEAD * executor.workers)


def _result(hunt: Hunt, max_episodes: int) -> Result:
    """Put everything together."""
    violated = hunt.nominal_margin < 0
    return Result(
        found=violated or hunt.nature is not None,
        property=str(hunt.demanded),
        channels={name: tell_channel(name, given) for name, given in hunt.arena.channels.items()},
        seed=hunt.seed,
        env_seed=hunt.problem.seed,
        max_episodes=max_episodes,
        nominal_margin=hunt.nominal_margin,
        worst_margin=min(hunt.worst, hunt.nominal_margin),
        episodes_to_first=0 if violated else hunt.to_first,
        episodes=dict(hunt.episodes),
        first=hunt.first,
        rule=hunt.rule,
        trace=hunt.trace,
        shrunk=hunt.shrunk,
        worst_trace=hunt.worst_trace,
        counterexample=_counterexample(hunt),
    )


def _counterexample(hunt: Hunt) -> Counterexample | None:
    if hunt.shrunk is None or hunt.episode is None or hunt.first is None:
        return None
    env, episode, demanded, shrunk = hunt.arena.env, hunt.episode, hunt.demanded, hunt.shrunk
    margin = demanded.margin(episode, hunt.nominal)
    return Counterexample(
        env=describe_env(env),
        wrappers=wrapper_names(env),
        agents=tuple(str(agent) for agent in getattr(env, "possible_agents", (SINGLE,))),
        policy=describe_policy(hunt.arena.policy, deterministic=hunt.arena.deterministic),
        seed=hunt.problem.seed,
        channels=hunt.arena.channels,
        q=hunt.q,
        property={"name": demanded.name, "expression": demanded.expression, "margin": margin},
        rule=None if hunt.rule is None else hunt.rule.data,
        steps=shrunk.steps,
        horizon=episode.length,
        expect=Expect(episode.total, episode.length, episode.terminated, episode.sha256),
        search={
            "strategy": hunt.first.strategy,
            "episodes_to_first": hunt.to_first,
            "budget": hunt.budget,
            "seed": hunt.seed,
        },
        shrink={"episodes": shrunk.episodes, "one_minimal": shrunk.one_minimal, "from_steps": shrunk.from_steps},
    )
