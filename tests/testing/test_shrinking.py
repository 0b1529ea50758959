"""Shrinking: nothing that is left can be left out, and what was reached is kept when it must stop."""

import gymnasium
import numpy as np
import pytest
from breakable import Drift, home
from hypothesis import given
from hypothesis import strategies as st

from robust_envs import L2, Ellipsoid, Finite, Interval, Linf
from robust_envs.testing import PerturbedStep, falsify, returns_at_least, wilson
from robust_envs.testing.arena import Arena
from robust_envs.testing.lattice import Q, decode, encode
from robust_envs.testing.moves import script_of, steps_of
from robust_envs.testing.problem import scout, with_sensitivity
from robust_envs.testing.shrink import Judge, shrink_rule, shrink_steps
from robust_envs.testing.words import Rule, Term

PLACE = ("observation", "agent_0")


def listed(numbers):
    return [PerturbedStep(t, "agent_0", "observation", tuple(row)) for t, row in enumerate(numbers) if any(row)]


def harm(steps):
    return sum(abs(number) for step in steps for number in step.integers)


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=30),
    st.integers(1, 40),
)
def test_what_is_left_is_one_minimal(numbers, bound):
    steps = listed(numbers)
    if harm(steps) < bound:
        return
    found = shrink_steps(steps, Judge(lambda some: bound - 0.5 - harm(some), 10_000), list)
    assert found.one_minimal
    assert harm(found.steps) >= bound
    cells = [(i, k) for i, step in enumerate(found.steps) for k, number in enumerate(step.integers) if number]
    for i, k in cells:
        row = list(found.steps[i].integers)
        row[k] = 0
        less = [*found.steps[:i], found.steps[i]._replace(integers=tuple(row)), *found.steps[i + 1 :]]
        assert harm(less) < bound


def test_coordinates_that_do_no_harm_go_at_once_at_all_times():
    steps = listed([tuple(range(1, 31))] * 40)  # only number 7 does any harm, and has to be there always

    def margin(some):
        return 39.5 - sum(step.integers[7] != 0 for step in some)

    judge = Judge(margin, 10_000)
    found = shrink_steps(steps, judge, list)
    assert found.one_minimal
    assert all(sum(map(bool, step.integers)) == 1 for step in found.steps)
    assert found.episodes < 40 * 30 / 4  # one by one there are 1,200 numbers to leave out


def test_the_sparser_of_two_traces_is_kept():
    given = {"observation": Linf(0.3), "property": returns_at_least(16.0), "shrink_rules": 0, "unseen": 0}
    result = falsify(home, Drift, **given)
    assert result.shrunk.one_minimal
    alone = []
    for trace in (result.first.trace, result.worst_trace):
        arena = Arena(home, Drift, {"observation": Linf(0.3)})
        problem, nominal = scout(arena, result.env_seed, np.random.default_rng(0))
        steps = steps_of(problem, trace, Q)

        def play(nature, arena=arena, nominal=nominal):
            return given["property"].margin(arena.play(nature, result.env_seed), nominal)

        def script(some, problem=problem):
            return script_of(problem, some, Q)

        if play(script(steps)) < 0:
            alone.append(shrink_steps(steps, Judge(play, 1000), script).size)
    assert result.shrunk.size == min(alone)


def test_sizes_shrink_together_as_far_as_the_violation_lasts():
    found = shrink_steps(listed([(100, 0)]), Judge(lambda some: 30.5 - harm(some), 1000), list)
    assert found.steps == (PerturbedStep(0, "agent_0", "observation", (31, 0)),)


def test_choices_go_whole_and_keep_their_names():
    wanted = PerturbedStep(5, "agent_0", "observation", (0,))
    steps = [*listed([(2,), (1,), (2,)]), wanted]
    found = shrink_steps(steps, Judge(lambda some: 0.5 - (wanted in some), 1000), list, named={PLACE})
    assert found.steps == (wanted,)


@pytest.mark.parametrize("budget", [0, 1, 3, 8])
def test_a_spent_budget_leaves_the_best_so_far(budget):
    steps = listed([(1, 1)] * 20)
    found = shrink_steps(steps, Judge(lambda some: 4.5 - harm(some), budget), list)
    assert found.episodes == budget
    assert not found.one_minimal
    assert harm(found.steps) >= 5


def test_an_interrupt_leaves_the_best_so_far():
    asked = []

    def play(some):
        asked.append(some)
        if len(asked) == 5:
            raise KeyboardInterrupt
        return 2.5 - harm(some)

    found = shrink_steps(listed([(1, 0)] * 16), Judge(play, 1000), list)
    assert not found.one_minimal
    assert 3 <= len(found.steps) < 16


def test_a_budget_of_none_leaves_the_trace_as_it_was_found():
    result = falsify(
        home, Drift, observation=Linf(0.3), property=returns_at_least(16.0), shrink_rules=0, shrink_traces=0
    )
    assert result.shrunk is None
    assert result.rule is None
    assert result.trace == result.first.trace


@given(st.lists(st.integers(-256, 256), min_size=2, max_size=2))
def test_lattice_points_survive_the_way_there_and_back(integers):
    for members in (Linf(0.3, unit=(1.0, 0.1)).bind(2), Interval(-0.1, 0.7).bind(2)):
        delta = decode(integers, members)
        assert members.contains(delta)
        assert encode(delta, members) == tuple(integers)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=2))
def test_rounding_to_the_lattice_stays_in_the_set(numbers):
    for members in (L2(0.5).bind(2), Ellipsoid([[4.0, 0.0], [0.0, 9.0]]).bind(2), Interval(0.1, 0.4).bind(2)):
        delta = members.project(np.array(numbers))
        near = decode(encode(delta, members), members)
        assert members.contains(near)
        assert np.abs(near - delta).max() <= 0.02


def test_members_and_choices_are_named_by_number():
    members = Finite([[0.5], [-0.25]]).bind(1)
    assert encode(np.array([-0.25]), members) == (2,)
    assert decode((1,), members) == pytest.approx([0.5])
    with pytest.raises(ValueError, match="one of 2 members"):
        decode((3,), members)


def test_wilson_s_interval_is_that_of_the_literature():
    # Newcombe (1998), Two-sided confidence intervals for the single proportion, table I: 81 of 263
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    # the same table: 15 of 148 and 0 of 20
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


class Leaning:
    """A policy whose actions answer two coordinates one way and the third the other."""

    def predict(self, observation, deterministic=True):
        return np.array([observation[0] + observation[1] - 2 * observation[2], 0.01 * observation[0]], np.float32), None


class Still(gymnasium.Env):
    """Stay where it began; pay minus the first action."""

    observation_space = gymnasium.spaces.Box(-9, 9, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-9, 9, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.t = self.np_random.normal(size=3).astype(np.float32), 0
        return self.at, {}

    def step(self, action):
        self.t += 1
        return self.at, -float(action[0]), False, self.t == 5, {}


def still(policy=None, members=None):
    arena = Arena(policy or Leaning(), Still, {"observation": members or Linf(0.1)})
    problem, nominal = scout(arena, 0, np.random.default_rng(0))
    return with_sensitivity(problem, nominal)


def test_a_pushing_rule_moves_each_coordinate_as_it_moves_the_action():
    problem = still()
    (place,) = problem.places
    assert place.ways == (0,)  # the second action hardly moves
    rule = Rule((Term(0, 3, 3, 1),))
    assert rule.pushes(problem)
    assert rule.text(problem) == "delta[obs[0], obs[1], obs[2]] = (0.1, 0.1, -0.1)"
    assert rule.flipped().text(problem) == "delta[obs[0], obs[1], obs[2]] = (-0.1, -0.1, 0.1)"
    assert rule.to_json(problem)["pushes"] == {"observation|agent_0": {"0": [1, 1, -1]}}
    _, trace = problem.arena.record(rule.nature(problem), 0)
    np.testing.assert_allclose(trace.moves["observation", "agent_0"].chosen, [[0.1, 0.1, -0.1]] * 6)
    uneven = still(members=Interval([-0.1] * 3, [0.2] * 3))
    assert Rule((Term(0, 3, 1, -1),)).text(uneven) == "delta pushes action 0 by -sign(obs[1])"
    assert rule.flipped().text(uneven) == "delta pushes action 0 down"


def test_one_push_says_what_no_single_coordinate_can_do():
    arena = Arena(Leaning(), Still, {"observation": Linf(0.1)})
    _, nominal = scout(arena, 0, np.random.default_rng(0))
    result = falsify(
        Leaning(), Still, observation=Linf(0.1), property=returns_at_least(nominal.total - 1.9), env_seed=0
    )
    assert result.rule.terms == 1
    assert result.rule.text.startswith("delta[obs[0], obs[1], obs[2]] = (")
    assert result.rule.transfer.control == 0


def test_of_rules_that_break_this_start_the_one_that_breaks_others_is_told():
    problem = still()

    def second(nature):
        _, trace = problem.arena.record(nature, 0)
        return trace.moves["observation", "agent_0"].chosen[0] @ [0, 10, 0]

    def here(nature):  # moving the second coordinate breaks, either way
        return 0.5 - abs(second(nature))

    def there(nature):  # moving it up
        return 0.5 - second(nature)

    judge = Judge(here, 200)
    found = shrink_rule(problem, judge, {}, [there] * 3)
    assert there(found.nature(problem)) < 0
    assert len(found.terms) == 1
    assert not found.pushes(problem)
    assert judge.used <= 32 + 2 * (8 + 4 + 3)  # and the opposites


def test_of_rules_that_break_all_starts_the_one_whose_opposite_does_no_harm_is_told():
    problem = still()

    def anywhere(nature):  # the first coordinate breaks either way, and by more than the second, which breaks upwards
        _, trace = problem.arena.record(nature, 0)
        first, second, _ = 10 * trace.moves["observation", "agent_0"].chosen[0]
        return 0.5 - max(2 * abs(first), second)

    found = shrink_rule(problem, Judge(anywhere, 200), {}, [anywhere] * 3)
    assert {term.row for term in found.terms} == {1}
    assert anywhere(found.nature(problem)) < 0 <= anywhere(found.flipped().nature(problem))


def test_mirrored_actions_are_one_way_to_push():
    class Sided:
        def predict(self, observation, deterministic=True):
            lean = observation[0] - observation[1]
            return np.array([lean, -lean], np.float32), None

    (place,) = still(Sided()).places
    assert place.ways == (0,)
    np.testing.assert_allclose(place.pushes[:, :2], [[1, -1], [-1, 1]], atol=1e-6)


def test_a_flipped_rule_does_the_opposite():
    rule = Rule((Term(0, 0, 0, 1), Term(0, 0, 1, -2)))
    assert rule.flipped() == Rule((Term(0, 0, 0, -1), Term(0, 0, 1, 2)))
    assert rule.flipped().flipped() == rule
