"""Small tasks whose worst perturbation is known, for the tests of falsification."""

import gymnasium
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Drift(gymnasium.Env):
    """A point on a line: x' = x + a with a in [-1, 1] and reward 1 - |x'|; the policy should go to 0.

    With the policy a = -x and observations x + delta, |delta| <= r, the point ends where nature wants it: x' = -delta.
    From the second observation on nature takes r from every reward, and never more: the worst return of T steps is
    T * (1 - r).
    """

    def __init__(self, steps=20):
        self.observation_space = spaces.Box(-10.0, 10.0, (1,), np.float64)
        self.action_space = spaces.Box(-20.0, 20.0, (1,), np.float64)
        self.steps = steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = self.np_random.uniform(-0.1, 0.1, 1), 0
        return self.x.copy(), {}

    def step(self, action):
        self.x, self.t = self.x + np.asarray(action, np.float64).reshape(1), self.t + 1
        return self.x.copy(), 1.0 - float(abs(self.x[0])), False, self.t >= self.steps, {}


def home(observation):
    return -observation


class Walk(gymnasium.Env):
    """A tabular game: six states in a ring, two actions, known rewards; a policy's actions may be switched."""

    REWARDS = np.array([[0.0, 1.0], [0.5, -1.0], [2.0, 0.0], [-2.0, 1.0], [0.0, 0.3], [1.0, -0.5]])

    def __init__(self, steps=12):
        self.observation_space = spaces.Box(0.0, 1.0, (6,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.steps = steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.t = 0, 0
        return self._seen(), {}

    def step(self, action):
        reward = float(self.REWARDS[self.state, action])
        self.state = (self.state + (1 if action == 0 else 2)) % 6
        self.t += 1
        return self._seen(), reward, False, self.t >= self.steps, {}

    def _seen(self):
        return np.eye(6, dtype=np.float32)[self.state]

    @classmethod
    def worst(cls, steps):
        """Return the smallest return there is, by dynamic programming."""
        value = np.zeros(6)
        for _ in range(steps):
            value = np.min([[cls.REWARDS[s, a] + value[(s + 1 + a) % 6] for a in (0, 1)] for s in range(6)], axis=1)
        return value[0]


class Pair(ParallelEnv):
    """Two points, each of which earns 1 - |x| of its own; both see both."""

    def __init__(self, steps=10):
        self.metadata = {"name": "pair_v0", "is_parallelizable": True, "render_modes": []}
        self.possible_agents, self.render_mode, self.steps = ["left", "right"], None, steps

    def observation_space(self, agent):
        return SPACE

    def action_space(self, agent):
        return MOVES

    def reset(self, seed=None, options=None):
        self.agents, self.t = list(self.possible_agents), 0
        self.x = dict(zip(self.agents, np.random.default_rng(seed).uniform(-0.1, 0.1, 2), strict=True))
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions):
        self.t += 1
        for agent, action in actions.items():
            self.x[agent] = self.x[agent] + float(np.reshape(action, -1)[0])
        rewards = {agent: 1.0 - abs(self.x[agent]) for agent in self.agents}
        over = self.t >= self.steps
        told = self._seen(), rewards, dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, over)
        infos = {agent: {} for agent in self.agents}
        if over:
            self.agents = []
        return *told, infos

    def _seen(self):
        both = {"left": ("left", "right"), "right": ("right", "left")}
        return {agent: np.array([self.x[one] for one in both[agent]]) for agent in self.possible_agents}


SPACE = spaces.Box(-10.0, 10.0, (2,), np.float64)
MOVES = spaces.Box(-20.0, 20.0, (1,), np.float64)


def pair_home(observation):
    return -observation[:1]
