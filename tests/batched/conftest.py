"""Batched games whose rules are plain, and VMAS where it is installed."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from algos.deep.batched import Outcome, View


class Counting:
    """G games of two agents that count steps; game i of a run is worth i a step, and ends after `horizon` steps.

    `fault(step, outcome)` may spoil what a step returns.
    """

    agents = ("a", "b")
    runs = 1

    def __init__(self, num_envs=4, *, wave=6, horizon=3, actions=None, fault=None):
        self.observation_spaces = (spaces.Box(-1e9, 1e9, (2,), np.float32), spaces.Box(-1e9, 1e9, (1,), np.float32))
        self.action_spaces = actions or (spaces.Discrete(3), spaces.Box(-2.0, 4.0, (2,), np.float32))
        self.num_envs, self.wave, self.device = num_envs, wave, torch.device("cpu")
        self._horizon, self._fault = horizon, fault
        self.seeds, self.played, self.steps = [], [], 0

    def _view(self):
        seen = torch.zeros(self.num_envs, 2, 2)
        seen[:, :, 0] = self._time[:, None]
        seen[:, 0, 1] = self._start
        return View(seen, torch.ones(self.num_envs, 2, dtype=torch.bool), None)

    def reset(self, seeds):
        self.seeds.append(tuple(seeds))
        self._time = torch.zeros(self.num_envs)
        self._start = torch.rand(self.num_envs, generator=torch.Generator().manual_seed(seeds[0]))
        return self._view()

    def step(self, actions):
        self.played.append(actions.clone())
        self.steps += 1
        self._time += 1
        following = self._view()
        over = self._time >= self._horizon
        self._time = torch.where(over, 0.0, self._time)
        reward = torch.arange(self.num_envs)[:, None].expand(-1, 2).float() * torch.tensor([1.0, 0.5])
        reward = reward + actions[:, :, 0] * 0.1
        outcome = Outcome(reward, torch.ones(self.num_envs, 2, dtype=torch.bool), following, self._view(), over, None)
        return outcome if self._fault is None else self._fault(self.steps, outcome)

    def close(self):
        pass


@pytest.fixture
def counting():
    return Counting


@pytest.fixture(autouse=True)
def _one_thread():
    """Run torch on one thread: the networks are too small for more, and bits depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def vmas_env():
    """Make VMAS environments, of cooperative navigation if nothing else is said."""
    vmas = pytest.importorskip("vmas")

    def make(num_envs=6, scenario="simple_spread", **options):
        return vmas.make_env(
            scenario, num_envs=num_envs, max_steps=5, seed=0, **{"terminated_truncated": True, **options}
        )

    return make
