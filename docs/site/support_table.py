"""Write docs/support.md: which nature can play which channel in which API, found by trying every combination.

Run from the repository: python docs/site/support_table.py
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import SyncVectorEnv, VectorEnv
from mpe2 import simple_spread_v3
from pettingzoo import ParallelEnv

from robust_envs import (
    AsAgents,
    Drift,
    GradientAttack,
    Impulse,
    LinearFeedback,
    Linf,
    Mixture,
    Noise,
    Nominal,
    Periodic,
    Policy,
    Population,
    RandomWalk,
    Replay,
    Step,
    Switch,
    UncertaintySet,
    Uniform,
    WorstCase,
    robust,
    scheduled,
)

PAGE = Path(__file__).parents[1] / "support.md"
HEAD = """# Which nature plays where

Every line is found by trying: the environment is wrapped, reset and stepped. "no" is refused when the environment is
wrapped, with the reason given below the table. `python docs/site/support_table.py` writes this page, and a test
compares it with what the code does.

"""
APIS = ("Env", "VectorEnv", "ParallelEnv", "AECEnv")
# What is uncertain, by the words of a table's title: the channel, whether actions are discrete, and the set.
PLACES: dict[str, tuple[str, bool, UncertaintySet]] = {
    "reward": ("reward", False, Linf(0.5)),
    "observation": ("observation", False, Linf(0.1)),
    "action, continuous": ("action", False, Linf(0.1)),
    "action, discrete": ("action", True, Switch(0.5)),
}


def make_env(api: str, *, discrete: bool) -> Any:
    """Build a small environment of an API."""
    name = "CartPole-v1" if discrete else "Pendulum-v1"
    if api == "Env":
        return gymnasium.make(name)
    if api == "VectorEnv":
        return SyncVectorEnv([lambda: gymnasium.make(name)] * 2)
    module = simple_spread_v3.parallel_env if api == "ParallelEnv" else simple_spread_v3.env
    return module(max_cycles=5, continuous_actions=not discrete)


def sizes(env: Any, channel: str) -> tuple[int, int, int]:
    """Return how many numbers a nature moves, sees, and how many an agent does."""
    if isinstance(env, VectorEnv):
        observation, action = env.single_observation_space, env.single_action_space
    elif isinstance(env, gymnasium.Env):
        observation, action = env.observation_space, env.action_space
    else:
        observation, action = env.observation_space("agent_0"), env.action_space("agent_0")
    seen = gymnasium.spaces.flatdim(observation)
    acts = gymnasium.spaces.flatdim(action)
    moved = {"reward": 1, "observation": seen, "action": acts}[channel]
    return (1 if channel == "action" and isinstance(action, gymnasium.spaces.Discrete) else moved), seen, acts


class Critic(torch.nn.Module):
    """Value observations and actions by a number."""

    def forward(self, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the sum of all numbers, shape (B, 1)."""
        return observations.sum(1, keepdim=True) + actions.sum(1, keepdim=True)


def zeros(_observation: Any) -> Any:
    """Do nothing, as a nature."""
    return np.zeros(64)


def team(observation: Any) -> Any:
    """Do nothing, as an agent of any of these environments."""
    return np.zeros(1 if len(observation) < 10 else 5, np.float32)


def first(_observation: Any) -> int:
    """Do nothing, as an agent with discrete actions."""
    return 0


def look(move: Any) -> Any:
    """Leave what is as it is."""
    return move.nominal if getattr(move.set, "discrete", False) else np.zeros(len(move.nominal))


def attack(env: Any, channel: str, discrete: bool) -> GradientAttack:
    """Build the gradient attack that fits a channel."""
    _, seen, acts = sizes(env, channel)
    net = torch.nn.Linear(seen, acts)
    if channel == "action" and not discrete:
        return GradientAttack(critic=Critic(), target="value")
    return GradientAttack(net, discrete=discrete, target="least" if discrete else "divergence")


def replay(env: Any, channel: str, _discrete: bool, members: UncertaintySet) -> Replay:
    """Record an episode to be replayed."""
    recorded = robust(env, **{channel: members}, nature=Nominal(), trace=True)
    recorded.reset(seed=0)
    return Replay(recorded.trace)


Make = Callable[[Any, str, bool, UncertaintySet], Any]
NATURES: dict[str, Make] = {
    "Nominal()": lambda *_: Nominal(),
    "Uniform()": lambda *_: Uniform(),
    "Noise()": lambda *_: Noise(),
    "WorstCase()": lambda *_: WorstCase(),
    "any callable": lambda *_: look,
    "LinearFeedback(K)": lambda env, channel, *_: LinearFeedback(np.ones(sizes(env, channel)[:2])),
    "GradientAttack(policy)": lambda env, channel, discrete, _: attack(env, channel, discrete),
    "Policy(p)": lambda *_: Policy(zeros),
    "Replay(trace)": replay,
    "AsAgents()": lambda *_: AsAgents(),
    "AsAgents(team=policies)": lambda env, channel, discrete, _: AsAgents(team=first if discrete else team),
    "Impulse()": lambda *_: Impulse(),
    "Step()": lambda *_: Step(),
    "Periodic()": lambda *_: Periodic(),
    "Drift()": lambda *_: Drift(),
    "RandomWalk()": lambda *_: RandomWalk(),
    "Mixture(0.1, Uniform())": lambda *_: Mixture(0.1, Uniform()),
    "Mixture(0.1, Uniform(), noisy=True)": lambda *_: Mixture(0.1, Uniform(), noisy=True),
    "Mixture(0.1, AsAgents())": lambda *_: Mixture(0.1, AsAgents()),
    "Population([...])": lambda *_: Population([Uniform(), look]),
    "scheduled(Uniform(), ...)": lambda *_: scheduled(Uniform(), every=3, budget=5),
    "scheduled(AsAgents(), ...)": lambda *_: scheduled(AsAgents(), every=3),
}


def reason(place: str, nature: str, api: str) -> str | None:
    """Try a combination; return why it is refused, ``None`` if it is not."""
    channel, discrete, members = PLACES[place]
    value = NATURES[nature](make_env(api, discrete=discrete), channel, discrete, members)
    try:
        env = robust(make_env(api, discrete=discrete), **{channel: members}, nature=value)
    except ValueError as error:
        return _general(str(error))
    with closing(env):
        step(env)  # what is not refused must work
    return None


def step(env: Any) -> None:
    """Reset an environment and take a step."""
    env.reset(seed=0)
    if isinstance(env, gymnasium.Env | VectorEnv):
        env.step(env.action_space.sample())
    elif isinstance(env, ParallelEnv):
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    else:
        env.last()
        env.step(env.action_space(env.agent_selection).sample())


def _general(words: str) -> str:
    """Leave out the value of this very try."""
    return words.split(", got ")[0].replace("\n", " ")


def page() -> str:
    """Return the whole page."""
    return HEAD + "\n".join(_tables())


def _tables() -> Iterator[str]:
    for place in PLACES:
        reasons: list[str] = []
        yield f"## {place}\n"
        yield f"| nature | {' | '.join(APIS)} |"
        yield "|---" * (1 + len(APIS)) + "|"
        for nature in NATURES:
            cells = []
            for api in APIS:
                why = reason(place, nature, api)
                if why is not None and why not in reasons:
                    reasons.append(why)
                cells.append("yes" if why is None else f"no ({reasons.index(why) + 1})")
            yield f"| `{nature}` | {' | '.join(cells)} |".replace("`any callable`", "any callable")
        yield ""
        yield from (f"{k}. {why}" for k, why in enumerate(reasons, 1))
        if reasons:
            yield ""


if __name__ == "__main__":
    PAGE.write_text(page().rstrip() + "\n")
