"""Tasks, configurations, measurements, metrics: values that say what was run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.classic import connect_four_v3

from algos.experiments import TASKS, Measurement, RunConfig, find_task
from algos.experiments.metrics import MetricsFile, read_metrics
from robust_envs import Linf, Switch


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("continuous", [False, True])
def test_tasks_play_25_steps_with_the_actions_asked_for(name: str, continuous: bool) -> None:
    env = TASKS[name].make(continuous=continuous)
    env.reset(seed=0)
    steps = 0
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        steps += 1
    assert steps == 25
    assert set(TASKS[name].team) <= set(env.possible_agents)
    kind = spaces.Box if continuous else spaces.Discrete
    assert all(isinstance(env.action_space(agent), kind) for agent in env.possible_agents)
    env.close()


@pytest.mark.parametrize("level", [0.5, 2.0])
def test_rewards_in_training_are_noisy_as_in_the_papers(level: float) -> None:
    """METHODS 3: r + level z with z standard normal cut at +-2, afresh for each agent and step."""
    naked, noisy = RunConfig(level=0).make_training_env(), RunConfig(level=level).make_training_env()
    gaps = []
    for seed in range(120):
        naked.reset(seed=seed)
        noisy.reset(seed=seed)
        while naked.agents:
            actions = dict.fromkeys(naked.agents, 1)
            clean, said = naked.step(actions)[1], noisy.step(actions)[1]
            gaps.append([said[agent] - clean[agent] for agent in clean])
    z = np.array(gaps) / level
    assert np.abs(z).max() <= 2.0 + 1e-9
    assert z.mean() == pytest.approx(0.0, abs=0.03)
    # Variance of a standard normal cut at 2: 1 - 2 * 2 phi(2) / (2 Phi(2) - 1) = 0.7737.
    assert z.var() == pytest.approx(0.7737, abs=0.02)
    assert np.abs(np.corrcoef(z.T) - np.eye(3)).max() < 0.08
    assert abs(np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1]) < 0.08


def test_level_zero_trains_in_the_environment_itself() -> None:
    assert not hasattr(RunConfig(level=0).make_training_env(), "last_move")


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    measurement = Measurement(levels=(0.0, 2.0), action=0.1, natures=("uniform", "noise"))
    trainer = {"hidden_sizes": (8, 8)}
    config = RunConfig(task="keep-away", algo="maddpg", level=0.5, trainer=trainer, measurement=measurement)
    assert RunConfig.load(config.save(tmp_path / "config.json")) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, r"config must hold only the names of RunConfig, got \['colour'\]"),
        ({"measurement": {"angle": 1}}, r"measurement must hold only the names of Measurement, got \['angle'\]"),
        ({"version": 99}, "version of robust-envs/run must be 1 to 1, got version=99"),
        ({"algo": "ppo"}, "algo must be one of rmaddpg, maddpg, .*, got algo='ppo'"),
    ],
)
def test_a_file_that_says_something_unknown_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    path = RunConfig().save(tmp_path / "config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=message):
        RunConfig.load(path)


def test_sets_fit_the_spaces() -> None:
    measurement = Measurement(observation=0.2, action=0.4, reward=1.0)
    discrete = measurement.channels(TASKS["keep-away"].make())
    assert discrete["action"] == Switch(0.4)
    assert discrete["observation"] == Linf(0.2)
    assert discrete["reward"] == Linf(1.0)
    continuous = measurement.channels(TASKS["keep-away"].make(continuous=True))
    assert continuous["action"] == Linf(0.4)
    masked = connect_four_v3.env()
    assert measurement.channels(masked)["observation"] == Linf(0.2), "the part beside the mask"
    mixed = SimpleNamespace(
        possible_agents=["a", "b"],
        observation_space={"a": spaces.Discrete(3), "b": spaces.Box(0, 1, (2,))}.get,
        action_space={"a": spaces.MultiBinary(2), "b": spaces.Discrete(2)}.get,
    )
    without = Measurement(observation=0.2, action=0.4).channels(mixed)
    assert without == {"observation": {"b": Linf(0.2)}, "action": {"b": Switch(0.4)}}
    assert Measurement(observation=0, action=0).channels(TASKS["keep-away"].make()) == {}


def test_any_importable_environment_is_a_task() -> None:
    task = find_task(None, env="mpe2.simple_tag_v3:parallel_env")
    assert task.name == "mpe2.simple_tag_v3:parallel_env"
    assert len(task.make().possible_agents) == 4
    assert find_task("mine", env="mpe2.simple_tag_v3:parallel_env").name == "mine"


def test_metrics_of_a_resumed_run_go_on_where_the_checkpoint_was(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path)
    for step in (100, 200, 300):
        file.write({"a": step / 7, "time/total_timesteps": step}, {"a": ()})
    again = MetricsFile(path, until=200)
    again.write({"a": 1.5, "b": 2.0, "hidden": 3.0, "time/total_timesteps": 250}, {"hidden": ("csv",)})
    rows = read_metrics(path)
    assert [row["time/total_timesteps"] for row in rows] == ["100", "200", "250"]
    assert float(rows[0]["a"]) == 100 / 7, "numbers keep all their digits"
    assert rows[2]["b"] == "2.0"
    assert "b" not in rows[0]
    assert all("hidden" not in row for row in rows)


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    MetricsFile(path).write({"a": 1.0, "time/total_timesteps": 100}, {})
    with path.open("a") as file:
        file.write("2.0,2")
    assert len(read_metrics(path)) == 1
    assert len(read_metrics(MetricsFile(path, until=100)._path)) == 1


def test_a_new_run_forgets_an_old_table(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    MetricsFile(path).write({"a": 1.0, "time/total_timesteps": 100}, {})
    MetricsFile(path)
    assert read_metrics(path) == []
