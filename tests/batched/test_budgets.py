"""Budgets for the whole episode in many games at once: what is spent, what is left, and in which game."""

import numpy as np
import pytest
import torch

from robust_envs import (
    L1,
    L2,
    Linf,
    Noise,
    Nominal,
    OutsideSetError,
    Policy,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    robust,
)

GAMES, STEPS = 6, 5  # as in vmas_env


def played(env, steps=STEPS, seed=3):
    """Return executed deltas by key, (T, G, dim), and the rewards (T, N, G)."""
    env.reset(seed=seed)
    moves, rewards = {}, []
    for _ in range(steps):
        _, got, *_ = env.step([torch.zeros(env.num_envs, 2) for _ in env.agents])
        rewards.append(torch.stack(list(got)))
        for key, move in getattr(env, "last_move", {}).items():
            moves.setdefault(key, []).append(move.executed.double())
    return {key: torch.stack(found) for key, found in moves.items()}, torch.stack(rewards)


def spent(ball, deltas):
    """Return the norm of every game's stacked deltas (T, G, dim)."""
    order = {L1: 1, L2: 2, Linf: float("inf")}[type(ball)]
    return torch.linalg.vector_norm(deltas.transpose(0, 1).flatten(1), ord=order, dim=1)


def halfway(move):
    """Spend a third of the radius in the first two steps, nothing later."""
    share = torch.where(move.step < 2, 1.0, 0.0)[:, None] * move.nominal.new_ones(move.nominal.shape)
    return share * move.set.inner.radius / 3.0 / move.nominal.shape[1]


CASES = [
    (L1(0.7), Uniform(), 5),
    (L2(0.7), Uniform(), 5),
    (Linf(0.7), Uniform(), 5),
    (Linf(0.7), Uniform(), None),
    (Linf(0.7), Noise(), None),
    (L1(0.7), Nominal(), None),
    (L2(0.7), Policy(lambda seen: torch.ones(len(seen), 2)), None),
    (L1(0.7), halfway, None),
]


@pytest.mark.parametrize(("ball", "nature", "horizon"), CASES, ids=str)
def test_no_game_spends_more_than_its_budget(vmas_env, ball, nature, horizon):
    moves, _ = played(robust(vmas_env(), action=per_episode(ball, horizon=horizon), nature=nature))
    for deltas in moves.values():
        found = spent(ball, deltas)
        assert found.shape == (GAMES,)
        assert bool((found <= 0.7 * (1 + 1e-5)).all())
        assert bool((found > 0).all()) != isinstance(nature, Nominal)


@pytest.mark.parametrize("ball", [L1(0.7), L2(0.7)], ids=str)
def test_planned_episodes_are_spread_over_their_steps_and_differ_between_games(vmas_env, ball):
    moves, _ = played(robust(vmas_env(), observation=per_episode(ball, horizon=STEPS + 1), nature=Uniform()), STEPS)
    for deltas in moves.values():
        by_step = deltas.abs().sum(-1)
        assert bool((by_step > 0).all())
        assert len({tuple(row) for row in by_step.T.tolist()}) == GAMES


def test_worst_case_spends_an_l2_budget_evenly_an_l1_budget_at_once_and_linf_always(vmas_env):
    for ball, expected in [
        (L2(2.0), [2.0 / STEPS**0.5] * STEPS),
        (L1(2.0), [2.0, 0, 0, 0, 0]),
        (Linf(2.0), [2.0] * STEPS),
    ]:
        env = robust(vmas_env(), reward=per_episode(ball, horizon=STEPS), nature=WorstCase())
        _, nominal = played(vmas_env())
        _, rewards = played(env)
        torch.testing.assert_close(rewards - nominal, -torch.tensor(expected)[:, None, None].expand(-1, 3, GAMES))


def test_worst_case_without_a_horizon_spends_an_l1_budget_at_once(vmas_env):
    _, nominal = played(vmas_env())
    _, rewards = played(robust(vmas_env(), reward=per_episode(L1(2.0)), nature=WorstCase()))
    torch.testing.assert_close((rewards - nominal)[:, 0, 0], torch.tensor([-2.0, 0, 0, 0, 0]))


def test_joint_budget_is_one_for_all_agents(vmas_env):
    env = robust(vmas_env(), reward=joint(per_episode(L2(2.0), horizon=STEPS)), nature=WorstCase())
    moves, _ = played(env)
    (deltas,) = moves.values()
    assert deltas.shape == (STEPS, GAMES, 3)
    torch.testing.assert_close(deltas, torch.full_like(deltas, -2.0 / (3 * STEPS) ** 0.5), rtol=1e-4, atol=1e-5)


def test_radius_zero_is_the_environment_itself_bit_for_bit(vmas_env):
    for nature, horizon in ((Uniform(), 5), (Nominal(), None)):
        env = robust(vmas_env(), reward=per_episode(L2(0.0), horizon=horizon), nature=nature)
        assert torch.equal(played(env)[1], played(vmas_env())[1])


def test_what_was_spent_is_what_was_executed_after_clipping(vmas_env):
    env = robust(vmas_env(), action=per_episode(L1(1.0)), nature=Policy(lambda seen: torch.ones(len(seen), 2)))
    env.reset(seed=0)
    for _ in range(STEPS):
        env.step([torch.ones(GAMES, 2) for _ in env.agents])  # at the edge of the space: no push up is executed
    assert all(float(move.executed.abs().max()) == 0.0 for move in env.last_move.values())
    env.step([torch.zeros(GAMES, 2) for _ in env.agents])
    assert all(float(move.executed.abs().sum(1).min()) == pytest.approx(1.0) for move in env.last_move.values())


def test_function_that_answers_more_than_is_left_is_refused_with_game_and_step(vmas_env):
    def greedy(move):
        return torch.where(move.step[:, None] == 2, 0.5, 0.3) * torch.ones_like(move.nominal)

    env = robust(vmas_env(), reward=per_episode(L1(1.0)), nature=greedy)
    env.reset(seed=0)
    nothing = [torch.zeros(GAMES, 2) for _ in env.agents]
    env.step(nothing)
    env.step(nothing)
    with pytest.raises(OutsideSetError, match=r"channel 'reward', agent 'agent_0', game 0, step 2 must answer .*0\.4"):
        env.step(nothing)


@pytest.mark.parametrize(
    ("ball", "nature"), [(L1(1.0), Policy(lambda seen: torch.ones(len(seen), 14))), (L2(1.0), Uniform())], ids=str
)
def test_game_that_begins_anew_has_its_budget_back_and_the_others_keep_what_is_left(vmas_env, ball, nature):
    horizon = 3 if isinstance(nature, Uniform) else None
    env = robust(vmas_env(), observation=per_episode(ball, horizon=horizon), nature=nature)
    moves, _ = played(env)
    assert all(float(move.executed.abs().max()) < 1e-6 for move in env.last_move.values())
    env.reset_at(2)
    begun = [float(move.executed[2].abs().max()) for move in env.last_move.values()]
    others = [float(move.executed[[0, 1, 3, 4, 5]].abs().max()) for move in env.last_move.values()]
    assert min(begun) > 1e-3
    assert max(others) < 1e-6
    totals = [float(spent(ball, found).max()) for found in moves.values()]
    assert max(totals) <= 1.0 + 1e-5


def test_shares_with_seeds_of_their_own_have_the_budgets_of_smaller_environments(vmas_env):
    def make(games):
        return robust(vmas_env(games), reward=per_episode(L2(1.0), horizon=STEPS), nature=Uniform())

    both, _ = played(make(6), seed=[4, 9])
    for share, seed in enumerate((4, 9)):
        alone, _ = played(make(3), seed=[seed])
        for key, deltas in alone.items():
            np.testing.assert_allclose(both[key][:, 3 * share : 3 * share + 3], deltas, atol=1e-6)


def test_radius_that_was_zero_when_the_episode_began_counts_from_the_next(vmas_env):
    env = robust(vmas_env(), reward=per_episode(L2(0.0), horizon=STEPS), nature=Uniform())
    env.reset(seed=0)
    env.radius = 1.0
    nothing = [torch.zeros(GAMES, 2) for _ in env.agents]
    env.step(nothing)
    assert all(float(move.executed.abs().max()) == 0.0 for move in env.last_move.values())
    env.reset(seed=0)
    env.step(nothing)
    assert all(float(move.executed.abs().max()) > 0.0 for move in env.last_move.values())
