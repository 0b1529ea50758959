"""The channels `start` and `transition` where the environment can set its state."""

from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from glassbox import play, same
from mpe2 import simple_spread_v3

from robust_envs import Finite, Interval, Linf, Replay, Uniform, per_episode, robust


def spread():
    return simple_spread_v3.parallel_env(continuous_actions=True, max_cycles=8)


SETS = {
    "CartPole-v1": Linf(0.05),
    "Pendulum-v1": Linf(0.3),
    "Acrobot-v1": Linf(0.1),
    "MountainCar-v0": Linf(0.02),
    "MountainCarContinuous-v0": Linf(0.02),
}


@pytest.mark.parametrize("name", SETS)
def test_the_first_observation_is_that_of_the_moved_state(name):
    naked, env = gymnasium.make(name), robust(gymnasium.make(name), start=SETS[name], nature=Uniform(), trace=True)
    for seed in range(3):
        before, _ = naked.reset(seed=seed)
        state = np.array(naked.unwrapped.state)
        after, _ = env.reset(seed=seed)
        executed = env.trace.moves["start", "*"].executed
        assert executed.shape == (1, len(state))
        assert np.allclose(np.array(env.unwrapped.state), state + executed[0])
        assert not np.array_equal(before, after)
        naked.unwrapped.state = env.unwrapped.state.copy()
        action = naked.action_space.sample()
        assert np.array_equal(naked.step(action)[0], env.step(action)[0])


def test_intervals_of_a_start_are_values_of_the_state():
    env = robust(gymnasium.make("Pendulum-v1"), start=Interval([3.0, 0.0], [3.1, 0.1]), nature=Uniform())
    for seed in range(20):
        env.reset(seed=seed)
        angle, speed = env.unwrapped.state
        assert 3.0 - 1e-9 <= angle <= 3.1 + 1e-9
        assert -1e-9 <= speed <= 0.1 + 1e-9


def test_a_grid_world_starts_in_one_of_the_listed_states():
    env = robust(gymnasium.make("FrozenLake-v1"), start=Finite([1.0, 4.0]), nature=Uniform())
    first = {env.reset(seed=seed)[0] for seed in range(20)}
    assert first == {1, 4}
    assert all(type(state) is int for state in first)


def test_a_start_stays_within_the_state_space():
    env = robust(gymnasium.make("MountainCar-v0"), start=Linf(5.0), nature=lambda move: np.full(2, 5.0))
    observation, _ = env.reset(seed=0)
    assert np.allclose(observation, [0.6, 0.07])


@pytest.mark.parametrize("channel", ["start", "transition"])
def test_positions_and_velocities_of_mpe2_move_and_all_agents_see_it(channel):
    sets = {"position": Linf(0.2), "landmarks": Linf(0.1)} if channel == "start" else {"velocity": Linf(0.2)}
    env, naked = robust(spread(), **{channel: sets}, nature=Uniform(), trace=True), spread()
    after, before = play(env, 5), play(naked, 5)
    executed = env.trace.moves[channel, "*"].executed
    step = 0 if channel == "start" else 1
    moved = after[step][0]["agent_0"] - before[step][0]["agent_0"]
    assert np.allclose(moved[2:4] if channel == "start" else moved[:2], executed[0][:2], atol=1e-6)
    assert len(executed) == (1 if channel == "start" else 8)


def test_a_transition_moves_the_state_from_which_play_goes_on():
    push = np.array([0.1, 0.0])
    env = robust(gymnasium.make("Pendulum-v1"), transition=Linf(0.2), nature=lambda move: push, trace=True)
    naked = gymnasium.make("Pendulum-v1")
    env.reset(seed=0)
    naked.reset(seed=0)
    for _ in range(5):
        said, reward, *_ = env.step(np.float32([0.5]))
        _, nominal_reward, *_ = naked.step(np.float32([0.5]))
        assert reward == nominal_reward  # of the step that nature did not touch
        naked.unwrapped.state = naked.unwrapped.state + push
        assert np.array_equal(said, naked.unwrapped._get_obs())


def test_a_budget_is_shared_by_the_transitions_of_an_episode():
    env = robust(
        gymnasium.make("Pendulum-v1"),
        transition=per_episode(Linf(0.1)),
        nature=Uniform(),
        trace=True,
    )
    play(env, 0)
    assert abs(env.trace.moves["transition", "*"].executed).max() <= 0.1


def test_a_trace_replays_start_and_transitions():
    sets = {"start": Linf(0.2), "transition": {"velocity": Linf(0.1)}}
    first = robust(spread(), **sets, nature=Uniform(), trace=True)
    said = play(first, 6)
    again = robust(spread(), **sets, nature=Replay(first.trace), trace=True)
    assert same(play(again, 6), said)


class Mute(gymnasium.Env):
    """Says its state and cannot be asked for it again."""

    metadata: ClassVar = {"render_modes": []}
    observation_space = gymnasium.spaces.Box(-9, 9, (1,), np.float64)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = np.zeros(1)
        return self.place.copy(), {}

    def step(self, action):
        self.place = self.place + 1
        return self.place.copy(), 0.0, False, False, {}


class Speaking(Mute):
    def _get_obs(self):
        return self.place.copy()


def test_anybodys_environment_takes_part_if_it_can_say_its_observation_again():
    env = robust(Speaking(), start={"place": Linf(1.0)}, transition={"place": Linf(0.5)}, nature=lambda m: [0.5])
    assert env.reset(seed=0)[0] == 0.5
    assert env.step(0)[0] == 2.0
    with pytest.raises(ValueError, match=r"start moves the state, and Mute cannot be asked .* _get_obs\(\)"):
        robust(Mute(), start={"place": Linf(1.0)}, nature=Uniform())


def test_a_wrapper_that_changes_what_is_said_belongs_outside():
    inner = gymnasium.wrappers.NormalizeObservation(gymnasium.make("CartPole-v1"))
    with pytest.raises(ValueError, match=r"put robust\(\) inside that wrapper"):
        robust(inner, start=Linf(0.1), nature=Uniform())
    robust(gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make("CartPole-v1")), start=Linf(0.1), nature=Uniform())
