"""The one verb."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv
from pettingzoo import AECEnv, ParallelEnv

from robust_envs.channels import CHANNELS
from robust_envs.names import close_match
from robust_envs.natures.played import as_agents
from robust_envs.shells.aec import RobustAECEnv
from robust_envs.shells.agents_aec import NatureAECEnv, NaturesOnlyAECEnv
from robust_envs.shells.agents_gym import NatureEnv
from robust_envs.shells.agents_parallel import NatureParallelEnv, NaturesOnlyParallelEnv, SingleAgentParallelEnv
from robust_envs.shells.batched import is_vmas, robust_vmas
from robust_envs.shells.gym import SINGLE, RobustEnv
from robust_envs.shells.parallel import RobustParallelEnv
from robust_envs.shells.vector import RobustVectorEnv
from robust_envs.worlds import asks_options

__all__ = ["robust"]

_OTHERS = ("nature", "info", "trace")


def robust(
    env: Any,
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
    nature: Any = ...,
    info: str | None = None,
    trace: bool = False,
    **unknown: Any,
) -> Any:
    """Put nature into an environment: what comes back is an environment of the same kind.

    At every step nature picks, for each channel and agent, a member of the uncertainty set: the perturbed value is
    ``nominal + delta`` with ``delta`` in the set, clipped to the space. Order of play: observations are perturbed
    before agents see them, actions before the environment does, rewards after it stepped.

    Args:
        env: A Gymnasium ``Env`` or ``VectorEnv``, a PettingZoo ``ParallelEnv`` or ``AECEnv`` (with
            ``possible_agents``), or a batched VMAS environment. Its spaces, agents and infos stay as they are.
        reward: Uncertainty of rewards: a set for every agent, a dict by agent, or `joint` (one set over all).
        observation: The same for observations. A Dict with an ``action_mask`` is perturbed in its ``observation`` part;
            other Dict and Tuple spaces take a `Product`.
        action: The same for actions. Discrete actions take `Finite` (replacements) or `Switch` (any legal action, with
            some probability).
        message: Uncertainty of what agents say and hear: a set, `said` or `heard`, or a dict by agent of these. What is
            a message is known for the tasks of mpe2.
        delay: How late observations or actions may be: a `Delay`, or a dict by agent.
        dropout: How often they may be lost: a `Dropout`, or a dict by agent.
        partners: Who may play other agents: a dict by the agent played, of `Finite` sets of policies.
        dynamics: Uncertainty of physical parameters: a dict by name, path or `Parameter`. `Interval` and `Finite` list
            values, other sets stand around the nominal value. Drawn once an episode, with `per_step` at every step.
        start: Uncertainty of the first state: a set, or a dict by part of the state.
        transition: Uncertainty of the next state, likewise; for a `MarkovGameEnv` a set of distributions.
        nature: Who picks: `Nominal`, `Uniform`, `Noise`, `WorstCase`, `Policy`, `Replay`, `AsAgents`, `GradientAttack`,
            `LinearFeedback`, one with a shape in time (`Impulse`, `Step`, `Periodic`, `Drift`, `RandomWalk`), one made
            of others (`Mixture`, `Population`, `scheduled`) or any callable of `Move`. With `AsAgents` a Gymnasium Env
            becomes a ParallelEnv (with a team and one nature: an Env). Must be given.
        info: ``"numeric"`` adds the executed deltas to infos (``robust_<channel>_delta``: fixed shapes, the same keys
            at reset and step); ``None`` leaves infos alone.
        trace: Whether to record the episode in ``env.trace``, to be saved and replayed.

    Returns:
        The robust environment. ``env.last_move`` holds the latest moves, ``env.radius`` can be set,
        ``env.reset(seed=..., options={"radius": ...})`` seeds nature and changes the radius: a number on all channels
        of this robust layer and of those below, a dict by channel on the channels named; the outermost layer that has
        a channel takes it. Radius 0 is the environment itself, bit for bit, and nature never draws from the
        environment's random stream.

    Raises:
        TypeError: For an environment, set or nature that is none, or no nature given.
        ValueError: For unknown channels and agents (with a close match), sets that cannot act on a space, natures that
            cannot play a channel.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> from robust_envs import Linf, Uniform, robust
        >>> env = robust(simple_spread_v3.parallel_env(), observation=Linf(0.1), nature=Uniform())
        >>> observations, infos = env.reset(seed=0)
        >>> sorted(observations)
        ['agent_0', 'agent_1', 'agent_2']

    References:
        Zhang, Sun, Tao, Genc, Mallya, Basar (2020), Robust Multi-Agent Reinforcement Learning with Model Uncertainty.
    """
    for name in unknown:
        hint = close_match(name, (*CHANNELS, *_OTHERS))
        raise ValueError(
            f"unknown channel {name!r}: channels are {', '.join(CHANNELS)}, other arguments {', '.join(_OTHERS)}{hint}"
        )
    if nature is ...:
        raise TypeError("nature must be given: robust(env, ..., nature=Uniform()), for instance")
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
    options: dict[str, Any] = {"nature": nature, "info": info, "trace": trace}
    if is_vmas(env):
        return robust_vmas(env, channels=channels, **options)
    if as_agents(nature) is not None:
        return _with_agents(env, channels, options)
    if isinstance(env, VectorEnv):
        if start is not None and asks_options(start):
            raise ValueError(
                f"start: a VectorEnv hands the same options to all its copies: wrap each Env, got {start!r}"
            )
        return RobustVectorEnv(env, **channels, **options)
    if isinstance(env, gymnasium.Env):
        return RobustEnv(env, **channels, **options)
    if isinstance(env, ParallelEnv):
        return RobustParallelEnv(env, channels=channels, **options)
    if isinstance(env, AECEnv):
        return RobustAECEnv(env, channels=channels, **options)
    raise _no_environment(env)


def _with_agents(env: Any, channels: dict[str, Any], options: dict[str, Any]) -> Any:
    """Choose among the views of the game in which nature is an agent."""
    agents = as_agents(options["nature"])
    alone = agents is not None and agents.team is not None
    if isinstance(env, VectorEnv):
        raise ValueError(
            f"AsAgents() cannot join a VectorEnv, whose copies have one agent each: wrap each Env, got {env}"
        )
    if isinstance(env, gymnasium.Env):
        if alone and sum(members is not None for members in channels.values()) == 1:
            return NatureEnv(env, **channels, **options)
        env = SingleAgentParallelEnv(env, SINGLE)
    if isinstance(env, ParallelEnv):
        view = NaturesOnlyParallelEnv if alone else NatureParallelEnv
        return view(env, channels=channels, **options)
    if isinstance(env, AECEnv):
        game = NatureAECEnv(env, channels=channels, **options)
        return NaturesOnlyAECEnv(game) if alone else game
    raise _no_environment(env)


def _no_environment(env: Any) -> TypeError:
    kinds = "a gymnasium Env or VectorEnv, a pettingzoo ParallelEnv or AECEnv, or a VMAS environment"
    hint = " (a class or function: call it first)" if callable(env) else ""
    return TypeError(f"env must be {kinds}, got {env!r}{hint}")
