"""Coordinates of one name move together, each by its own sign, and are told in one line."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from robust_envs import L2, Interval, Linf
from robust_envs.testing.arena import Arena
from robust_envs.testing.families import families
from robust_envs.testing.problem import scout, with_sensitivity
from robust_envs.testing.shrink import Judge, shrink_rule
from robust_envs.testing.words import Rule, Term

NAMES = ("target_0.x", "target_0.y", "target_1.x", "target_1.y", "wind")


class Targets(gymnasium.Env):
    """Two targets drift away for four steps, there is no wind, and the action is what is paid."""

    observation_space = gymnasium.spaces.Box(-9, 9, (5,), np.float32)
    action_space = gymnasium.spaces.Box(-99, 99, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.t = np.append(self.np_random.normal(size=4), 0.0).astype(np.float32), 0
        return self.at, {}

    def step(self, action):
        self.t, self.at = self.t + 1, np.float32(1.1) * self.at
        return self.at, -float(action[0]), False, self.t == 4, {}


def far(observation):
    """Act as far as the targets seem to be."""
    return np.abs(observation[:4]).sum(keepdims=True)


def problem(members=None, names=NAMES):
    arena = Arena(far, Targets, {"observation": members or Linf(0.1)})
    found, nominal = scout(arena, 0, np.random.default_rng(0))
    found = with_sensitivity(found, nominal)
    return replace(found, places=(replace(found.places[0], names=names, features=names),))


def lost(given, seed, least):
    """Return what tells the margin from a start, where at most so much may be lost."""
    nominal = given.arena.play(lambda move: np.zeros(5), seed).total
    return lambda nature: given.arena.play(nature, seed).total - (nominal - least)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a_0.x", "a_0.y", "a_1.x", "a_1.y", "e"), [("a_*", (0, 1, 2, 3))]),
        (("v.x", "v.y", "joint_1", "joint_2", "e"), [("v.*", (0, 1)), ("joint_*", (2, 3))]),
        (("obs[0]", "obs[1]", "obs[2]", "obs[3]", "obs[4]"), [("obs[*]", (0, 1, 2, 3, 4))]),
        (("x", "y", "x_dot", "wind.x", "wind.y"), [("wind.*", (3, 4))]),
        (("x", "y", "x_dot", "y_dot", "e"), []),
    ],
)
def test_coordinates_are_of_one_family_where_they_differ_in_a_number_or_an_axis(names, told):
    (place,) = problem(names=names).places
    assert [tuple(family) for family in families(place)] == told


def test_what_cannot_go_by_its_own_sign_has_no_family():
    (place,) = problem().places
    (uneven,) = problem(Interval([-0.1] * 5, [0.2] * 5)).places
    assert families(place)
    assert not families(uneven)
    (round_,) = problem(L2(0.1)).places
    assert not families(round_)  # how far one goes says how far the others may
    assert not families(replace(place, features=tuple("abcde")))  # what moves is not what is seen
    (calm,) = problem(names=("x", "y", "x_dot", "wind_0", "wind_1")).places
    assert not families(replace(calm, varies=np.array([1.0, 1.0, 1.0, 0.0, 0.0, 1.0])))


def test_a_family_moves_each_of_its_coordinates_by_its_own_sign_and_leaves_the_others():
    given = problem()
    rule = Rule((Term(0, -1, 0, -1),))
    assert rule.text(given) == "delta[target_*] = -0.1 * sign(target_*)"
    assert rule.to_json(given)["families"] == {"target_*": [0, 1, 2, 3]}
    for one, sign in ((rule, -1), (rule.flipped(), 1)):
        episode, trace = given.arena.record(one.nature(given), 3)
        signs = np.sign(episode.states()[0])
        np.testing.assert_allclose(trace.moves["observation", "agent_0"].chosen[0], sign * 0.1 * signs)


def test_a_family_of_several_sizes_is_told_without_them():
    given = problem(Linf(0.1, unit=(1.0, 2.0, 1.0, 1.0, 1.0)))
    assert Rule((Term(0, -1, 0, 1),)).text(given) == "delta[target_*] = radius * sign(target_*)"


def test_a_family_is_found_where_no_single_coordinate_does_it():
    given = problem()
    found = shrink_rule(given, Judge(lost(given, 0, 1.5), 100), {}, [lost(given, k, 1.5) for k in range(1, 6)])
    assert found == Rule((Term(0, -1, 0, 1),))
    unseen = lost(given, 99, 1.5)
    assert unseen(found.nature(given)) < 0 <= unseen(found.flipped().nature(given))


def test_a_family_is_never_added_to_one_of_its_coordinates():
    given, weights = problem(), []

    def never(nature):
        weights.append(nature.parts["observation", "agent_0"].weights)
        return 1.0

    assert shrink_rule(given, Judge(never, 300), {}) is None
    whole = [one for one in weights if np.diag(one[:4, :4]).all()]
    assert whole
    assert all(np.count_nonzero(one[:4]) == 4 for one in whole)


def test_a_family_of_all_agents_is_told_in_the_environment_s_words():
    simple_spread_v3 = pytest.importorskip("mpe2.simple_spread_v3")
    arena = Arena(lambda seen: 2, lambda: simple_spread_v3.parallel_env(max_cycles=3), {"observation": Linf(0.3)})
    given, _ = scout(arena, 0, np.random.default_rng(0))
    assert [family.name for family in families(given.places[0])] == ["velocity.*", "landmark_*"]
    rule = Rule((Term(-1, -2, 4, -1),))  # nobody moves along y, and all alike: what the others do never changes
    assert rule.text(given) == "each agent's observation: delta[landmark_*] = -0.3 * sign(landmark_*)"
    assert len(rule.rows(given)) == 3 * 6
