"""Schedules of the uncertainty: what radius training meets, on every kind of game, killed and resumed."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algos.deep import (
    MADDPG,
    CheckpointAtEpisodeEnd,
    Cosine,
    Linear,
    MADDPGConfig,
    ProcessGames,
    SideBySide,
    Stairs,
    UncertaintySchedule,
    VectorGames,
    VmasGames,
)
from algos.deep.levels import set_radius
from algos.deep.schedules import read_schedule
from robust_envs import L2, Finite, Linf, Noise, Uniform, robust

SMALL = MADDPGConfig(hidden_sizes=(8,), learning_starts=20, update_every=10, batch_size=16)
numbers = st.floats(0, 1e6)


@settings(deadline=None, max_examples=30)
@given(numbers, numbers, st.floats(0.01, 1.0), st.floats(0, 1))
def test_schedules_begin_and_end_where_they_say_and_stay_between(start, end, until, progress):
    for kind in (Linear, Cosine):
        schedule = kind(start, end, until)
        assert schedule(0.0) == start
        assert schedule(until) == pytest.approx(end)
        assert schedule(1.0) == pytest.approx(end)
        slack = 1e-9 * (1 + max(start, end))
        assert min(start, end) - slack <= schedule(progress) <= max(start, end) + slack
    assert Stairs((start, end))(progress) == (start if progress < 0.5 else end)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Linear(-1.0, 2.0), "start must be finite and >= 0, got start=-1.0"),
        (lambda: Cosine(0.0, float("nan")), "end must be finite"),
        (lambda: Linear(0.0, 1.0, until=0.0), r"until must be in \(0, 1\]"),
        (lambda: Stairs(()), "values must be at least one"),
        (lambda: read_schedule("linear:1"), "schedule must be linear:START:END"),
        (lambda: read_schedule("stairs:a"), "schedule must hold numbers"),
        (lambda: read_schedule("sine:1:2"), "schedule must be linear"),
        (lambda: UncertaintySchedule(Linear(0, 1), total_timesteps=0), "total_timesteps must be >= 1"),
    ],
)
def test_schedule_that_is_none_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_words_name_the_schedule():
    assert read_schedule("linear:0:2") == Linear(0, 2)
    assert read_schedule("cosine:0:2:0.5") == Cosine(0, 2, 0.5)
    assert read_schedule("stairs:0:1:2") == Stairs((0, 1, 2))


def radii(env, callbacks=(), steps=40, **options):
    """Train and return the radius at every step."""
    seen = []

    def look(local, _):
        seen.append(dict(env.radius))
        return True

    from stable_baselines3.common.callbacks import ConvertCallback

    model = MADDPG(env, SMALL, seed=1)
    model.learn(steps, callback=[*callbacks, ConvertCallback(look)], **options)
    return seen


def test_radius_follows_the_schedule_and_changes_between_episodes_only(toys):
    env = robust(toys.mixed_game(horizon=5), reward=Linf(9.0), nature=Noise())
    seen = radii(env, [UncertaintySchedule(Linear(0.0, 2.0))])
    expected = [2.0 * (step // 5 * 5) / 40 for step in range(40)]
    assert [entry["reward"] for entry in seen] == pytest.approx(expected)


def test_channels_have_schedules_of_their_own_in_every_layer(toys):
    inner = robust(toys.mixed_game(horizon=5), reward=Linf(1.0), nature=Noise())
    env = robust(inner, action={"late": L2(0.5)}, nature=Uniform())
    schedule = {"reward": Stairs((0.0, 3.0)), "action": Linear(0.5, 0.0)}
    radii(env, [UncertaintySchedule(schedule)])
    assert (inner.radius, env.radius) == ({"reward": 3.0}, {"action": 0.0})
    with pytest.raises(ValueError, match="radius names channel 'observation', the environment has action, reward"):
        set_radius(env, {"observation": 1.0})


def test_environment_without_a_radius_is_refused_when_training_starts(toys):
    with pytest.raises(ValueError, match="env must be made robust"):
        MADDPG(toys.mixed_game(horizon=5), SMALL).learn(5, callback=UncertaintySchedule(Linear(0, 1)))
    env = robust(toys.mixed_game(horizon=5), reward=Finite([[0.0], [1.0]]), nature=Uniform())
    with pytest.raises(ValueError, match="radius"):
        MADDPG(env, SMALL).learn(5, callback=UncertaintySchedule(Linear(0, 1)))


def test_schedule_is_the_level_that_evaluation_would_wrap_with(toys):
    """What training met under a schedule at 0 is the environment itself."""
    plain = MADDPG(toys.mixed_game(horizon=5), SMALL, seed=1).learn(60)
    env = robust(toys.mixed_game(horizon=5), reward=Linf(5.0), nature=Noise())
    same = MADDPG(env, SMALL, seed=1).learn(60, callback=UncertaintySchedule(Stairs((0.0,))))
    noisy = MADDPG(env, SMALL, seed=1).learn(60, callback=UncertaintySchedule(Stairs((0.0, 1.0))))
    rows = [model._state.buffer.state()["rows"].numpy() for model in (plain, same, noisy)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[2] != rows[0]).any()


def test_interrupted_curriculum_resumes_with_the_numbers_of_an_uninterrupted_one(toys, tmp_path):
    def make():
        return robust(toys.mixed_game(horizon=5), reward=Linf(5.0), nature=Noise())

    def callbacks():
        return [UncertaintySchedule(Linear(0.0, 2.0)), CheckpointAtEpisodeEnd(tmp_path / "c", every=50)]

    def stop(local, _):
        return local["self"].num_timesteps < 83

    from stable_baselines3.common.callbacks import ConvertCallback

    whole = MADDPG(make(), SMALL, seed=1).learn(120, callback=callbacks())
    MADDPG(make(), SMALL, seed=1).learn(120, callback=[*callbacks(), ConvertCallback(stop)])
    resumed = MADDPG.load(tmp_path / "c", make())
    assert resumed.num_timesteps == 50
    resumed.learn(70, callback=callbacks(), reset_num_timesteps=False)
    first, second = (model._state.buffer.state()["rows"].numpy() for model in (whole, resumed))
    np.testing.assert_array_equal(first, second)


def test_radius_of_many_games_is_set_wherever_they_are_played():
    vector = robust(gymnasium.make_vec("CartPole-v1", num_envs=2), observation=Linf(0.1), nature=Uniform())
    games = VectorGames(vector, wave=10)
    MADDPG(games, SMALL).learn(40, callback=UncertaintySchedule(Linear(0.0, 0.3)))
    assert vector.radius == {"observation": 0.3}
    with pytest.raises(ValueError, match="env must be made robust"):
        VectorGames(gymnasium.make_vec("CartPole-v1", num_envs=2), wave=10).set_radius(1.0)


def test_radius_of_vmas_games_is_set_in_all_parts():
    vmas = pytest.importorskip("vmas")
    envs = [
        robust(vmas.make_env("simple_spread", num_envs=2, max_steps=5), reward=Linf(1.0), nature=Noise())
        for _ in range(2)
    ]
    games = SideBySide([VmasGames(env) for env in envs])
    MADDPG(games, SMALL, seeds=[0, 1]).learn(20, callback=UncertaintySchedule({"reward": Linear(0.0, 3.0)}))
    assert [env.radius for env in envs] == [{"reward": 3.0}] * 2


def make_noisy():
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    return robust(spread.parallel_env(max_cycles=5), reward=Linf(1.0), nature=Noise())


def test_radius_reaches_the_processes():
    import torch

    games = ProcessGames(make_noisy, num_envs=1, wave=5, context="fork")
    try:
        gaps = []
        for radius in (0.0, 2.0):
            games.set_radius(radius)
            games.reset([0])
            outcome = games.step(torch.zeros(1, 3, 5))
            gaps.append(float((outcome.reward - outcome.nominal).abs().max()))
        assert gaps[0] == 0.0 < gaps[1]
    finally:
        games.close()
