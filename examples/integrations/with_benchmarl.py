# BenchMARL: `GameTask` plays any PettingZoo environment; nature's agents are a group with policies of its own.

import tempfile
from functools import partial
from typing import Any

from benchmarl.algorithms import IppoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from mpe2 import simple_spread_v3

from robust_envs import AsAgents, Linf, Uniform, robust
from robust_envs.adapters.benchmarl import GameTask


def make(nature: Any) -> Any:
    game = simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=True)
    return robust(game, observation=Linf(1.0), nature=nature)


def train(steps: int = 4000, nature: Any = Uniform()) -> dict[str, Any]:  # noqa: B008
    config = ExperimentConfig.get_from_yaml()
    config.max_n_frames, config.max_n_iters = steps, None
    config.on_policy_collected_frames_per_batch = min(steps, 1000)
    config.on_policy_n_envs_per_worker = 1
    config.on_policy_minibatch_size, config.on_policy_n_minibatch_iters = 250, 4
    config.evaluation, config.render, config.loggers, config.create_json = False, False, [], False
    config.save_folder = tempfile.mkdtemp()
    experiment = Experiment(
        task=GameTask(partial(make, nature), max_steps=25, name="spread"),
        algorithm_config=IppoConfig.get_from_yaml(),
        model_config=MlpConfig.get_from_yaml(),
        critic_model_config=MlpConfig.get_from_yaml(),
        seed=0,
        config=config,
    )
    experiment.run()
    return dict(experiment.losses)


if __name__ == "__main__":
    for nature in (Uniform(), AsAgents()):
        print(nature, "trained", list(train(nature=nature)))
