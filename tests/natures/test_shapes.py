"""Natures with a shape in time, schedules and feedback: each by its defining property."""

import numpy as np
import pytest
from glassbox import EchoEnv, EchoParallel, Player, observations, play, rewards, same
from nature_cases import feedback, look

from robust_envs import (
    L2,
    Impulse,
    Interval,
    LinearFeedback,
    Linf,
    Periodic,
    RandomWalk,
    Step,
    Switch,
    Uniform,
    joint,
    robust,
    scheduled,
)


def executed(nature, members=Linf(0.5), channel="observation", episodes=1, kind=EchoEnv, seed=0, **options):  # noqa: B008
    """Return what nature did in the last of some episodes, shape (T, dim)."""
    env = robust(kind(), **{channel: members}, nature=nature, trace=True)
    for k in range(episodes):
        play(env, seed + k, **options)
    (key,) = [key for key in env.trace.moves if key[1] in ("agent_0", "a_0", "*")]
    return env.trace.moves[key].executed


def moved(*how, **options):
    return executed(*how, **options).any(axis=1)


FREE = {"kind": lambda: EchoEnv("float64"), "members": Linf(0.5)}  # unbounded: nothing is clipped


@pytest.mark.parametrize("members", [Linf(0.5), L2(0.8), Interval((-0.1, -0.3), (0.4, 0.0))], ids=repr)
def test_full_strength_is_the_member_furthest_along_the_axis(members):
    axis = (2.0, -1.0)
    rows = executed(Step(axis=axis), members, kind=FREE["kind"])
    np.testing.assert_allclose(rows, np.tile(members.bind(2).worst(-np.array(axis)), (13, 1)), atol=1e-12)
    back = executed(Periodic(period=2, phase=0.75, axis=axis), members, kind=FREE["kind"])
    np.testing.assert_allclose(back[0], members.bind(2).worst(np.array(axis)), atol=1e-12)


def test_an_axis_is_drawn_in_every_episode_and_kept_in_it():
    rows = [executed(Step(), seed=seed, **FREE) for seed in range(8)]
    assert all(np.allclose(episode, episode[0], rtol=1e-9) for episode in rows)
    assert len({tuple(np.sign(episode[0])) for episode in rows}) > 1


def test_a_walk_takes_small_steps_from_zero_and_stays_in_the_set():
    rows = executed(RandomWalk(step=0.2), L2(0.5), kind=lambda: EchoEnv("float64", horizon=600), steps=600)
    assert (np.linalg.norm(rows, axis=1) <= 0.5 + 1e-12).all()
    steps = np.diff(rows, axis=0, prepend=np.zeros((1, 2)))
    inside = np.linalg.norm(rows, axis=1) < 0.5 - 1e-9
    assert steps[inside].std() == pytest.approx(0.1, rel=0.15)  # where it was not brought back
    assert (~inside).any()
    correlated = np.mean(rows[1:] * rows[:-1]) / np.mean(rows**2)
    assert correlated > 0.7  # noise is 0


def test_walks_go_on_where_a_block_of_draws_ends():
    rows = executed(RandomWalk(step=0.01), Linf(1.0), kind=lambda: EchoEnv("float64", horizon=600), steps=600)
    assert np.abs(np.diff(rows, axis=0)).max() < 0.06


# Schedules


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, range(13)),
        ({"start": 4}, range(4, 13)),
        ({"stop": 4}, range(4)),
        ({"start": 2, "stop": 3}, [2]),
        ({"every": 5}, [0, 5, 10]),
        ({"start": 1, "every": 4, "duration": 2}, [1, 2, 5, 6, 9, 10]),
        ({"every": 3, "duration": 5}, range(13)),
        ({"every": 6, "duration": 3, "stop": 8}, [0, 1, 2, 6, 7]),
        ({"budget": 0}, []),
        ({"start": 3, "every": 2, "budget": 3}, [3, 5, 7]),
        ({"probability": 0.0}, []),
    ],
    ids=str,
)
@pytest.mark.parametrize("nature", [Uniform(), Step(), look], ids=["Uniform", "Step", "function"])
def test_a_schedule_is_on_when_it_says(options, steps, nature):
    assert np.flatnonzero(moved(scheduled(nature, **options), **FREE)).tolist() == list(steps)


def test_bursts_begin_with_their_probability_and_last_their_duration():
    on = moved(
        scheduled(Uniform(), probability=0.1, duration=4), kind=lambda: EchoEnv("float64", horizon=4000), steps=4000
    )
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
    lengths = edges[1::2] - edges[::2]
    assert lengths[:-1].min() == 4  # and longer where one prolongs another
    assert on.mean() == pytest.approx(1 - 0.9**4, abs=0.04)


@pytest.mark.parametrize("reward", ["float", "int", "float32"])
@pytest.mark.parametrize("nature", [Uniform(), look], ids=["drawn", "asked"])
def test_while_a_schedule_is_off_values_are_the_very_bits(reward, nature):
    class Zeros(EchoEnv):
        """Says -0.0, which + 0.0 would turn into 0.0."""

        def step(self, action):
            observation, value, *rest = super().step(action)
            return np.copysign(0 * observation, -1.0), value, *rest

    make = lambda: Zeros("float64", reward=reward)  # noqa: E731
    sets = {"reward": Linf(1.0), "observation": Linf(1.0), "action": Linf(0.5)}
    env = robust(make(), **sets, nature=scheduled(nature, start=5, stop=9))
    nominal, robustly = play(make()), play(env)
    for book in (observations, rewards):
        before, after = book(nominal), book(robustly)
        off = [*range(5), *range(10, len(before))] if book is observations else [*range(4), *range(9, len(before))]
        assert all(same(before[k], after[k]) for k in off)
        assert not any(same(before[k], after[k]) for k in (6, 7))


def test_moves_that_change_nothing_are_free():
    odd = lambda move: np.full(len(move.nominal), 0.1 * (move.step % 2))  # noqa: E731
    assert np.flatnonzero(moved(scheduled(odd, budget=3), **FREE)).tolist() == [1, 3, 5]
    assert np.flatnonzero(moved(scheduled(Impulse(at=4, duration=9), budget=2), **FREE)).tolist() == [4, 5]


def test_every_episode_has_a_budget_of_its_own():
    for nature in (Uniform(), look):
        assert moved(scheduled(nature, budget=3, start=1), episodes=3, **FREE).sum() == 3


@pytest.mark.parametrize("nature", [Uniform(), RandomWalk()], ids=repr)
def test_a_budget_is_true_to_what_was_played_when_the_radius_changes(nature):
    env = robust(EchoEnv("float64", horizon=40), observation=Linf(0.5), nature=scheduled(nature, budget=9), trace=True)
    env.reset(seed=0)
    for radius in (0.5, 0.7, 0.0, 0.3, 0.6):
        env.radius = radius
        for _ in range(4):
            env.step(np.zeros(2, np.float32))
    on = env.trace.moves["observation", "agent_0"].executed.any(axis=1)
    assert on.tolist() == [True] * 9 + [False] * 12


def test_a_walk_does_not_jump_when_the_radius_changes():
    env = robust(EchoEnv("float64", horizon=60), observation=Linf(1.0), nature=RandomWalk(step=0.02), trace=True)
    env.reset(seed=0)
    for k in range(50):
        if k % 10 == 9:
            env.radius = 1.0 + 0.1 * k
        env.step(np.zeros(2, np.float32))
    rows = env.trace.moves["observation", "agent_0"].executed
    assert np.abs(np.diff(rows, axis=0)).max() < 0.6  # a position of its own at every change would be of order 1
    assert np.abs(np.diff(rows, axis=0)).mean() < 0.1


def test_a_curriculum_grows_with_the_episodes_whatever_their_seeds():
    nature = scheduled(Step(axis=[1.0, 1.0]), curriculum=[(0, 0.2), (4, 1.0)])
    env = robust(EchoEnv("float64"), observation=Linf(0.5), nature=nature, trace=True)
    sizes = []
    for seed in (3, None, 3, 3, 3, None):
        play(env, 0, reset_seed=seed)
        sizes.append(float(env.trace.moves["observation", "agent_0"].executed.max()))
    np.testing.assert_allclose(sizes, [0.1, 0.2, 0.3, 0.4, 0.5, 0.5])


def test_a_curriculum_on_a_switch_scales_its_probability():
    nature = scheduled(Uniform(), curriculum=[(0, 0.0), (1, 1.0)])
    env = robust(EchoEnv(action="discrete", horizon=400), action=Switch(1.0), nature=nature, trace=True)
    counts = []
    for seed in (0, 1):
        play(env, seed, steps=400)
        counts.append(env.trace.moves["action", "agent_0"].executed.any(axis=1).mean())
    assert counts[0] == 0.0
    assert counts[1] == pytest.approx(0.75, abs=0.07)


def test_a_schedule_inside_draws_what_the_nature_would_have_drawn():
    bare, late = executed(Uniform(), **FREE), executed(scheduled(Uniform(), start=5), **FREE)
    np.testing.assert_array_equal(late[5:], bare[5:])


# Feedback


@pytest.mark.parametrize("squash", ["tanh", "sign"])
def test_a_law_is_what_it_says(squash):
    law = feedback(2, 2, squash)
    env = robust(EchoEnv("float64"), observation=Interval(-0.5, 0.3), nature=law, trace=True)
    said = play(EchoEnv("float64"))
    play(env)
    for (seen, *_), row in zip(said, env.trace.moves["observation", "agent_0"].executed, strict=True):
        raw = np.array(law.gain) @ seen.astype(np.float32).astype(np.float64) + np.array(law.bias)
        push = np.tanh(raw) if squash == "tanh" else np.sign(raw)
        np.testing.assert_allclose(row, np.where(push > 0, 0.3 * push, 0.5 * push), atol=1e-7)


def test_a_law_is_projected_onto_the_set():
    rows = executed(feedback(2, 2, "sign"), L2(0.5), kind=FREE["kind"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 0.5, rtol=1e-9)


def test_a_law_saves_loads_and_prints(tmp_path):
    law = feedback(2, 3, "sign")
    assert LinearFeedback.load(law.save(tmp_path / "law.json")) == law
    assert eval(repr(law)) == law
    with pytest.raises(FileNotFoundError):
        LinearFeedback.load(tmp_path / "none.json")
    (tmp_path / "foreign.json").write_text("{}")
    with pytest.raises(ValueError, match=r"path must be a law.*foreign\.json"):
        LinearFeedback.load(tmp_path / "foreign.json")


def test_a_joint_schedule_leaves_all_agents_alone_together():
    on = moved(
        scheduled(Uniform(), every=2), joint(L2(1.0)), kind=lambda: EchoParallel({"a_0": Player(), "a_1": Player()})
    )
    assert on.tolist() == [k % 2 == 0 for k in range(13)]
