"""What EPyMARL asks of a game: it is no package, so a stand-in of ours makes the calls that its `gymma` makes."""

import importlib
import sys

import gymnasium
import numpy as np
import pytest
from glassbox import EchoParallel, Player
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from mpe2 import simple_spread_v3

from robust_envs import AsAgents, Linf, Nominal, Uniform, robust
from robust_envs.adapters.epymarl import TupleGame

EXAMPLES = __file__.rsplit("/tests/", 1)[0] + "/examples/integrations"


class Gymma:
    """Make a game by its id, pad what agents see to the longest, and add rewards up or not: as EPyMARL does."""

    def __init__(self, key, time_limit, seed, common_reward):
        self.env = TimeLimit(gymnasium.make(key, max_episode_steps=time_limit), max_episode_steps=time_limit)
        self.n_agents, self.common = self.env.unwrapped.n_agents, common_reward
        self.actions = max(space.n for space in self.env.action_space)
        self.width = max(spaces.flatdim(space) for space in self.env.observation_space)
        self.env.reset(seed=seed)

    def reset(self):
        said, _ = self.env.reset()
        return self._padded(said)

    def step(self, actions):
        said, rewards, done, truncated, info = self.env.step([int(action) for action in actions])
        return self._padded(said), sum(rewards) if self.common else rewards, done or truncated, info

    def available(self):
        return [[1] * space.n + [0] * (self.actions - space.n) for space in self.env.action_space]

    def _padded(self, said):
        flat = [spaces.flatten(space, one) for space, one in zip(self.env.observation_space, said, strict=True)]
        return np.stack([np.pad(one, (0, self.width - len(one))) for one in flat])


@pytest.fixture
def made(monkeypatch):
    """Import the example the way EPyMARL does, by the front of the key."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setitem(sys.modules, "with_epymarl", importlib.import_module("with_epymarl"))
    return lambda name, **options: Gymma(f"with_epymarl:spread-{name}-v0", **({"time_limit": 25, "seed": 0} | options))


def played(env, steps=25):
    rng, seen, earned, over = np.random.default_rng(0), [env.reset()], [], False
    while not over and len(earned) < steps:
        observations, rewards, over, info = env.step([rng.choice(np.flatnonzero(row)) for row in env.available()])
        assert info == {}
        seen.append(observations), earned.append(rewards)
    return np.stack(seen), np.array(earned), over


def test_an_episode_ends_with_the_last_observation_and_reward_of_everybody(made):
    seen, earned, over = played(made("uniform", common_reward=False), steps=100)
    assert over
    assert seen.shape == (26, 3, 18)
    assert earned.shape == (25, 3)


def test_what_agents_see_is_moved_within_the_set(made):
    env = made("uniform", common_reward=True)
    env.reset()
    move = env.env.unwrapped.env.last_move["observation", "agent_0"]
    observations, *_ = env.step([0, 0, 0])
    after = env.env.unwrapped.env.last_move["observation", "agent_0"]
    assert 0 < np.abs(after.executed).max() <= 1 + 1e-6
    assert np.allclose(observations[0], after.nominal + after.executed)
    assert not np.array_equal(move.executed, after.executed)


def test_natures_are_padded_by_gymma_and_earn_the_negative_of_whom_they_oppose(made):
    env = made("natures", common_reward=False)
    seen, earned, _ = played(env)
    assert env.n_agents == 6
    assert seen.shape[1:] == (6, 18)
    assert np.allclose(earned[:, 3:], -earned[:, :3])
    assert np.allclose(played(made("natures", common_reward=True))[1], 0, atol=1e-4)  # nothing to learn from


def test_a_longer_nature_only_adds_actions_that_the_team_may_not_take():
    game = simple_spread_v3.parallel_env(max_cycles=25)
    env = TupleGame(robust(game, observation=Linf(1.0), nature=AsAgents(grid=8)))
    assert [space.n for space in env.action_space] == [5, 5, 5, 9, 9, 9]


@pytest.mark.parametrize("workers", [(0, 1)])
def test_workers_of_different_seeds_see_different_noise(made, workers):
    def noise(seed):
        env = made("uniform", seed=seed, common_reward=True)
        env.reset()
        return env.env.unwrapped.env.last_move["observation", "agent_0"].executed

    one, two = (noise(seed) for seed in workers)
    assert not np.array_equal(one, two)
    assert np.array_equal(one, noise(workers[0]))


def test_agents_who_leave_keep_their_last_observation_and_earn_nothing():
    players = {
        name: Player(observation="float32", action="discrete", dies=dies) for name, dies in (("a", 3), ("b", 99))
    }
    env = TupleGame(EchoParallel(players, horizon=6))
    env.reset(seed=0)
    steps = [env.step([0, 0]) for _ in range(5)]
    last = next(seen[0] for seen, *_ in steps[2:3])
    assert all(np.array_equal(seen[0], last) for seen, *_ in steps[2:])
    assert [rewards[0] for _, rewards, *_ in steps[3:]] == [0.0, 0.0]
    assert not np.array_equal(steps[3][0][1], steps[4][0][1])


def test_all_agents_must_be_there_when_the_game_begins():
    players = {name: Player(observation="float32", action="discrete", born=born) for name, born in (("a", 0), ("b", 2))}
    with pytest.raises(ValueError, match="all agents must be there"):
        TupleGame(EchoParallel(players)).reset(seed=0)


def test_the_team_may_end_before_its_time():
    env = TupleGame(robust(simple_spread_v3.parallel_env(max_cycles=3), observation=Linf(1.0), nature=Nominal()))
    env.reset(seed=0)
    flags = [env.step([1, 2, 3])[2:4] for _ in range(3)]
    assert flags == [(False, False), (False, False), (False, True)]


BAD = {
    "turns": (simple_spread_v3.env, TypeError, "env must be a pettingzoo ParallelEnv"),
    "continuous": (lambda: simple_spread_v3.parallel_env(continuous_actions=True), ValueError, "must be Discrete"),
    "uniform": (lambda: robust(simple_spread_v3.env(), reward=Linf(1), nature=Uniform()), TypeError, "ParallelEnv"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_epymarl_cannot_hold_is_refused_when_the_game_is_made(case):
    make, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        TupleGame(make())
