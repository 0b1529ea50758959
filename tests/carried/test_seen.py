"""What was late, lost, said and played is seen: in infos, over pictures, in plots, by evaluation and by the checks."""

import gymnasium
import numpy as np
import pytest
from carried_cases import LEFT, RIGHT
from glassbox import EchoParallel, play

from robust_envs import Delay, Dropout, Finite, Linf, Switch, Uniform, heard, overlay, robust
from robust_envs.evaluation import evaluate
from robust_envs.testing import check_robust_env

ALL = {"delay": Delay(3), "dropout": Dropout(0.5), "message": heard(Linf(0.2), at=[0])}


def test_bars_are_drawn_for_what_is_late_and_lost():
    def picture(nature):
        env = robust(gymnasium.make("CartPole-v1", render_mode="rgb_array"), delay=Delay(3), nature=nature)
        env = overlay(env)
        env.reset(seed=0)
        for _ in range(3):
            env.step(0)
        drawn = env.render()
        env.close()
        return drawn

    late, prompt = picture(lambda move: 3), picture(lambda move: 0)
    assert (late != prompt).any()


def test_a_trace_of_all_of_them_plots_itself(tmp_path):
    pytest.importorskip("matplotlib")
    env = robust(EchoParallel(), **ALL, partners={"a_1": Finite([LEFT, RIGHT])}, nature=Uniform(), trace=True)
    play(env)
    env.trace.plot(tmp_path / "episode.png")
    assert (tmp_path / "episode.png").stat().st_size > 1000


def test_infos_tell_what_happened_in_numbers_of_one_shape():
    env = robust(EchoParallel(), **ALL, nature=Uniform(), info="numeric")
    keys = {"robust_delay_delta": (1,), "robust_dropout_delta": (1,), "robust_message_delta": (1,)}
    _, infos = env.reset(seed=0)
    while env.agents:
        assert {key: value.shape for key, value in infos["a_0"].items()} == keys
        *_, infos = env.step({agent: env.action_space(agent).sample() for agent in env.agents})


def test_evaluation_scales_delays_and_losses(world):
    for channels in ({"delay": Delay(10)}, {"dropout": Dropout(0.6)}):
        found = evaluate(world.balance, world.pole, **channels, levels=(0.0, 1.0), episodes=3)
        assert found.summary("uniform", 0.0).mean == 500
        assert found.summary("uniform", 1.0).mean < 400


@pytest.mark.parametrize(
    "channels",
    [
        {"delay": Delay(3), "dropout": Dropout(0.3, of="action")},
        {"message": Switch(0.5)},
        {"message": heard(Linf(0.5))},
    ],
    ids=["carried", "said", "heard"],
)
def test_every_check_for_users_passes(world, channels):
    report = check_robust_env(world.talk, **channels, steps=15)
    assert report.failed == ()
    effects = [check for check in report.passed if check.name.startswith("nature has an effect on")]
    assert len(effects) == len(channels)


def test_a_delay_and_another_gravity_go_together(world):
    env = robust(world.pole(), delay=Delay(2), dynamics={"gravity": Linf(2.0)}, nature=Uniform(), trace=True)
    env.reset(seed=0)
    for _ in range(5):
        env.step(0)
    assert {channel for channel, _ in env.trace.moves} == {"delay", "dynamics"}
    assert np.abs(env.unwrapped.gravity - 9.8) <= 2.0
