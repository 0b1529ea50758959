"""A trace holds an episode: saved, loaded and replayed, it gives the same bits; what is no trace is refused."""

import json
from contextlib import suppress

import gymnasium
import numpy as np
import pytest
from glassbox import ACTIONS, FAMILY, SPACES, EchoAEC, EchoEnv, EchoParallel, EchoTurns, all_channels, play, same
from gymnasium import spaces
from mpe2 import simple_spread_v3

from robust_envs import (
    L1,
    L2,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Noise,
    Policy,
    Replay,
    Switch,
    Trace,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    robust,
)


def recorded(env):
    said = play(env, seed=5)
    return said, env.trace


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, lambda: EchoParallel(FAMILY), EchoAEC, EchoTurns])
@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_a_saved_trace_replays_bit_for_bit_through_a_reset_without_seed(kind, ending, tmp_path):
    sets = all_channels(kind(), 0.7)
    said, trace = recorded(robust(kind(), **sets, nature=Uniform(), trace=True))
    loaded = Trace.load(trace.save(tmp_path / f"trace{ending}"))
    assert loaded == trace
    assert loaded.differences(trace) == []
    again = robust(kind(), **sets, nature=Replay(loaded), trace=True)
    assert same(said, play(again, seed=5, reset_seed=None))
    assert again.trace == trace


@pytest.mark.parametrize("observation", SPACES)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_space_replays(observation, action):
    make = lambda: EchoEnv(observation=observation, action=action)  # noqa: E731
    sets = {name: members for name, members in all_channels(make(), 2.0).items() if name != "reward"}
    said, trace = recorded(robust(make(), **sets, nature=Uniform(), trace=True))
    assert same(said, play(robust(make(), **sets, nature=Replay(trace)), seed=5, reset_seed=None))


def boundary(move):
    """Answer on the boundary in single precision, as a network would."""
    return np.asarray(move.set.worst(np.ones(len(move.nominal))), np.float32)


@pytest.mark.parametrize(
    "members",
    [
        Linf(0.1),
        L2(0.1),
        L1(0.3),
        Ellipsoid(np.eye(3), radius=0.1),
        Finite([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]]),
        Interval((-0.1, 0.0, 0.0), (0.0, 0.1, 0.3)),
        per_episode(L2(0.7), horizon=13),
        per_episode(L1(0.7), horizon=13),
        per_episode(L2(0.7)),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "nature", [Uniform(), boundary, Policy(lambda seen: [1, -1, 1])], ids=["Uniform", "function", "Policy"]
)
def test_every_set_and_nature_replays(members, nature):
    if isinstance(nature, Uniform) and getattr(members, "horizon", 1) is None:
        pytest.skip("Uniform refuses a budget without a horizon")
    said, trace = recorded(robust(EchoEnv(), observation=members, nature=nature, trace=True))
    assert same(said, play(robust(EchoEnv(), observation=members, nature=Replay(trace)), seed=5, reset_seed=None))


@pytest.mark.parametrize(
    "members", [per_episode(L2(0.7), horizon=12), per_episode(L1(2), horizon=9), joint(L2(0.3))], ids=repr
)
def test_worst_cases_of_rewards_replay(members):
    said, trace = recorded(robust(EchoParallel(), reward=members, nature=WorstCase(), trace=True))
    assert same(said, play(robust(EchoParallel(), reward=members, nature=Replay(trace)), seed=5, reset_seed=None))


@pytest.mark.parametrize("members", [Finite([0, 3]), Switch(0.5)], ids=repr)
def test_replaced_choices_replay(members):
    make = lambda: EchoEnv(observation="masked", action="discrete")  # noqa: E731
    first = robust(make(), action=members, nature=Uniform(), trace=True)
    _, trace = recorded(first)
    again = robust(make(), action=members, nature=Replay(trace))
    play(again, seed=5, reset_seed=None)
    assert same(first.unwrapped.received, again.unwrapped.received)


def test_finite_deltas_on_integers_replay():
    members = Finite([[1, 0, 0], [0, -1, 0], [0, 0, 0]])
    make = lambda: EchoEnv(observation="int64", horizon=40)  # noqa: E731
    first = robust(make(), observation=members, nature=Uniform(), trace=True)
    said = play(first, seed=5, steps=40)
    again = robust(make(), observation=members, nature=Replay(first.trace))
    assert same(said, play(again, seed=5, steps=40, reset_seed=None))


def test_mpe_replays_with_three_channels():
    make = lambda: simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=True)  # noqa: E731
    sets = {"reward": Linf(1.0), "observation": Linf(0.1), "action": Linf(0.2)}
    said, trace = recorded(robust(make(), **sets, nature=Noise(), trace=True))
    assert same(said, play(robust(make(), **sets, nature=Replay(trace)), seed=5, reset_seed=None))


def test_a_trace_is_of_the_current_episode_only():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True)
    play(env), env.reset()
    assert len(env.trace) == 1
    assert env.trace.seed is None
    assert env.trace.actions == {}


def test_a_trace_holds_what_was_chosen_executed_and_wanted():
    env = robust(EchoEnv(), action=Linf(5.0), nature=lambda move: np.full(2, 5.0), trace=True)
    env.reset(seed=3)
    env.step(np.float32([0.5, -0.5]))
    moves = env.trace.moves["action", "agent_0"]
    np.testing.assert_array_equal(moves.chosen, [[5, 5]])
    np.testing.assert_array_equal(moves.executed, [[0.5, 1.5]])
    np.testing.assert_array_equal(env.trace.actions["agent_0"], np.float32([[0.5, -0.5]]))
    assert env.trace.seed == 3


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_beyond_the_end_of_a_trace_moves_are_nominal(kind):
    sets = all_channels(kind(), 0.5)
    short = robust(kind(), **sets, nature=Uniform(), trace=True)
    play(short, seed=5, steps=3)
    said = play(robust(kind(), **sets, nature=Replay(short.trace)), seed=5)
    nominal = play(kind(), seed=5)
    assert same(said[-1][0], nominal[-1][0])
    at = 2 if kind is EchoAEC else 1
    assert said[-1][at] == nominal[-1][at]  # an integer comes back as a float
    assert not same(said[0], nominal[0])


def test_an_explicit_seed_wins_over_the_trace():
    _, trace = recorded(robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True))
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Replay(trace))
    env.reset(seed=6)
    twin = EchoEnv()
    twin.reset(seed=6)
    action = np.zeros(2, np.float32)
    assert env.step(action)[1] == twin.step(action)[1]  # rewards, which nature leaves alone, are those of seed 6


def test_a_radius_set_at_reset_is_replayed_too():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True)
    said = play(env, seed=5, options={"radius": 0.9})
    again = robust(EchoEnv(), observation=Linf(0.1), nature=Replay(env.trace))
    assert same(said, play(again, seed=5, reset_seed=None))


def test_options_of_the_environment_are_replayed():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True)
    env.reset(seed=1, options={"low": -0.2})
    again = robust(EchoEnv(), observation=Linf(0.1), nature=Replay(env.trace))
    again.reset()
    assert again.unwrapped.options == {"low": -0.2}


def test_numpy_seeds_save_and_load(tmp_path):
    env = robust(EchoParallel(), observation=Linf(0.1), nature=Uniform(), trace=True)
    env.reset(seed=np.int64(4))
    for ending in (".npz", ".json"):
        assert Trace.load(env.trace.save(tmp_path / f"t{ending}")).seed == 4


@pytest.mark.parametrize("kind", [spaces.Tuple, spaces.Dict])
def test_actions_in_parts_are_kept_flat(kind, tmp_path):
    class Parts(EchoEnv):
        def __init__(self):
            super().__init__()
            parts = [spaces.Discrete(3), spaces.Box(-1, 1, (2,))]
            self.action_space = kind(parts if kind is spaces.Tuple else dict(zip("ab", parts, strict=True)))

    env = robust(Parts(), observation=Linf(0.1), nature=Uniform(), trace=True)
    env.reset(seed=0)
    for _ in range(3):
        env.step(env.action_space.sample())
    assert env.trace.actions["agent_0"].shape == (3, 3)
    for ending in (".npz", ".json"):
        assert Trace.load(env.trace.save(tmp_path / f"t{ending}")) == env.trace


def test_strange_agent_names_save_and_load(tmp_path):
    env = robust(
        EchoParallel({"a|b/c d_0": FAMILY["a_0"], "ü": FAMILY["a_0"]}),
        observation=Linf(0.1),
        nature=Uniform(),
        trace=True,
    )
    play(env)
    for ending in (".npz", ".json"):
        assert Trace.load(env.trace.save(tmp_path / f"t{ending}")) == env.trace


def test_without_trace_there_is_none_and_it_says_why():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform())
    with pytest.raises(AttributeError, match="trace=True"):
        _ = env.trace


def test_differences_name_what_differs():
    _, one = recorded(robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True))
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Noise(), trace=True)
    play(env, seed=6)
    words = one.differences(env.trace)
    assert "seed: 5 against 6" in words
    assert "chosen|observation|agent_0: the numbers differ" in words
    assert one != env.trace


@pytest.fixture
def saved(tmp_path):
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True)
    play(env)
    return env.trace.save(tmp_path / "a.npz"), env.trace.save(tmp_path / "a.json")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_a_damaged_trace_is_refused_with_one_sentence(saved, which, keep):
    path = saved[which]
    data = path.read_bytes()
    path.write_bytes(data[: keep if keep >= 1 or keep == 0 else int(len(data) * keep)])
    refuse(path)


@pytest.mark.parametrize("which", [0, 1])
def test_flipped_bytes_are_refused_or_give_other_numbers(saved, which):
    path, whole = saved[which], Trace.load(saved[which])
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        broken = bytearray(data)
        broken[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(broken))
        with suppress(ValueError):  # and nothing else
            Trace.load(path).differences(whole)


FOREIGN = {
    "a.json": [
        '{"format": "something else", "version": 1}',
        "[]",
        "1",
        '"text"',
        '{"format": "robust-envs trace", "version": 1}',
    ],
    "a.npz": ["not a zip", ""],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FOREIGN.items() for text in texts])
def test_a_foreign_file_is_refused_with_one_sentence(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    refuse(tmp_path / name)


def test_a_foreign_npz_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    refuse(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", head=np.array({"a": 1}, dtype=object))
    refuse(tmp_path / "b.npz")


@pytest.mark.parametrize("field", ["seed", "arrays", "depth", "sets"])
def test_a_missing_field_is_refused(saved, field):
    head = json.loads(saved[1].read_text())
    del head[field]
    saved[1].write_text(json.dumps(head))
    refuse(saved[1])


def test_a_newer_trace_is_refused(saved):
    head = json.loads(saved[1].read_text())
    saved[1].write_text(json.dumps({**head, "version": 99}))
    refuse(saved[1], "version")


def refuse(path, words=""):
    with pytest.raises(ValueError, match=f"path must be a trace.*{words}") as caught:
        Trace.load(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def test_a_missing_trace_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["a", "a.pkl", "a.npy"])
def test_an_unknown_ending_is_refused_when_saving(name, tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.npz or \.json"):
        Trace(seed=0, options=None, depth=0, moves={}).save(tmp_path / name)


def test_saving_leaves_no_crumbs(saved):
    assert sorted(path.name for path in saved[0].parent.iterdir()) == ["a.json", "a.npz"]


def test_cartpole_replays_the_pole_that_fell():
    sets = {"observation": Linf(0.1), "action": Switch(0.3)}
    said, trace = recorded(robust(gymnasium.make("CartPole-v1"), **sets, nature=Uniform(), trace=True))
    assert same(
        said, play(robust(gymnasium.make("CartPole-v1"), **sets, nature=Replay(trace)), seed=5, reset_seed=None)
    )


def test_a_radius_set_on_the_environment_is_replayed():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True)
    env.radius = 0.9
    first, _ = env.reset(seed=5)
    again = robust(EchoEnv(), observation=Linf(0.1), nature=Replay(env.trace))
    np.testing.assert_array_equal(again.reset()[0], first)


def test_a_trace_without_a_seed_asks_for_one():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True)
    env.reset()
    again = robust(EchoEnv(), observation=Linf(0.1), nature=Replay(env.trace))
    with pytest.raises(ValueError, match="has no seed: give"):
        again.reset()
    again.reset(seed=1)


def test_the_seed_of_a_trace_holds_when_options_are_given_and_the_other_way_round():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True)
    env.reset(seed=1, options={"low": -0.2})
    again = robust(EchoEnv(), observation=Linf(0.1), nature=Replay(env.trace), trace=True)
    again.reset(options={"low": -0.1})
    assert (again.trace.seed, again.unwrapped.options) == (1, {"low": -0.1})
    again.reset(seed=2)
    assert (again.trace.seed, again.unwrapped.options) == (2, {"low": -0.2})


def test_a_radius_handed_down_to_layers_below_is_replayed():
    make = lambda **how: robust(robust(EchoEnv(), reward=Linf(0.1), nature=Uniform()), **how)  # noqa: E731
    env = make(observation=Linf(0.1), nature=Uniform(), trace=True)
    said = play(env, seed=5, options={"radius": {"observation": 0.3, "reward": 0.8}})
    assert env.trace.options == {"radius": {"observation": 0.3, "reward": 0.8}}
    assert same(said, play(make(observation=Linf(0.1), nature=Replay(env.trace)), seed=5, reset_seed=None))


WRONG = [("seed", "5"), ("seed", 1.5), ("seed", True), ("options", []), ("depth", None), ("sets", [])]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_field_of_another_kind_is_refused(saved, name, value):
    head = json.loads(saved[1].read_text())
    saved[1].write_text(json.dumps({**head, name: value}))
    refuse(saved[1], name)


@pytest.mark.parametrize("name", ["chosen", "executed"])
def test_moves_that_do_not_match_are_refused(saved, name):
    head, key = json.loads(saved[1].read_text()), f"{name}|observation|agent_0"
    array = head["arrays"][key]
    array["shape"][0] -= 1
    array["data"].pop()
    saved[1].write_text(json.dumps(head))
    refuse(saved[1], "must be of shape")
    del head["arrays"][key]
    saved[1].write_text(json.dumps(head))
    refuse(saved[1], "is missing")


def test_options_that_json_cannot_hold_are_refused(tmp_path):
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Uniform(), trace=True)
    env.reset(seed=5, options={"start": np.zeros(2)})
    with pytest.raises(ValueError, match="options must be JSON"):
        env.trace.save(tmp_path / "trace.npz")
