"""evaluate: returns that can be worked out on paper, common random numbers, every API, bad input."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from mpe2 import simple_spread_v3
from pettingzoo.classic import tictactoe_v3

from robust_envs import Linf, Noise, Nominal, Switch, Uniform, WorstCase, joint, robust
from robust_envs.evaluation import RandomPolicy, evaluate
from robust_envs.streams import episode_seed

STEPS, AGENTS = 4, ("a", "b")
SPANS = {"0": (0, 1), "1": (0, 2), "2": (1, 3)}  # born after so many steps, dies after so many


def half(observation: Any) -> Any:
    return np.array([0.5], np.float32)


def follow(observation: Any) -> Any:
    return np.clip(observation[:1], -1.0, 1.0)


def cartpole() -> Any:
    return TimeLimit(CartPoleEnv(), 60)


def lean(observation: Any) -> int:
    return int(observation[2] + observation[3] > 0)


def starts(seed: int, episodes: int) -> list[float]:
    return [float(np.random.default_rng(episode_seed(seed, k)).uniform(0.0, 1.0)) for k in range(episodes)]


def test_returns_are_those_worked_out_on_paper(glass: Any) -> None:
    found = evaluate(half, glass, reward=Linf(0.25), natures=WorstCase(), levels=(0.0, 1.0, 2.0), episodes=6, seed=3)
    paper = np.array([STEPS * (0.5 + start) for start in starts(3, 6)])
    for level in (0.0, 1.0, 2.0):
        for agent in AGENTS:
            nominal = found.returns("worstcase", level, agent=agent)
            perturbed = found.returns("worstcase", level, agent=agent, reward="perturbed")
            assert nominal == pytest.approx(paper, abs=1e-6)
            assert perturbed == pytest.approx(paper - STEPS * 0.25 * level, abs=1e-6)
        assert found.returns("worstcase", level) == pytest.approx(2 * paper, abs=1e-6)
    assert found.cells[0].lengths == (STEPS,) * 6


def test_perturbed_minus_nominal_is_what_nature_executed(glass: Any) -> None:
    found = evaluate(half, glass, reward=Linf(0.25), levels=(1.0,), episodes=3, seed=1)
    env = robust(glass(), reward=Linf(0.25), nature=Uniform())
    for k in range(3):
        env.reset(seed=episode_seed(1, k))
        moved = dict.fromkeys(AGENTS, 0.0)
        while env.agents:
            env.step({agent: half(None) for agent in env.agents})
            for agent in AGENTS:
                moved[agent] += float(env.last_move[("reward", agent)].executed[0])
        for agent in AGENTS:
            gap = found.cells[0].perturbed[agent][k] - found.cells[0].nominal[agent][k]
            assert gap == pytest.approx(moved[agent], abs=1e-6)
            assert gap != 0.0


def test_nominal_return_under_one_ball_over_all_rewards(glass: Any) -> None:
    found = evaluate(half, glass, reward=joint(Linf(0.5)), levels=(0.0, 1.0), episodes=4)
    for agent in AGENTS:
        clean = found.returns("uniform", 0.0, agent=agent)
        assert found.returns("uniform", 1.0, agent=agent) == pytest.approx(clean)
        assert (found.returns("uniform", 1.0, agent=agent, reward="perturbed") != clean).all()


def test_a_reward_that_is_left_alone_counts_as_nominal(glass: Any) -> None:
    found = evaluate(half, glass, reward={"a": Linf(0.5)}, levels=(1.0,), episodes=3)
    assert found.cells[0].nominal["b"] == found.cells[0].perturbed["b"]
    assert found.cells[0].nominal["a"] != found.cells[0].perturbed["a"]


def test_level_zero_is_the_environment_itself(glass: Any) -> None:
    built: list[Any] = []

    def env_fn() -> Any:
        built.append(glass())
        return built[-1]

    found = evaluate(half, env_fn, action=Linf(1.0), natures={"u": Uniform(), "n": Noise()}, levels=(0.0,), episodes=2)
    assert len(built) == 1, "one naked environment serves all natures"
    assert [entry for entry in built[0].log if entry[0] == "step"] == [("step", {"a": 0.5, "b": 0.5})] * (2 * STEPS)
    assert found.cell("u", 0.0).nominal == found.cell("n", 0.0).nominal


def test_every_nature_level_and_policy_meets_the_same_starts(glass: Any) -> None:
    log: list[Any] = []
    natures = {"uniform": Uniform(), "noise": Noise()}
    for policy in (half, follow):
        evaluate(policy, lambda: glass(log), observation=Linf(0.3), natures=natures, levels=(0, 0.5, 1), episodes=7)
    seeds = [entry[1] for entry in log if entry[0] == "reset"]
    assert len(seeds) == 2 * 5 * 7
    assert all(seeds[k] == episode_seed(0, k % 7) for k in range(len(seeds)))
    assert len(set(seeds)) == 7


def test_the_seed_matters_and_the_same_seed_gives_the_same_numbers(glass: Any) -> None:
    def run(seed: int) -> Any:
        return evaluate(follow, glass, observation=Linf(0.3), reward=Linf(0.1), episodes=5, seed=seed)

    assert run(0) == run(0)
    assert run(0).cells[1].nominal != run(1).cells[1].nominal


def test_another_nature_or_level_changes_nobody_elses_numbers(glass: Any) -> None:
    alone = evaluate(follow, glass, observation=Linf(0.3), natures={"u": Uniform()}, levels=(0.5,), episodes=4)
    natures = {"n": Noise(), "u": Uniform()}
    among = evaluate(follow, glass, observation=Linf(0.3), natures=natures, levels=(1.0, 0.0, 0.5), episodes=4)
    assert among.cell("u", 0.5) == alone.cells[0]
    assert among.levels == (0.0, 0.5, 1.0), "levels come sorted"


def test_noise_grows_with_the_level_in_proportion(glass: Any) -> None:
    found = evaluate(half, glass, reward=Linf(1.0), levels=(0.0, 0.5, 1.0), episodes=5)
    clean, half_way, whole = (np.array(cell.perturbed["a"]) for cell in found.cells)
    assert whole - clean == pytest.approx(2.0 * (half_way - clean), abs=1e-6)


def test_env_seed_fixes_the_start_but_not_nature(glass: Any) -> None:
    log: list[Any] = []
    found = evaluate(half, lambda: glass(log), reward=Linf(1.0), levels=(0.0, 1.0), episodes=5, env_seed=9)
    assert {entry[1] for entry in log if entry[0] == "reset"} == {9}
    assert len(set(found.cell("uniform", 1.0).nominal["a"])) == 1
    assert len(set(found.cell("uniform", 1.0).perturbed["a"])) == 5
    assert evaluate(half, glass, episodes=5, levels=(0.0,)).cells[0].nominal["a"] != found.cells[0].nominal["a"]


@pytest.mark.parametrize("env_seed", [None, 4])
def test_turns_and_simultaneous_moves_of_one_game_give_the_same_returns(env_seed: int | None) -> None:
    def act(observation: Any) -> int:
        return int(np.argmax(np.abs(observation[:5])))

    options: dict[str, Any] = {"levels": (0.0,), "episodes": 3, "env_seed": env_seed}
    turns = evaluate(act, simple_spread_v3.env, **options)
    together = evaluate(act, simple_spread_v3.parallel_env, **options)
    assert turns.returns("uniform", 0.0) == pytest.approx(together.returns("uniform", 0.0), rel=1e-9)
    assert turns.cells[0].lengths == (75,) * 3
    assert together.cells[0].lengths == (25,) * 3


def test_turns_under_reward_noise_book_nominal_and_perturbed_returns() -> None:
    def stay(observation: Any) -> int:
        return 0

    found = evaluate(stay, simple_spread_v3.env, reward=Linf(0.5), natures=WorstCase(), levels=(0.0, 1.0), episodes=2)
    for agent in found.agents:
        clean = found.returns("worstcase", 0.0, agent=agent)
        assert found.returns("worstcase", 1.0, agent=agent) == pytest.approx(clean, abs=1e-6)
        lost = clean - found.returns("worstcase", 1.0, agent=agent, reward="perturbed")
        assert lost == pytest.approx(25 * 0.5, abs=1e-4)


def test_a_game_with_masks_is_played_through_its_turns() -> None:
    policy = RandomPolicy(tictactoe_v3.env())
    found = evaluate(policy, tictactoe_v3.env, action=Switch(0.5), levels=(0.0, 1.0), episodes=20)
    for level in found.levels:
        assert set(found.returns("uniform", level)) <= {0.0}, "zero sum: no illegal move was punished"
        assert set(found.returns("uniform", level, agent="player_1")) <= {-1.0, 0.0, 1.0}
    assert found.cells[0] != found.cells[1]


def test_a_gymnasium_environment_has_one_agent_and_falls_under_noise() -> None:
    found = evaluate(lean, cartpole, observation=Linf(2.0), levels=(0.0, 1.0), episodes=10)
    assert found.agents == ("agent_0",)
    assert found.returns("uniform", 0.0) == pytest.approx(found.cells[0].lengths)
    assert found.summary("uniform", 1.0).high < found.summary("uniform", 0.0).low


def test_gymnasium_rewards_are_booked_twice_too() -> None:
    found = evaluate(lean, cartpole, reward=Linf(0.5), natures=WorstCase(), levels=(1.0,), episodes=4)
    cell = found.cells[0]
    assert cell.nominal["agent_0"] == tuple(map(float, cell.lengths))
    assert cell.perturbed["agent_0"] == pytest.approx(0.5 * np.array(cell.lengths))


def test_agents_that_are_born_and_die_are_all_counted(glass: Any) -> None:
    class Nursery(glass):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(names=("0", "1", "2"))

        def reset(self, seed: int | None = None, options: Any = None) -> Any:
            observations, infos = super().reset(seed, options)
            self.agents = ["0", "1"]
            return {agent: observations[agent] for agent in self.agents}, infos

        def step(self, actions: Any) -> Any:
            assert set(actions) == set(self.agents), "the dead do not act"
            self.steps += 1
            acted, self.agents = self.agents, [a for a, (born, dies) in SPANS.items() if born <= self.steps < dies]
            told = dict.fromkeys([*acted, *self.agents])
            return (
                {agent: self._seen(0.0) for agent in told},
                dict.fromkeys(acted, 1.0),
                {agent: agent not in self.agents for agent in told},
                dict.fromkeys(told, False),
                {agent: {} for agent in told},
            )

    found = evaluate(half, Nursery, levels=(0.0, 1.0), reward=Linf(0.5), natures=WorstCase(), episodes=2)
    for level in (0.0, 1.0):
        lives = [found.returns("worstcase", level, agent=agent).tolist() for agent in SPANS]
        assert lives == [[1.0, 1.0], [2.0, 2.0], [2.0, 2.0]]
    assert found.returns("worstcase", 1.0, reward="perturbed").tolist() == [2.5, 2.5]
    assert found.cells[0].lengths == (3, 3)


@pytest.mark.parametrize("generator", ["python", "numpy", "torch"])
def test_a_policy_that_explores_is_seeded_and_leaves_no_trace(glass: Any, generator: str) -> None:
    torch = pytest.importorskip("torch", reason="the oldest supported releases are tried without it")
    draw = {
        "python": lambda: random.uniform(-1, 1),
        "numpy": lambda: np.random.uniform(-1, 1),  # noqa: NPY002 - as the policies of others do
        "torch": lambda: float(torch.rand(())),
    }[generator]
    legacy = np.random.get_state
    states = (random.getstate, lambda: legacy()[1].tolist(), lambda: torch.get_rng_state().tolist())
    before = [state() for state in states]

    def explore(observation: Any) -> Any:
        return np.array([draw()], np.float32)

    first, second = (evaluate(explore, glass, levels=(0.0,), episodes=4) for _ in range(2))
    assert first == second
    assert len(set(first.cells[0].nominal["a"])) == 4
    assert [state() for state in states] == before


def test_a_random_policy_plays_alike_in_every_evaluation(glass: Any) -> None:
    policy = RandomPolicy(glass(), seed=5)
    first = evaluate(policy, glass, observation=Linf(0.5), levels=(0.0, 1.0), episodes=3)
    assert first == evaluate(policy, glass, observation=Linf(0.5), levels=(0.0, 1.0), episodes=3)
    assert first.cells[0].nominal == first.cells[1].nominal, "it does not look"
    assert first.cells[0].nominal["a"] != first.cells[0].nominal["b"], "agents differ"


def test_deterministic_is_handed_to_the_policy(glass: Any) -> None:
    class Asked:
        def predict(self, observation: Any, deterministic: bool = True) -> tuple[Any, None]:
            return np.array([1.0 if deterministic else -1.0], np.float32), None

    means = [
        evaluate(Asked(), glass, levels=(0.0,), episodes=2, deterministic=choice).summary("uniform", 0.0).mean
        for choice in (True, False)
    ]
    assert means[0] - means[1] == pytest.approx(2 * 2 * STEPS, abs=1e-5)


def test_a_policy_may_be_a_dict_by_agent_or_one_for_all(glass: Any) -> None:
    class Team:
        multi_agent = True

        def predict(self, observations: Any, deterministic: bool = True) -> tuple[Any, None]:
            return {agent: half(seen) for agent, seen in observations.items()}, None

    one, many, team = (
        evaluate(policy, glass, levels=(0.0,), episodes=2) for policy in (half, {"a": half, "b": half}, Team())
    )
    assert one == many == team


def test_the_team_is_the_sum_over_those_named(glass: Any) -> None:
    found = evaluate({"a": half, "b": follow}, glass, levels=(0.0,), episodes=3, team=("b",))
    assert found.returns("uniform", 0.0) == pytest.approx(found.returns("uniform", 0.0, agent="b"))
    assert not np.allclose(found.returns("uniform", 0.0), found.returns("uniform", 0.0, agent="a"))


def test_progress_counts_every_episode_once(glass: Any) -> None:
    calls: list[tuple[int, int]] = []
    natures = {"u": Uniform(), "n": Nominal()}
    evaluate(
        half, glass, action=Linf(0.1), natures=natures, levels=(0, 1, 2), episodes=3,
        progress=lambda done, total: calls.append((done, total)),
    )  # fmt: skip
    assert calls == [(k, 15) for k in range(1, 16)]


def test_environments_are_closed(glass: Any) -> None:
    log: list[Any] = []
    evaluate(half, lambda: glass(log), action=Linf(0.1), levels=(0.0, 1.0), episodes=1)
    assert log.count(("close",)) == 3, "two that were played, and one tried out"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"levels": (0.0, -1.0)}, ValueError, r"levels must be finite and >= 0, got levels=\(0.0, -1.0\)"),
        ({"levels": (float("nan"),)}, ValueError, "levels must be finite"),
        ({"levels": (float("inf"),)}, ValueError, "levels must be finite"),
        ({"levels": (1.0, 1)}, ValueError, "levels must be at least one number, all different"),
        ({"levels": ()}, ValueError, "levels must be at least one number"),
        ({"levels": 1.0}, TypeError, "levels must be a sequence of numbers, got 1.0"),
        ({"levels": "01"}, TypeError, "levels must be a sequence"),
        ({"levels": ("a",)}, ValueError, "levels must be finite"),
        ({"action": None}, ValueError, "levels above 0 need a set on some channel"),
        ({"episodes": 0}, ValueError, "episodes must be >= 1, got episodes=0"),
        ({"episodes": 2.5}, TypeError, "episodes must be a whole number, got episodes=2.5"),
        ({"episodes": True}, TypeError, "episodes must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be >= 0, got seed=-1"),
        ({"env_seed": -3}, ValueError, "env_seed must be >= 0, got env_seed=-3"),
        ({"natures": {}}, ValueError, "natures must hold at least one nature"),
        ({"natures": {1: Uniform()}}, TypeError, "natures must be named by text"),
        ({"natures": 3}, TypeError, "nature must be"),
        ({"natures": WorstCase()}, ValueError, "WorstCase"),
        ({"action": Linf(0.1, unit=(1.0, 2.0))}, ValueError, "unit"),
        ({"action": {"c": Linf(0.1)}}, ValueError, "c"),
        ({"action": 0.1}, TypeError, "action"),
        ({"team": ("c",)}, ValueError, r"team must name agents among \('a', 'b'\), got team=\('c',\)"),
        ({"policy": 3}, TypeError, "policy must have predict"),
        ({"policy": {"a": half}}, KeyError, "policy has no entry for agent 'b'"),
        ({"env_fn": 3}, TypeError, "env_fn must be callable and build an environment, got int"),
        ({"env_fn": lambda: 3}, TypeError, "got int"),
    ],
)
def test_bad_input_names_parameter_rule_and_value(
    glass: Any, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments = {"policy": half, "env_fn": glass, "action": Linf(0.1), "episodes": 1, **change}
    policy, env_fn = arguments.pop("policy"), arguments.pop("env_fn")
    with pytest.raises(error, match=message):
        evaluate(policy, env_fn, **arguments)


def test_what_does_not_fit_is_told_before_anything_is_played(glass: Any) -> None:
    log: list[Any] = []
    natures = {"uniform": Uniform(), "worst": WorstCase()}
    with pytest.raises(ValueError, match="WorstCase"):
        evaluate(half, lambda: glass(log), action=Linf(0.1), natures=natures, levels=(0.0, 1.0))
    assert not [entry for entry in log if entry[0] == "step"]


def test_an_environment_that_is_robust_already_is_refused(glass: Any) -> None:
    with pytest.raises(ValueError, match=r"env_fn must build the environment without robust\(\)"):
        evaluate(half, lambda: robust(glass(), reward=Linf(1.0), nature=Uniform()), levels=(0.0,), episodes=1)


def test_a_vector_of_environments_is_refused() -> None:
    with pytest.raises(TypeError, match="evaluate its single environment, got SyncVectorEnv"):
        evaluate(lean, lambda: SyncVectorEnv([cartpole, cartpole]), levels=(0.0,), episodes=1)


def test_an_agent_called_team_is_refused(glass: Any) -> None:
    with pytest.raises(ValueError, match="agents must not be called 'team'"):
        evaluate(half, lambda: glass(names=("team", "b")), levels=(0.0,), episodes=1)
