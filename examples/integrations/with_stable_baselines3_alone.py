# Stable-Baselines3, one agent: it and a nature that pushes on its actions are trained in turns, as in RARL.

from typing import Any

import gymnasium
from stable_baselines3 import PPO

from robust_envs import AsAgents, Linf, Nominal, Policy, Uniform, robust
from robust_envs.evaluation import evaluate

OPTIONS = {"n_steps": 512, "gamma": 0.9, "learning_rate": 1e-3, "device": "cpu"}


def make(nature: Any = None) -> Any:
    env = gymnasium.make("Pendulum-v1")
    return env if nature is None else robust(env, action=Linf(1.0), nature=nature)


def train(steps: int = 4096, turns: int = 2) -> tuple[PPO, PPO]:
    agent = PPO("MlpPolicy", make(Uniform()), seed=0, **OPTIONS).learn(steps)  # a passive nature first
    nature = PPO("MlpPolicy", make(AsAgents(team=agent)), seed=1, **OPTIONS)  # with the agent inside: an ordinary env
    for _ in range(turns):
        nature.set_env(make(AsAgents(team=agent)))
        nature.learn(steps // turns)
        agent.set_env(make(Policy(nature)))
        agent.learn(steps // turns)
    return agent, nature


if __name__ == "__main__":
    agent, nature = train()
    natures = {"nominal": Nominal(), "uniform": Uniform(), "trained": Policy(nature)}
    found = evaluate(agent, make, action=Linf(1.0), natures=natures, levels=(1,), episodes=20)
    for row in found.table(agents=["team"])[::2]:  # under the nominal reward
        print(f"{row.nature:8} level {row.level:.0f}: {row.mean:.0f} [{row.low:.0f}, {row.high:.0f}]")
