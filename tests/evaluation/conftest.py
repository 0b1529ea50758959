"""A game whose every number is known: what a policy earns under a nature can be worked out on paper."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv

STEPS = 4


class Glass(ParallelEnv):
    """Two agents, four steps. An agent earns its action plus its start, which the reset seed draws; it sees both."""

    metadata: ClassVar = {"name": "glass_v0", "render_modes": []}
    render_mode = None

    def __init__(self, log: list[Any] | None = None, names: tuple[str, ...] = ("a", "b")) -> None:
        self.possible_agents = list(names)
        self.agents: list[str] = []
        self.log = [] if log is None else log
        self._observation = spaces.Box(-10.0, 10.0, (2,), np.float32)
        self._action = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def observation_space(self, agent: str) -> Any:
        return self._observation

    def action_space(self, agent: str) -> Any:
        return self._action

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents = list(self.possible_agents)
        self.steps = 0
        self.start = float(np.random.default_rng(seed).uniform(0.0, 1.0))
        self.log.append(("reset", seed, self.start))
        return {agent: self._seen(0.0) for agent in self.agents}, {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> Any:
        self.steps += 1
        self.log.append(("step", {agent: float(action[0]) for agent, action in actions.items()}))
        acted = list(self.agents)
        over = self.steps == STEPS
        if over:
            self.agents = []
        return (
            {agent: self._seen(float(actions[agent][0])) for agent in acted},
            {agent: float(actions[agent][0]) + self.start for agent in acted},
            dict.fromkeys(acted, False),
            dict.fromkeys(acted, over),
            {agent: {} for agent in acted},
        )

    def close(self) -> None:
        self.log.append(("close",))

    def _seen(self, action: float) -> Any:
        return np.array([self.start, action], np.float32)


@pytest.fixture
def glass() -> type[Glass]:
    return Glass
