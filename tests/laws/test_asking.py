"""A nature is asked exactly once per (channel, agent, step), and told the truth."""

from collections import Counter
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from glassbox import (
    FAMILY,
    TEAM,
    EchoAEC,
    EchoEnv,
    EchoParallel,
    EchoTurns,
    all_channels,
    observations,
    play,
    rewards,
    same,
)

from robust_envs import L2, Finite, Linf, Move, Policy, Switch, Uniform, joint, per_episode, robust


class Witness:
    """A nature that does nothing and remembers what it was told."""

    def __init__(self):
        self.moves = []

    def __call__(self, move):
        self.moves.append(move._replace(nominal=move.nominal.copy(), seen=move.seen.copy()))
        return move.nominal if getattr(move.set, "discrete", False) else np.zeros(len(move.nominal))

    def of(self, channel, agent):
        return [move for move in self.moves if (move.channel, move.agent) == (channel, agent)]


SETS = {"reward": Linf(1.0), "observation": Linf(0.5)}


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC, lambda: EchoParallel(FAMILY)])
def test_asked_once_per_channel_agent_and_step(kind):
    witness = Witness()
    sets = all_channels(kind(), 0.5) | {
        "action": {a: Finite([0, 1, 2]) if "b" in a else Linf(0.5) for a in kind().possible_agents}
    }
    env = robust(kind(), **sets, nature=witness)
    play(env)
    counts = Counter((move.channel, move.agent, move.step) for move in witness.moves)
    assert set(counts.values()) == {1}
    received = env.unwrapped.received
    for agent in kind().possible_agents:
        acted = sum(agent in actions for actions in received)
        assert len(witness.of("action", agent)) == acted
        assert len(witness.of("reward", agent)) in (acted, acted + 1)  # one more: the step it is born at pays too
        assert len(witness.of("observation", agent)) == acted + 1
        for channel in sets:
            assert [move.step for move in witness.of(channel, agent)] == list(range(len(witness.of(channel, agent))))


def test_told_the_nominal_values_and_the_bound_set():
    witness = Witness()
    said = play(robust(EchoParallel(), **SETS, action={"a_0": Linf(0.1)}, nature=witness))
    seen = observations(said, "a_0")
    for move, observation in zip(witness.of("observation", "a_0"), seen, strict=True):
        np.testing.assert_array_equal(move.nominal, observation)
        np.testing.assert_array_equal(move.seen, observation)
        assert move.set == Linf(0.5).bind(3)
        assert isinstance(move, Move)
        assert isinstance(move.rng, np.random.Generator)
    for move, reward, observation in zip(witness.of("reward", "a_0"), rewards(said, "a_0"), seen[1:], strict=True):
        assert move.nominal.tolist() == [reward]
        np.testing.assert_array_equal(move.seen, observation)
    for move, observation in zip(witness.of("action", "a_0"), seen, strict=False):
        np.testing.assert_array_equal(move.seen, observation)


def test_what_is_seen_is_nominal_flat_single_precision_and_without_the_mask():
    witness = Witness()
    sets = {"observation": Linf(0.1), "action": Finite([0, 1, 2])}  # two of four actions are legal: one of these is
    env = robust(EchoEnv(observation="masked", action="discrete"), **sets, nature=witness)
    said = play(env)
    for move, observation in zip(witness.of("observation", "agent_0"), observations(said), strict=True):
        assert move.seen.dtype == np.float32
        np.testing.assert_array_equal(move.seen, observation["observation"])
    for move, observation in zip(witness.of("action", "agent_0"), observations(said), strict=False):
        options = {int(member[0]) for member in move.set.members}
        assert options == {k for k in (0, 1, 2) if observation["action_mask"][k]}


@pytest.mark.parametrize("kind", ["dict", "tuple", "uint8", "scalar"])
def test_every_observation_is_seen_flat(kind):
    witness = Witness()
    env = robust(EchoEnv(observation=kind), reward=Linf(1.0), nature=witness)
    play(env)
    assert {move.seen.shape for move in witness.moves} == {(gymnasium.spaces.flatdim(env.observation_space),)}


def test_a_function_may_draw_from_its_set_with_its_own_generator():
    def nature(move):
        return move.set.sample(move.rng)

    env = robust(EchoParallel(), observation=Linf(0.2), action={"b_0": Finite([0, 3])}, nature=nature)
    assert same(play(env, 1), play(env, 1))
    assert not same(play(env, 1)[0], play(EchoParallel(), 1)[0])


def test_a_joint_nature_sees_all_and_moves_once_for_all():
    witness = Witness()
    said = play(robust(EchoParallel(FAMILY), reward=joint(L2(1.0)), nature=witness))
    agents = tuple(FAMILY)
    moves = witness.of("reward", agents)
    assert len(moves) == len(said) - 1
    for move, (_, paid, *_) in zip(moves, said[1:], strict=True):
        np.testing.assert_allclose(move.nominal, [paid.get(agent, 0.0) for agent in agents])
        assert move.seen.shape == (4 * 3,)


def test_a_budget_shows_what_is_left():
    left = []

    def nature(move):
        left.append(move.set.radius)
        return [0.25, 0.0, 0.0]

    members = per_episode(L2(0.5))
    env = robust(EchoEnv(), observation=members, nature=lambda move: move.set.project(nature(move)))
    env.reset(seed=0)
    env.step(np.zeros(2, np.float32))
    assert left[0] == 0.5
    assert left[1] < 0.5


def test_observing_again_neither_asks_nor_draws():
    witness = Witness()
    env = robust(EchoAEC(), observation=Linf(0.3), nature=witness)
    env.reset(seed=0)
    asked = len(witness.moves)
    noisy = robust(EchoAEC(), observation=Linf(0.3), nature=Uniform())
    noisy.reset(seed=0)
    for agent in TEAM:
        env.observe(agent), env.last()
        assert same(noisy.observe(agent), noisy.observe(agent))
        assert not same(noisy.observe(agent), noisy.unwrapped.observe(agent))
    assert len(witness.moves) == asked == len(TEAM)


@pytest.mark.parametrize("kind", [EchoAEC, EchoTurns])
def test_in_turns_a_noise_lasts_until_the_next_turn_of_its_agent(kind):
    env = robust(kind(), observation=Linf(0.3), nature=Uniform(), trace=True)
    env.reset(seed=0)
    rows = []
    for agent in env.agent_iter(9):
        rows.append((agent, env.last_move["observation", "a_0"].chosen.copy()))
        env.step(env.action_space(agent).sample())
        _, _, dead, over, _ = env.last()
        if dead or over:
            break
    own = [k for k, (agent, _) in enumerate(rows) if agent == "a_0"]
    for start, stop in pairwise(own):
        assert not np.any(rows[start][1] == rows[stop][1])
        assert same(rows[start][1], rows[stop - 1][1])


# Policy


def test_a_policy_sees_and_answers_what_an_agent_would():
    asked = []

    class Predictor:
        def predict(self, observation, deterministic=True):
            asked.append((observation, deterministic))
            return np.float32([1.0, 0.5, 0.0]), None

    env = robust(EchoEnv(), observation=Linf(0.2), nature=Policy(Predictor(), deterministic=False))
    env.reset(seed=0)
    (observation, deterministic), move = asked[0], env.last_move["observation", "agent_0"]
    np.testing.assert_array_equal(observation, move.nominal.astype(np.float32))
    assert observation.dtype == np.float32
    assert deterministic is False
    np.testing.assert_allclose(move.chosen, [0.2, 0.1, 0.0])  # the ends of the box are the ends of the set


def test_policies_may_differ_by_nature():
    policies = {"nature_0": lambda seen: [1.0], "nature_1": lambda seen: [-1.0], "nature_2": lambda seen: 0}
    nominal, robustly = play(EchoParallel()), play(robust(EchoParallel(), reward=Linf(0.5), nature=Policy(policies)))
    for agent, delta in zip(TEAM, (0.5, -0.5, 0.0), strict=True):
        np.testing.assert_allclose(np.subtract(rewards(robustly, agent), rewards(nominal, agent)), delta)


def test_a_nature_of_discrete_agents_picks_from_the_grid_of_its_set():
    players = {"b_0": TEAM["b_0"]}
    for action, delta in ((0, [0, 0]), (1, [0.5, 0]), (2, [-0.5, 0]), (3, [0, 0.5]), (4, [0, -0.5])):
        env = robust(EchoParallel(players), observation=Linf(0.5, unit=1.0), nature=Policy(lambda seen, a=action: a))
        env.reset(seed=0)
        chosen = env.last_move["observation", "b_0"].chosen
        expected = Linf(0.5).bind(2).grid(4)[action - 1] if action else delta
        np.testing.assert_array_equal(chosen, expected)


def test_a_policy_chooses_replacements_by_number_and_0_leaves_it():
    for answer, expected in ((0, 2), (1, 3), (2, 5)):
        env = robust(EchoEnv(action="late"), action=Finite([3, 5]), nature=Policy(lambda seen, a=answer: a))
        env.reset(seed=0)
        env.step(np.int64(2))
        assert env.unwrapped.received == [expected]


def test_wild_answers_of_a_policy_are_brought_into_the_set():
    env = robust(EchoEnv(), observation=L2(0.3), nature=Policy(lambda seen: np.array([50.0, -80.0, 7.0])))
    env.reset(seed=0)
    assert np.linalg.norm(env.last_move["observation", "agent_0"].chosen) <= 0.3 * (1 + 1e-9)


# What a wrapped environment says of itself


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_last_move_holds_nominal_chosen_and_executed(kind):
    env = robust(kind(), **SETS, nature=Uniform())
    env.reset(seed=0)
    moves = env.last_move
    assert moves
    for (channel, _), move in moves.items():
        assert channel == "observation"
        assert move.nominal.shape == move.chosen.shape == move.executed.shape
        assert np.any(move.executed)


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, lambda: EchoParallel(FAMILY)])
@pytest.mark.parametrize("radius", [0.0, 0.5])
def test_numeric_infos_have_the_same_keys_and_shapes_at_reset_and_every_step(kind, radius):
    sets = all_channels(kind(), radius)
    said = play(robust(kind(), **sets, nature=Uniform(), info="numeric"))
    infos = [parts[-1] for parts in said]
    if kind is EchoEnv:
        infos = [{"agent_0": info} for info in infos]
    shapes = {}
    for step in infos:
        for agent, info in step.items():
            assert set(info) == {"robust_reward_delta", "robust_observation_delta", "robust_action_delta"}
            now = {key: (value.shape, value.dtype) for key, value in info.items()}
            assert shapes.setdefault(agent, now) == now
            assert isinstance(info["robust_reward_delta"], np.ndarray)
    assert any(np.any(info["robust_reward_delta"]) for info in infos[-1].values()) == (radius > 0)


def test_numeric_infos_of_turns_are_there_at_reset_and_every_step():
    env = robust(EchoAEC(), **SETS, nature=Uniform(), info="numeric")
    env.reset(seed=0)
    for agent in env.agent_iter(20):
        _, _, dead, over, info = env.last()
        assert set(info) == {"robust_reward_delta", "robust_observation_delta"}
        env.step(None if dead or over else env.action_space(agent).sample())


def test_numeric_infos_say_what_was_done():
    env = robust(EchoEnv(), reward=Linf(1.0), nature=Uniform(), info="numeric")
    nominal, robustly = play(EchoEnv()), play(env)
    for before, after in zip(nominal[1:], robustly[1:], strict=True):
        assert after[-1]["robust_reward_delta"] == pytest.approx(after[1] - before[1])


def test_numeric_infos_of_layers_do_not_hide_one_another():
    inner = robust(EchoEnv(), reward=Linf(1.0), nature=Uniform(), info="numeric")
    _, info = robust(inner, reward=Linf(1.0), nature=Uniform(), info="numeric").reset(seed=0)
    assert set(info) == {"robust_reward_delta", "robust1_reward_delta"}


def test_numeric_infos_of_a_joint_set_are_each_agents_part():
    env = robust(EchoParallel(), reward=joint(L2(1.0)), nature=Uniform(), info="numeric")
    nominal, robustly = play(EchoParallel()), play(env)
    for before, after in zip(nominal[1:], robustly[1:], strict=True):
        for agent in TEAM:
            assert after[-1][agent]["robust_reward_delta"] == pytest.approx(after[1][agent] - before[1][agent])


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_a_radius_may_be_set_at_reset_and_stays(kind):
    env = robust(kind(), **SETS, nature=Uniform())
    large = play(robust(kind(), reward=Linf(0.25), observation=Linf(0.25), nature=Uniform()), 3)
    assert same(play(env, 3, options={"radius": 0.25}), large)
    assert same(play(env, 3), large)
    assert env.radius == {"reward": 0.25, "observation": 0.25}
    assert env.unwrapped.options is None  # the environment is not told what is ours


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_a_radius_may_be_set_by_channel(kind):
    env = robust(kind(), **SETS, nature=Uniform())
    env.reset(options={"radius": {"reward": 0.0}, "mine": 1})
    assert env.radius == {"reward": 0.0, "observation": 0.5}
    assert env.unwrapped.options == {"mine": 1}
    env.radius = {"observation": 2}
    assert env.radius == {"reward": 0.0, "observation": 2}


@pytest.mark.parametrize("radius", [-1, np.nan, np.inf, "large"])
def test_a_bad_radius_is_refused_and_nothing_changes(radius):
    env = robust(EchoEnv(), **SETS, nature=Uniform())
    with pytest.raises((ValueError, TypeError), match="radius"):
        env.reset(options={"radius": radius})
    assert env.radius == {"reward": 1.0, "observation": 0.5}


def test_a_radius_of_an_unknown_channel_has_a_close_match():
    env = robust(EchoEnv(), **SETS, nature=Uniform())
    with pytest.raises(ValueError, match="did you mean 'observation'"):
        env.radius = {"observations": 1.0}


def test_a_radius_where_there_is_none_is_refused():
    env = robust(EchoEnv(action="discrete"), action=Switch(0.5), nature=Uniform())
    with pytest.raises(ValueError, match="radius"):
        env.radius = 0.5


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_a_radius_raised_in_the_middle_of_an_episode_takes_effect_from_the_next_move(kind):
    env = robust(kind(), reward=Linf(0.0), observation=Linf(0.0), nature=Uniform())
    env.reset(seed=0)
    env.radius = 1.0
    before = env.last_move
    assert all(not np.any(move.executed) for move in before.values())
    if kind is EchoAEC:
        assert same(env.observe("a_0"), env.unwrapped.observe("a_0"))
    for _ in range(3):
        if kind is EchoEnv:
            env.step(np.zeros(2, np.float32))
        elif kind is EchoParallel:
            env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        else:
            env.step(env.action_space(env.agent_selection).sample())
    assert all(np.any(move.executed) for move in env.last_move.values())
