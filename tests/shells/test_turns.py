"""What a robust layer on an AEC environment asks of it: no more than it would be asked without the layer."""

from collections import Counter

import numpy as np
import pytest
from glassbox import TEAM, EchoAEC, EchoTurns, Player, all_channels, draw, play, same
from pettingzoo.utils import BaseWrapper, OrderEnforcingWrapper

from robust_envs import L2, Linf, Uniform, robust

PLAYERS = {agent: Player() for agent in ("a_0", "a_1", "a_2")}
SETS = {
    "nothing": {"observation": Linf(0.0)},
    "observation": {"observation": Linf(0.3)},
    "reward": {"reward": Linf(0.5)},
    "all": all_channels(EchoAEC(), 0.3),
}


def counting(kind):
    """Return an environment that counts how often it is asked what an agent sees."""

    class Counting(kind):
        asked: Counter

        def observe(self, agent):
            self.asked[agent] += 1
            return super().observe(agent)

    env = Counting(TEAM)
    env.asked = Counter()
    return env


def turns(env, observe=True, steps=30):
    """Play turns with random actions; return what `last` said."""
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    said = []
    for agent in env.agent_iter(steps):
        said.append(env.last(observe=observe))
        over = said[-1][2] or said[-1][3]
        env.step(None if over else draw(env.action_space(agent), rng))
    return said


@pytest.mark.parametrize("kind", [EchoAEC, EchoTurns])
@pytest.mark.parametrize("sets", SETS.values(), ids=SETS)
@pytest.mark.parametrize("observe", [True, False])
def test_the_environment_is_asked_what_an_agent_sees_no_more_often_than_without_the_layer(kind, sets, observe):
    naked, wrapped = counting(kind), counting(kind)
    turns(naked, observe)
    turns(robust(wrapped, **sets, nature=Uniform()), observe)
    assert wrapped.asked == naked.asked


@pytest.mark.parametrize("kind", [EchoAEC, EchoTurns])
def test_natures_that_need_not_know_the_observation_move_as_when_they_are_recorded(kind):
    sets = all_channels(kind(), 0.3)
    known = play(robust(kind(), **sets, nature=Uniform(), trace=True), 3)
    assert same(play(robust(kind(), **sets, nature=Uniform()), 3), known)


@pytest.mark.parametrize("kind", [EchoAEC, EchoTurns])
def test_a_turn_in_which_nobody_looks_moves_no_later_noise(kind):
    def looking(every):
        env = robust(kind(PLAYERS), observation=Linf(0.3), nature=Uniform())
        env.reset(seed=0)
        rng, said = np.random.default_rng(0), {}
        for k, agent in enumerate(env.agent_iter(11)):
            if k % every == 0:
                said[k] = env.last()[0]
            env.step(draw(env.action_space(agent), rng))
        return said

    often, rarely = looking(1), looking(4)
    assert all(same(often[k], seen) for k, seen in rarely.items())


def test_the_last_move_holds_what_the_agent_saw_after_the_game_has_moved_on():
    env = robust(EchoTurns(PLAYERS), observation=Linf(0.3), nature=Uniform())
    env.reset(seed=0)
    nominal, seen = env.env.observe("a_0"), env.last()[0]
    env.step(env.action_space("a_0").sample())
    assert not same(env.env.observe("a_0"), nominal)
    move = env.last_move["observation", "a_0"]
    np.testing.assert_array_equal(move.nominal, nominal)
    np.testing.assert_allclose(move.nominal + move.executed, seen, atol=1e-6)


@pytest.mark.parametrize("radius", [0.0, 0.3])
def test_moves_can_be_asked_for_when_an_agent_has_died_unseen(radius):
    players = {"a_0": Player(), "a_1": Player(dies=4), "a_2": Player()}
    env = robust(EchoAEC(players), observation=Linf(radius), nature=Uniform())
    turns(env, observe=False, steps=24)
    assert "a_1" not in env.agents
    assert ("observation", "a_0") in env.last_move


@pytest.mark.parametrize("radius", [0.0, 0.3])
def test_observations_of_another_type_than_announced_are_moved_all_the_same(radius):
    class Wide(EchoAEC):
        def observe(self, agent):
            return super().observe(agent).astype(np.float64)

    sets = {"observation": L2(radius), "nature": Uniform()}
    lazily, eagerly = play(robust(Wide(PLAYERS), **sets)), play(robust(Wide(PLAYERS), **sets, trace=True))
    assert same(lazily, eagerly)
    assert all(one.dtype == np.float64 for _, one, *_ in lazily)


class OwnBooks(OrderEnforcingWrapper):
    """Pays double, in books of its own."""

    @property
    def rewards(self):
        return {agent: 2 * reward for agent, reward in self.env.rewards.items()}


@pytest.mark.parametrize("outermost", [OwnBooks, lambda env: OrderEnforcingWrapper(OwnBooks(env))])
def test_books_of_wrappers_below_are_the_ones_that_show(outermost):
    wrapped, below = robust(outermost(EchoTurns()), observation=Linf(0.3), nature=Uniform()), outermost(EchoTurns())
    for one in (wrapped, below):
        one.reset(seed=0)
        one.step(np.zeros(2, np.float32))
    assert any(below.rewards.values())
    assert wrapped.rewards == below.rewards


def test_flags_and_books_cannot_be_read_before_the_reset():
    env = robust(OrderEnforcingWrapper(EchoAEC()), observation=Linf(0.3), nature=Uniform())
    with pytest.raises(AttributeError, match="before reset"):
        env.agents  # noqa: B018


class Limit(BaseWrapper):
    """End the game after some steps, as PettingZoo's TerminateIllegalWrapper does: behind the layer's back."""

    def reset(self, seed=None, options=None):
        super().reset(seed=seed, options=options)
        self.left = 7

    def step(self, action):
        super().step(action)
        self.left -= 1
        if self.left == 0:
            inside = self.env.unwrapped
            inside.truncations = dict.fromkeys(inside.agents, True)
            inside.rewards = dict.fromkeys(inside.agents, -1.0)
            inside._cumulative_rewards = dict.fromkeys(inside.agents, -5.0)


@pytest.mark.parametrize("sets", [{"observation": Linf(0.0)}, {"observation": Linf(0.3)}, {"reward": Linf(0.0)}])
def test_wrappers_around_a_layer_may_end_the_game(sets):
    naked = turns(Limit(EchoAEC(TEAM)))
    wrapped = turns(Limit(robust(EchoAEC(TEAM), **sets, nature=Uniform())))
    assert [said[1:4] for said in naked] == [said[1:4] for said in wrapped]


@pytest.mark.parametrize("trace", [True, False])
def test_what_is_observed_out_of_turn_is_not_the_last_move(trace):
    env = robust(EchoTurns(PLAYERS), observation=Linf(0.9), nature=Uniform(), trace=trace)
    env.reset(seed=0)
    first, *_ = env.last()
    env.step(np.zeros(2, np.float32))
    for agent in env.agents:
        env.observe(agent)
    move = env.last_move["observation", "a_0"]
    assert np.allclose(move.nominal + move.executed, first)


def test_buffers_that_an_environment_uses_again_do_not_change_what_was_recorded():
    class Reusing(EchoAEC):
        buffers: dict

        def observe(self, agent):
            seen = super().observe(agent)
            kept = self.buffers.setdefault(seen.shape, np.zeros_like(seen))
            kept[...] = seen
            return kept

    def told(trace):
        env = Reusing(PLAYERS)
        env.buffers = {}
        env = robust(env, observation=Linf(0.3), nature=Uniform(), info="numeric", trace=trace)
        return [said[4]["robust_observation_delta"] for said in turns(env)]

    assert same(told(True), told(False))
