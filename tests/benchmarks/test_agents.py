"""How the cost of a round of updates grows with the number of agents. Run as a program it prints the table.

`python tests/benchmarks/test_agents.py agents.png` draws it as well.
"""

import sys

import numpy as np
import pytest
import torch
from gymnasium import spaces
from interleaved import cpu_seconds
from pettingzoo import ParallelEnv

from algos.deep import MADDPG, MADDPGConfig
from algos.deep.memory import keep_memory

AGENTS = (1, 2, 4, 8, 16, 32)
OBSERVED = 8


class Crowd(ParallelEnv):
    """Agents that see noise and get nothing."""

    metadata = {"name": "crowd", "render_modes": []}  # noqa: RUF012
    render_mode = None

    def __init__(self, agents):
        self.possible_agents = [f"agent_{i}" for i in range(agents)]
        self.agents = []

    def observation_space(self, agent):
        return spaces.Box(-1.0, 1.0, (OBSERVED,), np.float32)

    def action_space(self, agent):
        return spaces.Discrete(5)

    def reset(self, seed=None, options=None):
        self.agents, self._rng, self._left = list(self.possible_agents), np.random.default_rng(seed), 25
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions):
        self._left -= 1
        actors, over = self.agents, self._left == 0
        if over:
            self.agents = []
        seen = {a: self._rng.random(OBSERVED, np.float32) for a in actors}
        return (
            seen,
            dict.fromkeys(actors, 0.0),
            dict.fromkeys(actors, False),
            dict.fromkeys(actors, over),
            {a: {} for a in actors},
        )

    def _seen(self):
        return {agent: self._rng.random(OBSERVED, np.float32) for agent in self.agents}


def round_seconds(agents=AGENTS, *, batch=256, rounds=9):
    """Return the CPU time of a round of updates for each number of agents, in turns in one process."""
    keep_memory()
    config = MADDPGConfig(batch_size=batch, learning_starts=batch)
    models = {n: MADDPG(Crowd(n), config).learn(batch) for n in agents}
    batches = {n: model._state.sample(batch, torch.device("cpu")) for n, model in models.items()}
    found = cpu_seconds({str(n): lambda n=n: models[n]._update(batches[n]) for n in agents}, rounds=rounds)
    return {n: found[str(n)] for n in agents}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_a_round_costs_no_more_for_each_of_many_agents_than_for_each_of_few():
    found = [round_seconds((4, 32)) for _ in range(2)]
    assert min(cost[32] / cost[4] for cost in found) <= 1.3 * 32 / 4


def draw(found, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4))
    axes = figure.add_subplot(xlabel="agents", ylabel="ms of the processor, a round for each agent")
    axes.plot(list(found), [1e3 * seconds / n for n, seconds in found.items()], "o-")
    axes.set_ylim(bottom=0)
    figure.savefig(path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = round_seconds(rounds=25)
    for n, seconds in found.items():
        print(f"{n:3d} agents: {1e3 * seconds:7.2f} ms, {1e3 * seconds / n:.2f} an agent")
    if len(sys.argv) > 1:
        draw(found, sys.argv[1])
