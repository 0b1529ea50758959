# XuanCe: a game is registered as an environment; agents that share nothing may differ in their spaces.
import tempfile
from typing import Any

from mpe2 import simple_spread_v3
from xuance.common import get_arguments
from xuance.environment import REGISTRY_MULTI_AGENT_ENV, RawMultiAgentEnv, make_envs
from xuance.torch.agents import IPPO_Agents

from robust_envs import AsAgents, Linf, Uniform, robust


def make(nature: Any) -> Any:
    game = simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=True)
    return robust(game, observation=Linf(1.0), nature=nature)


class Game(RawMultiAgentEnv):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.env, self.max_episode_steps = make(config.nature), 25
        self.env.reset(seed=config.env_seed)
        self.agents, self.num_agents = list(self.env.possible_agents), len(self.env.possible_agents)
        self.observation_space = {agent: self.env.observation_space(agent) for agent in self.agents}
        self.action_space = {agent: self.env.action_space(agent) for agent in self.agents}
        self.state_space, self.state = self.env.state_space, self.env.state

    def reset(self, **_: Any) -> Any:
        return self.env.reset()

    def step(self, actions: Any) -> Any:
        actions = {a: said.clip(self.action_space[a].low, self.action_space[a].high) for a, said in actions.items()}
        observations, rewards, terminated, _, infos = self.env.step(actions)
        return observations, rewards, terminated, not self.env.agents, {"infos": infos}

    def agent_mask(self) -> dict[str, bool]:
        return dict.fromkeys(self.agents, True)

    def avail_actions(self, *_: Any) -> None:
        return None  # all of them

    render = close = avail_actions


REGISTRY_MULTI_AGENT_ENV["robust"] = Game  # here, for processes that XuanCe spawns import this file again


def train(steps: int = 4000, nature: Any = Uniform()) -> dict[str, Any]:  # noqa: B008
    config = get_arguments("ippo", "mpe", "simple_spread_v3")
    ours = {"env_name": "robust", "nature": nature, "vectorize": "DummyVecMultiAgentEnv", "parallels": 1}
    ours |= {"buffer_size": min(steps, 500), "use_parameter_sharing": False, "gamma": 0.95, "render": False}
    vars(config).update(ours, log_dir=tempfile.mkdtemp(), model_dir=tempfile.mkdtemp())
    team = IPPO_Agents(config, make_envs(config))
    team.train(steps)
    return dict(team.policy.actor)


if __name__ == "__main__":
    for nature in (Uniform(), AsAgents()):
        print(nature, "trained", list(train(nature=nature)))
