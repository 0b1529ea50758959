"""Robust Nash Q-learning: what must hold whatever the game, from one update to going on after a stop."""

import numpy as np
import pytest

from algos.tabular.q_learning import NashQ, minimax_q, robust_q, with_natures
from algos.tabular.q_sampling import World, climb
from algos.tabular.q_steps import StepSize
from algos.tabular.q_targets import Ahead, Samples
from robust_envs import (
    KL,
    ChiSquared,
    Contamination,
    CVaR,
    Finite,
    L2Ambiguity,
    Linf,
    Scenarios,
    TotalVariation,
    Wasserstein,
)
from robust_envs.envs import MarkovGame, MarkovGameEnv
from robust_envs.sets import joint

RNG = np.random.default_rng(3)
STATES = 3
KERNEL = RNG.dirichlet(np.ones(STATES), (STATES, 2, 2))
GAME = MarkovGame(RNG.standard_normal((2, STATES, 2, 2)), KERNEL, 0.8)
ONWARD = MarkovGame(RNG.standard_normal((2, STATES, 2, 2, STATES)), KERNEL, 0.8)  # rewards of the next state too
ZERO_SUM = MarkovGame(np.stack([GAME.rewards[0], -GAME.rewards[0]]), KERNEL, 0.8)
ALONE = MarkovGame(GAME.rewards[:1, :, :, 0], KERNEL[:, :, 0], 0.8)
BOTH = pytest.mark.parametrize("sampling", ["sweeps", "episodes"])


def same(left, right):
    np.testing.assert_array_equal(left.q, right.q)
    np.testing.assert_array_equal(left.values, right.values)
    for mine, theirs in zip(left.policies, right.policies, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@BOTH
@pytest.mark.parametrize(
    "sets",
    [
        {"transition_set": Contamination(0.0)},
        {"transition_set": TotalVariation(np.zeros((STATES, 2, 2)).tolist())},
        {"transition_set": KL(0.0), "estimator": "plug_in"},
        {"reward_set": 0.0},
        {"reward_set": Linf(0.0)},
        {"reward_set": Finite([(0.0, 0.0, 0.0, 0.0)])},
        {"reward_set": {"player_0": 0.0}, "transition_set": {"player_1": ChiSquared(0.0)}},
        {"transition_set": CVaR(1.0)},
    ],
    ids=str,
)
def test_radius_zero_is_nash_q_bit_for_bit(sampling, sets):
    options = {"sampling": sampling, "seeds": 3}
    same(NashQ(GAME, **sets, **options).learn(60), NashQ(GAME, **options).learn(60))


def test_nash_q_is_hu_and_wellmans_update():
    # By hand: alpha = 1 / (1 + c n), stage values from the tables before this round.
    learner = NashQ(GAME, step_size=StepSize(0.5), seeds=(7,))
    reference = np.zeros((2, STATES, 4))
    rewards = np.asarray(GAME.rewards).reshape(2, STATES, 4)
    rng, world = np.random.default_rng(7), World(GAME)
    rng.random((1, 1))  # the first state
    for n in range(5):
        values = learner.values[0].copy()
        following = climb(world.ladder, rng.random(len(world.ladder))).reshape(STATES, 4)
        alpha = 1 / (1 + 0.5 * n)
        for i in range(2):
            reference[i] = (1 - alpha) * reference[i] + alpha * (rewards[i] + 0.8 * values[i][following])
        learner.learn(1)
        np.testing.assert_allclose(learner.q[0].reshape(2, STATES, 4), reference, rtol=1e-13)


@BOTH
@pytest.mark.parametrize(
    "options",
    [{}, {"transition_set": TotalVariation(0.1)}, {"reward_set": Finite([(0.0,) * 4, (-1.0, 0.0, 0.5, 0.0)])}],
    ids=str,
)
def test_a_seed_learns_the_same_alone_in_company_in_parts_and_after_a_stop(sampling, options, tmp_path):
    options = {**options, "sampling": sampling, "horizon": 7 if sampling == "episodes" else None}
    together = NashQ(GAME, seeds=(4, 9, 2), **options).learn(300)
    alone = NashQ(GAME, seeds=(9,), **options).learn(300)
    np.testing.assert_array_equal(alone.q[0], together.q[1])
    half = NashQ(GAME, seeds=(4, 9, 2), **options).learn(131)
    half.save(tmp_path / "half.npz")
    resumed = NashQ(GAME, seeds=(4, 9, 2), **options).restore(tmp_path / "half.npz").learn(169)
    same(resumed, together)
    assert resumed.rounds == 300
    assert not np.array_equal(together.q[0], together.q[1])


def test_a_multilevel_learner_goes_on_after_a_stop(tmp_path):
    options = {"transition_set": KL(0.1), "estimator": "multilevel", "seeds": 2}
    whole = NashQ(GAME, **options).learn(20)
    NashQ(GAME, **options).learn(9).save(tmp_path / "nine.npz")
    same(NashQ(GAME, **options).restore(tmp_path / "nine.npz").learn(11), whole)


@pytest.mark.parametrize(
    "other",
    [NashQ(GAME, seeds=2), NashQ(GAME, selection="first"), NashQ(ZERO_SUM), NashQ(GAME, transition_set=KL(0.1))],
    ids=["seeds", "selection", "game", "set"],
)
def test_a_learner_of_another_kind_refuses_the_file(other, tmp_path):
    NashQ(GAME).learn(2).save(tmp_path / "q.npz")
    with pytest.raises(ValueError, match="the saved learner has another"):
        other.restore(tmp_path / "q.npz")


def test_a_file_that_lost_an_array_is_refused(tmp_path):
    learner = NashQ(GAME).learn(2)
    learner.save(tmp_path / "whole.npz")
    with np.load(tmp_path / "whole.npz") as file:
        np.savez(tmp_path / "part.npz", **{name: file[name] for name in file if name != "visits"})
    with pytest.raises(ValueError, match="does not hold the arrays"):
        learner.restore(tmp_path / "part.npz")


def test_what_is_no_saved_learner_is_refused(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    np.savez(tmp_path / "newer.npz", head=np.array('{"format": "robust-envs nash-q", "version": 2}'))
    for name, words in (("text", "no saved learner"), ("arrays", "no saved learner"), ("newer", "must be of")):
        with pytest.raises(ValueError, match=words):
            NashQ(GAME).restore(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        NashQ(GAME).restore(tmp_path / "missing.npz")


SETS = [
    Contamination(0.2),
    TotalVariation(0.2),
    KL(0.2),
    ChiSquared(0.2),
    CVaR(0.5),
    L2Ambiguity(0.2),
    Wasserstein(0.2, np.ones((STATES, STATES)) - np.eye(STATES)),
]


def exact(game, members, values):
    ahead = np.asarray(game.rewards, dtype=float)[0].reshape(STATES * 4, -1) + game.discount * values
    return members.worst_case(ahead, np.asarray(game.transitions).reshape(-1, STATES))[0]


@pytest.mark.parametrize("game", [GAME, ONWARD], ids=["r(s,a)", "r(s,a,s')"])
@pytest.mark.parametrize("members", SETS, ids=lambda members: type(members).__name__)
def test_the_plug_in_estimate_is_exact_at_the_true_frequencies(game, members):
    values = np.array([[0.3, -1.0, 2.0]])
    (ahead, _) = Ahead.of_players(game, members, "plug_in")
    places = np.arange(STATES * 4)[None]
    samples = Samples(places, np.zeros_like(places), counts=KERNEL.reshape(1, -1, STATES) * 1e6)
    np.testing.assert_allclose(ahead(values, samples)[0], exact(game, members, values[0]), atol=1e-9)


@pytest.mark.parametrize("game", [GAME, ONWARD], ids=["r(s,a)", "r(s,a,s')"])
@pytest.mark.parametrize("members", SETS[:4], ids=lambda members: type(members).__name__)
def test_the_multilevel_estimate_is_unbiased(game, members):
    runs = 4000
    values = np.tile([0.3, -1.0, 2.0], (runs, 1))
    learner = NashQ(game, transition_set=members, estimator="multilevel", seeds=runs)
    world, streams = learner._world, learner._streams
    even, odd, chance = streams.halves(np.broadcast_to(world.kernel, (runs, *world.kernel.shape)))
    samples = world.everywhere(streams.uniforms(1, len(world.ladder))[0])
    samples = Samples(samples.places, samples.following, halves=(even, odd), chance=chance)
    drawn = learner._ahead[0](values, samples)
    error = drawn.mean(axis=0) - exact(game, members, values[0])
    assert (np.abs(error) < 5 * drawn.std(axis=0) / runs**0.5).all()  # 12 places
    assert drawn.std(axis=0).max() < 20


def test_the_contamination_sample_is_unbiased():
    runs, members = 4000, Contamination(RNG.uniform(0, 0.5, (STATES, 2, 2)).tolist())
    learner = NashQ(ONWARD, transition_set=members, seeds=runs)
    values = np.tile([0.3, -1.0, 2.0], (runs, 1))
    drawn = learner._ahead[0](values, learner._world.everywhere(learner._streams.uniforms(1, 12)[0]))
    flat = Contamination(np.asarray(members.radius).reshape(-1))
    error = drawn.mean(axis=0) - exact(ONWARD, flat, values[0])
    assert (np.abs(error) < 5 * drawn.std(axis=0) / runs**0.5 + 1e-12).all()


def test_samples_fall_as_often_as_the_kernel_says_and_never_where_it_says_never():
    kernel = np.array([[[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]] * 3)
    world = World(MarkovGame(np.zeros((1, 3, 2)), kernel, 0.9))
    drawn = world.everywhere(np.random.default_rng(0).random((4000, 6))).following
    share = (drawn[..., None] == np.arange(3)).mean(axis=0)
    np.testing.assert_allclose(share, kernel.reshape(6, 3), atol=0.04)
    assert (share[kernel.reshape(6, 3) == 0] == 0).all()
    assert climb(np.array([0.0, 1.0]), np.array(0.0)) == 1  # a number 0 does not fall on probability 0


def test_minimax_q_keeps_the_game_zero_sum_and_agrees_with_nash_q():
    learner = minimax_q(ZERO_SUM, seeds=4).learn(200)
    np.testing.assert_allclose(learner.values[:, 0], -learner.values[:, 1], atol=1e-9)
    np.testing.assert_allclose(learner.values, NashQ(ZERO_SUM, seeds=4).learn(200).values, atol=1e-9)


def test_one_player_learns_the_maximum():
    learner = robust_q(ALONE, seeds=3).learn(50)
    np.testing.assert_allclose(learner.values[:, 0], learner.q[:, 0].max(axis=-1))


def test_the_chosen_reward_is_the_least_at_every_place_and_learning_sees_a_constant_only():
    widths = RNG.uniform(0, 1, (STATES, 2, 2))
    robust = NashQ(GAME, reward_set=widths, seeds=2).learn(1)
    certain = NashQ(GAME, seeds=2).learn(1)
    np.testing.assert_allclose(robust.q, certain.q - widths, atol=1e-12)
    np.testing.assert_allclose(NashQ(GAME, reward_set=Linf(0.3)).learn(1).q, NashQ(GAME, reward_set=0.3).learn(1).q)


def test_a_larger_set_is_never_worth_more_to_one_player():
    # The same seeds and frequencies: an ordering without noise.
    worth = [robust_q(ALONE, transition_set=TotalVariation(r), seeds=2).learn(300).values for r in (0.1, 0.2, 0.4)]
    assert (worth[0] > worth[1]).all()
    assert (worth[1] > worth[2]).all()


def test_every_option_matters():
    base = {"transition_set": TotalVariation(0.2), "seeds": 1, "sampling": "episodes", "horizon": 5}
    reference = NashQ(GAME, **base).learn(200).q
    for other in (
        {"transition_set": TotalVariation(0.3)},
        {"reward_set": 0.1},
        {"step_size": StepSize(0.9)},
        {"step_size": StepSize(power=0.7)},
        {"selection": "first"},
        {"exploration": 1.0},
        {"horizon": 3},
        {"sampling": "sweeps"},
        {"seeds": (1,)},
    ):
        assert not np.array_equal(NashQ(GAME, **{**base, **other}).learn(200).q, reference), other


def test_terminal_states_are_worth_nothing_and_episodes_start_again():
    kernel = np.zeros((2, 1, 2))
    kernel[:, 0, 1] = 1.0
    game = MarkovGame([[[1.0], [0.0]]], kernel, 1.0, terminal=[False, True])
    for sampling in ("sweeps", "episodes"):
        learner = NashQ(game, sampling=sampling, reward_set=0.25).learn(40)
        np.testing.assert_allclose(learner.values[0, 0], [0.75, 0.0])
        assert learner.visits[0, 0] == 40


def test_moves_of_an_environment_teach_the_same_as_our_own():
    env, steps = MarkovGameEnv(GAME, horizon=50), 400
    learner = NashQ(GAME, transition_set=TotalVariation(0.1))
    rng = np.random.default_rng(1)
    seen = env.reset(seed=1)[0]
    for _ in range(steps):
        state, actions = int(seen["player_0"]), rng.integers(0, 2, 2)
        seen, *_ = env.step(dict(zip(env.possible_agents, actions, strict=True)))
        learner.update([state], [actions], [int(seen["player_0"])])
        seen = seen if env.agents else env.reset()[0]
    assert learner.visits.sum() == steps
    assert (learner.visits > 0).all()
    values = NashQ(GAME, transition_set=TotalVariation(0.1)).learn(steps // 12).values
    np.testing.assert_allclose(learner.values, values, atol=2.0)
    for wrong in (([3], [[0, 0]], [0]), ([0], [[0, 2]], [0]), ([0, 1], [[0, 0]], [0]), ([0], [[0, 0]], [-1])):
        with pytest.raises(ValueError, match="states, actions and following"):
            learner.update(*wrong)


def test_natures_pay_only_in_their_own_players_coin():
    payoffs = RNG.standard_normal((1, 2, 2, 3, 4))  # two players, 2 x 3 actions, 4 rewards to choose from
    game = with_natures(payoffs)
    assert game.shape == (1, 4, 2, 3, 4, 4)
    assert game[0, 0, 1, 2, 3, 0] == payoffs[0, 0, 1, 2, 3] == game[0, 0, 1, 2, 3, 2]
    assert game[0, 1, 1, 2, 3, 0] == payoffs[0, 1, 1, 2, 0]
    np.testing.assert_allclose(game[:, 2:], -game[:, :2] / 2**20)
    np.testing.assert_array_equal(with_natures(payoffs[:, :1, :, 0])[:, 1], -payoffs[:, 0, :, 0])


def test_failed_stage_games_are_counted_by_seed():
    sexes = MarkovGame.from_matrix([[3, 0], [0, 2]], [[2, 0], [0, 3]], discount=0.5)
    learner = NashQ(sexes, selection="payoff_dominant", seeds=2).learn(10)
    np.testing.assert_array_equal(learner.failures, [10, 10])
    np.testing.assert_array_equal(NashQ(sexes, seeds=2).learn(10).failures, [0, 0])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"transition_set": Linf(0.1)}, TypeError, "transition_set must be a set of distributions"),
        ({"transition_set": TotalVariation([0.1, 0.2, 0.3])}, ValueError, "transition_set's radius must fit"),
        ({"transition_set": {"nobody": KL(0.1)}}, ValueError, "transition_set must be by player"),
        ({"estimator": "guess"}, ValueError, "estimator must be one of auto"),
        ({"transition_set": KL(0.1), "estimator": "sample"}, ValueError, "estimator='sample' is for Contamination"),
        ({"transition_set": KL(0.1), "estimator": "multilevel", "sampling": "episodes"}, ValueError, "sweeps"),
        ({"reward_set": "wide"}, TypeError, "reward_set must be a set of deltas"),
        ({"reward_set": -0.1}, ValueError, "half-widths that are finite and >= 0"),
        ({"reward_set": np.ones(3)}, TypeError, "half-widths that fit"),
        ({"reward_set": joint(Linf(0.1))}, ValueError, "one set for each player and state"),
        ({"reward_set": Finite([(1.0, 0.0)])}, ValueError, "members"),
        ({"reward_set": {"player_0": Finite([(1.0,) * 4]), "player_1": 0.5}}, ValueError, "Finite for every player"),
        ({"reward_set": Finite([(1.0,) * 4]), "selection": "egalitarian"}, ValueError, "whole vector"),
        ({"sampling": "dreams"}, ValueError, "sampling must be sweeps or episodes"),
        ({"exploration": 0.0}, ValueError, r"exploration must be in \(0, 1\]"),
        ({"horizon": 0}, ValueError, "horizon must be a positive int or None"),
        ({"kind": "correlated"}, ValueError, "kind must be one of auto, nash, zero_sum"),
        ({"seeds": 0}, ValueError, "seeds must be a positive int"),
        ({"seeds": (1, -1)}, ValueError, "seeds must be"),
        ({"selection": "good"}, ValueError, "selection must be one of"),
        ({"kind": "zero_sum"}, ValueError, "constant sum"),
    ],
)
def test_bad_options_are_refused_by_name(options, error, words):
    with pytest.raises(error, match=words):
        NashQ(GAME, **options).learn(2)


def test_bad_games_steps_and_rounds_are_refused_by_name():
    with pytest.raises(TypeError, match="game must be a MarkovGame"):
        NashQ(np.zeros(3))
    with pytest.raises(ValueError, match="zero-sum"):
        minimax_q(GAME)
    with pytest.raises(ValueError, match="no uncertainty"):
        minimax_q(ZERO_SUM, reward_set=0.1)
    with pytest.raises(ValueError, match="one player for robust_q, got 2"):
        robust_q(GAME)
    for rounds in (-1, 1.5, True):
        with pytest.raises(ValueError, match="rounds must be an int >= 0"):
            NashQ(GAME).learn(rounds)
    for options in ({"scale": 0.0}, {"scale": np.inf}, {"power": 0.5}, {"power": 1.1}):
        with pytest.raises(ValueError, match="must be"):
            StepSize(**options)


def test_step_sizes_are_those_of_robbins_and_monro():
    visits = np.arange(1_000_000)
    for step in (StepSize(), StepSize(0.3, 0.6)):
        alpha = step.after(visits, 0.9)
        assert alpha[0] == 1.0
        assert (np.diff(alpha) < 0).all()
        assert alpha[:1000].sum() < alpha.sum() / 1.5  # still growing
        assert (alpha[500_000:] ** 2).sum() < 0.03 * (alpha**2).sum()
    assert StepSize().after(10, 0.9) == pytest.approx(1 / 2)
    assert StepSize().after(3, 1.0) == pytest.approx(1 / 4)


def test_scenarios_need_no_radius():
    members = Scenarios([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    values = robust_q(ALONE, transition_set=members, estimator="plug_in").learn(200).values
    assert np.isfinite(values).all()
