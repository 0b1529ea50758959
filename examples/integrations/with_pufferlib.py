# PufferLib: one policy plays every row of a batch, so team and nature train in turns, each with a policy of its own.

import ast
import configparser
import contextlib
import io
import tempfile
from typing import Any

import pufferlib.vector
import torch
from mpe2 import simple_spread_v3
from pufferlib.emulation import PettingZooPufferEnv
from pufferlib.models import Default
from pufferlib.pufferl import PuffeRL

from robust_envs import AsAgents, Linf, Policy, Uniform, robust


def make(nature: Any, **options: Any) -> PettingZooPufferEnv:  # options: its buffer and seed
    game = simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=True)
    return PettingZooPufferEnv(robust(game, observation=Linf(1.0), nature=nature), **options)


class Plays(Default):  # type: ignore[misc]
    def predict(self, seen: Any, state: Any = None, deterministic: bool = True) -> tuple[Any, Any]:  # of one agent
        with torch.no_grad():
            law, _ = self.forward_eval(torch.as_tensor(seen)[None])
        return law.mean[0].clamp(0, 1).numpy(), state


def learn(nature: Any, steps: int, policy: Plays | None = None) -> Plays:
    file = configparser.ConfigParser()
    file.read(f"{pufferlib.__path__[0]}/config/default.ini")
    settings = {key: ast.literal_eval(v) if v[0] in "0123456789TF" else v for key, v in file["train"].items()}
    settings |= {"env": "spread", "data_dir": tempfile.mkdtemp(), "use_rnn": False, "device": "cpu"}
    settings |= {"optimizer": "adam", "learning_rate": 1e-3, "gamma": 0.95, "total_timesteps": steps}
    settings |= {"update_epochs": 4, "batch_size": 384, "minibatch_size": 192, "bptt_horizon": 32}
    env = pufferlib.vector.make(make, env_kwargs={"nature": nature}, backend="Serial", num_envs=4, seed=0)
    with contextlib.redirect_stdout(io.StringIO()):  # it draws over the terminal
        learner = PuffeRL(settings, env, policy or Plays(env.driver_env, hidden_size=64))
        while learner.global_step < steps:
            learner.evaluate(), learner.train()
        learner.close()
    return learner.uncompiled_policy


def train(steps: int = 12_000, nature: Any = Uniform()) -> dict[str, Plays]:  # noqa: B008
    torch.manual_seed(0)
    team = learn(Uniform(), steps)  # steps of agents, as PufferLib counts
    if not isinstance(nature, AsAgents):
        return {"team": team}
    against = learn(AsAgents(team=team), steps)  # the team plays inside: natures are the rows
    return {"team": learn(Policy(against), steps, team), "nature": against}


if __name__ == "__main__":
    for nature in (Uniform(), AsAgents()):
        print(nature, "trained", list(train(nature=nature)))
