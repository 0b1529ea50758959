"""How soon searches break trained policies, how small what they find becomes, and what the engine costs.

Run as a program it prints its tables: python tests/benchmarks/test_falsify.py [first large radius rules traces
replays engine] [--trials 20] [--budget 500] [--searches auto noise] [--cases cartpole:0.2] [--keep results.json];
`tests/fixtures` must be on PYTHONPATH. Trial k starts from a seed of its own, derived from k, the first of them where
the policy holds without nature, and the search is seeded with k. What `--keep` names is written after each trial of the
first table, and trials found in it are not run again.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pytest
from falsify_tasks import Annealing, start, task
from policies import load, make

from robust_envs import Linf, robust
from robust_envs.testing import falsify, replay_counterexample, robust_radius
from robust_envs.testing.arena import Arena
from robust_envs.testing.moves import script_of
from robust_envs.testing.problem import scout
from robust_envs.testing.rules import nothing

pytest.importorskip("safetensors")
SEARCHES = ("auto", "signs", "steer", "cem", "segments", "pgd", "noise", Annealing, "best_response")
CASES = (
    ("cartpole", 0.3),
    ("cartpole", 0.2),
    ("cartpole", 0.12),
    ("cartpole", 0.1),
    ("pendulum", 0.2),
    ("spread", 0.3),
)
LARGE = (("cheetah", 0.05),)
QUICK = {"shrink_rules": 0, "shrink_traces": 0, "unseen": 0}


def firsts(case, search, *, trials, budget, keep=None):
    """Return the episodes to the first violation of each trial, None where none was found."""
    kept = json.loads(keep.read_text()) if keep and keep.exists() else {}
    found = kept.setdefault(f"{named(search)} {case[0]} {case[1]} {budget}", [])
    for k in range(len(found), trials):
        given = task(*case)
        given["env_seed"] = start(given, k)
        result = falsify(**given, max_episodes=budget, seed=k, search=search, **QUICK)
        found.append(result.episodes_to_first)
        if keep:
            keep.write_text(json.dumps(kept, indent=1))
    return found[:trials]


def named(search):
    return search if isinstance(search, str) else search.__name__.lower()


def told(found, budget):
    """Say how many trials found a violation and the median, where a trial without counts as more than the budget."""
    hits = [one for one in found if one is not None]
    median = np.median([budget + 1 if one is None else one for one in found])
    return f"{len(hits)}/{len(found)}; {'> ' + str(budget) if median > budget else format(median, 'g')}"


def table_of_firsts(trials, budget, cases=CASES, searches=SEARCHES, keep=None):
    print("| search | " + " | ".join(f"{name} {radius}" for name, radius in cases) + " |")
    print("|---" * (len(cases) + 1) + "|")
    for search in searches:
        print(f"| {named(search)} |", end="", flush=True)
        for case in cases:
            found = firsts(case, search, trials=trials, budget=budget, keep=keep)
            print(f" {told(found, budget)} |", end="", flush=True)
        print(flush=True)


def breaking(name, top, search, k):
    given = task(name, top) | {"seed": k}
    return robust_radius(**given, env_seed=start(given, k), search=search, max_episodes=100, tolerance=0.01)


def table_of_radii(trials):
    print("| task | noise | auto | ratio |\n|---|---|---|---|")
    for name in ("cartpole", "pendulum", "spread", "cheetah"):
        top = 1.5
        radii = {
            search: [top * min(1.0, breaking(name, top, search, k).broken) for k in range(trials)]
            for search in ("noise", "auto")
        }
        noise, auto = (float(np.median(radii[search])) for search in ("noise", "auto"))
        print(f"| {name} | {noise:.2f} | {auto:.2f} | {auto / noise:.2f} |", flush=True)


def table_of_rules(trials):
    print(
        "| task | found | terms | episodes | same rule | unseen starts (95%) | control |\n|---|---|---|---|---|---|---|"
    )
    for case in (("cartpole", 0.3), ("cartpole", 0.2), ("pendulum", 0.2), ("spread", 0.3)):
        given = task(*case)
        results = [
            falsify(**given, seed=k, env_seed=start(given, 0), max_episodes=500, shrink_traces=0, unseen=100)
            for k in range(trials)
        ]
        rules = [result.rule for result in results if result.rule is not None]
        if not rules:
            print(f"| {case[0]} {case[1]} | 0/{trials} | | | | | |")
            continue
        texts = [rule.text for rule in rules]
        common = max(texts.count(text) for text in texts) / trials
        low = np.median([rule.transfer.interval[0] for rule in rules])
        control = np.median([rule.transfer.control / max(1, rule.transfer.seeds) for rule in rules])
        broken = np.median([rule.transfer.broken / max(1, rule.transfer.seeds) for rule in rules])
        terms, used = (np.median([getattr(rule, name) for rule in rules]) for name in ("terms", "episodes"))
        print(
            f"| {case[0]} {case[1]} | {len(rules)}/{trials} | {terms:g} | {used:g} | {common:.0%} | "
            f"{broken:.0%} (from {low:.0%}) | {control:.0%} |",
            flush=True,
        )
        print("    " + max(texts, key=texts.count).replace("\n", "; "))


def brute_force(case, result):
    """Tell whether leaving out any one step, or making any one number nominal, mends the episode."""
    given = task(*case)
    arena = Arena(given["policy"], given["env_fn"], {"observation": given["observation"]})
    problem, nominal = scout(arena, result.env_seed, np.random.default_rng(0))

    def violates(steps):
        episode = arena.play(script_of(problem, steps, result.counterexample.q), result.env_seed)
        return given["property"].margin(episode, nominal) < 0

    steps = result.shrunk.steps
    assert violates(steps)
    fewer = [[step for step in steps if step.t != t] for t in {step.t for step in steps}]
    for number, step in enumerate(steps):
        for k, value in enumerate(step.integers):
            if value:
                less = step._replace(integers=(*step.integers[:k], 0, *step.integers[k + 1 :]))
                fewer.append([*steps[:number], less, *steps[number + 1 :]])
    return not any(violates(some) for some in fewer)


def table_of_traces(trials):
    print("| task | traces | steps left of those perturbed | 1-minimal | episodes |\n|---|---|---|---|---|")
    for case in (("cartpole", 0.2), ("pendulum", 0.2), ("spread", 0.3), ("cheetah", 0.05)):
        given = task(*case)
        results = [
            falsify(**given, seed=k, env_seed=start(given, k), max_episodes=500, shrink_rules=0, unseen=0)
            for k in range(trials)
        ]
        shrunk = [result for result in results if result.shrunk is not None]
        left = np.median([len(r.trace.perturbed_steps) / r.shrunk.from_steps for r in shrunk])
        minimal = np.mean([brute_force(case, result) for result in shrunk])
        used = np.median([result.shrunk.episodes for result in shrunk])
        print(f"| {case[0]} {case[1]} | {len(shrunk)} | {left:.0%} | {minimal:.0%} | {used:g} |", flush=True)


def heavier(name):
    """Return the task's environment with one constant of its physics a hundredth larger."""
    env = make(name)
    world = env.unwrapped
    part = {"cartpole": "gravity", "pendulum": "g"}[name]
    setattr(world, part, 1.01 * getattr(world, part))
    return env


def table_of_replays(trials):
    print("| task | traces | fails again, same trajectory | drifted in a changed environment |\n|---|---|---|---|")
    for case in (("cartpole", 0.2), ("pendulum", 0.2)):
        given = task(*case)
        again, drifted = [], []
        for k in range(trials):
            found = falsify(**given, seed=k, env_seed=start(given, k), shrink_rules=0, unseen=0).counterexample
            there = {"property": given["property"]}
            same = replay_counterexample(found, given["policy"], given["env_fn"], **there)
            other = replay_counterexample(found, given["policy"], lambda name=case[0]: heavier(name), **there)
            again.append(same.verdict == "fails" and same.same_trajectory)
            drifted.append(other.verdict == "drifted")
        print(f"| {case[0]} {case[1]} | {trials} | {np.mean(again):.0%} | {np.mean(drifted):.0%} |", flush=True)


def engine_cost(episodes=30):
    """Return microseconds that the engine adds to each episode and to each step of a hand-written loop.

    Both play the same policy in the same robust environment; lengths of 20 and 200 steps tell episode from step.
    """
    policy = load("cartpole")
    costs = {}
    for length in (20, 200):
        ours, hands = [], []
        members = Linf(1e-9)
        arena = Arena(policy, lambda length=length: make_long(length), {"observation": members})
        env = robust(make_long(length), observation=members, nature=nothing)
        for _ in range(7):
            start = time.process_time()
            for _ in range(episodes):
                arena.play(nothing, 0)
            ours.append(time.process_time() - start)
            start = time.process_time()
            for _ in range(episodes):
                by_hand(env, policy)
            hands.append(time.process_time() - start)
        costs[length] = (min(ours) - min(hands)) / episodes * 1e6  # the best of each: others share the machine
    step = (costs[200] - costs[20]) / 180
    return costs[20] - 20 * step, step


def make_long(length):
    import gymnasium

    return gymnasium.make("CartPole-v1", max_episode_steps=length)


def by_hand(env, policy):
    observation, _ = env.reset(seed=0)
    over = False
    while not over:
        observation, _, terminated, truncated, _ = env.step(policy.predict(observation, deterministic=True)[0])
        over = terminated or truncated


@pytest.mark.parametrize(("case", "most"), [(("cartpole", 0.2), 15), (("pendulum", 0.2), 40), (("spread", 0.3), 3)])
def test_a_violation_is_found_within_the_promised_number_of_episodes(case, most):
    found = firsts(case, "auto", trials=5, budget=100)
    assert np.median([101 if one is None else one for one in found]) <= most


def test_the_hard_regime_is_broken_in_at_least_half_of_the_trials():
    assert sum(one is not None for one in firsts(("cartpole", 0.12), "auto", trials=4, budget=200)) >= 2


def test_noise_of_the_same_size_breaks_nothing():
    assert firsts(("cartpole", 0.2), "noise", trials=2, budget=100) == [None, None]


def test_the_rule_for_a_team_carries_to_unseen_starts_and_its_opposite_does_no_harm():
    given = task("spread", 0.3)
    rule = falsify(**given, env_seed=start(given, 3), max_episodes=100, shrink_traces=0, unseen=40).rule
    assert rule.terms == 1
    assert "landmark_*" in rule.text
    assert rule.episodes <= 100
    assert rule.transfer.broken >= 0.9 * rule.transfer.seeds
    assert rule.transfer.control <= 0.1 * rule.transfer.seeds


def test_a_shrunk_trace_is_one_minimal_by_brute_force():
    result = falsify(**task("cartpole", 0.3), seed=0, max_episodes=100, shrink_rules=0, unseen=0)
    assert result.shrunk.one_minimal
    assert brute_force(("cartpole", 0.3), result)
    assert len(result.trace.perturbed_steps) <= 0.25 * 200


@pytest.mark.slow
def test_a_policy_with_seventeen_observations_breaks(tmp_path, monkeypatch):
    pytest.importorskip("mujoco")
    monkeypatch.chdir(tmp_path)  # mujoco keeps a log where it runs
    found = firsts(("cheetah", 0.05), "auto", trials=3, budget=50)
    assert all(one is not None for one in found)


def test_the_engine_is_cheap_beside_environment_and_policy():
    episodes, steps = zip(*(engine_cost(10) for _ in range(3)), strict=True)
    assert min(steps) <= 5.0
    assert min(episodes) <= 200.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=["first", "radius", "rules", "traces", "replays", "engine"])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--searches", nargs="*", default=[])
    parser.add_argument("--cases", nargs="*", default=[], help="task:radius")
    parser.add_argument("--keep", type=Path, help="JSON file of results")
    given = parser.parse_args()
    listed = [case.partition(":") for case in given.cases]
    cases = [(name, float(radius)) for name, _, radius in listed] or CASES
    searches = [search for search in SEARCHES if not given.searches or named(search) in given.searches]
    tables = {
        "first": lambda: table_of_firsts(given.trials, given.budget, cases, searches, given.keep),
        "large": lambda: table_of_firsts(given.trials, given.budget, LARGE, searches, given.keep),
        "radius": lambda: table_of_radii(given.trials),
        "rules": lambda: table_of_rules(given.trials),
        "traces": lambda: table_of_traces(given.trials),
        "replays": lambda: table_of_replays(given.trials),
        "engine": lambda: print("engine: {:.0f} us an episode, {:.2f} us a step".format(*engine_cost())),
    }
    for part in given.parts:
        tables[part]()


if __name__ == "__main__":
    main()
