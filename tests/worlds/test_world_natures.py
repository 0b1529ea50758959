"""Natures of the world as agents: exact turns in AEC, and adversaries that really lower the return."""

import gymnasium
import numpy as np
import pytest
from mpe2 import simple_spread_v3

from robust_envs import AsAgents, Interval, Linf, Policy, Relative, per_step, robust

AHEAD = np.float32([0.1, 0.2, 0.3, 0.4, 0.5])
ONCE = {"dynamics": {"damping": Linf(0.1)}, "start": {"position": Linf(0.2)}}
OFTEN = {
    "dynamics": {"damping": per_step(Linf(0.1)), "mass": per_step(Relative(0.2))},
    "start": {"position": Linf(0.2)},
    "transition": {"velocity": Linf(0.1)},
    "action": Linf(0.1),
    "observation": Linf(0.1),
    "reward": Linf(0.1),
}


def turns():
    return simple_spread_v3.env(max_cycles=6, continuous_actions=True)


def parallel():
    return simple_spread_v3.parallel_env(max_cycles=6, continuous_actions=True)


def lean(seen):
    """A nature's policy that depends on all it sees."""
    return np.resize(np.tanh(np.roll(seen, -2)) * 0.5 + 0.5, 18).astype(np.float32)


def fed(env, policy, seed=1):
    env.reset(seed=seed)
    order = []
    for agent in env.agent_iter(2000):
        observation, _, dead, over, _ = env.last()
        order.append(agent)
        if dead or over:
            env.step(None)
        elif agent.startswith("nature_"):
            space = env.action_space(agent)
            env.step(np.clip(np.resize(policy(observation), space.shape), space.low, space.high))
        else:
            env.step(AHEAD)
    return order


@pytest.mark.parametrize("sets", [ONCE, OFTEN], ids=["once", "often"])
def test_natures_of_the_world_fed_by_a_policy_are_that_policy_bit_for_bit(sets):
    game = robust(turns(), **sets, nature=AsAgents(), trace=True)
    inside = robust(turns(), **sets, nature=Policy(lean), trace=True)
    fed(game, lean)
    fed(inside, lean)
    assert not game.trace.differences(inside.trace)
    assert all(moves.executed.any() for moves in inside.trace.moves.values())


def test_natures_take_their_turns_in_the_order_of_play():
    game = robust(turns(), **ONCE, reward=Linf(0.1), nature=AsAgents())
    start, dynamics = (next(n for n, seat in game.natures.items() if seat.channel == c) for c in ("start", "dynamics"))
    assert fed(game, lean)[:5] == [start, dynamics, "agent_0", "agent_1", "agent_2"]
    game = robust(
        turns(), dynamics={"damping": per_step(Linf(0.1))}, transition={"velocity": Linf(0.1)}, nature=AsAgents()
    )
    assert fed(game, lean)[:6] == ["nature_0", "agent_0", "agent_1", "agent_2", "nature_1", "nature_0"]


@pytest.mark.parametrize("channel", ["dynamics", "start"])
def test_alone_with_the_team_one_nature_is_the_policy_inside(channel):
    sets = {channel: ONCE[channel]}
    game = robust(parallel(), **sets, nature=AsAgents(team=lambda seen: AHEAD), trace=True)
    observations, _ = game.reset(seed=2)
    while game.agents:
        spaces = {name: game.action_space(name) for name in game.agents}
        answers = {n: np.clip(np.resize(lean(observations[n]), s.shape), s.low, s.high) for n, s in spaces.items()}
        observations, *_ = game.step(answers)
    inside = robust(parallel(), **sets, nature=Policy(lean), trace=True)
    inside.reset(seed=2)
    while inside.agents:
        inside.step(dict.fromkeys(inside.agents, AHEAD))
    assert np.array_equal(game.trace.moves[channel, "*"].executed, inside.trace.moves[channel, "*"].executed)
    assert len(inside.trace.moves[channel, "*"].executed) == 1


def test_together_in_parallel_the_first_action_sets_the_parameters_and_the_start_is_refused():
    game = robust(parallel(), dynamics={"damping": Linf(0.2)}, nature=AsAgents())
    game.reset(seed=0)
    for action in (1.0, 0.0):
        nature = {"nature_0": np.full(game.action_space("nature_0").shape, action, np.float32)}
        game.step({**dict.fromkeys(game.env.agents, AHEAD), **nature})
        assert game.unwrapped.world.damping == pytest.approx(0.45)
    with pytest.raises(ValueError, match=r"AsAgents\(\) cannot move the start where all move at once"):
        robust(parallel(), start={"position": Linf(0.1)}, nature=AsAgents())


def balance(observation):
    """Keep CartPole's pole up: a controller that needs the nominal cart."""
    return int(observation @ np.array([0.1, 0.5, 3.0, 1.0]) > 0)


def worst_return(sets, episodes=3):
    """Let nature try the corners of its set; return the mean return under no nature and under the worst corner."""
    game = robust(gymnasium.make("CartPole-v1"), **sets, nature=AsAgents(team=balance))
    returns = []
    for action in range(int(game.action_space.n)):
        total = 0.0
        for seed in range(episodes):
            game.reset(seed=seed)
            over = False
            while not over:
                _, reward, dead, cut, _ = game.step(action)
                total, over = total - reward, dead or cut
        returns.append(total / episodes)
    return returns[0], min(returns[1:])


@pytest.mark.parametrize(
    "sets",
    [
        {"dynamics": {"force_mag": Relative(0.95), "tau": Interval(0.01, 0.1)}},
        {"dynamics": {"force_mag": per_step(Relative(0.98))}},
        {"start": Linf(0.4)},
        {"transition": Linf(0.02)},
    ],
    ids=["once", "per step", "start", "transition"],
)
def test_an_adversary_of_the_world_lowers_the_return(sets):
    nominal, worst = worst_return(sets)
    assert nominal > 400
    assert worst < 0.7 * nominal
