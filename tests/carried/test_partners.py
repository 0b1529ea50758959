"""Strangers who play for the others: drawn from the list, once an episode, seeing what the agent sees."""

import numpy as np
import pytest
from carried_cases import LEFT, RIGHT
from glassbox import FAMILY, EchoAEC, EchoEnv, EchoParallel, Player, observations, play, same

from robust_envs import (
    AsAgents,
    Finite,
    Linf,
    MixedPolicy,
    Nominal,
    OutsideSetError,
    Population,
    Uniform,
    per_step,
    robust,
)


class Says:
    """A policy that always does the same, and keeps what it saw."""

    def __init__(self, *action):
        self.action, self.saw = np.float32(action), []

    def __call__(self, observation):
        self.saw.append(observation)
        return self.action


class Predicts:
    """The same, in the manners of Stable-Baselines3."""

    def predict(self, observation, state=None, deterministic=True):
        return np.full(2, 0.25), None


class Team:
    """The same, in the manners of our trainers."""

    multi_agent = True

    def predict(self, observations, state=None, deterministic=True):
        return {agent: np.full(2, -0.25) for agent in observations}, None


def chosen(env, seed=0):
    """Who played, by step."""
    play(env, seed)
    return env.trace.moves["partners", "a_1"].executed[:, 0]


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_the_partner_acts_in_the_place_of_the_agent_and_nobody_else_changes(kind):
    naked, env = kind(), robust(kind(), partners={"a_1": Finite([Says(0.5, -0.5)])}, nature=Uniform())
    assert env.possible_agents == naked.possible_agents
    play(naked), play(env)
    for before, after in zip(naked.received, env.unwrapped.received, strict=True):
        assert same(after["a_1"], np.float32([0.5, -0.5]))
        assert same({**before, "a_1": None}, {**after, "a_1": None})


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_the_partner_sees_what_the_agent_would_see_noise_and_all(kind):
    partner = Says(0.0, 0.0)
    env = robust(kind(), partners={"a_1": Finite([partner])}, observation=Linf(0.2), nature=Uniform())
    said = play(env)
    shown = observations(said, "a_1") if kind is EchoParallel else [told[1] for told in said if told[0] == "a_1"]
    assert same(partner.saw, shown[: len(partner.saw)])
    assert len(partner.saw) == 12


def test_a_partner_is_drawn_once_an_episode_and_each_as_often():
    env = robust(EchoParallel(), partners={"a_1": Finite([LEFT, RIGHT])}, nature=Uniform(), trace=True)
    drawn = []
    for seed in range(200):
        who = chosen(env, seed)
        assert len(set(who)) == 1
        drawn.append(who[0])
    assert set(drawn) == {1, 2}
    assert 75 <= drawn.count(1) <= 125


def test_per_step_draws_afresh_at_every_step():
    env = robust(EchoParallel(), partners={"a_1": per_step(Finite([LEFT, RIGHT]))}, nature=Uniform(), trace=True)
    assert {1, 2} == set(chosen(env))


def test_a_mixed_policy_is_drawn_with_its_weights():
    mixed = MixedPolicy([Says(0.1, 0.1), Says(0.2, 0.2), Says(0.3, 0.3)], weights=(3, 0, 1))
    env = robust(EchoParallel(), partners={"a_1": Finite([mixed])}, nature=Uniform())
    found = []
    for seed in range(300):
        play(env, seed)
        acts = {float(actions["a_1"][0]) for actions in env.unwrapped.received}
        assert len(acts) == 1
        found.append(round(acts.pop(), 1))
    assert set(found) == {0.1, 0.3}
    assert 190 <= found.count(0.1) <= 260


def test_the_nominal_nature_and_a_scale_of_zero_leave_the_agent_to_itself():
    for given in (
        {"partners": {"a_1": Finite([LEFT])}, "nature": Nominal()},
        {"partners": {"a_1": Finite([LEFT]).scaled(0.0)}, "nature": Uniform()},
    ):
        naked, env = EchoParallel(), robust(EchoParallel(), **given)
        assert same(play(naked), play(env))
        assert same(naked.received, env.unwrapped.received)


def test_every_kind_of_policy_can_be_a_partner():
    strangers = {"a_1": Finite([Predicts(), Team(), LEFT])}
    for number, action in ((1, 0.25), (2, -0.25)):
        env = robust(EchoParallel(), partners=strangers, nature=lambda move, k=number: k)
        play(env)
        assert {float(actions["a_1"][0]) for actions in env.unwrapped.received} == {action}


def test_partners_of_agents_that_are_born_and_die_act_while_they_live():
    partner = Says(0.5, 0.5)
    env = robust(
        EchoParallel(FAMILY), partners={agent: Finite([partner]) for agent in ("a_1", "a_2")}, nature=Uniform()
    )
    play(env)
    for actions in env.unwrapped.received:
        assert all(same(actions[agent], partner.action) for agent in ("a_1", "a_2") if agent in actions)


def test_a_discrete_partner_chooses_and_numbers_come_in_the_types_of_the_space():
    players = {"b_0": Player(action="discrete"), "b_1": Player(action="discrete")}
    env = robust(EchoParallel(players), partners={"b_1": Finite([lambda seen: 2.0])}, nature=Uniform())
    play(env)
    assert {type(actions["b_1"]) for actions in env.unwrapped.received} == {np.int64}


def test_natures_made_of_natures_draw_partners():
    weights = Population([lambda move: 1, lambda move: 2], weights=(9, 1))
    env = robust(EchoParallel(), partners={"a_1": Finite([LEFT, RIGHT])}, nature=weights, trace=True)
    drawn = [chosen(env, seed)[0] for seed in range(60)]
    assert 45 <= drawn.count(1) < 60


def test_a_stranger_who_lies_costs_the_team(world):
    alone = world.team_return(world.talk())
    friend = robust(world.talk(), partners={"speaker_0": Finite([world.speaker])}, nature=Uniform())
    liar = robust(world.talk(), partners={"speaker_0": Finite([world.speaker, world.liar])}, nature=Uniform())
    assert world.team_return(friend) == alone
    assert world.team_return(liar) < alone - 5


def test_a_nature_that_is_an_agent_picks_the_worst_partner(world):
    strangers = {"speaker_0": Finite([world.speaker, world.liar])}
    chance = world.team_return(robust(world.talk(), partners=strangers, nature=Uniform()))
    returns = []
    for choice in (1, 2):  # what a learner of two arms would try
        game = robust(world.talk(), partners=strangers, nature=AsAgents(team=world.team))
        total = 0.0
        for seed in range(8):
            game.reset(seed=seed)
            while game.agents:
                _, rewards, *_ = game.step({"nature_0": choice})
                total -= 2 * sum(rewards.values())
        returns.append(total / 8)
    assert returns[0] == pytest.approx(world.team_return(world.talk()))
    assert min(returns) < chance - 3


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"a_1": Finite([1, 2])}, TypeError, "partners must list policies"),
        ({"a_1": [LEFT]}, TypeError, "partners must list policies"),
        (Finite([LEFT]), TypeError, "partners must be a dict by the agent played"),
        ({"a_9": Finite([LEFT])}, ValueError, "partners names agent 'a_9'"),
        ({"a_1": Linf(0.1)}, TypeError, "partners must list policies"),
    ],
)
def test_what_is_no_partner_is_refused_by_name_rule_and_value(given, error, words):
    with pytest.raises(error, match=words):
        robust(EchoParallel(), partners=given, nature=Uniform())


def test_policies_stand_under_partners_only():
    with pytest.raises(ValueError, match="members are policies, which stand under partners="):
        robust(EchoParallel(), action=Finite([LEFT]), nature=Uniform())


def test_a_single_agent_has_no_partners():
    with pytest.raises(ValueError, match="partners play other agents of a team"):
        robust(EchoEnv(), partners={"agent_0": Finite([LEFT])}, nature=Uniform())


def test_a_partner_that_cannot_act_is_named():
    env = robust(EchoParallel(), partners={"a_1": Finite([Says(1.0, 2.0, 3.0)])}, nature=Uniform())
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"channel 'partners', agent 'a_1', step 0: partner 1 must act in Box"):
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    broken = robust(EchoParallel(), partners={"a_1": Finite([lambda seen: seen.speed])}, nature=Uniform())
    broken.reset(seed=0)
    with pytest.raises(RuntimeError, match="partner 1 could not act"):
        broken.step({agent: env.action_space(agent).sample() for agent in env.agents})
    wrong = robust(EchoParallel(), partners={"a_1": Finite([LEFT])}, nature=lambda move: 3)
    wrong.reset(seed=0)
    with pytest.raises(OutsideSetError, match=r"must answer one of \[0, 1\], got 3"):
        wrong.step({agent: env.action_space(agent).sample() for agent in env.agents})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda: MixedPolicy([]), "policies must be a sequence of at least one"),
        (lambda: MixedPolicy([LEFT], weights=(1, 2)), "weights must be 1 numbers >= 0, one for each policy"),
        (lambda: MixedPolicy([LEFT, RIGHT], weights=(0, 0)), "not all 0"),
    ],
)
def test_what_is_no_mixture_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        given()


def test_a_mixture_does_not_act_by_itself():
    with pytest.raises(TypeError, match="MixedPolicy must be drawn before it acts"):
        MixedPolicy([LEFT])(np.zeros(3))
