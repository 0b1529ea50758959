"""Write docs/support.md: which nature can play which channel in which API, found by trying every combination.

Run from the repository: python docs/site/support_table.py
"""

import re
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
from pettingzoo.utils import parallel_to_aec

from robust_envs import (
    AsAgents,
    Delay,
    Drift,
    Dropout,
    Finite,
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
    TotalVariation,
    Uniform,
    WorstCase,
    heard,
    per_step,
    robust,
    said,
    scheduled,
)
from robust_envs.envs import MarkovDecisionEnv, MarkovGameEnv, named_game


def first(_observation: Any) -> int:
    """Do nothing, as an agent with discrete actions."""
    return 0


PAGE = Path(__file__).parents[1] / "support.md"
HEAD = """# Which nature plays where

Every line is found by trying: the environment is wrapped, reset and stepped. "no" is refused when the environment is
wrapped, with the reason given below the table. `python docs/site/support_table.py` writes this page, and a test
compares it with what the code does.

VMAS environments, thousands of games at once, have no column: on `reward`, `observation` and `action` they take
`Nominal`, `Uniform`, `Noise`, `WorstCase` (rewards), `Policy` and functions of `Move`; on `dynamics`, one draw for all
games, natures that look at none of them. Everything else is refused when the environment is wrapped, with the reason.

"""
APIS = ("Env", "VectorEnv", "ParallelEnv", "AECEnv")
# What is uncertain, by the words of a table's title: the channel, whether actions are discrete, and the set.
PLACES: dict[str, tuple[str, bool, Any]] = {
    "reward": ("reward", False, Linf(0.5)),
    "observation": ("observation", False, Linf(0.1)),
    "action, continuous": ("action", False, Linf(0.1)),
    "action, discrete": ("action", True, Switch(0.5)),
    "message, said": ("message", True, said(Switch(0.5), base=1)),
    "message, heard": ("message", False, heard(Linf(0.1), at=[0])),
    "message, heard, other words": ("message", False, heard(Switch(0.5), at=[0, 1])),
    "delay of observations": ("delay", False, Delay(2)),
    "delay of actions": ("delay", True, Delay(2, of="action")),
    "dropout of observations": ("dropout", False, Dropout(0.5)),
    "dropout of actions": ("dropout", True, Dropout(0.5, of="action")),
    "partners": ("partners", True, {"agent_1": Finite([first])}),
    "dynamics": ("dynamics", False, {"Pendulum": {"m": Linf(0.1)}, "spread": {"damping": Linf(0.1)}}),
    "dynamics, per step": (
        "dynamics",
        False,
        {"Pendulum": {"m": per_step(Linf(0.1))}, "spread": {"damping": per_step(Linf(0.1))}},
    ),
    "start": ("start", False, Linf(0.1)),
    "transition, of a state": ("transition", False, Linf(0.1)),
    "transition, of a game played from its arrays": ("transition", True, TotalVariation(0.1)),
}
TABULAR = "transition, of a game played from its arrays"


def make_env(api: str, *, discrete: bool, tabular: bool = False) -> Any:
    """Build a small environment of an API."""
    if tabular:
        return make_game(api)
    name = "CartPole-v1" if discrete else "Pendulum-v1"
    if api == "Env":
        return gymnasium.make(name)
    if api == "VectorEnv":
        return SyncVectorEnv([lambda: gymnasium.make(name)] * 2)
    module = simple_spread_v3.parallel_env if api == "ParallelEnv" else simple_spread_v3.env
    return module(max_cycles=5, continuous_actions=not discrete)


def make_game(api: str) -> Any:
    """Build a Markov game that is played from its arrays."""
    if api in ("Env", "VectorEnv"):
        env = MarkovDecisionEnv(named_game("riverswim"), horizon=5)
        return env if api == "Env" else SyncVectorEnv([lambda: env])
    game = MarkovGameEnv(named_game("stag-hunt"), horizon=5)
    return game if api == "ParallelEnv" else parallel_to_aec(game)


def here(members: Any, api: str) -> Any:
    """Return the set for the environment of an API, where it names what there is in one only."""
    if not isinstance(members, dict) or "Pendulum" not in members:
        return members
    return members["Pendulum" if api in ("Env", "VectorEnv") else "spread"]


def sizes(env: Any, channel: str) -> tuple[int, int, int]:
    """Return how many numbers a nature moves, sees, and how many an agent does."""
    if isinstance(env, VectorEnv):
        observation, action = env.single_observation_space, env.single_action_space
    elif isinstance(env, gymnasium.Env):
        observation, action = env.observation_space, env.action_space
    else:
        agent = env.possible_agents[0]
        observation, action = env.observation_space(agent), env.action_space(agent)
    seen = gymnasium.spaces.flatdim(observation)
    acts = gymnasium.spaces.flatdim(action)
    moved = {"observation": seen, "action": acts}.get(channel, 1)
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


def replay(env: Any, channel: str, _discrete: bool, members: Any) -> Replay:
    """Record an episode to be replayed."""
    recorded = robust(env, **{channel: members}, nature=Nominal(), trace=True)
    recorded.reset(seed=0)
    return Replay(recorded.trace)


def feedback(env: Any, channel: str, _discrete: bool, members: Any) -> LinearFeedback:
    """Build the feedback of the shape that a channel asks for."""
    moved, seen, _ = sizes(env, channel)
    if channel in ("dynamics", "start", "transition"):  # one nature that sees all agents
        recorded = robust(env, **{channel: members}, nature=Nominal(), trace=True)
        recorded.reset(seed=0)
        first_trace = recorded.trace[0] if isinstance(recorded.trace, tuple) else recorded.trace
        moved = first_trace.moves[channel, "*"].executed.shape[1]
        seen *= len(getattr(env, "possible_agents", [None]))
    return LinearFeedback(np.ones((moved, seen)))


Make = Callable[[Any, str, bool, Any], Any]
NATURES: dict[str, Make] = {
    "Nominal()": lambda *_: Nominal(),
    "Uniform()": lambda *_: Uniform(),
    "Noise()": lambda *_: Noise(),
    "WorstCase()": lambda *_: WorstCase(),
    "any callable": lambda *_: look,
    "LinearFeedback(K)": feedback,
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
    channel, discrete, given = PLACES[place]
    members, tabular = here(given, api), place == TABULAR
    try:
        value = NATURES[nature](make_env(api, discrete=discrete, tabular=tabular), channel, discrete, members)
        env = robust(make_env(api, discrete=discrete, tabular=tabular), **{channel: members}, nature=value)
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
    return re.sub(r" with \d+ numbers here", "", words.split(", got ")[0].replace("\n", " "))


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
