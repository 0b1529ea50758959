"""Laws of falsification, on tasks whose worst perturbation is known."""

import gymnasium
import numpy as np
import pytest
from breakable import Drift, Pair, Walk, home, pair_home
from pettingzoo.utils.conversions import parallel_to_aec

from robust_envs import (
    L1,
    L2,
    Budgeted,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Replay,
    Switch,
    joint,
    per_episode,
    robust,
)
from robust_envs.evaluation.rollouts import play
from robust_envs.testing import falsify, returns_at_least, robust_radius, worst_agent_at_least
from robust_envs.testing.arena import Arena
from robust_envs.testing.problem import scout, with_sensitivity
from robust_envs.testing.search import SEARCHES, make_search

UNREACHABLE = returns_at_least(-1e6)
QUICK = {"shrink_rules": 0, "shrink_traces": 0, "unseen": 0}
SINGLE = {
    "linf": (Drift, home, {"observation": Linf(0.3)}),
    "interval": (Drift, home, {"observation": Interval(-0.1, 0.3)}),
    "off nominal": (Drift, home, {"observation": Interval(0.1, 0.3)}),
    "finite": (Drift, home, {"observation": Finite([[-0.2], [0.1]])}),
    "budget l1": (Drift, home, {"observation": per_episode(L1(1.0))}),
    "budget l2": (Drift, home, {"action": per_episode(L2(1.0))}),
    "reward": (Drift, home, {"reward": L2(0.2)}),
    "action": (Drift, home, {"action": Linf(0.2), "observation": L1(0.1)}),
    "choices": (Walk, lambda seen: 0, {"action": Finite([0, 1])}),
    "switch": (Walk, lambda seen: 1, {"action": Switch(0.5)}),
}
TEAM = {
    "l2": {"observation": L2(0.3)},
    "ellipsoid": {"observation": Ellipsoid([[4.0, 0.0], [0.0, 9.0]])},
    "budgeted": {"observation": Budgeted(0.2, 1)},
    "joint": {"observation": joint(L2(0.5))},
    "joint reward": {"reward": joint(L1(0.5))},
    "one agent": {"observation": {"left": Linf(0.2)}},
}
NAMES = [name for name in SEARCHES if name not in ("cma", "best_response", "pgd", "steer")]


def cases():
    return [(make, policy, channels) for make, policy, channels in SINGLE.values()] + [
        (Pair, pair_home, channels) for channels in TEAM.values()
    ]


@pytest.mark.parametrize("search", NAMES)
@pytest.mark.parametrize("case", cases(), ids=[*SINGLE, *TEAM])
def test_nothing_leaves_the_set(case, search):
    make, policy, channels = case
    arena = Arena(policy, make, channels)
    problem, nominal = scout(arena, 0, np.random.default_rng(0))
    _, made = make_search(search, with_sensitivity(problem, nominal))
    for _ in range(25):
        nature = made.ask()
        _, trace = arena.record(nature, 0)  # robust() itself raises for what its sets do not hold
        made.tell(nature, 0.0)
    for place in problem.places:
        executed = trace.moves[place.label].executed
        if not place.choice and place.budget is None:
            assert place.members.contains(executed, tolerance=1e-12).all()
        if place.budget is not None:
            assert place.budget.plan_contains(executed, tolerance=1e-9)


@pytest.mark.slow
def test_nothing_leaves_the_set_in_a_million_steps():
    arena = Arena(pair_home, lambda: Pair(50), {"observation": L2(0.3), "reward": joint(L1(0.5))})
    problem, nominal = scout(arena, 0, np.random.default_rng(0))
    _, made = make_search("auto", with_sensitivity(problem, nominal))
    steps = 0
    while steps < 1_000_000:
        nature = made.ask()
        episode = arena.play(nature, 0)
        made.tell(nature, episode.total)
        steps += episode.length * len(problem.places)


def test_nothing_is_found_where_nothing_can_be():
    result = falsify(
        home, Drift, observation=Linf(0.3), property=returns_at_least(20 * 0.7 - 1), max_episodes=200, env_seed=0
    )
    assert not result.found
    assert "not that there is nothing" in result.report()


@pytest.mark.parametrize("search", ["auto", "signs", "cem", "segments"])
def test_the_planted_worst_case_is_found(search):
    result = falsify(home, Drift, observation=Linf(0.3), property=UNREACHABLE, max_episodes=60, search=search)
    worst, lost = 20 * (1 - 0.3), 20 * 0.3
    assert worst - 1e-6 <= result.worst_margin - 1e6 <= worst + 0.05 * lost


def test_the_value_of_a_tabular_game_is_found():
    worst = Walk.worst(12)
    result = falsify(
        lambda seen: 0, Walk, action=Finite([0, 1]), property=UNREACHABLE, max_episodes=300, search="auto", **QUICK
    )
    assert worst <= result.worst_margin - 1e6 <= worst + 0.05 * abs(worst)


@pytest.mark.parametrize("case", cases(), ids=[*SINGLE, *TEAM])
def test_what_is_found_is_minimal_and_replays_bit_for_bit(case):
    make, policy, channels = case
    arena = Arena(policy, make, channels)
    problem, nominal = scout(arena, 3, np.random.default_rng(0))
    _, made = make_search("auto", with_sensitivity(problem, nominal))
    worst = min(arena.play(made.ask(), 3).total for _ in range(8))
    if worst >= nominal.total - 1e-6:
        pytest.skip("nature could do no harm here")
    bound = (worst + nominal.total) / 2
    result = falsify(policy, make, **channels, property=returns_at_least(bound), max_episodes=200, env_seed=3, unseen=2)
    assert result.found
    assert result.worst_margin < 0
    assert result.shrunk is not None
    assert result.shrunk.one_minimal
    again = robust(make(), **channels, nature=Replay(result.trace))
    total = sum(play(again, policy, seed=result.env_seed).returns.values())
    assert total < bound
    assert total == pytest.approx(result.counterexample.expect.total, abs=0)
    assert set(result.trace.perturbed_steps) >= set(result.counterexample.perturbed_steps)


def test_a_search_repeats_itself_under_a_seed():
    given = {"observation": Linf(0.3), "property": returns_at_least(16.0), "max_episodes": 50, "unseen": 4}
    first, second = (falsify(home, Drift, seed=5, **given) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert first.counterexample == second.counterexample
    other = falsify(home, Drift, seed=6, **given)
    assert other.env_seed != first.env_seed


def test_the_rule_is_told_in_words_and_its_opposite_is_the_control():
    result = falsify(home, Drift, observation=Linf(0.3), property=returns_at_least(15.0), unseen=20)
    assert result.rule is not None
    assert result.rule.terms == 1
    assert result.rule.text in (
        "delta[obs[0]] = +0.3",
        "delta[obs[0]] = -0.3",
        "delta[obs[0]] = 0.3 * sign(obs[0])",
    ) or ("sign(obs[0])" in result.rule.text)
    assert result.rule.transfer.broken == result.rule.transfer.seeds == 20


def test_agents_may_share_a_rule_and_the_report_says_so():
    result = falsify(pair_home, Pair, observation=Linf(0.3), property=returns_at_least(16.0), unseen=5)
    assert result.rule is not None
    assert "each agent's observation" in result.rule.text


def test_turns_and_parallel_moves_break_alike():
    for make in (Pair, lambda: parallel_to_aec(Pair())):
        result = falsify(pair_home, make, observation=Linf(0.3), property=returns_at_least(16.0), max_episodes=50)
        assert result.found


def test_the_worst_agent_counts():
    result = falsify(
        pair_home, Pair, observation={"right": Linf(0.4)}, property=worst_agent_at_least(7.0), max_episodes=50
    )
    assert result.found
    assert {step.agent for step in result.shrunk.steps} == {"right"}


def test_an_oblivious_nature_does_not_look():
    arena = Arena(home, Drift, {"observation": Linf(0.3)})
    problem, nominal = scout(arena, 0, np.random.default_rng(0), oblivious=True)
    _, made = make_search("auto", with_sensitivity(problem, nominal))
    for _ in range(20):
        nature = made.ask()
        _, here = arena.record(nature, 0)
        _, there = arena.record(nature, 1)
        made.tell(nature, 0.0)
        moves = [trace.moves["observation", "agent_0"].chosen for trace in (here, there)]
        assert (moves[0] == moves[1]).all()


def test_a_violation_without_perturbation_is_told_at_once():
    result = falsify(home, Drift, observation=Linf(0.3), property=returns_at_least(100.0))
    assert result.found
    assert result.episodes_to_first == 0
    assert result.searched == 0
    assert "without any perturbation" in result.report()


def test_the_radius_is_bracketed_by_what_was_found():
    found = robust_radius(
        home, Drift, observation=Linf(0.5), property=returns_at_least(20 * 0.75), max_episodes=30, tolerance=0.05
    )
    assert found.held < found.broken <= found.held + 0.05
    assert found.held * 0.5 <= 0.27
    assert found.broken * 0.5 >= 0.24
    assert "nothing is proven" in found.statement


def test_all_of_the_sets_may_hold():
    found = robust_radius(home, Drift, observation=Linf(0.1), property=returns_at_least(10.0), max_episodes=5)
    assert found.held == 1.0
    assert "not a proof" in found.statement


def test_saved_counterexamples_are_tried_first():
    given = {"observation": Linf(0.3), "property": returns_at_least(16.0), "unseen": 0}
    first = falsify(home, Drift, **given)
    again = falsify(home, Drift, **given, seed=9, saved=[first.counterexample])
    assert again.first.strategy == "saved"
    assert again.episodes_to_first == 1
    assert again.env_seed == first.env_seed
    smaller = falsify(
        home, Drift, **(given | {"observation": Linf(0.01)}), saved=[first.counterexample], max_episodes=3
    )
    assert not smaller.found


def test_gymnasium_and_parallel_play_the_same_single_agent():
    members = {"observation": Linf(0.3)}
    one = falsify(home, Drift, **members, property=returns_at_least(16.0), unseen=0)
    wrapped = falsify(
        home, lambda: gymnasium.wrappers.TimeLimit(Drift(), 20), **members, property=returns_at_least(16.0), unseen=0
    )
    assert one.shrunk == wrapped.shrunk
    assert wrapped.counterexample.wrappers == ("TimeLimit",)
