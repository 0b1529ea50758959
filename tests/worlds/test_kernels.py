"""The channel `transition` of games played from their arrays: nature picks the distribution of the next state."""

import gymnasium
import numpy as np
import pytest
from glassbox import same
from pettingzoo.utils import parallel_to_aec

from robust_envs import (
    KL,
    AsAgents,
    L2Ambiguity,
    Linf,
    Nominal,
    OutsideSetError,
    Policy,
    Replay,
    TotalVariation,
    Uniform,
    Wasserstein,
    WorstCase,
    robust,
)
from robust_envs.envs import MarkovDecisionEnv, MarkovGame, MarkovGameEnv, named_game

SWIM = named_game("riverswim")
HORIZON = 20


def swim():
    return MarkovDecisionEnv(SWIM, horizon=HORIZON)


def always_right(env, episodes, seed=0):
    """Return the mean return and its standard error."""
    returns = []
    for k in range(episodes):
        env.reset(seed=seed + k)
        total, over = 0.0, False
        while not over:
            _, reward, dead, cut, _ = env.step(1)
            total, over = total + reward, dead or cut
        returns.append(total)
    return np.mean(returns), np.std(returns) / np.sqrt(episodes)


def value(members=None, worth=None):
    """Return the expected return of going right for the horizon, by backward induction over the table."""
    rewards, kernel = np.asarray(SWIM.expected_rewards)[0][:, 1], np.asarray(SWIM.transitions)[:, 1]
    if members is not None:
        kernel = np.stack([members.worst_case(worth, row)[1] for row in kernel])
    ahead = np.zeros(SWIM.n_states)
    for _ in range(HORIZON):
        ahead = rewards + kernel @ ahead
    return float(np.asarray(SWIM.start) @ ahead)


def test_the_worst_transitions_cost_what_the_table_says():
    worth, members = np.arange(6.0), TotalVariation(0.15)
    env = robust(swim(), transition=members, nature=WorstCase(values=worth))
    mean, error = always_right(env, 250)
    assert mean == pytest.approx(value(members, worth), abs=4 * error)
    assert value(members, worth) < 0.5 * value()
    nominal, error = always_right(robust(swim(), transition=members, nature=Nominal()), 250)
    assert nominal == pytest.approx(value(), abs=4 * error)


@pytest.mark.parametrize("members", [TotalVariation(0.2), KL(0.1), L2Ambiguity(0.1)], ids=repr)
def test_what_is_played_is_a_distribution_of_the_set(members):
    env = robust(swim(), transition=members, nature=Uniform(), trace=True)
    env.reset(seed=0)
    for _ in range(HORIZON):
        env.step(1)
        move = env.last_move["transition", "*"]
        played = move.nominal + move.executed
        assert members.contains(played, move.nominal, 1e-9)
        assert played.sum() == pytest.approx(1.0)
    assert len(env.trace.moves["transition", "*"].executed) == HORIZON


def test_radius_zero_is_the_game_bit_for_bit_and_so_is_the_nominal_nature():
    for nature, radius in ((Uniform(), 0.0), (Nominal(), 0.3)):
        env, naked = robust(swim(), transition=TotalVariation(radius), nature=nature), swim()
        for seed in range(5):
            said = [env.reset(seed=seed), *(env.step(1) for _ in range(HORIZON))]
            assert same(said, [naked.reset(seed=seed), *(naked.step(1) for _ in range(HORIZON))])


def test_the_game_is_itself_again_when_it_is_reset_without_the_layer():
    inside = swim()
    env = robust(inside, transition=TotalVariation(0.5), nature=WorstCase(values=range(6)))
    env.reset(seed=0)
    env.step(1)
    naked = swim()
    assert same(
        [inside.reset(seed=1), *(inside.step(1) for _ in range(9))],
        [naked.reset(seed=1), *(naked.step(1) for _ in range(9))],
    )


def test_two_layers_bend_one_after_the_other():
    inner = robust(swim(), transition=TotalVariation(0.1), nature=WorstCase(values=range(6)))
    outer = robust(inner, transition=TotalVariation(0.1), nature=WorstCase(values=range(6)))
    outer.reset(seed=0)
    outer.step(1)
    low, high = inner.last_move["transition", "*"], outer.last_move["transition", "*"]
    assert np.allclose(low.nominal + low.executed, high.nominal)
    assert np.allclose(high.executed[0], 0.1)


def joint(agent):
    return 0 if agent == "player_0" else 1


def parallel(env, seed=0):
    env.reset(seed=seed)
    while env.agents:
        env.step({agent: joint(agent) for agent in env.agents})
    return env.trace


def turns(env, nature=None, seed=0):
    env.reset(seed=seed)
    for agent in env.agent_iter():
        observation, _, dead, over, _ = env.last()
        act = nature(observation) if agent.startswith("nature_") else joint(agent)
        env.step(None if dead or over else act)
    return env.trace


def game():
    """Two states; both players going the same way keeps to the good one with probability 0.9."""
    rewards = np.zeros((2, 2, 2, 2))
    rewards[:, 0] = 1.0
    kernel = np.full((2, 2, 2, 2), 0.5)
    kernel[:, 0, 0], kernel[:, 1, 1], kernel[:, 0, 1] = [0.9, 0.1], [0.9, 0.1], [0.7, 0.3]
    return MarkovGameEnv(MarkovGame(rewards, kernel, 0.9), horizon=8)


@pytest.mark.parametrize("nature", [Uniform(), Policy(lambda seen: 3), WorstCase(values=[1.0, 0.0])])
def test_turns_and_simultaneous_play_are_one_game(nature):
    sets = {"transition": TotalVariation(0.2)}
    one = parallel(robust(game(), **sets, nature=nature, trace=True))
    two = turns(robust(parallel_to_aec(game()), **sets, nature=nature, trace=True))
    assert one.moves["transition", "*"].executed.any()
    assert not one.differences(two)


def test_nature_as_an_agent_takes_its_turn_when_all_have_acted_and_is_the_policy_bit_for_bit():
    sets = {"transition": TotalVariation(0.2)}
    policy = lambda seen: 1 + int(seen[0])  # noqa: E731
    env = robust(parallel_to_aec(game()), **sets, nature=AsAgents(), trace=True)
    trace = turns(env, policy)
    assert not trace.differences(turns(robust(parallel_to_aec(game()), **sets, nature=Policy(policy), trace=True)))
    env.reset(seed=0)
    order = []
    for agent in env.agent_iter(7):
        order.append(agent)
        env.step(0)
    assert order == ["player_0", "player_1", "nature_0"] * 2 + ["player_0"]


def test_the_best_of_a_few_adversaries_lowers_the_return_by_a_lot():
    def mean(action):
        env = robust(game(), transition=TotalVariation(0.3), nature=AsAgents(team=lambda seen: 0))
        total = 0.0
        for seed in range(40):
            env.reset(seed=seed)
            while env.agents:
                total -= env.step({"nature_0": action})[1]["nature_0"]
        return total / 40

    returns = [mean(action) for action in range(3)]
    assert min(returns[1:]) < returns[0] - 2.0


def test_a_trace_replays_the_game():
    env = robust(swim(), transition=TotalVariation(0.3), nature=Uniform(), trace=True)
    said = [env.reset(seed=3), *(env.step(1) for _ in range(HORIZON))]
    again = robust(swim(), transition=TotalVariation(0.3), nature=Replay(env.trace), trace=True)
    assert same([again.reset(), *(again.step(1) for _ in range(HORIZON))], said)
    assert again.trace == env.trace


def test_a_cheat_is_named():
    env = robust(swim(), transition=TotalVariation(0.1), nature=lambda move: np.eye(6)[0] - move.nominal)
    env.reset(seed=0, options={"state": 3})
    with pytest.raises(OutsideSetError, match=r"'transition', agent .* must answer a member"):
        env.step(1)


REFUSED = {
    "worth of states": (
        swim,
        TotalVariation(0.1),
        WorstCase(),
        "what each next state is worth .* with 6 numbers",
    ),
    "too few values": (swim, TotalVariation(0.1), WorstCase(values=[0.0, 1.0]), "with 6 numbers here, got values="),
    "no arrays": (lambda: gymnasium.make("CartPole-v1"), TotalVariation(0.1), Uniform(), "played from its arrays"),
    "values elsewhere": (swim, Linf(0.1), WorstCase(values=range(6)), "a reward only"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_the_reason(case):
    make, members, nature, sentence = REFUSED[case]
    with pytest.raises(ValueError, match=sentence):
        robust(make(), transition=members, nature=nature)


def test_what_cannot_be_projected_onto_is_no_set_for_a_policy():
    members = Wasserstein(0.1, np.ones((6, 6)) - np.eye(6))
    robust(swim(), transition=members, nature=WorstCase(values=range(6)))
    with pytest.raises(ValueError, match=r"Policy\(\) must be projected onto its set"):
        robust(swim(), transition=members, nature=Policy(lambda seen: 0))
