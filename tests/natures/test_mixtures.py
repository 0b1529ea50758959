"""Mixtures, populations, and natures made of others that are agents: each by its defining property."""

import gymnasium
import numpy as np
import pytest
from glassbox import EchoAEC, EchoEnv, Player, draw, play, same
from nature_cases import look

from robust_envs import (
    L2,
    AsAgents,
    Finite,
    Linf,
    Mixture,
    Nominal,
    Policy,
    Population,
    Step,
    Uniform,
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


@pytest.mark.parametrize("members", [Linf(0.5), L2(0.5)], ids=repr)
@pytest.mark.parametrize("nature", [Uniform(), look], ids=["drawn", "asked"])
def test_a_mixture_acts_as_often_as_it_says(members, nature):
    on = moved(Mixture(0.3, nature), members, kind=lambda: EchoEnv("float64", horizon=3000), steps=3000)
    assert on.mean() == pytest.approx(0.3, abs=0.03)


def test_the_noisy_form_is_the_convex_mix_of_two_actions_of_the_space():
    # Tessler et al. (2019), NR-MDP: (1 - alpha) a + alpha a', both in the space: a' is what nature asks for, clipped
    alpha, wish = 0.25, np.array([1.5, -0.2])
    env = robust(EchoEnv(), action=Linf(2.0), nature=Mixture(alpha, lambda move: wish, noisy=True))
    env.reset(seed=0)
    action = np.float32([0.5, 0.1])
    env.step(action)
    target = np.clip(action + wish, -1, 1)
    np.testing.assert_allclose(env.unwrapped.received[0], (1 - alpha) * action + alpha * target, rtol=1e-6)


def test_the_probabilistic_form_puts_the_whole_action_in_place():
    env = robust(EchoEnv(horizon=300), action=Linf(2.0), nature=Mixture(0.25, lambda move: -2 * move.nominal))
    naked = EchoEnv(horizon=300)
    play(naked, steps=300), play(env, steps=300)
    given = np.array(naked.received)
    received = np.array(env.unwrapped.received)
    swapped = (received == -given).all(axis=1)
    assert ((received == given).all(axis=1) ^ swapped).all()
    assert swapped.mean() == pytest.approx(0.25, abs=0.08)


def test_a_population_is_drawn_by_its_weights_each_episode():
    natures = [Step(axis=[1.0, 1.0]), Step(axis=[-1.0, -1.0]), Nominal()]
    env = robust(EchoEnv("float64"), observation=Linf(0.5), nature=Population(natures, weights=[3, 1, 0]), trace=True)
    firsts = []
    for seed in range(200):
        play(env, seed, steps=3)
        rows = env.trace.moves["observation", "agent_0"].executed
        np.testing.assert_allclose(rows, np.broadcast_to(rows[0], rows.shape))
        firsts.append(rows[0, 0])
    assert set(np.round(firsts, 6)) == {0.5, -0.5}
    assert np.mean(np.array(firsts) > 0) == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize("last", [Uniform(), lambda move: np.full(2, 0.25)], ids=["drawn", "asked"])
def test_a_population_by_move_draws_afresh(last):
    nature = Population([Step(axis=[1.0, 1.0]), Step(axis=[-1.0, -1.0]), last], each="move")
    rows = executed(nature, kind=lambda: EchoEnv("float64", horizon=900), steps=900)[:, 0]
    for share in (np.mean(np.isclose(rows, 0.5)), np.mean(np.isclose(rows, -0.5))):
        assert share == pytest.approx(1 / 3, abs=0.06)


def test_choices_are_mixed_and_scheduled_too():
    env = robust(
        EchoEnv(action="discrete", horizon=600), action=Finite([3]), nature=Mixture(0.5, lambda move: 3), trace=True
    )
    env.reset(seed=0)
    for _ in range(600):
        env.step(0)
    assert np.mean(np.array(env.unwrapped.received) == 3) == pytest.approx(0.5, abs=0.07)
    env = robust(EchoEnv(action="discrete"), action=Finite([3]), nature=scheduled(lambda move: 3, budget=2, start=1))
    env.reset(seed=0)
    for given in (0, 3, 0, 0, 0):
        env.step(given)
    assert [int(action) for action in env.unwrapped.received] == [0, 3, 3, 3, 0]  # 3 for 3 is free


# Natures that are agents

PLAYERS = {"a_0": Player(), "a_1": Player(reward="float32")}
GAME = {"reward": Linf(0.5), "observation": L2(0.3), "action": Linf(0.4)}
AROUND = {
    "scheduled": lambda nature: scheduled(nature, start=1, every=2, budget=4, curriculum=[(0, 0.5), (1, 1.0)]),
    "mixed": lambda nature: Mixture(0.5, nature),
    "noisy": lambda nature: Mixture(0.5, nature, noisy=True),
    "both": lambda nature: scheduled(Mixture(0.5, nature, noisy=True), probability=0.5),
}


def pull(observation):
    return np.float32([np.tanh(observation[0]), np.sin(observation[-1]), 0.5])


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_agents_in_a_frame_fed_by_a_policy_are_that_policy_in_the_frame(around):
    game = robust(EchoAEC(PLAYERS), **GAME, nature=around(AsAgents()), trace=True)
    inside = robust(EchoAEC(PLAYERS), **GAME, nature=around(Policy(pull)), trace=True)
    for seed in (0, 1):
        play(inside, seed)
        rng = np.random.default_rng([7, seed])
        game.reset(seed=seed)
        for agent in game.agent_iter(2000):
            observation, _, dead, over, _ = game.last()
            if dead or over:
                game.step(None)
            elif agent.startswith("nature_"):
                game.step(pull(observation)[: len(game.action_space(agent).low)])
            else:
                game.step(draw(game.action_space(agent), rng))
        assert game.trace == inside.trace
        assert same(game.unwrapped.received, inside.unwrapped.received)


def test_one_nature_alone_in_a_frame_is_a_gymnasium_environment():
    team = lambda observation: np.zeros(2, np.float32)  # noqa: E731
    env = robust(EchoEnv(), action=Linf(0.5), nature=scheduled(AsAgents(team=team), budget=3), trace=True)
    assert isinstance(env, gymnasium.Env)
    env.reset(seed=0)
    for _ in range(12):
        env.step(np.ones(2, np.float32))
    received = np.array(env.unwrapped.received)
    assert (received[:3] == 0.5).all()
    assert not received[3:].any()
