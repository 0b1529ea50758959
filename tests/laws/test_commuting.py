"""Wrapping then converting equals converting then wrapping: bit for bit, with random natures, in both directions."""

import gymnasium
import numpy as np
import pytest
from glassbox import FAMILY, EchoAEC, EchoParallel, Player, all_channels, draw, play, same
from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3
from pettingzoo.utils import BaseParallelWrapper, aec_to_parallel, parallel_to_aec

from robust_envs import (
    L2,
    AsAgents,
    Finite,
    Interval,
    Linf,
    Noise,
    Policy,
    Switch,
    Uniform,
    WorstCase,
    find_wrapper,
    joint,
    per_episode,
    robust,
)
from robust_envs.shells import RobustAECEnv, RobustParallelEnv

DYING = {"a_0": Player(), "a_1": Player(dies=4, reward="float32"), "b_0": Player("masked", "discrete", dies=7)}


def drift(move):
    """A function that looks, counts and draws."""
    pull = np.full(len(move.nominal), 0.1 * move.step + float(move.seen.sum()))
    return move.nominal if getattr(move.set, "discrete", False) else move.set.project(pull * move.rng.random())


SENTENCES = {
    "all, uniform": lambda env: {**all_channels(env, 0.6), "nature": Uniform()},
    "all, function": lambda env: {**all_channels(env, 0.6), "nature": drift},
    "noise": lambda env: {"reward": Linf(2.0), "observation": Linf(0.1), "nature": Noise()},
    "worst case": lambda env: {"reward": Linf(0.5), "nature": WorstCase()},
    "joint worst case": lambda env: {"reward": joint(L2(2.0)), "nature": WorstCase()},
    "joint rewards": lambda env: {"reward": joint(L2(2.0)), "nature": Uniform()},
    "joint observations": lambda env: {"observation": joint(Linf(0.2)), "nature": Uniform()},
    "always moved": lambda env: {"reward": Interval(0.1, 0.2), "nature": Uniform()},
    "budget": lambda env: {"observation": per_episode(L2(1.0), horizon=9), "nature": Uniform()},
    "policy": lambda env: {"reward": Linf(1.0), "observation": Linf(0.1), "nature": Policy(lambda seen: np.ones(99))},
    "one agent": lambda env: {"observation": {env.possible_agents[1]: Linf(0.5)}, "nature": Uniform()},
}
AEC = {
    "glass box": EchoAEC,
    "dying": lambda: EchoAEC(DYING),
    "spread": lambda: simple_spread_v3.env(max_cycles=8, continuous_actions=True),
    "speaker": lambda: simple_speaker_listener_v4.env(max_cycles=8),
    "tag": lambda: simple_tag_v3.env(max_cycles=8),
}
PARALLEL = {
    "glass box": EchoParallel,
    "born and dying": lambda: EchoParallel(FAMILY),
    # in a wrapper, or parallel_to_aec would give back the AEC environment inside, whose first rewards are 0.0 and not 0
    "spread": lambda: BaseParallelWrapper(simple_spread_v3.parallel_env(max_cycles=8, continuous_actions=True)),
    "tag": lambda: BaseParallelWrapper(simple_tag_v3.parallel_env(max_cycles=8)),
}


@pytest.mark.parametrize("name", AEC)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_wrapped_aec_environment_converts_to_the_wrapped_parallel_one(name, sentence):
    make, say = AEC[name], SENTENCES[sentence]
    inside = aec_to_parallel(robust(make(), **say(make())))
    outside = robust(aec_to_parallel(make()), **say(make()))
    for seed in (0, 1):
        assert same(play(inside, seed), play(outside, seed))
    if isinstance(say(make())["nature"], Uniform | Noise) and name in ("glass box", "dying"):
        assert same(play(inside, 9, reset_seed=None), play(outside, 9, reset_seed=None))  # and goes on alike, unseeded
    assert find_wrapper(inside, RobustAECEnv) is not None


@pytest.mark.parametrize("name", PARALLEL)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_wrapped_parallel_environment_converts_to_the_wrapped_aec_one(name, sentence):
    make, say = PARALLEL[name], SENTENCES[sentence]
    inside = parallel_to_aec(robust(make(), **say(make())))
    outside = robust(parallel_to_aec(make()), **say(make()))
    for seed in (0, 1):
        assert same(play(inside, seed), play(outside, seed))
    assert find_wrapper(inside, RobustParallelEnv) is not None


@pytest.mark.parametrize("members", [Switch(0.5), Finite([0, 2])], ids=repr)
def test_replaced_actions_arrive_alike(members):
    players = {
        "b_0": Player(observation="masked", action="discrete"),
        "b_1": Player(observation="masked", action="discrete"),
    }
    inside = aec_to_parallel(robust(EchoAEC(players), action=members, nature=Uniform()))
    outside = robust(aec_to_parallel(EchoAEC(players)), action=members, nature=Uniform())
    assert same(play(inside), play(outside))
    assert inside.unwrapped.received == outside.unwrapped.received
    assert len(inside.unwrapped.received) == 12


def test_traces_of_turns_and_of_rounds_are_equal():
    sets = all_channels(EchoAEC(), 0.6)
    turns = robust(EchoAEC(), **sets, nature=Uniform(), trace=True)
    rounds = robust(aec_to_parallel(EchoAEC()), **sets, nature=Uniform(), trace=True)
    play(aec_to_parallel(turns)), play(rounds)
    assert turns.trace == rounds.trace


def test_wrapping_then_vectorising_a_gym_environment_keeps_each_copy_its_own():
    make = lambda: robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform())  # noqa: E731
    envs = gymnasium.vector.SyncVectorEnv([make, make])
    first, _ = envs.reset(seed=[3, 4])
    for row, seed in zip(first, (3, 4), strict=True):
        assert same(row, make().reset(seed=seed)[0])
    envs.close()


# For natures that are agents the law is: fed the actions of p, they are Policy(p).


def pull(observation):
    """A policy for natures: depends on what it sees."""
    return np.float32([np.tanh(observation[0]), np.sin(observation[-1]), 0.5])


def fed(env, policy, seed, team=None):
    """Play an AEC environment with natures as agents: natures act by `policy`, the team as `play` would."""
    rng = np.random.default_rng([7, seed])
    env.reset(seed=seed)
    said = []
    for agent in env.agent_iter(2000):
        observation, reward, dead, over, info = env.last()
        if agent.startswith("nature_"):
            action = None
            if not (dead or over):
                low, high = env.action_space(agent).low, env.action_space(agent).high
                action = np.clip(policy(observation)[: len(low)], low, high)
        else:
            said.append((agent, observation, reward, dead, over, info))
            action = None if dead or over else draw(env.action_space(agent), rng)
        env.step(action)
    return said


PLAYERS = {"a_0": Player(), "a_1": Player(reward="float32"), "a_2": Player(dies=5)}
GAMES = {
    "reward": {"reward": Linf(0.5)},
    "observation": {"observation": L2(0.3)},
    "action": {"action": Linf(0.4)},
    "all": {"reward": Linf(0.5), "observation": L2(0.3), "action": Linf(0.4)},
    "joint": {"reward": joint(L2(0.5))},
    "budget": {"observation": per_episode(L2(1.0))},
}


@pytest.mark.parametrize("sets", GAMES.values(), ids=GAMES)
def test_natures_as_agents_fed_by_a_policy_are_that_policy(sets):
    game = robust(EchoAEC(PLAYERS), **sets, nature=AsAgents(), trace=True)
    inside = robust(EchoAEC(PLAYERS), **sets, nature=Policy(pull), trace=True)
    for seed in (0, 1):
        team = fed(game, pull, seed)
        alone = [parts[:6] for parts in play(inside, seed)]
        assert same(team, alone)
        assert game.trace == inside.trace
        assert same(game.unwrapped.received, inside.unwrapped.received)


# In parallel all act at once: a nature of rewards has not seen the observation that comes with the reward.
ALONE = [(EchoAEC, name) for name in GAMES] + [(EchoParallel, name) for name in GAMES if "reward" not in GAMES[name]]


@pytest.mark.parametrize(("kind", "name"), ALONE)
def test_the_game_of_natures_alone_is_the_game_of_the_team_alone(kind, name):
    sets = GAMES[name]
    team = lambda observation: np.tanh(observation[:2])  # noqa: E731
    game = robust(kind(PLAYERS), **sets, nature=AsAgents(team=team), trace=True)
    game.reset(seed=3)
    if kind is EchoParallel:
        observations, _ = game.reset(seed=3)
        while game.agents:
            spaces = {name: game.action_space(name) for name in game.agents}
            answers = {name: pull(observations[name])[: spaces[name].shape[0]] for name in game.agents}
            observations, *_ = game.step(answers)
    else:
        for name in game.agent_iter(2000):
            observation, _, dead, over, _ = game.last()
            game.step(None if dead or over else pull(observation)[: game.action_space(name).shape[0]])
    inside = robust(kind(PLAYERS), **sets, nature=Policy(pull), trace=True)
    observations = inside.reset(seed=3)
    if kind is EchoParallel:
        observations = observations[0]
        while inside.agents:
            observations, *_ = inside.step({agent: team(observations[agent]) for agent in inside.agents})
    else:
        for _ in inside.agent_iter(2000):
            observation, _, dead, over, _ = inside.last()
            inside.step(None if dead or over else team(observation))
    assert same(find_wrapper(game, object).unwrapped.received, inside.unwrapped.received)
    assert set(game.trace.moves) == set(inside.trace.moves)
    for key, moves in inside.trace.moves.items():
        assert len(game.trace.moves[key].executed) == len(moves.executed)
        # in parallel nobody is shown the last observation of the episode, and nature leaves it alone
        rows = len(moves.executed) - (kind is EchoParallel and key[0] == "observation")
        assert same(game.trace.moves[key].executed[:rows], moves.executed[:rows])


def test_nature_agents_are_the_base_environment_to_the_team_at_radius_zero():
    game = robust(EchoAEC(PLAYERS), reward=Linf(0.0), observation=Linf(0.0), nature=AsAgents())
    assert same(fed(game, lambda seen: np.ones(9, np.float32), 0), [parts[:6] for parts in play(EchoAEC(PLAYERS), 0)])


def test_a_nature_at_radius_zero_has_moved_in_turns_as_it_has_in_rounds():
    turns = robust(EchoAEC(), observation=Linf(0.0), nature=Uniform())
    rounds = robust(aec_to_parallel(EchoAEC()), observation=Linf(0.0), nature=Uniform())
    turns.reset(seed=0)
    rounds.reset(seed=0)
    assert turns.last_move.keys() == rounds.last_move.keys()
    for key, move in turns.last_move.items():
        assert np.array_equal(move.nominal, rounds.last_move[key].nominal)
        assert not move.executed.any()
