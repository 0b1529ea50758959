"""One nature over some of the agents: one set couples them, the others are left alone."""

import numpy as np
import pytest
from glassbox import EchoAEC, EchoParallel, Player, play, same
from mpe2 import simple_tag_v3
from pettingzoo.utils import aec_to_parallel

from robust_envs import (
    L1,
    L2,
    AsAgents,
    Linf,
    Policy,
    Replay,
    Trace,
    Uniform,
    WorstCase,
    heard,
    joint,
    per_episode,
    robust,
)

PLAYERS = {f"a_{k}": Player() for k in range(4)}
PAIR = ["a_2", "a_0"]
CASES = {
    "rewards": {"reward": joint(L2(0.5), agents=PAIR)},
    "observations": {"observation": joint(L1(0.7), agents=PAIR)},
    "messages": {"message": joint(heard(Linf(0.2), at=[0]), agents=PAIR)},
    "budget": {"reward": joint(per_episode(L2(2.0), horizon=12), agents=PAIR)},
    "two": {"reward": [joint(L2(0.5), agents=PAIR), joint(Linf(0.2), agents=["a_1", "a_3"])]},
}


@pytest.fixture(params=[EchoParallel, EchoAEC])
def kind(request):
    return request.param


@pytest.mark.parametrize("case", CASES)
def test_an_episode_replays_and_converts(kind, case, tmp_path):
    env = robust(kind(PLAYERS), **CASES[case], nature=Uniform(), trace=True)
    said = play(env, seed=5)
    trace = Trace.load(env.trace.save(tmp_path / "trace.json"))
    again = robust(kind(PLAYERS), **CASES[case], nature=Replay(trace), trace=True)
    assert same(said, play(again, seed=5, reset_seed=None))
    assert again.trace == trace
    if kind is EchoAEC:
        rounds = robust(aec_to_parallel(EchoAEC(PLAYERS)), **CASES[case], nature=Uniform(), trace=True)
        assert same(
            play(aec_to_parallel(robust(EchoAEC(PLAYERS), **CASES[case], nature=Uniform())), 5), play(rounds, 5)
        )


@pytest.mark.parametrize("case", CASES)
def test_radius_zero_is_the_environment(kind, case):
    zero = {
        channel: [one.scaled(0.0) for one in sets] if isinstance(sets, list) else sets.scaled(0.0)
        for channel, sets in CASES[case].items()
    }
    assert same(play(kind(PLAYERS)), play(robust(kind(PLAYERS), **zero, nature=Uniform())))


def test_the_set_bounds_the_coalition_together_and_nobody_else_is_moved():
    nominal = play(EchoParallel(PLAYERS))
    env = robust(EchoParallel(PLAYERS), **CASES["rewards"], nature=WorstCase(), trace=True)
    for before, after in zip(nominal[1:], play(env)[1:], strict=True):
        delta = {agent: after[1][agent] - before[1][agent] for agent in before[1]}
        assert delta["a_1"] == delta["a_3"] == 0
        assert delta["a_0"] == pytest.approx(-0.5 / np.sqrt(2))
        assert delta["a_0"] ** 2 + delta["a_2"] ** 2 == pytest.approx(0.25)
    assert list(env.trace.moves) == [("reward", "a_0+a_2")]


def test_two_coalitions_have_noise_of_their_own_and_one_does_not_move_the_other():
    alone = robust(EchoParallel(PLAYERS), **CASES["rewards"], nature=Uniform(), trace=True)
    both = robust(EchoParallel(PLAYERS), **CASES["two"], nature=Uniform(), trace=True)
    play(alone), play(both)
    assert same(tuple(alone.trace.moves["reward", "a_0+a_2"]), tuple(both.trace.moves["reward", "a_0+a_2"]))
    assert ("reward", "a_1+a_3") in both.trace.moves


def test_a_coalition_is_one_agent_against_several_and_gets_minus_their_sum():
    members = joint(Linf(0.3), agents=["adversary_0", "adversary_1"])
    game = robust(
        simple_tag_v3.parallel_env(max_cycles=5, continuous_actions=True), observation=members, nature=AsAgents()
    )
    observations, _ = game.reset(seed=0)
    assert game.possible_agents[-1] == "nature_0"
    assert len(observations["nature_0"]) == sum(len(observations[one]) for one in ("adversary_0", "adversary_1"))
    _, rewards, *_ = game.step({agent: game.action_space(agent).sample() for agent in game.agents})
    assert rewards["nature_0"] == pytest.approx(-(rewards["adversary_0"] + rewards["adversary_1"]))


def test_a_policy_plays_a_coalition_inside():
    env = robust(
        EchoParallel(PLAYERS), observation=joint(Linf(0.3), agents=PAIR), nature=Policy(lambda seen: np.ones(6))
    )
    nominal, shown = play(EchoParallel(PLAYERS)), play(env)
    moved = [agent for agent in PLAYERS if not same(nominal[3][0][agent], shown[3][0][agent])]
    assert moved == ["a_0", "a_2"]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (lambda: joint(L2(1.0), agents="a_0"), TypeError, "agents must be a sequence of agent ids, got agents='a_0'"),
        (lambda: joint(L2(1.0), agents=["a", "a"]), ValueError, "agents must be at least one, all different"),
        (lambda: joint(L2(1.0), agents=["a_9"]), ValueError, "reward names agent 'a_9', the environment has"),
        (lambda: [L2(1.0)], TypeError, "reward must be an uncertainty set, a dict by agent of such, or a list of coal"),
        (
            lambda: [joint(L2(1.0), agents=PAIR), joint(L2(1.0), agents=["a_0", "a_1"])],
            ValueError,
            "reward may list coalitions that share no agent",
        ),
    ],
)
def test_what_is_no_coalition_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        robust(EchoParallel(PLAYERS), reward=given(), nature=Uniform())
