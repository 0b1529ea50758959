"""Delays, losses, strangers and coalitions on other people's environments; the reason is said where one is missing."""

from importlib import import_module

import gymnasium
import numpy as np
import pytest
from glassbox import draw, play, same
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test

from robust_envs import Delay, Dropout, Finite, Linf, Replay, Uniform, joint, robust

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs: of spaces, renderers, deprecated calls

GYM = ["CartPole-v1", "Acrobot-v1", "LunarLander-v3", "BipedalWalker-v3", "HalfCheetah-v5", "Ant-v5"]
PARALLEL = {
    "pettingzoo.sisl.pursuit_v5": {"max_cycles": 8},
    "pettingzoo.sisl.multiwalker_v9": {"max_cycles": 8},
    "pettingzoo.butterfly.pistonball_v6": {"max_cycles": 4, "n_pistons": 4},
    "pettingzoo.butterfly.knights_archers_zombies_v11": {"max_cycles": 8},
    "pettingzoo.butterfly.cooperative_pong_v6": {"max_cycles": 4},
    "pettingzoo.classic.rps_v2": {"max_cycles": 8},
    "magent2.environments.battle_v4": {"map_size": 16, "max_cycles": 8},
}
TURNS = {
    "pettingzoo.classic.tictactoe_v3": {},
    "pettingzoo.classic.connect_four_v3": {},
    "pettingzoo.classic.chess_v6": {},
    "pettingzoo.classic.leduc_holdem_v4": {},
}
SENTENCES = {
    "delay": {"delay": Delay(2)},
    "late actions": {"delay": Delay([1], of="action")},
    "dropout": {"dropout": Dropout(0.4)},
    "stuck": {"dropout": Dropout(0.2, mode="stuck")},
    "lost actions": {"dropout": Dropout(0.4, mode="zero", of="action"), "delay": Delay(1)},
}
ZERO = {"delay": Delay(0), "dropout": Dropout(0.0, of="action")}


def make(name):
    """Build an environment by its name, or skip with the reason why it cannot be."""
    try:
        if name in GYM:
            return gymnasium.make(name, max_episode_steps=20)
        module = import_module(name)
        if name in PARALLEL and hasattr(module, "parallel_env"):
            return module.parallel_env(**PARALLEL[name])
        return module.env(**(PARALLEL | TURNS)[name])
    except (ImportError, gymnasium.error.Error) as missing:
        pytest.skip(f"{name} cannot be made here: {missing}")


ALL = [*GYM, *PARALLEL, *TURNS]


def record(name, sentence, **options):
    env = robust(make(name), **sentence, trace=True, **options)
    said = play(env, seed=3, steps=8, **({"reset_seed": None} if isinstance(options["nature"], Replay) else {}))
    return said, env.trace


@pytest.mark.parametrize("name", ALL)
def test_a_radius_of_zero_changes_nothing(name):
    assert same(play(make(name), 3, steps=8), play(robust(make(name), **ZERO, nature=Uniform()), 3, steps=8))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_an_episode_replays_bit_for_bit(name, sentence):
    if not same(play(make(name), 3, steps=8), play(make(name), 3, steps=8)):
        pytest.skip("two copies of the environment play different episodes with one seed")
    said, trace = record(name, SENTENCES[sentence], nature=Uniform())
    again, copy = record(name, SENTENCES[sentence], nature=Replay(trace))
    assert same(said, again)
    assert trace == copy, trace.differences(copy)


@pytest.mark.parametrize("name", [*PARALLEL, *TURNS])
def test_the_official_suites_pass(name):
    env = robust(make(name), delay=Delay(2), dropout=Dropout(0.3, of="action"), nature=Uniform())
    if name in TURNS:
        api_test(env, num_cycles=20)
    else:
        parallel_api_test(env, num_cycles=20)


@pytest.mark.parametrize("name", GYM)
def test_gymnasiums_checker_passes(name):
    check_env(robust(make(name), delay=Delay(2), dropout=Dropout(0.3), nature=Uniform()), skip_render_check=True)


class Draws:
    """A stranger who acts at random, the same at every run."""

    def __init__(self, space):
        self.space, self.rng = space, np.random.default_rng(0)

    def __call__(self, observation):
        return draw(self.space, self.rng, observation.get("action_mask") if isinstance(observation, dict) else None)


@pytest.mark.parametrize("name", [*PARALLEL, *TURNS])
def test_a_stranger_plays_one_agent_and_makes_legal_moves(name):
    env = make(name)
    played = env.possible_agents[0]
    stranger = Draws(env.action_space(played))
    env = robust(env, partners={played: Finite([stranger])}, nature=Uniform(), trace=True)
    play(env, seed=3, steps=6)
    assert (env.trace.moves["partners", played].executed == 1).all()
    assert len(env.trace.moves["partners", played].executed) > 0


@pytest.mark.parametrize("name", PARALLEL)
def test_a_coalition_of_two_shares_one_set(name):
    env = make(name)
    pair = env.possible_agents[:2]
    env = robust(env, reward=joint(Linf(0.5), agents=pair), nature=Uniform(), trace=True)
    play(env, seed=3, steps=6)
    moves = env.trace.moves["reward", "+".join(pair)]
    assert moves.executed.shape[1] == 2
    assert moves.executed.any()


@pytest.mark.parametrize("name", ["LunarLander-v3", "HalfCheetah-v5", "CartPole-v1"])
def test_a_delay_is_the_observation_of_then(name):
    nominal = [said[0] for said in play(make(name), 3, steps=8)]
    late = [said[0] for said in play(robust(make(name), delay=Delay([2]), nature=Uniform()), 3, steps=8)]
    assert same(late, [nominal[max(0, t - 2)] for t in range(len(nominal))])


@pytest.mark.parametrize("name", [*PARALLEL, *TURNS])
def test_masks_and_spaces_are_those_of_the_environment(name):
    naked, env = make(name), robust(make(name), delay=Delay(2), dropout=Dropout(0.5), nature=Uniform())
    for agent in naked.possible_agents[:2]:
        assert env.action_space(agent) == naked.action_space(agent)
        assert env.observation_space(agent) == naked.observation_space(agent)
    if not isinstance(naked.observation_space(naked.possible_agents[0]), spaces.Dict):
        return
    for before, after in zip(play(naked, 3, steps=8), play(env, 3, steps=8), strict=True):
        assert same(before[1]["action_mask"], after[1]["action_mask"])
