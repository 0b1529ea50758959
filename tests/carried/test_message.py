"""What is said and heard: where it is, what may become of it, and that the listener goes astray."""

from importlib import import_module

import numpy as np
import pytest
from glassbox import EchoEnv, EchoParallel, Player, observations, play, same
from gymnasium import spaces
from mpe2 import simple_reference_v3, simple_spread_v3

from robust_envs import (
    L2,
    AsAgents,
    Dropout,
    Finite,
    Interval,
    Linf,
    Switch,
    Uniform,
    heard,
    joint,
    per_episode,
    per_state,
    robust,
    said,
)
from robust_envs.messages import TABLES, message_of


def make(name, **options):
    return import_module(f"mpe2.{name}").parallel_env(max_cycles=6, **options)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_what_the_table_calls_said_is_heard_where_the_table_says_and_nowhere_else(name, continuous):
    """Change one speaker's message: of all observations only the numbers called heard change."""
    env = make(name, continuous_actions=continuous)
    speakers = [agent for agent in env.possible_agents if message_of(name, agent).said is not None]
    assert speakers
    told = {}
    for word in (0, 1):
        env.reset(seed=0)
        for _ in range(3):
            said_actions = {a: action(env, name, a, word if a == speakers[0] else 0, continuous) for a in env.agents}
            told[word], *_ = env.step(said_actions)
    changed = set()
    for agent in env.possible_agents:
        moved = np.flatnonzero(told[0][agent] != told[1][agent])
        at = message_of(name, agent).heard
        listened = [] if at is None else range(len(told[0][agent]))[at]
        assert set(moved) <= set(listened)
        changed |= {agent} if len(moved) else set()
    assert changed


def action(env, name, agent, word, continuous):
    """Say a word and stand still."""
    where, space = message_of(name, agent), env.action_space(agent)
    if not continuous:
        return 0 if where.said is None else where.base * word
    numbers = np.zeros(space.shape, np.float32)
    if where.said is not None:
        numbers[where.said][word] = 1.0
    return numbers


@pytest.mark.parametrize("name", TABLES)
def test_all_speakers_and_all_listeners_of_a_known_task_are_covered(name):
    env = make(name)
    for side, members in (("said", Switch(0.5)), ("heard", heard(Linf(0.1)))):
        wrapped = robust(make(name), message=members, nature=Uniform())
        wrapped.reset(seed=0)
        wrapped.step({agent: env.action_space(agent).sample() for agent in wrapped.agents})
        there = {agent for agent in env.possible_agents if getattr(message_of(name, agent), side) is not None}
        assert {agent for _, agent in wrapped.last_move} == there


def test_another_word_leaves_the_rest_of_the_action_alone():
    env = robust(EchoEnv(action="late"), message={"agent_0": said(Finite([1]), base=2)}, nature=lambda move: 1)
    env.reset(seed=0)
    for sent, got in ((2, 4), (3, 5), (4, 4), (5, 5)):  # actions 2 to 5: word 0 or 1, the rest even or odd
        env.step(sent)
        assert env.unwrapped.received[-1] == got
    numbers = robust(EchoEnv(), message=said(Interval(0.2, 0.2), at=[1]), nature=Uniform())
    numbers.reset(seed=0)
    numbers.step(np.float32([0.5, 0.5]))
    assert same(numbers.unwrapped.received[-1], np.float32([0.5, 0.7]))


def test_only_words_that_are_legal_with_the_rest_of_the_action_are_said():
    players = {"b_0": Player("masked", "discrete"), "b_1": Player("masked", "discrete")}
    env = robust(EchoParallel(players, 90), message=said(Switch(1.0), base=2), nature=Uniform(), trace=True)
    observations_, _ = env.reset(seed=0)
    masks = []
    for _ in range(90):
        masks.append(observations_["b_0"]["action_mask"])
        legal = {agent: int(np.flatnonzero(observations_[agent]["action_mask"])[0]) for agent in env.agents}
        observations_, *_ = env.step(legal)
    done = [actions["b_0"] for actions in env.unwrapped.received]
    assert all(mask[one] for mask, one in zip(masks, done, strict=True))
    assert env.trace.moves["message", "b_0"].executed.any()


def test_heard_noise_stays_in_its_set_and_on_its_numbers():
    nominal = np.array(observations(play(EchoEnv())))
    env = robust(EchoEnv(), message=heard(L2(0.3), at=[0, 2]), nature=Uniform(), trace=True)
    shown = np.array(observations(play(env)))
    assert same(shown[:, 1], nominal[:, 1])
    executed = env.trace.moves["message", "agent_0"].executed
    assert executed.shape == (13, 2)
    assert 0.1 < np.linalg.norm(executed, axis=1).max() <= 0.3 + 1e-6
    assert (np.abs(shown) <= 1).all()


@pytest.mark.parametrize("at", [[0, 2], (0, 2), slice(0, 3, 2), np.array([0, 2]), lambda space: [0, 2], [-1, 0]])
def test_coordinates_may_be_named_in_every_way(at):
    first = observations(play(robust(EchoEnv(), message=heard(Linf(0.3), at=[0, 2]), nature=Uniform())))
    assert same(first, observations(play(robust(EchoEnv(), message=heard(Linf(0.3), at=at), nature=Uniform()))))


def test_words_and_nothing_take_the_place_of_a_message_as_often_as_the_probability_says():
    words = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    for members in (heard(Switch(0.3), at=[0, 1], words=words), heard(Dropout(0.3, mode="zero"), at=[0, 1])):
        env = robust(EchoEnv(horizon=1000), message=members, nature=Uniform(), trace=True)
        shown = np.array(observations(play(env, steps=1000)))
        number = env.trace.moves["message", "agent_0"].executed[:, 0].astype(int)
        assert 0.24 < (number > 0).mean() < 0.36
        instead = [[0.0, 0.0]] if isinstance(members.inner, Dropout) else words
        assert set(number) == {0, *range(1, len(instead) + 1)}
        for t in np.flatnonzero(number):
            assert shown[t, :2].tolist() == instead[number[t] - 1]


def test_all_that_holds_for_deltas_holds_for_messages():
    env = robust(EchoEnv(), message=heard(per_episode(L2(0.5), horizon=13), at=[0]), nature=Uniform(), trace=True)
    play(env)
    assert 0 < np.sum(env.trace.moves["message", "agent_0"].executed ** 2) <= 0.25 + 1e-6
    together = robust(EchoParallel(), message=joint(heard(Linf(0.2), at=[0])), nature=Uniform(), trace=True)
    play(together)
    assert together.trace.moves["message", "*"].executed.shape == (13, 3)


def test_what_is_said_and_what_is_heard_are_two_layers(world):
    inner = robust(world.talk(), message=Switch(0.5), nature=Uniform())
    both = robust(inner, message=heard(Linf(0.5)), nature=Uniform())
    assert world.team_return(both, 20) < world.team_return(world.talk(), 20) - 5


@pytest.mark.parametrize(
    ("members", "loss"),
    [
        (Switch(1.0), 10),
        (heard(Switch(1.0)), 10),
        (heard(Dropout(0.5, mode="zero")), 6),
        (heard(Linf(2.0)), 3),
    ],
    ids=["substitution said", "substitution heard", "erasure", "noise"],
)
def test_a_corrupted_message_sends_the_listener_astray(world, members, loss):
    right = world.team_return(world.talk(), 20)
    assert world.team_return(robust(world.talk(), message=members, nature=Uniform()), 20) < right - loss


def test_a_nature_that_is_an_agent_lies_better_than_chance(world):
    chance = world.team_return(robust(world.talk(), message=Switch(0.5), nature=Uniform()))
    game = robust(world.talk(), message=Switch(0.5), nature=AsAgents(team=world.team))
    total = 0.0
    for seed in range(8):
        observed, _ = game.reset(seed=seed)
        while game.agents:  # nature sees the goal, too, and names another one: 0 is "leave it"
            lie = 1 + world.liar(observed["nature_0"][:3])
            observed, rewards, *_ = game.step({"nature_0": lie})
            total -= 2 * sum(rewards.values())  # the reward is shared, and nature opposes one of two
    assert total / 8 < chance - 3


def test_reference_is_moved_on_both_sides():
    env = robust(simple_reference_v3.parallel_env(max_cycles=5), message=Switch(1.0), nature=Uniform(), trace=True)
    play(env)
    assert all(env.trace.moves["message", agent].executed.any() for agent in ("agent_0", "agent_1"))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (
            lambda: robust(EchoParallel(), message=Linf(0.1), nature=Uniform()),
            ValueError,
            "messages are is known",
        ),
        (
            lambda: robust(EchoParallel(), message={"a_0": said(Linf(0.1))}, nature=Uniform()),
            ValueError,
            r"message of a_0: where the message is must be said by at= \(its coordinates\)",
        ),
        (
            lambda: robust(EchoParallel(), message={"b_0": said(Switch(0.1))}, nature=Uniform()),
            ValueError,
            r"message of b_0: where the message is must be said by base= \(the message is action // base\)",
        ),
        (
            lambda: robust(EchoParallel(), message={"b_0": said(Switch(0.1), base=3)}, nature=Uniform()),
            ValueError,
            "base must divide the number of actions, 4, got base=3",
        ),
        (
            lambda: robust(make("simple_speaker_listener_v4"), message={"listener_0": Switch(0.1)}, nature=Uniform()),
            ValueError,
            "listener_0 says nothing in simple_speaker_listener_v4",
        ),
        (
            lambda: robust(EchoEnv(), message=heard(Switch(0.1), at=[0], words=[[3.0]]), nature=Uniform()),
            ValueError,
            "words must lie in",
        ),
        (
            lambda: robust(EchoEnv(), message=heard(Switch(0.1), at=[0], words=[[1.0, 0.0]]), nature=Uniform()),
            ValueError,
            "words must have 1 numbers each",
        ),
        (lambda: heard(0.1), TypeError, "heard must hold an uncertainty set, got inner=0.1"),
        (lambda: said(heard(Linf(0.1))), ValueError, "said cannot hold a set on messages"),
        (lambda: heard(Linf(0.1), at="message"), TypeError, "at must be indices, a slice or a function"),
        (
            lambda: robust(EchoEnv("dict"), message=heard(Linf(0.1), at=[0]), nature=Uniform()),
            ValueError,
            "messages are parts of Box and Discrete spaces",
        ),
        (
            lambda: robust(simple_spread_v3.parallel_env(), message=Switch(0.1), nature=Uniform()),
            ValueError,
            "for simple_spread_v3",
        ),
    ],
)
def test_what_is_no_message_is_refused_by_name_rule_and_value(given, error, words):
    with pytest.raises(error, match=words):
        given()


def test_a_value_that_says_two_things_must_be_a_box_or_discrete():
    class Several(EchoEnv):
        def __init__(self):
            super().__init__()
            self.action_space = spaces.MultiDiscrete([2, 3])

    with pytest.raises(ValueError, match="messages are parts of Box and Discrete spaces"):
        robust(Several(), message=said(Switch(0.1), base=1), nature=Uniform())


def test_the_radius_of_a_message_may_depend_on_what_is_seen_and_done():
    asked = []

    def radius(observation, action):
        asked.append((observation.shape, None if action is None else action.shape))
        return 0.2

    for members in (heard(per_state(Linf(1.0), radius), at=[0]), said(per_state(Linf(1.0), radius), at=[0])):
        env = robust(EchoEnv(), message=members, nature=Uniform(), trace=True)
        play(env)
        executed = env.trace.moves["message", "agent_0"].executed
        assert 0 < np.abs(executed).max() <= 0.2 + 1e-6
    assert set(asked) == {((3,), None), ((3,), (2,))}
