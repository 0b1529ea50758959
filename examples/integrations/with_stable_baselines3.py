# Stable-Baselines3: a team shares one PPO, and a nature with a PPO of its own attacks what it sees, in turns.

from typing import Any

import numpy as np
from mpe2 import simple_spread_v3
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from robust_envs import AsAgents, Linf, Policy, Uniform, robust
from robust_envs.evaluation import evaluate


class Shared(VecEnv):  # every agent of a ParallelEnv is one environment: one policy plays them all
    def __init__(self, game: Any) -> None:
        self.game, self.agents = game, game.possible_agents
        super().__init__(len(self.agents), game.observation_space(self.agents[0]), game.action_space(self.agents[0]))

    def reset(self) -> Any:
        return self._rows(self.game.reset(seed=self._seeds[0])[0])

    def step_async(self, actions: Any) -> None:
        self.actions = dict(zip(self.agents, actions, strict=True))

    def step_wait(self) -> Any:
        observations, rewards, *_ = self.game.step(self.actions)
        rows, over = self._rows(observations), not self.game.agents
        infos = [{"terminal_observation": row, "TimeLimit.truncated": True} if over else {} for row in rows]
        self._seeds[0] = None
        rows = self.reset() if over else rows
        return rows, np.array([rewards[agent] for agent in self.agents]), np.full(len(self.agents), over), infos

    def _rows(self, observations: dict[str, Any]) -> Any:
        return np.stack([observations[agent] for agent in self.agents])

    close = get_attr = set_attr = env_method = env_is_wrapped = lambda self, *_, **__: [None] * self.num_envs


def make(nature: Any) -> Any:
    game = simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=True)
    return game if nature is None else robust(game, observation=Linf(1.0), nature=nature)


def train(steps: int = 4096) -> tuple[PPO, PPO]:
    team = PPO("MlpPolicy", Shared(make(Uniform())), n_steps=128, seed=0, device="cpu").learn(steps)  # passive nature
    nature = PPO("MlpPolicy", Shared(make(AsAgents(team=team))), n_steps=128, seed=1, device="cpu")
    for _ in range(2):  # in turns, each against the other as it is
        nature.set_env(Shared(make(AsAgents(team=team))))
        nature.learn(steps // 2)
        team.set_env(Shared(make(Policy(nature))))
        team.learn(steps // 2)
    return team, nature


if __name__ == "__main__":
    team, nature = train()
    who = {"uniform": Uniform(), "trained": Policy(nature)}
    found = evaluate(team, lambda: make(None), observation=Linf(1.0), natures=who, levels=(0, 1), episodes=50)
    for row in found.table(agents=["team"])[::2]:  # under the nominal reward
        print(f"{row.nature:8} level {row.level:.0f}: {row.mean:.0f} [{row.low:.0f}, {row.high:.0f}]")
