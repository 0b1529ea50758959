"""Nature in thousands of games at once: the laws of all shells, and what is refused."""

import numpy as np
import pytest
import torch

from robust_envs import (
    L1,
    L2,
    AsAgents,
    Budgeted,
    Ellipsoid,
    Finite,
    Impulse,
    Interval,
    LinearFeedback,
    Linf,
    Mixture,
    Noise,
    Nominal,
    OutsideSetError,
    Policy,
    Switch,
    Trace,
    Uniform,
    WorstCase,
    joint,
    robust,
)
from robust_envs.natures import Replay

GAMES = 6
SLANTED = np.full((14, 14), 0.3) + 0.7 * np.eye(14)
SETS = [
    Linf(0.2),
    L2(0.3),
    L1(0.4),
    Budgeted(0.2, 2.5),
    Interval(-0.1, 0.3),
    Ellipsoid(SLANTED, radius=0.2),
    Finite([[0.1] * 14, [-0.2] * 14]),
]


def play(env, steps=6, seed=3, actions=None):
    """Return observations and rewards of some steps, as tensors (T, N, G, ...)."""
    seen, got = [torch.stack(list(env.reset(seed=seed)))], []
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        played = [torch.rand(env.num_envs, 2, generator=generator) * 2 - 1 for _ in env.agents]
        observations, rewards, *_ = env.step(played if actions is None else actions(played))
        seen.append(torch.stack(list(observations)))
        got.append(torch.stack(list(rewards)))
    return torch.stack(seen), torch.stack(got)


def test_it_is_a_vmas_environment_and_answers_like_one(vmas_env):
    env = robust(vmas_env(), reward=Linf(0.1), nature=Uniform())
    assert isinstance(env, type(vmas_env()))
    assert (env.num_envs, env.n_agents, env.max_steps) == (GAMES, 3, 5)
    assert len(env.get_random_actions()) == 3
    assert len(env.reset(return_info=True, return_dones=True)) == len(
        vmas_env().reset(return_info=True, return_dones=True)
    )
    assert env.reset(return_observations=False) is None


@pytest.mark.parametrize("channel", ["reward", "observation", "action"])
@pytest.mark.parametrize("nature", [Uniform(), Nominal(), Noise()], ids=repr)
def test_radius_zero_is_the_environment_itself_bit_for_bit(vmas_env, channel, nature):
    naked, wrapped = play(vmas_env()), play(robust(vmas_env(), **{channel: Linf(0.0)}, nature=nature))
    assert all(torch.equal(a, b) for a, b in zip(naked, wrapped, strict=True))
    env = robust(vmas_env(), observation=Linf(0.0), nature=nature)
    inner = env.env.reset(seed=1)
    assert env._move("observation", inner)[0] is inner[0]


@pytest.mark.parametrize("members", SETS, ids=repr)
def test_executed_deltas_are_members_of_the_set(vmas_env, members):
    env = robust(vmas_env(), observation=members, nature=Uniform())
    play(env)
    for move in env.last_move.values():
        assert move.executed.shape == (GAMES, 14)
        slack = torch.finfo(torch.float32).eps * (move.nominal.abs() + 1.0)
        assert bool(members.bind(14).contains(move.executed, tolerance=slack).all())
        assert bool((move.executed != 0).any(1).all())


def test_perturbed_observations_are_nominal_plus_executed_delta(vmas_env):
    env = robust(vmas_env(), observation=L2(0.3), nature=Uniform())
    observations = env.reset(seed=0)
    for name, observation in zip(["agent_0", "agent_1", "agent_2"], observations, strict=True):
        move = env.last_move["observation", name]
        torch.testing.assert_close(move.nominal + move.executed, observation)


def test_action_deltas_stay_in_the_action_space(vmas_env):
    env = robust(vmas_env(), action=L2(0.5), nature=Uniform())
    env.reset(seed=0)
    env.step([torch.ones(GAMES, 2) for _ in range(3)])
    moved = [move.nominal + move.executed for move in env.last_move.values()]
    assert all(bool((action <= 1.0).all()) and bool((action < 1.0).any()) for action in moved)


def test_one_channel_leaves_the_others_and_the_simulator_alone(vmas_env):
    alone = robust(vmas_env(), reward=Linf(0.5), nature=Uniform())
    both = robust(vmas_env(), reward=Linf(0.5), observation=L2(0.2), nature=Uniform())
    (seen, got), (seen_both, got_both) = play(alone), play(both)
    assert torch.equal(got, got_both)
    assert torch.equal(seen, play(vmas_env())[0])
    assert not torch.equal(seen, seen_both)


def test_agents_and_games_draw_apart(vmas_env):
    env = robust(vmas_env(), reward=Linf(0.5), nature=Uniform())
    play(env, steps=1)
    deltas = torch.cat([move.executed for move in env.last_move.values()])
    assert len(deltas.unique()) == 3 * GAMES
    only = robust(vmas_env(), reward={"agent_1": Linf(0.5)}, nature=Uniform())
    play(only, steps=1)
    assert list(only.last_move) == [("reward", "agent_1")]
    torch.testing.assert_close(only.last_move["reward", "agent_1"].chosen, env.last_move["reward", "agent_1"].chosen)


def test_a_seed_gives_the_same_noise_again_and_another_seed_another(vmas_env):
    env = robust(vmas_env(), observation=L1(0.4), nature=Uniform())
    first, again, other = play(env, seed=3), play(env, seed=3), play(env, seed=4)
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])


def test_shares_with_seeds_of_their_own_have_the_noise_of_smaller_environments(vmas_env):
    env = robust(vmas_env(4), reward=Linf(0.5), nature=Noise())
    play(env, seed=[3, 9])
    whole = env.last_move["reward", "agent_0"].chosen
    for share, seed in ((slice(0, 2), 3), (slice(2, 4), 9)):
        small = robust(vmas_env(2), reward=Linf(0.5), nature=Noise())
        play(small, seed=seed)
        assert torch.equal(whole[share], small.last_move["reward", "agent_0"].chosen)
    with pytest.raises(ValueError, match="equal shares"):
        env.reset(seed=[1, 2, 3])


def test_worst_case_takes_the_radius_from_each_and_spreads_a_joint_one(vmas_env):
    _, nominal = play(vmas_env())
    _, worst = play(robust(vmas_env(), reward=Linf(0.5), nature=WorstCase()))
    torch.testing.assert_close(worst, nominal - 0.5)
    _, shared = play(robust(vmas_env(), reward=joint(L2(0.5)), nature=WorstCase()))
    torch.testing.assert_close(shared, nominal - 0.5 / 3**0.5)


def test_noise_has_the_spread_of_a_gaussian_cut_at_the_radius(vmas_env):
    env = robust(vmas_env(4000), reward=Linf(2.0), nature=Noise())
    play(env, steps=2)
    deltas = torch.cat([move.chosen for move in env.last_move.values()])
    assert float(deltas.abs().max()) <= 2.0
    assert float(deltas.mean()) == pytest.approx(0.0, abs=0.03)
    assert float(deltas.std()) == pytest.approx(0.8796, abs=0.02)  # a standard normal cut at +-2 has this deviation


def test_function_of_move_gets_tensors_over_games_and_is_checked(vmas_env):
    moves = []

    def push(move):
        moves.append(move)
        return -0.3 * torch.sign(move.seen[:, :1])

    env = robust(vmas_env(), reward=Linf(0.3), nature=push)
    play(env, steps=2)
    assert moves[-1].seen.shape == (GAMES, 14)
    assert moves[-1].step.tolist() == [1] * GAMES
    assert torch.equal(env.last_move["reward", "agent_2"].chosen, -0.3 * torch.sign(moves[-1].seen[:, :1]))
    cheat = robust(vmas_env(), reward=Linf(0.3), nature=lambda move: torch.full_like(move.nominal, 0.4))
    cheat.reset(seed=0)
    with pytest.raises(
        OutsideSetError, match=r"'reward', agent 'agent_0', game 0, step 0 must answer a member of Linf"
    ):
        cheat.step([torch.zeros(GAMES, 2)] * 3)
    shapeless = robust(vmas_env(), reward=Linf(0.3), nature=lambda move: 0.1)
    shapeless.reset(seed=0)
    with pytest.raises(OutsideSetError, match="must answer a tensor"):
        shapeless.step([torch.zeros(GAMES, 2) for _ in range(3)])


def test_policy_sees_observations_and_answers_in_the_teams_box(vmas_env):
    seen = []

    def policy(shown):
        seen.append(shown)
        return torch.full((len(shown), 14), -1.0)

    env = robust(vmas_env(), observation=Linf(0.25), nature=Policy(policy))
    env.reset(seed=0)
    assert seen[0].shape == (GAMES, 14)
    torch.testing.assert_close(env.last_move["observation", "agent_0"].executed, torch.full((GAMES, 14), -0.25))


def test_switch_replaces_discrete_actions_about_as_often_as_it_says(vmas_env):
    env = robust(vmas_env(3000, continuous_actions=False), action=Switch(0.5), nature=Uniform())
    env.reset(seed=0)
    env.step([torch.zeros(3000, 1) for _ in range(3)])
    changed = torch.cat([(move.chosen != 0).float() for move in env.last_move.values()])
    assert float(changed.mean()) == pytest.approx(0.5 * 8 / 9, abs=0.02)
    listed = robust(vmas_env(3000, continuous_actions=False), action=Finite([2, 4]), nature=Uniform())
    listed.reset(seed=0)
    listed.step([torch.zeros(3000, 1) for _ in range(3)])
    assert {int(c) for move in listed.last_move.values() for c in move.chosen.unique()} == {0, 2, 4}


def test_game_that_begins_anew_gets_a_fresh_move_and_the_others_keep_theirs(vmas_env):
    env = robust(vmas_env(), observation=Linf(0.3), nature=Uniform())
    env.reset(seed=0)
    before = env.last_move["observation", "agent_0"].chosen.clone()
    env.reset_at(2, return_observations=False)
    (observations,) = env.get_from_scenario(True, False, False, False)
    after = env.last_move["observation", "agent_0"]
    assert (before == after.chosen).all(1).tolist() == [i != 2 for i in range(GAMES)]
    torch.testing.assert_close(observations[0], after.nominal + after.executed)
    (shown_again,) = env.get_from_scenario(True, False, False, False)
    assert torch.equal(observations[0], shown_again[0])


def test_layers_nest_and_draw_apart(vmas_env):
    inner = robust(vmas_env(), reward=Linf(0.5), nature=Uniform())
    outer = robust(inner, reward=Linf(0.5), nature=Uniform())
    _, got = play(outer)
    _, nominal = play(vmas_env())
    moves = [layer.last_move["reward", "agent_0"].executed[:, 0] for layer in (inner, outer)]
    assert not torch.equal(*moves)
    torch.testing.assert_close(got[-1, 0], nominal[-1, 0] + moves[0] + moves[1])
    torch.testing.assert_close(outer.nominal_rewards["agent_0"], nominal[-1, 0])


def test_radius_can_be_changed(vmas_env):
    env = robust(vmas_env(), reward=Linf(0.5), nature=WorstCase())
    assert env.radius == {"reward": 0.5}
    env.radius = 2.0
    _, worst = play(env)
    torch.testing.assert_close(worst, play(vmas_env())[1] - 2.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"nature": AsAgents()}, "AsAgents"),
        ({"nature": Impulse()}, "Impulse moves in one game at a time"),
        ({"nature": Mixture(0.1, Uniform())}, "Mixture moves in one game at a time"),
        ({"nature": LinearFeedback(np.eye(2))}, "LinearFeedback moves in one game at a time"),
        ({"nature": Replay(Trace(seed=0, options=None, depth=0, moves={}))}, "Replay"),
        ({"nature": Uniform(), "trace": True}, "trace"),
        ({"nature": Uniform(), "info": "numeric"}, "info"),
        ({"observation": Linf(1.0), "reward": None, "nature": WorstCase()}, "WorstCase"),
        ({"reward": {"agent_9": Linf(1.0)}, "nature": Uniform()}, "agent_9"),
    ],
)
def test_what_has_no_meaning_in_many_games_is_refused_with_its_reason(vmas_env, arguments, said):
    with pytest.raises(ValueError, match=said):
        robust(vmas_env(), **{"reward": Linf(0.1), **arguments})
