import numpy as np
import pytest
import torch

from algos.deep.games import Team
from algos.deep.heads import NumpyHead, TorchHead

CPU = torch.device("cpu")


@pytest.fixture
def mixed(toys):
    return Team.of(toys.mixed_game(), "tanh")


@pytest.fixture
def simplex(toys):
    seats = toys.team_of(a=(toys.box(1), toys.box(3, 0.0, 1.0)), b=(toys.box(1), toys.box(2, 0.0, 1.0)))
    return Team.of(toys.Toy(*seats, None), "softmax")


def outputs_of(team, seed=0):
    return np.random.default_rng(seed).normal(size=team.real_actions.shape).astype(np.float32)


def test_torch_and_numpy_heads_agree_where_neither_explores(mixed, simplex):
    for team, soft in ((mixed, [1]), (simplex, [0, 1])):  # a discrete agent acts with the mode, learns with softmax
        outputs = outputs_of(team)
        learnt = TorchHead(team, CPU)(torch.from_numpy(outputs)[:, None])[:, 0].numpy()
        acted = NumpyHead(team, noise=0.1).greedy(outputs, team.real_actions)
        np.testing.assert_allclose(acted[soft], learnt[soft], rtol=1e-5, atol=1e-6)


def test_padding_is_zero(mixed, simplex):
    rng = np.random.default_rng(0)
    for team in (mixed, simplex):
        outputs, head = outputs_of(team), NumpyHead(team, noise=0.5)
        learnt = TorchHead(team, CPU)(torch.from_numpy(outputs)[:, None])[:, 0].numpy()
        acts = (head.greedy(outputs, team.real_actions), head.sample(outputs, team.real_actions, rng))
        for actions in (learnt, *acts, head.uniform(outputs, team.real_actions, rng)):
            assert not actions[~team.real_actions].any()


def test_discrete_samples_have_the_softmax_frequencies(toys):
    team = Team.of(toys.matrix_game(np.zeros((3, 3))), "tanh")
    outputs, rng = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]], np.float32), np.random.default_rng(0)
    head = NumpyHead(team, noise=0.0)
    mean = np.mean([head.sample(outputs, team.real_actions, rng) for _ in range(20_000)], axis=0)
    weights = np.exp(outputs)
    np.testing.assert_allclose(mean, weights / weights.sum(axis=1, keepdims=True), atol=0.02)


def test_agents_draw_different_noise(toys):
    team = Team.of(toys.matrix_game(np.zeros((8, 8))), "tanh")
    head, rng = NumpyHead(team, noise=0.0), np.random.default_rng(0)
    samples = [head.sample(np.zeros((2, 8), np.float32), team.real_actions, rng).argmax(1) for _ in range(50)]
    assert any(a != b for a, b in samples)


def test_illegal_actions_are_never_taken_nor_given_weight(mixed):
    legal = mixed.real_actions.copy()
    legal[2] = [False, True, False, False]
    legal[0] = [True, False, False, False]
    outputs, rng = outputs_of(mixed) * 10, np.random.default_rng(0)
    head = NumpyHead(mixed, noise=0.1)
    draws = [draw(outputs, legal, rng) for draw in (head.sample, head.uniform) for _ in range(50)]
    for actions in [head.greedy(outputs, legal), *draws]:
        assert actions[2].tolist() == [0, 1, 0, 0]
        assert actions[0].tolist() == [1, 0, 0, 0]
    learnt = TorchHead(mixed, CPU)(torch.from_numpy(outputs)[:, None], torch.from_numpy(legal)[:, None])
    assert learnt[2, 0].tolist() == [0, 1, 0, 0]


def test_simplex_samples_are_on_the_simplex_and_vary(simplex):
    head, rng, outputs = NumpyHead(simplex, noise=0.0), np.random.default_rng(0), outputs_of(simplex)
    first, second = (head.sample(outputs, simplex.real_actions, rng) for _ in range(2))
    np.testing.assert_allclose(first.sum(axis=1), 1.0, rtol=1e-5)
    assert (first >= 0).all()
    assert not np.allclose(first, second)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_box_noise_has_the_declared_size_and_stays_in_the_box(toys, noise):
    seats = toys.team_of(a=(toys.box(1), toys.box(2)), b=(toys.box(1), toys.box(2)))
    team = Team.of(toys.Toy(*seats, None), "tanh")
    head, rng, outputs = NumpyHead(team, noise=noise), np.random.default_rng(0), np.zeros((2, 2), np.float32)
    draws = np.array([head.sample(outputs, team.real_actions, rng) for _ in range(4000)])
    np.testing.assert_allclose(draws.std(axis=0), noise, atol=0.01)
    assert np.abs(head.sample(outputs + 9, team.real_actions, rng)).max() <= 1.0


def test_before_learning_box_actions_are_uniform(toys):
    seats = toys.team_of(a=(toys.box(1), toys.box(2)))
    team = Team.of(toys.Toy(*seats, None), "tanh")
    head, rng, outputs = NumpyHead(team, noise=0.0), np.random.default_rng(0), np.full((1, 2), 3.0, np.float32)
    draws = np.array([head.uniform(outputs, team.real_actions, rng) for _ in range(4000)])
    np.testing.assert_allclose(np.quantile(draws, [0.0, 0.25, 0.5, 0.75, 1.0]), [-1, -0.5, 0, 0.5, 1], atol=0.05)
