"""Small games whose optimum is known, and which can be told to misbehave."""

from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Toy(ParallelEnv):
    """A game of constant observations: agent a gets `reward(actions)[a]`; it records seeds and actions.

    `deaths` terminates agents at a step, `horizon` ends the episode by truncation or, with `terminate`, termination;
    `fault(env, outcome)` may spoil what a step returns.
    """

    metadata: ClassVar = {"name": "toy", "render_modes": []}
    render_mode = None

    def __init__(self, observations, actions, reward, *, horizon=1, terminate=True, deaths=None, fault=None):
        self.possible_agents = list(observations)
        self._observation_spaces, self._action_spaces = observations, actions
        self._reward, self._horizon, self._terminate = reward, horizon, terminate
        self._deaths, self._fault = deaths or {}, fault
        self.agents, self.seeds, self.played = [], [], []

    def observation_space(self, agent):
        return self._observation_spaces[agent]

    def action_space(self, agent):
        return self._action_spaces[agent]

    def _observe(self, agents):
        return {a: example(self._observation_spaces[a]) for a in agents}

    def reset(self, seed=None, options=None):
        self.seeds.append(seed)
        self.agents, self.time = list(self.possible_agents), 0
        return self._observe(self.agents), {a: {} for a in self.agents}

    def step(self, actions):
        self.played.append(actions)
        self.time += 1
        actors, over = self.agents, self.time >= self._horizon
        dead = {a: self._deaths.get(a) == self.time or (over and self._terminate) for a in actors}
        rewards = {a: self._reward(actions)[a] for a in actors}
        outcome = [self._observe(actors), rewards, dead, dict.fromkeys(actors, over), {a: {} for a in actors}]
        self.agents = [] if over else [a for a in actors if not dead[a]]
        if self._fault is not None:
            self._fault(self, outcome)
        return tuple(outcome)


def example(space):
    """Return one constant element of a space."""
    if isinstance(space, spaces.Dict):
        return {name: example(part) for name, part in space.spaces.items()}
    if isinstance(space, spaces.Box):
        return np.ones(space.shape, space.dtype)
    if isinstance(space, spaces.MultiBinary):
        return np.ones(space.shape, np.int8)
    return np.int64(space.start)


def box(size, low=-1.0, high=1.0):
    return spaces.Box(low, high, (size,), np.float32)


def team_of(**agents):
    """Split {agent: (observation space, action space)} into the two dicts that Toy wants."""
    return {a: pair[0] for a, pair in agents.items()}, {a: pair[1] for a, pair in agents.items()}


def matrix_game(payoff, **options):
    """Make a cooperative game of two agents: both get payoff[action of a][action of b]."""
    payoff = np.asarray(payoff, float)
    seats = team_of(a=(box(1), spaces.Discrete(payoff.shape[0])), b=(box(1), spaces.Discrete(payoff.shape[1])))

    def reward(actions):
        value = float(payoff[actions["a"], actions["b"]])
        return {"a": value, "b": value}

    return Toy(*seats, reward, **options)


def mixed_game(**options):
    """Make a game of three agents that differ in every space; "late" and "early" can be made to die."""
    masked = spaces.Dict({"observation": box(2), "action_mask": spaces.MultiBinary(4)})
    seats = team_of(
        early=(box(3), spaces.Discrete(3, start=5)),
        late=(spaces.Discrete(4), box(2, -3.0, 5.0)),
        masked=(masked, spaces.Discrete(4)),
    )
    return Toy(*seats, lambda actions: dict.fromkeys(("early", "late", "masked"), 1.0), **options)


def box_game(**options):
    """Make a game of three agents that differ in their spaces, all observations boxes; "early" may die."""
    seats = team_of(
        early=(box(3), spaces.Discrete(3, start=5)),
        late=(box(2), box(2, -3.0, 5.0)),
        third=(box(1), spaces.Discrete(4)),
    )

    def reward(actions):
        moved = float(actions["late"][0])
        return {"early": moved, "late": -(moved**2), "third": float(actions["third"]) * moved}

    return Toy(*seats, reward, horizon=5, terminate=False, deaths={"early": 3}, **options)


@pytest.fixture
def toys():
    """Offer the games."""
    return SimpleNamespace(
        Toy=Toy, box=box, team_of=team_of, matrix_game=matrix_game, mixed_game=mixed_game, box_game=box_game
    )


@pytest.fixture(autouse=True)
def _one_thread():
    """Run torch on one thread: the networks are too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
