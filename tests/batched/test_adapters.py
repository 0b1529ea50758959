"""What turns environments into games: VMAS, processes, vector environments, and mpe2's world stepped directly."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from algos.deep import MADDPG, MADDPGConfig, ProcessGames, VectorGames, VmasGames
from algos.deep.games import Team
from algos.deep.heads import TorchHead, Units
from algos.deep.statistics import nominal_reader
from algos.experiments.particles import DirectParticles
from robust_envs import Linf, Noise, robust

SMALL = MADDPGConfig(hidden_sizes=(8,), learning_starts=20, update_every=10, batch_size=16)


def test_vmas_games_end_at_the_time_limit_and_live_on(vmas_env):
    games = VmasGames(vmas_env())
    games.reset([0])
    outcomes = [games.step(torch.zeros(6, 3, 2)) for _ in range(6)]
    assert [bool(outcome.over.all()) for outcome in outcomes] == [False] * 4 + [True, False]
    assert all(bool(outcome.continues.all()) for outcome in outcomes)
    assert not torch.equal(outcomes[4].following.observation, outcomes[4].view.observation)
    assert torch.equal(outcomes[3].following.observation, outcomes[3].view.observation)


def test_vmas_games_that_terminate_begin_one_by_one(vmas_env):
    env = vmas_env(4)
    done = torch.tensor([False, True, False, True])
    env.scenario.done = lambda: done
    games = VmasGames(env)
    games.reset([0])
    outcome = games.step(torch.zeros(4, 3, 2))
    assert outcome.continues.tolist() == [[True] * 3, [False] * 3, [True] * 3, [False] * 3]
    begun = (outcome.following.observation != outcome.view.observation).flatten(1).any(1)
    assert begun.tolist() == done.tolist()


def test_vmas_games_do_not_disturb_each_other_or_the_caller(vmas_env):
    def played(other):
        games = VmasGames(vmas_env())
        views = [games.reset([3])]
        for _ in range(12):
            if other is not None:
                other.reset([9])
            views.append(games.step(torch.zeros(6, 3, 2)).view)
        return torch.stack([view.observation for view in views])

    torch.manual_seed(5)
    before = torch.get_rng_state()
    alone = played(None)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(alone, played(VmasGames(vmas_env())))


def test_nominal_rewards_of_robust_games_are_told(vmas_env):
    games, naked = (VmasGames(env) for env in (robust(vmas_env(), reward=Linf(2.0), nature=Noise()), vmas_env()))
    outcomes = [one.step(torch.zeros(6, 3, 2)) for one in (games, naked) if one.reset([0])]
    torch.testing.assert_close(outcomes[0].nominal, outcomes[1].reward)
    assert not torch.equal(outcomes[0].reward, outcomes[0].nominal)
    assert outcomes[1].nominal is None


def test_what_is_no_vmas_environment_is_refused(vmas_env):
    with pytest.raises(TypeError, match="VMAS"):
        VmasGames(gymnasium.make("CartPole-v1"))
    endless = vmas_env()
    endless.max_steps = None
    with pytest.raises(ValueError, match="wave"):
        VmasGames(endless)


def make_spread():
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    return robust(DirectParticles(spread.parallel_env(max_cycles=3)), reward=Linf(2.0), nature=Noise())


def test_processes_play_what_one_process_would():
    games = ProcessGames(make_spread, num_envs=2, wave=5, context="fork")
    try:
        games.reset([7])
        actions = torch.tensor([[[1.0], [0.0], [3.0]], [[2.0], [2.0], [4.0]]]).expand(2, 3, 1)
        outcomes = [games.step(torch.nn.functional.pad(actions, (0, 4))) for _ in range(4)]
        own = (np.random.SeedSequence(7).generate_state(2) >> 1).tolist()
        for game, seed in enumerate(own):
            env = make_spread()
            env.reset(seed=int(seed))
            for outcome in outcomes[:3]:
                played = {agent: int(actions[game, i, 0]) for i, agent in enumerate(env.agents)}
                seen, rewards, *_ = env.step(played)
                np.testing.assert_array_equal(outcome.following.observation[game], np.stack(list(seen.values())))
                np.testing.assert_allclose(outcome.reward[game], list(rewards.values()), rtol=1e-6)
                np.testing.assert_allclose(outcome.nominal[game], list(nominal_reader(env)().values()), rtol=1e-6)
        assert [outcome.over.tolist() for outcome in outcomes] == [[False] * 2] * 2 + [[True] * 2, [False] * 2]
        assert bool(outcomes[2].continues.all())
        assert not torch.equal(outcomes[2].view.observation, outcomes[2].following.observation)
        MADDPG(games, SMALL, seed=0).learn(60)
    finally:
        games.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_environments_begin_anew_in_each_of_their_ways(mode):
    env = gymnasium.make_vec(
        "CartPole-v1", num_envs=3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
    )
    games = VectorGames(env, wave=40)
    view = games.reset([0])
    ended = 0
    for _ in range(40):
        before, outcome = view, games.step(torch.ones(3, 1, 2))
        stepped = before.present[:, 0]
        moved = (outcome.following.observation - before.observation)[:, 0].abs().amax(1)
        assert bool((moved[stepped] < 1.0).all())  # the next frame of the same episode, never the first of another
        assert torch.equal(outcome.reward[:, 0], stepped.float())
        assert torch.equal(outcome.continues[:, 0], ~outcome.over)
        ended += int(outcome.over.sum())
        view = outcome.view
    assert ended >= 9
    model = MADDPG(games, SMALL).learn(240)
    length, episodes = model._state.means.state()["rollout/ep_len_mean"]
    assert 8 <= length / episodes < 40
    games.close()


def test_what_is_no_vector_environment_is_refused():
    with pytest.raises(TypeError, match="VectorEnv"):
        VectorGames(gymnasium.make("CartPole-v1"), wave=10)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize(
    "task", ["simple_spread", "simple_push", "simple_adversary", "simple_tag", "simple_world_comm"]
)
def test_world_stepped_directly_is_the_environment_of_mpe2_bit_for_bit(task, continuous):
    module = pytest.importorskip(f"mpe2.{task}_v3")
    options = {"max_cycles": 6, "continuous_actions": continuous}
    theirs, ours = module.parallel_env(**options), DirectParticles(module.parallel_env(**options))
    rng = np.random.default_rng(0)
    for episode in range(3):
        np.testing.assert_equal(ours.reset(seed=episode), theirs.reset(seed=episode))
        while theirs.agents:
            spaces = {agent: theirs.action_space(agent) for agent in theirs.agents}
            actions = {
                a: rng.random(space.shape, np.float32) if continuous else int(rng.integers(space.n))
                for a, space in spaces.items()
            }
            expected, found = theirs.step(dict(actions)), ours.step(dict(actions))
            np.testing.assert_equal(found, tuple(dict(part) for part in expected))
            assert all(a.dtype == b.dtype for a, b in zip(found[0].values(), expected[0].values(), strict=True))
        assert ours.agents == []
        assert ours.step({}) == ({}, {}, {}, {}, {})
        np.testing.assert_array_equal(ours.state(), theirs.state())


def test_action_out_of_a_discrete_space_is_refused_and_out_of_a_box_clipped():
    module = pytest.importorskip("mpe2.simple_spread_v3")
    env = DirectParticles(module.parallel_env())
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action must be in Discrete"):
        env.step(dict.fromkeys(env.agents, 5))
    wide, edge = (DirectParticles(module.parallel_env(continuous_actions=True)) for _ in range(2))
    steps = []
    for one, value in ((wide, 7.0), (edge, 1.0)):
        one.reset(seed=0)
        steps.append(one.step({a: np.array([0, value, 0, 0, value], np.float32) for a in one.agents}))
    np.testing.assert_equal(*steps)
    with pytest.raises(TypeError, match="mpe2"):
        DirectParticles(gymnasium.make("CartPole-v1"))


def mixed_team():
    box = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    actions = [gymnasium.spaces.Discrete(3, start=4), gymnasium.spaces.Box(np.float32([-2, 0]), np.float32([4, 1]))]
    return Team.of_spaces(["d", "b"], [box, box], actions, "tanh")


def test_actions_of_many_games_are_in_the_units_of_each_space():
    units = Units(mixed_team(), torch.device("cpu"))
    played = units(torch.tensor([[[0.0, 1.0, 0.0], [-1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0], [0.0, 3.0, 0.0]]]))
    assert played[:, 0, 0].tolist() == [5.0, 6.0]
    assert played[:, 1, :2].tolist() == [[-2.0, 1.0], [1.0, 1.0]]


def test_exploration_of_many_games_has_the_softmax_frequencies_and_the_declared_noise():
    head = TorchHead(mixed_team(), torch.device("cpu"), noise=0.2)
    outputs = torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.5, 0.0]])[:, None].repeat(1, 20_000, 1)
    generator = [torch.Generator().manual_seed(0)]
    actions = head.sample(outputs, None, generator)
    torch.testing.assert_close(actions[0].mean(0), torch.softmax(outputs[0, 0], -1), atol=0.02, rtol=0)
    torch.testing.assert_close(actions[1, :, 0].std(), torch.tensor(0.2), atol=0.01, rtol=0)
    assert float(actions[1, :, 2].abs().max()) == 0.0  # padding
    legal = head.real[:, None].repeat(1, 20_000, 1)
    legal[0, :, 2] = False
    assert float(head.uniform(outputs, legal, generator)[0, :, 2].max()) == 0.0
    corners = head.uniform(outputs, None, generator)[1, :, :2].quantile(torch.tensor([0.0, 0.5, 1.0]), dim=0)
    torch.testing.assert_close(corners[:, 0], torch.tensor([-1.0, 0.0, 1.0]), atol=0.05, rtol=0)
