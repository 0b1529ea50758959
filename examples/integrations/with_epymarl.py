# EPyMARL: it makes games by their Gymnasium id, so a robust game is registered; it pads natures to the team itself.
#
#   cd epymarl && PYTHONPATH=FOLDER_OF_THIS_FILE python src/main.py --config=ippo_ns --env-config=gymma with \
#       env_args.time_limit=25 env_args.key=with_epymarl:spread-natures-v0 common_reward=False t_max=4000
#
# common_reward=False, for team and nature earn the negative of one another and their sum is 0; `_ns` gives each agent a
# network of its own. For the team alone take spread-uniform-v0 and any of its algorithms.

from typing import Any

import gymnasium
from mpe2 import simple_spread_v3

from robust_envs import AsAgents, Linf, Uniform, robust
from robust_envs.adapters.epymarl import TupleGame

NATURES = {"uniform": Uniform(), "natures": AsAgents(grid=4)}  # nature: do nothing, or one of four members of the set


def make(name: str, **_: Any) -> TupleGame:
    game = simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=False)
    return TupleGame(robust(game, observation=Linf(1.0), nature=NATURES[name]))


for name in NATURES:
    gymnasium.register(
        f"spread-{name}-v0", entry_point=f"{__name__}:make", kwargs={"name": name}, disable_env_checker=True
    )


if __name__ == "__main__":
    for name in NATURES:
        game = gymnasium.make(f"spread-{name}-v0", max_episode_steps=25)
        game.reset(seed=0)
        returns, over = [0.0] * game.unwrapped.n_agents, False
        while not over:
            _, rewards, terminated, truncated, _ = game.step(game.action_space.sample())
            returns, over = [a + b for a, b in zip(returns, rewards, strict=True)], terminated or truncated
        print(name, dict(zip(game.unwrapped.possible_agents, [round(value) for value in returns], strict=True)))
