"""What becomes of a counterexample: it fails, is fixed, has drifted or lies outside the sets."""

from dataclasses import dataclass, replace

import gymnasium
import numpy as np
import pytest
from glassbox import EchoEnv, EchoParallel
from gymnasium import spaces

from robust_envs import L1, Finite, Linf, Switch, joint, per_episode
from robust_envs.testing import falsify, replay_counterexample, returns_at_least
from robust_envs.testing.counterexample import PerturbedStep
from robust_envs.testing.replay import shrink_counterexample


@dataclass(frozen=True)
class Lean:
    """A policy with a fingerprint: its fields."""

    rate: float = 1.0

    def __call__(self, observation):
        return int(observation[2] + self.rate * observation[3] > 0)


def make(force=10.0, steps=100):
    env = gymnasium.make("CartPole-v1", max_episode_steps=steps)
    env.unwrapped.force_mag = force
    return env


@pytest.fixture(scope="module")
def found():
    result = falsify(
        Lean(), make, observation=Linf(0.3), property=returns_at_least(100.0), max_episodes=40, unseen=0, seed=2
    )
    assert result.counterexample is not None
    return result.counterexample


def test_a_counterexample_fails_on_the_recorded_trajectory_as_often_as_it_is_played(found):
    for _ in range(3):
        again = replay_counterexample(found, Lean(), make)
        assert again.verdict == "fails"
        assert again.same_trajectory
        assert again.violates
        assert again.margin == again.recorded == found.property["margin"]


def test_a_better_policy_is_fixed_and_a_worse_one_fails(found):
    fixed = replay_counterexample(found, Lean(3.0), make)
    assert (fixed.verdict, fixed.violates, fixed.same_trajectory) == ("fixed", False, False)
    assert "the policy having changed" in str(fixed)
    assert replay_counterexample(found, Lean(0.0), make).verdict == "fails"


@pytest.mark.parametrize("force", [9.0, 9.999, 10.0001, 11.0])
def test_a_change_of_the_environment_has_drifted(found, force):
    drifted = replay_counterexample(found, Lean(), lambda: make(force))
    assert drifted.verdict == "drifted"
    assert drifted.margin is not None


def test_a_changed_function_cannot_be_told_from_a_changed_environment(found):
    drifted = replay_counterexample(found, lambda observation: Lean(3.0)(observation), make)
    assert drifted.verdict == "drifted"
    assert "or the policy, which has no fingerprint" in drifted.reason


def test_another_property_is_judged_on_the_same_trajectory(found):
    low = replay_counterexample(found, Lean(), make, property="return>=1")
    assert (low.verdict, low.same_trajectory) == ("fixed", True)
    assert replay_counterexample(found, Lean(), make, property=lambda episode: -1.0).verdict == "fails"


def test_smaller_sets_do_not_allow_it_and_larger_ones_do(found):
    small = replay_counterexample(found, Lean(), make, channels={"observation": Linf(0.001)})
    assert small.verdict == "outside-set"
    assert small.margin is None
    assert replay_counterexample(found, Lean(), make, channels={"observation": Linf(0.5)}).verdict == "fails"
    elsewhere = replay_counterexample(found, Lean(), make, channels={"reward": Linf(0.5)})
    assert "no set here allows observation of agent_0" in elsewhere.reason


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (PerturbedStep(0, "agent_0", "observation", (257, 0, 0, 0)), "is not in Linf"),
        (PerturbedStep(0, "agent_0", "observation", (1, 0, 0)), "3 integers for 4 numbers"),
        (PerturbedStep(0, "agent_1", "observation", (1, 0, 0, 0)), "the file names no set for it"),
        (PerturbedStep(0, "agent_0", "action", (1,)), "the file names no set for it"),
    ],
)
def test_what_the_sets_of_the_file_do_not_hold_is_outside(found, step, said):
    verdict = replay_counterexample(replace(found, steps=(step,)), Lean(), make)
    assert verdict.verdict == "outside-set"
    assert said in verdict.reason


def test_other_agents_and_words_that_are_no_property_are_refused(found):
    with pytest.raises(ValueError, match="env_fn must build an environment of the agents"):
        replay_counterexample(replace(found, agents=("a", "b")), Lean(), make)
    with pytest.raises(ValueError, match="a property must be written like"):
        replay_counterexample(replace(found, property={"expression": "never falls"}), Lean(), make)


def still(observation):
    return np.zeros(2, np.float32)


def stay(observation):
    return 3


def shifted(found, steps, channels, agents=("agent_0",)):
    return replace(found, steps=tuple(steps), channels=channels, agents=agents, property={"expression": "return>=-1e9"})


def test_a_budget_over_the_episode_bounds_all_steps_together(found):
    channels = {"reward": per_episode(L1(1.0), horizon=12)}
    twice = [PerturbedStep(0, "agent_0", "reward", (-128,)), PerturbedStep(1, "agent_0", "reward", (-128,))]
    assert replay_counterexample(shifted(found, twice, channels), still, EchoEnv).verdict == "drifted"
    thrice = [*twice, PerturbedStep(2, "agent_0", "reward", (-1,))]
    assert replay_counterexample(shifted(found, thrice, channels), still, EchoEnv).verdict == "outside-set"


@pytest.mark.parametrize(
    ("members", "choice", "verdict"),
    [
        (Finite([2, 4]), 4, "drifted"),
        (Finite([2, 4]), 5, "outside-set"),
        (Switch(0.5), 5, "drifted"),
        (Switch(0.5), 9, "outside-set"),
    ],
)
def test_only_choices_of_the_set_are_played(found, members, choice, verdict):
    one = shifted(found, [PerturbedStep(0, "agent_0", "action", (choice,))], {"action": members})
    assert replay_counterexample(one, stay, lambda: EchoEnv(action="late")).verdict == verdict


def test_teams_with_one_set_over_all(found):
    agents = ("a_0", "a_1", "b_0")
    one = shifted(found, [PerturbedStep(1, "*", "reward", (0, -256, 0))], {"reward": joint(L1(1.0))}, agents)
    team = {"a_0": still, "a_1": still, "b_0": lambda observation: 0}
    played = replay_counterexample(one, team, EchoParallel)
    bare = replay_counterexample(replace(one, steps=()), team, EchoParallel)
    assert played.episode.returns["a_1"] == pytest.approx(bare.episode.returns["a_1"] - 1.0)
    assert played.episode.returns["a_0"] == bare.episode.returns["a_0"]


def test_whole_deltas_are_their_own_integers(found):
    space = spaces.Box(-5, 5, (3,), np.int64)
    one = shifted(found, [PerturbedStep(0, "agent_0", "observation", (2, 0, 0))], {"observation": Linf(2)})
    assert EchoEnv("int64").observation_space == space
    assert replay_counterexample(one, still, lambda: EchoEnv("int64")).verdict == "drifted"
    three = replace(one, steps=(PerturbedStep(0, "agent_0", "observation", (3, 0, 0)),))
    assert replay_counterexample(three, still, lambda: EchoEnv("int64")).verdict == "outside-set"


# --- shrinking ---


def test_shrinking_makes_it_smaller_and_records_it_anew(found):
    padded = replace(
        found, steps=(*found.steps, PerturbedStep(found.horizon - 1, "agent_0", "observation", (1, 1, 1, 1)))
    )
    small = shrink_counterexample(padded, Lean(), make, max_episodes=300)
    assert len(small.steps) <= len(found.steps)
    assert small.shrink["from_steps"] == len(padded.perturbed_steps)
    again = replay_counterexample(small, Lean(), make)
    assert again.verdict == "fails"
    assert again.same_trajectory


def test_shrinking_keeps_the_best_so_far_when_its_budget_ends(found):
    small = shrink_counterexample(found, Lean(), make, max_episodes=1)
    assert not small.shrink["one_minimal"]
    assert replay_counterexample(small, Lean(), make).violates


def test_only_what_violates_can_be_shrunk(found):
    with pytest.raises(ValueError, match="only what violates can be shrunk: the margin of this perturbation is"):
        shrink_counterexample(found, Lean(3.0), make)
    with pytest.raises(ValueError, match="max_episodes must be a whole number >= 1"):
        shrink_counterexample(found, Lean(), make, max_episodes=0)
