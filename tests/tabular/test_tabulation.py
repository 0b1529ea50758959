"""Policies as tables, certified; equilibria at several radii, on disk and drawn."""

import json

import numpy as np
import pytest

from algos.tabular import is_equilibrium, radius_path, robust_exploitability, tabulate
from algos.tabular.plots import plot_path
from robust_envs import Contamination, Linf
from robust_envs.envs import MarkovGameEnv, exposure, named_game


class Coin:
    def predict(self, observation, deterministic=True):
        return (0 if deterministic else int(self.rng.integers(2))), None

    rng = np.random.default_rng(0)


def test_callables_predictors_and_dicts_become_tables():
    game = named_game("coordination-under-risk")
    table = tabulate({"player_0": Coin(), "player_1": lambda state: 1 - int(state)}, game)
    np.testing.assert_array_equal(table[0], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(table[1], [[0, 1], [1, 0]])


def test_asking_often_gives_frequencies():
    table = tabulate(Coin(), named_game("matching-pennies"), samples=2000)
    np.testing.assert_allclose(table[0], 0.5, atol=4 * 0.5 / 2000**0.5)


def test_a_trained_team_is_certified():
    pytest.importorskip("torch")
    from algos import MADDPG, MADDPGConfig

    game = named_game("prisoners-dilemma")
    config = MADDPGConfig(
        hidden_sizes=(16,), batch_size=64, learning_starts=64, update_every=4, actor_learning_rate=0.01
    )
    trainer = MADDPG(MarkovGameEnv(game, horizon=5), config, seed=0)
    trainer.learn(600)
    table = tabulate(trainer, game)
    assert table[0].sum() == table[1].sum() == 1
    assert is_equilibrium(game, table)  # to defect is dominant, and nothing else is an equilibrium
    assert robust_exploitability(game, table, reward_set=Linf(1.0)).max() == 0


@pytest.mark.parametrize(
    ("policy", "samples", "error", "message"),
    [
        (3, None, TypeError, "policy must have predict"),
        (lambda state: 0, 0, ValueError, "samples must be a positive int or None, got samples=0"),
        (lambda state: 2, None, ValueError, r"actions in 0..1, got 2 from player_0 in state 0"),
        (lambda state: 0.5, None, ValueError, "got 0.5 from player_0"),
    ],
)
def test_what_is_no_policy_of_the_game_is_refused(policy, samples, error, message):
    with pytest.raises(error, match=message):
        tabulate(policy, named_game("chicken"), samples=samples)


def path_of(radii):
    name = "coordination-under-risk"
    return radius_path(named_game(name), radii, transition_set=lambda radius: Contamination(radius * exposure(name)))


def test_a_path_says_where_the_equilibrium_moved_and_keeps_it(tmp_path):
    path = path_of((0.0, 0.1, 0.2))
    assert path.moved() == (0, 0, 1)
    np.testing.assert_allclose(path.values()[:, 0], [20, 2 / 0.19, 10], atol=1e-8)
    saved = json.loads(path.save(tmp_path / "deep" / "path.json").read_text())
    assert [row["status"] for row in saved["solutions"]] == ["converged"] * 3
    assert saved["solutions"][2]["policies"][0][0] == [0, 1]


def test_a_path_is_drawn_with_a_line_for_every_action(tmp_path):
    path = path_of((0.0, 0.2))
    figure = plot_path(path, tmp_path / "path.png", title="risk")
    assert (tmp_path / "path.png").stat().st_size > 10_000
    lines = {line.get_label(): line.get_ydata().tolist() for line in figure.axes[1].get_lines()}
    assert lines == {"high": [1, 0], "low": [0, 1]}


def test_paths_without_radii_or_sets_are_refused():
    for radii in ((), (-0.1,), (np.nan,)):
        with pytest.raises(ValueError, match="radii must be finite and >= 0"):
            path_of(radii)
    with pytest.raises(ValueError, match="reward_set or transition_set must be given"):
        radius_path(named_game("chicken"), [0.1])
