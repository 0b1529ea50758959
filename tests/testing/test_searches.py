"""Each search by name, and searches of the user's."""

import importlib.util
from collections import Counter
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from breakable import Drift, Pair, home, pair_home

from robust_envs import Interval, Linf
from robust_envs.natures import Move
from robust_envs.testing import falsify, returns_at_least
from robust_envs.testing.arena import Arena
from robust_envs.testing.gradients import gradient_of
from robust_envs.testing.problem import scout, with_sensitivity
from robust_envs.testing.rules import Feedback, RuleNature, Window
from robust_envs.testing.search import SEARCHES, make_search
from robust_envs.testing.search.decode import Decoder, directions, modes

QUICK = {"shrink_rules": 0, "shrink_traces": 0, "unseen": 0}


class Linear:
    """A policy with a gradient."""

    def predict(self, observation, deterministic=True):
        return -np.asarray(observation), None

    def gradient(self, observation, weights):
        return -np.asarray(weights)


def problem_of(policy=home, make=Drift, **channels):
    arena = Arena(policy, make, channels or {"observation": Linf(0.3)})
    problem, nominal = scout(arena, 0, np.random.default_rng(0))
    return with_sensitivity(problem, nominal)


@pytest.mark.parametrize("search", [name for name in SEARCHES if name not in ("cma", "best_response")])
def test_every_search_breaks_what_is_easy_to_break(search):
    result = falsify(
        Linear(), Drift, observation=Linf(0.3), property=returns_at_least(17.5), search=search, max_episodes=60, **QUICK
    )
    assert result.found
    assert result.episodes_to_first == result.searched


def test_cma_is_asked_for_where_it_is_missing_and_works_where_it_is_there():
    given = {"observation": Linf(0.3), "property": returns_at_least(16.0), "search": "cma", "max_episodes": 60}
    if importlib.util.find_spec("cma") is None:
        with pytest.raises(ImportError, match=r"robust-envs\[cma\]"):
            falsify(home, Drift, **given, **QUICK)
    else:
        assert falsify(home, Drift, **given, **QUICK).found


def test_a_trained_adversary_breaks_too_and_counts_its_episodes():
    pytest.importorskip("stable_baselines3")
    result = falsify(
        home, Drift, observation=Linf(0.5), property=returns_at_least(12.0), search="best_response", max_episodes=900
    )
    assert result.found
    assert result.episodes["best_response"] == result.episodes_to_first > 10
    assert result.shrunk is not None


def test_auto_keeps_its_shares_and_says_who_found():
    problem = problem_of(Linear())
    name, made = make_search("auto", problem)
    asked = Counter()
    for _ in range(200):
        nature = made.ask()
        asked[made.source(nature)] += 1
        made.tell(nature, 0.0)
    assert name == "auto"
    assert asked["pgd"] <= 3
    shares = {"signs": 0.3, "steer": 0.2, "cem": 0.2, "cem full": 0.15, "segments": 0.15}
    for who, share in shares.items():
        assert asked[who] / 200 == pytest.approx(share, abs=0.02)


class Bent:
    """A policy whose answer bends: the product of what it sees."""

    def predict(self, observation, deterministic=True):
        return np.array([observation[0] * observation[1]], np.float32), None


class Level(gymnasium.Env):
    """Stand at (1, 1) for three steps."""

    observation_space = gymnasium.spaces.Box(-9, 9, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-99, 99, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.ones(2, np.float32), {}

    def step(self, action):
        self.t += 1
        return np.ones(2, np.float32), 0.0, False, self.t == 3, {}


def test_steering_begins_with_the_corner_that_moves_the_action_most_and_so_does_auto():
    for name in ("steer", "auto"):
        problem = problem_of(Bent(), Level, observation=Linf(0.5))
        _, search = make_search(name, problem)
        _, trace = problem.arena.record(search.ask(), 0)
        deltas = trace.moves["observation", "agent_0"].chosen
        np.testing.assert_allclose(deltas, 0.5)  # 1.5 * 1.5 - 1 is further than 0.5 * 0.5 - 1 and 0.5 * 1.5 - 1


def test_steering_begins_the_same_whatever_the_seed_and_draws_nothing_for_it():
    problem = problem_of(observation=Linf(0.3))
    before = problem.rng.bit_generator.state
    first = make_search("steer", problem)[1].ask()
    assert problem.rng.bit_generator.state == before
    again = make_search("steer", replace(problem, rng=np.random.default_rng(5)))[1].ask()
    assert problem.arena.play(first, 3).sha256 == problem.arena.play(again, 3).sha256


def test_a_search_of_the_user_s_may_start_from_the_problem():
    class Constant:
        def __init__(self, problem):
            self.sides = [place.members.bounds.low for place in problem.places]
            self.told = []

        def ask(self):
            if len(self.told) == 3:
                raise StopIteration
            return lambda move: self.sides[0]

        def tell(self, nature, margin):
            self.told.append(margin)

    result = falsify(home, Drift, observation=Linf(0.3), property=returns_at_least(-99.0), search=Constant)
    assert not result.found
    assert result.searched == 3


def test_the_cross_entropy_moves_towards_small_margins():
    problem = problem_of()
    _, made = make_search("cem", problem)
    before = made.mean.copy()
    for _ in range(12 * 5):
        nature = made.ask()
        made.tell(nature, float(np.abs(nature.parts["observation", "agent_0"].weights[0, -1] - 3.0)))
    weights = made.decoder.nature(made.mean).parts["observation", "agent_0"].weights
    assert abs(weights[0, -1] - 3.0) < 1.0 < abs(before[0] - 3.0)


def test_the_cross_entropy_grows_its_sets_when_patience_ends_and_comes_back_as_it_breaks():
    problem = problem_of()
    _, made = make_search("cem", problem)
    reaches = []
    for margin in [1.0] * 8 + [-1.0] * 4:
        for _ in range(12):
            nature = made.ask()
            made.tell(nature, margin)
        reaches.append(nature.reach)
        arena, moves = problem.arena, []
        arena.play(
            lambda move, nature=nature, moves=moves: moves.append(nature(move)) or moves[-1], 0, reach=nature.reach
        )
        assert max(abs(delta[0]) for delta in moves) <= 0.3 * nature.reach
    assert reaches[:8] == [1.0] * 8
    assert reaches[8:] == pytest.approx([2.0, 1.6, 1.28, 1.024])
    assert not falsify(
        home, Drift, observation=Linf(0.1), property=returns_at_least(17.9), search="cem", max_episodes=130
    ).found


def test_the_policy_is_asked_which_way_each_coordinate_moves_it():
    (place,) = problem_of().places
    assert place.sensitivity == pytest.approx(np.array([[-0.3]]))  # a = -x, moved by 0.3
    assert directions(place) == pytest.approx(np.array([[1.0]]))
    left, right = problem_of(pair_home, Pair).places
    assert np.abs(left.sensitivity[0, 1]) < 1e-9 < np.abs(left.sensitivity[0, 0])
    assert (left.sensitivity == right.sensitivity).all()


def test_agents_play_rules_of_their_own_or_one_or_look_through_all_eyes():
    problem = problem_of(pair_home, Pair)
    assert modes(problem) == ("own", "shared", "coalition")
    sizes = {mode: Decoder(problem, mode=mode).size for mode in modes(problem)}
    assert sizes == {"own": 2 * 2 * 3, "shared": 2 * 3, "coalition": 2 * 2 * 5}
    assert modes(problem_of()) == ("own",)


def move(members, seen=(0.5,), step=0):
    return Move(
        "observation", "agent_0", step, np.zeros(members.dim), members, np.array(seen), np.random.default_rng(0)
    )


def test_a_sign_rule_goes_to_the_border_and_tanh_part_of_the_way():
    members = Interval(-0.1, 0.3).bind(1)
    weights = np.array([[2.0, 0.0]])
    assert Feedback(weights, members)(move(members)) == pytest.approx([0.3])
    assert Feedback(-weights, members)(move(members)) == pytest.approx([-0.1])
    assert Feedback(weights, members, squash="tanh")(move(members)) == pytest.approx([0.3 * np.tanh(1.0)])
    assert Feedback(0 * weights, members)(move(members)) == pytest.approx([0.0])


def test_a_rule_rests_outside_its_window_and_where_it_has_no_part():
    members = Linf(0.2).bind(1)
    rule = Feedback(np.array([[0.0, 1.0]]), members, window=Window(2, 3))
    assert [float(rule(move(members, step=t))[0]) for t in range(6)] == [0, 0, 0.2, 0.2, 0.2, 0]
    assert RuleNature({})(move(members)) == pytest.approx([0.0])


def test_gradients_of_torch_policies_are_those_of_autograd():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 2)
    slope = gradient_of(layer, "agent_0")
    assert slope(np.ones(3), np.array([0.0, 1.0])) == pytest.approx(layer.weight[1].detach().numpy())
    assert gradient_of({"other": layer}, "agent_0") is None
    assert gradient_of({"agent_0": Linear()}, "agent_0")(np.ones(1), np.ones(1)) == pytest.approx([-1.0])


def test_every_policy_that_gradient_attacks_know_can_be_pushed():
    pytest.importorskip("stable_baselines3")
    from stable_baselines3 import DQN, SAC

    for model in (
        DQN("MlpPolicy", "CartPole-v1", seed=0, buffer_size=9),
        SAC("MlpPolicy", "Pendulum-v1", seed=0, buffer_size=9),
    ):
        seen = model.observation_space.sample()
        slope = gradient_of(model, "agent_0")(seen, np.array([1.0, -1.0] if isinstance(model, DQN) else [1.0]))
        assert slope.shape == seen.shape
        assert np.abs(slope).max() > 0
