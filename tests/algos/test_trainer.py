import json
import time
from typing import NamedTuple

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, CheckpointCallback
from stable_baselines3.common.logger import configure

from algos.deep import MADDPG, RMADDPG, CheckpointAtEpisodeEnd, MADDPGConfig, RMADDPGConfig

SMALL = {"hidden_sizes": (8,), "learning_starts": 20, "update_every": 5, "batch_size": 16}


@pytest.fixture
def env(toys):
    return toys.mixed_game(horizon=5, terminate=False)


@pytest.fixture
def model(env):
    return MADDPG(env, MADDPGConfig(**SMALL))


@pytest.fixture
def json_logger():
    """Make loggers that write progress.json, and close them in the end."""
    loggers = []

    def make(folder):
        loggers.append(configure(str(folder), ["json"]))
        return loggers[-1]

    yield make
    for logger in loggers:
        logger.close()


class Recorder(BaseCallback):
    """Write down what the trainer calls, and in which order."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def _on_training_start(self):
        self.calls.append("start")

    def _on_rollout_start(self):
        self.calls.append("rollout")

    def _on_step(self):
        assert self.training_env.num_envs == 1
        assert self.num_timesteps == self.model.num_timesteps == self.calls.count("step") + 1
        assert self.locals["step"].reward.shape == (3,)
        self.calls.append("step")
        return True

    def _on_rollout_end(self):
        self.calls.append("update")

    def _on_training_end(self):
        self.calls.append("end")


def test_callbacks_are_called_in_the_order_of_stable_baselines3(model):
    recorder = Recorder()
    model.learn(20, callback=CallbackList([recorder]))
    assert recorder.calls == ["start", "rollout", *["step"] * 20, "update", "rollout", "update", "end"]


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c]])
def test_callback_that_returns_false_stops_training_at_once(model, wrap):
    class Stop(BaseCallback):
        def _on_step(self):
            return self.num_timesteps < 13

    assert model.learn(100, callback=wrap(Stop())).num_timesteps == 13


def test_function_serves_as_callback(model):
    assert model.learn(100, callback=lambda local, _: local["self"].num_timesteps < 7).num_timesteps == 7


def test_stable_baselines3_checkpoint_callback_writes_checkpoints_that_load(env, model, tmp_path):
    model.learn(20, callback=CheckpointCallback(7, str(tmp_path), save_replay_buffer=True, save_vecnormalize=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rl_model_14_steps.zip", "rl_model_7_steps.zip"]
    assert MADDPG.load(tmp_path / "rl_model_14_steps.zip", env).num_timesteps == 15


@pytest.mark.filterwarnings("ignore:rich is experimental")
def test_progress_bar_of_stable_baselines3_runs(model, capsys):
    pytest.importorskip("tqdm")
    model.learn(20, progress_bar=True)
    assert "20/20" in capsys.readouterr().out


def test_log_has_returns_losses_and_speed(env, tmp_path, json_logger):
    model = RMADDPG(env, RMADDPGConfig(**SMALL))
    model.set_logger(json_logger(tmp_path))
    model.learn(100, log_interval=10)
    lines = [json.loads(line) for line in (tmp_path / "progress.json").read_text().splitlines()]
    assert [line["time/total_timesteps"] for line in lines] == [50, 100]
    assert lines[0]["rollout/ep_rew_mean"] == 15.0
    assert lines[0]["rollout/ep_rew_mean/late"] == 5.0
    assert lines[0]["rollout/ep_len_mean"] == 5.0
    assert lines[1]["train/observed_reward"] == 1.0
    assert lines[1]["time/fps"] > 0
    for name in ("critic_loss", "actor_loss", "nature_loss", "q", "nature"):
        assert np.isfinite(lines[1][f"train/{name}"])
        assert f"train/{name}/early" in lines[1]


def test_log_of_a_resumed_run_has_the_lines_of_an_uninterrupted_one(env, tmp_path, json_logger):
    def lines(folder, pieces):
        model = MADDPG(env, MADDPGConfig(**SMALL), seed=1)
        model.set_logger(json_logger(tmp_path / folder))
        for steps in pieces:
            model.learn(steps, log_interval=4, reset_num_timesteps=False)
        written = [json.loads(line) for line in (tmp_path / folder / "progress.json").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k not in ("time/fps", "time/time_elapsed")} for line in written]

    assert lines("whole", [100]) == lines("pieces", [35, 65])


def test_tensorboard_gets_the_log(env, tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    model = MADDPG(env, MADDPGConfig(**SMALL), tensorboard_log=str(tmp_path)).learn(50, log_interval=5)
    model.logger.close()
    accumulator = events.EventAccumulator(str(tmp_path / "MADDPG_1"))
    accumulator.Reload()
    assert "rollout/ep_rew_mean" in accumulator.Tags()["scalars"]


def test_long_agent_names_do_not_break_the_table(toys, capsys):
    seats = toys.team_of(**{f"an_agent_with_a_rather_long_name_{i}": (toys.box(1), toys.box(1)) for i in range(2)})
    env = toys.Toy(*seats, lambda actions: dict.fromkeys(actions, 1.0))
    MADDPG(env, MADDPGConfig(**SMALL), verbose=1).learn(40, log_interval=20)
    assert "ep_rew_mean" in capsys.readouterr().out


class Executed(NamedTuple):
    nominal: object
    chosen: object
    executed: object


def test_nominal_return_is_logged_where_the_environment_tells_it(env, tmp_path, json_logger):
    class Layer(type(env)):
        def __init__(self, inner, channel, nominal):
            self.__dict__.update(inner.__dict__)
            self.env, self._channel, self._nominal = inner, channel, nominal

        @property
        def last_move(self):
            return {(self._channel, a): Executed(np.array(self._nominal), 0.0, 0.0) for a in self.possible_agents}

    layers = Layer(Layer(Layer(env, "observation", 9.0), "reward", 5.0), "reward", 7.0)
    model = MADDPG(layers, MADDPGConfig(**SMALL))
    model.set_logger(json_logger(tmp_path))
    model.learn(5, log_interval=1)
    line = json.loads((tmp_path / "progress.json").read_text())
    assert line["rollout/ep_rew_mean"] == 3 * 5 * 5.0
    assert line["rollout/ep_perturbed_rew_mean"] == 3 * 5 * 1.0


def test_nominal_rewards_are_preferred_to_moves(env, tmp_path, json_logger):
    env.nominal_rewards = dict.fromkeys(env.possible_agents, 4.0)
    model = MADDPG(env, MADDPGConfig(**SMALL))
    model.set_logger(json_logger(tmp_path))
    model.learn(5, log_interval=1)
    assert json.loads((tmp_path / "progress.json").read_text())["rollout/ep_rew_mean"] == 3 * 5 * 4.0


def test_no_folder_is_made_for_a_log_that_goes_to_none(env, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.gettempdir", lambda: pytest.fail("a folder was asked for"))
    monkeypatch.setattr("os.makedirs", lambda *_, **__: pytest.fail("a folder was made"))
    MADDPG(env, MADDPGConfig(**SMALL)).learn(30, log_interval=1)
    assert capsys.readouterr().out == ""
    MADDPG(env, MADDPGConfig(**SMALL), verbose=1).learn(30, log_interval=1)
    assert "total_timesteps" in capsys.readouterr().out


def test_reseeded_policy_explores_alike_and_training_goes_on_untouched(env):
    model, other = (MADDPG(env, MADDPGConfig(**SMALL)).learn(40) for _ in range(2))
    observations, _ = env.reset(seed=0)

    def explored():
        return [str(model.predict(observations, deterministic=False)[0]) for _ in range(20)]

    model.reseed(3)
    first = explored()
    model.reseed(3)
    assert explored() == first
    model.reseed(4)
    assert explored() != first
    for trainer in (model, other):
        trainer.learn(40, reset_num_timesteps=False)
    assert str(model.predict(observations)[0]) == str(other.predict(observations)[0])
    assert model._state.exploration.random() == other._state.exploration.random()


def test_logger_is_silent_before_learn(model, capsys):
    model.logger.record("x", 1)
    model.logger.dump()
    assert not capsys.readouterr().out


def test_prediction_is_an_element_of_each_action_space(env, model):
    observations, _ = env.reset()
    for deterministic in (True, False):
        actions, state = model.predict(observations, deterministic=deterministic)
        assert state is None
        assert list(actions) == list(observations)
        assert all(env.action_space(agent).contains(action) for agent, action in actions.items())


def test_prediction_for_some_agents_is_the_one_for_all(env, model):
    observations, _ = env.reset()
    actions, _ = model.predict(observations)
    some, _ = model.predict({"late": observations["late"]})
    np.testing.assert_equal(some, {"late": actions["late"]})


def test_random_prediction_does_not_touch_training(env):
    def trained(predictions):
        model = MADDPG(env, MADDPGConfig(**SMALL)).learn(40)
        for _ in range(predictions):
            model.predict(env.reset()[0], deterministic=False)
        return model.learn(40)._state.stacks["critics"].parameters

    assert torch.equal(trained(0), trained(5))


@pytest.mark.parametrize(
    ("observations", "said"),
    [({"nobody": 1}, "'nobody'"), ({"late": 7}, "agent 'late'"), ({"early": np.full(3, np.nan)}, "agent 'early'")],
)
def test_prediction_for_what_is_no_observation_is_refused(model, observations, said):
    with pytest.raises(ValueError, match=said):
        model.predict(observations)


def test_fault_of_the_environment_mid_run_is_named_and_the_model_still_saves(toys, tmp_path):
    def fault(env, outcome):
        if len(env.seeds) == 9 and env.time == 3:
            outcome[1]["late"] = float("nan")

    model = MADDPG(toys.mixed_game(horizon=5, fault=fault), MADDPGConfig(**SMALL))
    with pytest.raises(ValueError, match=r"agent 'late' must get a finite reward, got nan \(step 3 of"):
        model.learn(100)
    model.save(tmp_path / "c")
    assert MADDPG.load(tmp_path / "c").num_timesteps == 42


def test_counting_may_start_again_but_learning_goes_on(model):
    model.learn(50)
    model.learn(20)
    assert model.num_timesteps == 20
    assert model._state.steps == 70


def test_divergence_is_named_and_stops_training(toys):
    env = toys.matrix_game([[1e30, 0.0], [0.0, 0.0]])
    with pytest.raises(FloatingPointError, match="critic_loss of agent 'a' is inf after 20 steps"):
        MADDPG(env, MADDPGConfig(**SMALL)).learn(100)


def test_diverged_run_does_not_replace_the_last_good_checkpoint(toys, tmp_path):
    env = toys.matrix_game([[1e30, 0.0], [0.0, 0.0]], horizon=4)
    with pytest.raises(FloatingPointError):
        MADDPG(env, MADDPGConfig(**SMALL)).learn(100, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=9))
    assert MADDPG.load(tmp_path / "c").num_timesteps == 12


def test_asked_to_stop_training_finishes_the_episode(model):
    def ask(local, _):
        if local["self"].num_timesteps == 12:
            local["self"].stop_at_episode_end()
        return True

    assert model.learn(100, callback=ask).num_timesteps == 15
    assert model.learn(10, reset_num_timesteps=False).num_timesteps == 25


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_sizes": (0,)}, "hidden_sizes must be >= 1, got hidden_sizes=0"),
        ({"actor_learning_rate": 0.0}, "actor_learning_rate must be finite and > 0"),
        ({"critic_learning_rate": float("nan")}, "critic_learning_rate must be finite"),
        ({"gamma": 1.5}, "gamma must be finite and >= 0 and <= 1, got gamma=1.5"),
        ({"tau": 0.0}, "tau must be finite and > 0 and <= 1, got tau=0.0"),
        ({"batch_size": 0}, "batch_size must be >= 1"),
        ({"buffer_capacity": 10}, "buffer_capacity must be >= 1024"),
        ({"learning_starts": 2_000_000}, "buffer_capacity must be >= 2000000"),
        ({"continuous": "sigmoid"}, "continuous must be one of 'tanh', 'softmax', got continuous='sigmoid'"),
        ({"nature": "worst"}, "nature must be one of"),
        ({"nature": "set"}, "reward_set must be given"),
        ({"nature_weight": -1.0}, "nature_weight must be finite and > 0"),
    ],
)
def test_setting_out_of_range_is_refused_at_construction(changes, said):
    with pytest.raises(ValueError, match=said):
        RMADDPGConfig(**changes)


@pytest.mark.parametrize("changes", [{"gamma": "0.9"}, {"batch_size": 1.5}, {"update_every": True}, {"tau": None}])
def test_setting_of_the_wrong_kind_is_refused(changes):
    with pytest.raises(TypeError, match=next(iter(changes))):
        MADDPGConfig(**changes)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"seed": -1}, ValueError, "seed must be >= 0, got seed=-1"),
        ({"seed": "x"}, TypeError, "seed must be an integer"),
        ({"device": "no_such_device"}, ValueError, "device"),
        ({"config": RMADDPGConfig()}, TypeError, "config must be a MADDPGConfig, got RMADDPGConfig"),
    ],
)
def test_argument_out_of_range_is_refused(env, options, kind, said):
    with pytest.raises(kind, match=said):
        MADDPG(env, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_device_that_is_not_there_is_refused(env):
    with pytest.raises(ValueError, match="device must be there, got device='cuda'"):
        MADDPG(env, device="cuda")
    assert MADDPG(env, device="auto").device.type == "cpu"


@pytest.mark.parametrize("arguments", [(0,), (-5,), (10, None, 0)])
def test_learning_for_no_steps_is_refused(model, arguments):
    with pytest.raises(ValueError, match="must be >= 1"):
        model.learn(*arguments)


def test_import_of_algos_leaves_torch_out_until_a_trainer_is_asked_for():
    import subprocess
    import sys

    code = "import sys, algos; assert 'torch' not in sys.modules; algos.MADDPG; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_trains_on_a_cuda_device(env, tmp_path):
    model = RMADDPG(env, RMADDPGConfig(**SMALL), device="cuda").learn(100)
    model.save(tmp_path / "c")
    loaded = RMADDPG.load(tmp_path / "c", device="cpu")
    observations, _ = env.reset()
    np.testing.assert_equal(loaded.predict(observations), model.predict(observations))


def test_time_is_counted_from_this_call_of_learn(env, tmp_path, json_logger):
    model = MADDPG(env, MADDPGConfig(**SMALL))
    model.set_logger(json_logger(tmp_path))
    began = time.perf_counter()
    model.learn(50, log_interval=10)
    elapsed = time.perf_counter() - began
    line = json.loads((tmp_path / "progress.json").read_text().splitlines()[-1])
    assert line["time/fps"] >= int(50 / elapsed)
