"""Natures that are agents and choose a delay, a loss, a word or a partner: fed by a policy they are that policy."""

import numpy as np
import pytest
from carried_cases import LEFT, RIGHT
from glassbox import EchoAEC, EchoEnv, EchoParallel, Player, draw, play, same

from robust_envs import (
    AsAgents,
    Delay,
    Dropout,
    Finite,
    Linf,
    Policy,
    Replay,
    Switch,
    find_wrapper,
    heard,
    per_step,
    robust,
    said,
)

PLAYERS = {"a_0": Player(), "a_1": Player(reward="float32"), "a_2": Player(dies=5)}
WORDS = {"b_0": Player(action="discrete"), "b_1": Player(action="discrete", dies=5)}
GAMES = {
    "delay": {"delay": Delay(3)},
    "late actions": {"delay": Delay(2, of="action")},
    "once": {"delay": Delay(3, each="episode")},
    "dropout": {"dropout": Dropout(0.8)},
    "lost actions": {"dropout": Dropout(0.8, mode="zero", of="action")},
    "heard": {"message": heard(Linf(0.3), at=[0, 2])},
    "words": {"message": heard(Switch(0.8), at=[0, 2])},
    "partners": {"partners": {"a_1": Finite([LEFT, RIGHT])}},
    "partners by step": {"partners": {"a_1": per_step(Finite([LEFT, RIGHT]))}},
    "chain": {"observation": Linf(0.2), "delay": Delay(2), "dropout": Dropout(0.5)},
    "chain of actions": {
        "partners": {"a_1": Finite([LEFT, RIGHT])},
        "delay": Delay(2, of="action"),
        "action": Linf(0.3),
    },
}


def pull(seen):
    """A policy for natures: depends on what it sees."""
    return np.float32([np.tanh(3 * seen[0]), np.sin(seen[-1]), 0.5])


def choose(seen):
    """The same, for choices."""
    return int(10 * abs(seen[0])) % 3


def fed(env, policy, seed):
    """Play an AEC environment with natures as agents: natures act by `policy`, the team as `play` would."""
    rng = np.random.default_rng([7, seed])
    env.reset(seed=seed)
    told = []
    for agent in env.agent_iter(2000):
        observation, reward, dead, over, _ = env.last()
        if agent.startswith("nature_"):
            action = None if dead or over else act(env.action_space(agent), policy(observation))
        else:
            told.append((agent, observation, reward, dead, over))
            action = None if dead or over else draw(env.action_space(agent), rng)
        env.step(action)
    return told


def act(space, answer):
    return np.clip(answer[: space.shape[0]], space.low, space.high) if space.shape else answer * (answer < space.n)


@pytest.mark.parametrize("game", GAMES)
def test_natures_fed_by_a_policy_are_that_policy(game):
    env = robust(EchoAEC(PLAYERS), **GAMES[game], nature=AsAgents(), trace=True)
    inside = robust(EchoAEC(PLAYERS), **GAMES[game], nature=Policy(pull), trace=True)
    for seed in (0, 1):
        assert same(fed(env, pull, seed), [parts[:5] for parts in play(inside, seed)])
        assert env.trace == inside.trace, env.trace.differences(inside.trace)
        assert same(env.unwrapped.received, inside.unwrapped.received)
    assert any(moves.executed.any() for moves in env.trace.moves.values())


@pytest.mark.parametrize(
    "given",
    [{"delay": Delay(2, of="action")}, {"dropout": Dropout(0.7)}, {"message": said(Switch(0.7), base=2)}],
    ids=["delay", "dropout", "said"],
)
def test_natures_of_a_discrete_team_choose_by_number(given):
    env = robust(EchoAEC(WORDS), **given, nature=AsAgents(), trace=True)
    inside = robust(EchoAEC(WORDS), **given, nature=Policy(choose), trace=True)
    assert same(fed(env, choose, 3), [parts[:5] for parts in play(inside, 3)])
    assert env.trace == inside.trace


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("kind", [EchoAEC, EchoParallel])
def test_what_natures_do_alone_reaches_the_environment_as_a_policy_inside_would(kind, game):
    env = robust(kind(PLAYERS), **GAMES[game], nature=AsAgents(team=LEFT), trace=True)
    inside = robust(kind(PLAYERS), **GAMES[game], nature=Policy(pull), trace=True)
    if kind is EchoParallel:
        observations, _ = env.reset(seed=3)
        while env.agents:
            observations, *_ = env.step({n: act(env.action_space(n), pull(observations[n])) for n in env.agents})
        observations, _ = inside.reset(seed=3)
        while inside.agents:
            observations, *_ = inside.step({agent: LEFT(observations[agent]) for agent in inside.agents})
    else:
        env.reset(seed=3), inside.reset(seed=3)
        for name in env.agent_iter(2000):
            observation, _, dead, over, _ = env.last()
            env.step(None if dead or over else act(env.action_space(name), pull(observation)))
        for _ in inside.agent_iter(2000):
            observation, _, dead, over, _ = inside.last()
            inside.step(None if dead or over else LEFT(observation))
    assert same(find_wrapper(env, object).unwrapped.received, inside.unwrapped.received)


@pytest.mark.parametrize("team", [None, LEFT], ids=["agents", "natures alone"])
@pytest.mark.parametrize("kind", [EchoEnv, lambda: EchoParallel(PLAYERS)], ids=["gym", "parallel"])
@pytest.mark.parametrize("game", GAMES)
def test_what_natures_did_as_parallel_agents_replays(kind, team, game):
    if kind is EchoEnv and "partners" in GAMES[game]:
        pytest.skip("a Gymnasium environment has no partners")
    env = robust(kind(), **GAMES[game], nature=AsAgents(team=team), trace=True)
    rng, received = np.random.default_rng(0), []
    observations, _ = played = env.reset(seed=5)
    gym = not isinstance(observations, dict)
    names = [] if gym else [name for name in env.possible_agents if name.startswith("nature_")]
    while gym or env.agents:
        if gym:
            played = env.step(draw(env.action_space, rng))
            if played[2] or played[3]:
                break
            continue
        natures = {name: draw(env.action_space(name), rng) for name in names}
        base = {agent: LEFT(observations[agent]) for agent in env.agents if agent not in natures}
        observations, *_ = env.step({**base, **natures})
    received = env.unwrapped.received
    again = robust(kind(), **GAMES[game], nature=Replay(env.trace), trace=True)
    observations, _ = again.reset()
    if kind is EchoEnv:
        over = False
        while not over:
            observations, _, _, over, _ = again.step(LEFT(observations))
    else:
        while again.agents:
            observations, *_ = again.step({agent: LEFT(observations[agent]) for agent in again.agents})
    assert same(received, again.unwrapped.received)
    assert again.trace == env.trace, again.trace.differences(env.trace)


def test_a_box_nature_leaves_the_value_in_the_middle_of_its_space():
    env = robust(EchoParallel(), delay=Delay(2), nature=AsAgents(), trace=True)
    env.reset(seed=0)
    names = [name for name in env.possible_agents if name.startswith("nature_")]
    boxes = [name for name in names if env.action_space(name).shape]
    for share in (0.0, -1.0, 1.0):
        still = {a: env.action_space(a).sample() for a in env.agents if a not in names}
        natures = {n: np.full(env.action_space(n).shape, share, np.float32) if n in boxes else 0 for n in names}
        env.step({**still, **natures})
    assert env.trace.moves["delay", "a_0"].executed.ravel().tolist() == [0, 0, 1, 2]
