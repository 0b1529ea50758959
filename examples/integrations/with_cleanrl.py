# In the manner of CleanRL: PPO in one file of plain torch, one network for each group, and nature is one more group.
from typing import Any

import torch
from mpe2 import simple_spread_v3
from torch import nn
from torch.distributions import Normal

from robust_envs import AsAgents, Linf, Uniform, robust


class Player(nn.Module):
    def __init__(self, env: Any, agents: list[str]) -> None:
        super().__init__()
        (seen,), (acts,) = env.observation_space(agents[0]).shape, env.action_space(agents[0]).shape
        self.agents, self.book = agents, ([], [], [])  # of one episode: what was seen, done and earned
        self.critic, self.actor = (nn.Sequential(nn.Linear(seen, 64), nn.Tanh(), nn.Linear(64, n)) for n in (1, acts))
        self.log_std = nn.Parameter(torch.full((acts,), -0.5))
        self.optimizer = torch.optim.Adam(self.parameters(), 1e-3)

    def act(self, observations: dict[str, Any]) -> dict[str, Any]:
        seen = torch.tensor([observations[agent].tolist() for agent in self.agents])
        self.book[0].append(seen), self.book[1].append(Normal(self.actor(seen), self.log_std.exp()).sample())
        return dict(zip(self.agents, (self.book[1][-1].clamp(-1, 1) / 2 + 0.5).numpy(), strict=True))  # from 0 to 1

    def learn(self) -> None:
        (seen, actions, goal), self.book = map(torch.stack, self.book), ([], [], [])
        goal = torch.cat([goal, self.critic(seen[-1:]).squeeze(-1).detach()])  # only a time limit ends these games
        for t in reversed(range(len(goal) - 1)):
            goal[t] += 0.95 * goal[t + 1]
        gain = nn.functional.layer_norm((goal - self.critic(seen).squeeze(-1)).detach()[:-1], goal[:-1].shape)
        old = None
        for _ in range(4):
            log = Normal(self.actor(seen), self.log_std.exp()).log_prob(actions).sum(-1)[:-1]
            old = log.detach() if old is None else old
            ratio, surprise = (log - old).exp(), (self.critic(seen).squeeze(-1) - goal)[:-1].pow(2).mean()
            loss = 0.5 * surprise - torch.min(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
            self.optimizer.zero_grad(), loss.backward(), self.optimizer.step()


def train(steps: int = 5000, nature: Any = Uniform()) -> dict[str, Player]:  # noqa: B008
    torch.manual_seed(0)
    env = robust(simple_spread_v3.parallel_env(continuous_actions=True), observation=Linf(1.0), nature=nature)
    sides = sorted({agent.split("_")[0] for agent in env.possible_agents})
    players = [Player(env, [a for a in env.possible_agents if a.startswith(side)]) for side in sides]
    for episode in range(steps // 25):
        observations, _ = env.reset(seed=episode)
        while env.agents:
            actions = dict(pair for one in players for pair in one.act(observations).items())
            observations, rewards, *_ = env.step(actions)
            for one in players:
                one.book[2].append(torch.tensor([float(rewards[agent]) for agent in one.agents]))
        for one in players:
            one.act(observations), one.learn()  # the value of what is seen last counts
    return dict(zip(sides, players, strict=True))


if __name__ == "__main__":
    for nature in (Uniform(), AsAgents()):
        print(nature, "trained", list(train(nature=nature)))
