"""Options of reset: moved before the environment sees them, about what was given or nominal."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from mpe2 import simple_spread_v3

from robust_envs import AsAgents, Finite, Interval, Linf, Nominal, Option, Policy, Replay, Uniform, robust
from robust_envs.evaluation import evaluate

HIGH = Option("high", nominal=0.05, low=0.0)


def make() -> Any:
    return gymnasium.make("CartPole-v1", max_episode_steps=30)


def starts(env: Any, episodes: int = 40, **arguments: Any) -> Any:
    return np.array([env.reset(seed=k, **arguments)[0] for k in range(episodes)])


class Told(gymnasium.Wrapper):
    """Keep the options of the last reset."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.told = options
        return super().reset(seed=seed, options=options)


def test_episodes_begin_elsewhere_by_as_much_as_the_option_says() -> None:
    near, far = starts(make()), starts(robust(make(), start={HIGH: Interval(0.0, 0.5)}, nature=Uniform()))
    assert np.abs(near).max() <= 0.05
    assert 0.2 < far.max() <= 0.5
    assert far.min() >= -0.05


def test_the_move_and_the_trace_hold_what_the_environment_was_told_and_replay_it() -> None:
    told = Told(make())
    env = robust(told, start={HIGH: Linf(0.04)}, nature=Uniform(), trace=True)
    first, _ = env.reset(seed=3)
    move = env.last_move["start", "*"]
    assert told.told == {"high": pytest.approx(0.05 + move.executed[0])}
    again, _ = robust(make(), start={HIGH: Linf(0.04)}, nature=Replay(env.trace)).reset()
    assert np.array_equal(first, again)


def test_options_of_ones_own_are_what_nature_moves_about_and_others_pass() -> None:
    told = Told(make())
    env = robust(told, start={HIGH: Linf(0.01)}, nature=lambda move: np.array([0.01]))
    env.reset(seed=0, options={"high": 0.2, "low": -0.1})
    assert told.told == {"high": pytest.approx(0.21), "low": -0.1}


@pytest.mark.parametrize("members", [Linf(0.0), Finite([0.05])])
def test_radius_0_is_the_environment_itself(members: Any) -> None:
    told = Told(make())
    env = robust(told, start={HIGH: members}, nature=Uniform())
    assert np.array_equal(starts(env), starts(make()))
    assert told.told is None
    assert (
        robust(told, start={HIGH: Linf(0.1)}, nature=Nominal()).reset(seed=0)[0].tolist()
        == make().reset(seed=0)[0].tolist()
    )


def test_the_environment_draws_what_it_draws_without_nature() -> None:
    moved = robust(make(), start={HIGH: Linf(0.04)}, nature=Uniform())
    observation, _ = moved.reset(seed=7)
    high = 0.05 + moved.last_move["start", "*"].executed[0]
    plain, _ = make().reset(seed=7, options={"high": float(high)})
    assert np.array_equal(observation, plain)


def test_levels_of_an_evaluation_scale_it() -> None:
    def still(observation: Any) -> int:
        return 0

    asked = {"start": {HIGH: Interval(0.05, 0.21)}, "natures": Uniform(), "levels": (0, 1), "episodes": 20}
    found = evaluate(still, make, **asked)
    assert found.summary("uniform", 1.0).mean != found.summary("uniform", 0.0).mean


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"nature": AsAgents()}, "before anybody sees anything"),
        ({"nature": Policy(lambda seen: 0)}, "before anybody sees anything"),
        ({"start": {HIGH: Linf(0.1), "state": Linf(0.1)}}, "not both"),
        ({"env": SyncVectorEnv([make])}, "wrap each Env"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(arguments: Any, reason: str) -> None:
    usual = {"env": make(), "start": {HIGH: Linf(0.04)}, "nature": Uniform()}
    with pytest.raises(ValueError, match=reason):
        robust(**{**usual, **arguments})


@pytest.mark.parametrize("wrong", [{"name": 3, "nominal": 0.1}, {"name": "high", "nominal": "far"}])
def test_an_option_has_a_name_and_a_nominal_number(wrong: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        Option(**wrong)


def test_particles_pass_options_they_do_not_read() -> None:
    env = robust(simple_spread_v3.parallel_env(), start={Option("spread", nominal=1.0): Linf(0.5)}, nature=Uniform())
    env.reset(seed=0)
    assert set(env.last_move) == {("start", "*")}
