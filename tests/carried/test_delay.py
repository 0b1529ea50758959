"""What comes late is what was there before: the very value, no earlier than the episode, and legal."""

import numpy as np
import pytest
from glassbox import EchoEnv, EchoParallel, Player, observations, play, same

from robust_envs import AsAgents, Delay, Finite, Interval, Linf, OutsideSetError, Uniform, joint, robust


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("observation", ["float32", "uint8", "dict", "tuple", "scalar"])
def test_a_fixed_delay_shows_the_observation_of_then_and_the_first_one_until_there_is_one(observation, steps):
    nominal = observations(play(EchoEnv(observation)))
    late = observations(play(robust(EchoEnv(observation), delay=Delay([steps]), nature=Uniform())))
    assert same(late, [nominal[max(0, t - steps)] for t in range(len(nominal))])


@pytest.mark.parametrize("action", ["box", "int", "discrete", "late"])
def test_a_fixed_delay_carries_out_the_action_of_then_and_the_first_one_until_there_is_one(action):
    env = EchoEnv(action=action)
    play(env)
    late = robust(EchoEnv(action=action), delay=Delay([2], of="action"), nature=Uniform())
    play(late)
    assert same(late.unwrapped.received, [env.received[max(0, t - 2)] for t in range(len(env.received))])


def test_a_delay_of_coordinates_leaves_the_others_alone():
    nominal = np.array(observations(play(EchoEnv())))
    late = np.array(observations(play(robust(EchoEnv(), delay=Delay([1], at=[1]), nature=Uniform()))))
    assert same(late[:, [0, 2]], nominal[:, [0, 2]])
    assert same(late[1:, 1], nominal[:-1, 1])


def test_values_are_kept_even_where_the_environment_writes_into_the_same_array():
    class Reuses(EchoEnv):
        def reset(self, **how):
            self.out, info = super().reset(**how)
            return self.out, info

        def step(self, action):
            new, *rest = super().step(action)
            self.out[:] = new
            return self.out, *rest

    env = robust(Reuses(), delay=Delay([1]), nature=Uniform())
    before, _ = env.reset(seed=0)
    before = before.copy()
    assert same(env.step(np.zeros(2, np.float32))[0], before)


def test_random_delays_come_from_the_set_and_all_of_them_do():
    env = robust(EchoEnv(horizon=400), delay=Delay([0, 2, 3]), nature=Uniform(), trace=True)
    play(env, steps=400)
    seen = env.trace.moves["delay", "agent_0"].executed[3:, 0]
    assert set(seen) == {0, 2, 3}
    assert all(0.25 < (seen == steps).mean() < 0.42 for steps in (0, 2, 3))


def test_an_unknown_delay_is_one_for_the_whole_episode_and_another_in_the_next():
    env = robust(EchoEnv(), delay=Delay(3, each="episode"), nature=Uniform(), trace=True)
    found = set()
    for seed in range(20):
        play(env, seed=seed)
        executed = env.trace.moves["delay", "agent_0"].executed[:, 0]
        assert same(executed, np.minimum(np.arange(len(executed), dtype=float), executed[-1]))
        found.add(executed[-1])
    assert found == {0, 1, 2, 3}


def test_a_delayed_action_that_is_no_longer_legal_is_not_carried_out():
    class Legal(EchoEnv):
        def step(self, action):
            assert self.mask[action], "an illegal action"
            observation, *rest = super().step(action)
            self.mask = observation["action_mask"]
            return observation, *rest

        def reset(self, **how):
            observation, info = super().reset(**how)
            self.mask = observation["action_mask"]
            return observation, info

    env = robust(Legal("masked", "discrete"), delay=Delay([1], of="action"), nature=Uniform(), trace=True)
    for seed in range(5):
        play(env, seed=seed)
        late = env.trace.moves["delay", "agent_0"].executed
        assert 0 in late[1:]
        assert 1 in late


def test_the_mask_of_a_late_observation_is_the_one_of_the_moment():
    nominal = observations(play(EchoEnv("masked", "discrete")))
    late = observations(play(robust(EchoEnv("masked", "discrete"), delay=Delay([1]), nature=Uniform())))
    assert same([one["action_mask"] for one in late], [one["action_mask"] for one in nominal])
    assert same([one["observation"] for one in late[1:]], [one["observation"] for one in nominal[:-1]])


def test_nothing_is_left_of_an_episode_in_the_next_nor_of_the_dead():
    env = robust(EchoParallel({"a_0": Player(), "a_1": Player(dies=3)}), delay=Delay([2]), nature=Uniform())
    for seed in (0, 1):
        nominal, late = play(EchoParallel({"a_0": Player(), "a_1": Player(dies=3)}), seed), play(env, seed)
        for agent in ("a_0", "a_1"):
            true, shown = observations(nominal, agent), observations(late, agent)
            assert same(shown, [true[max(0, t - 2)] for t in range(len(true))])


def test_a_function_sees_what_it_may_choose_and_is_held_to_it():
    asked = []

    def latest(move):
        asked.append((move.channel, move.step, move.set.actions, move.nominal.tolist()))
        return 2

    env = robust(EchoEnv(), delay=Delay([0, 2]), nature=latest)
    env.reset(seed=0)
    assert asked == [("delay", 0, (0, 2), [0])]
    wrong = robust(EchoEnv(), delay=Delay([0, 2]), nature=lambda move: 1)
    with pytest.raises(OutsideSetError, match=r"channel 'delay', agent 'agent_0', step 0 must answer one of \[0, 2\]"):
        wrong.reset(seed=0)


def test_noise_comes_before_the_delay():
    # what is measured is noisy, and the noisy measurement comes late
    noisy = observations(play(robust(EchoEnv("float64"), observation=Linf(0.3), nature=Uniform())))
    late = robust(EchoEnv("float64"), observation=Linf(0.3), delay=Delay([1]), nature=Uniform())
    assert same(observations(play(late))[1:], noisy[:-1])


def test_the_radius_is_the_longest_delay_and_can_be_set():
    env = robust(EchoEnv(), delay=Delay(3), nature=lambda move: move.set.actions[-1], trace=True)
    env.radius = 1
    play(env)
    assert env.trace.moves["delay", "agent_0"].executed.max() == 1
    env.radius = 0
    assert same(play(env), play(EchoEnv()))
    with pytest.raises(TypeError, match=r"steps must be an integer >= 0, got steps=1\.5"):
        env.radius = 1.5


def test_a_list_of_steps_may_be_given_as_a_finite_set():
    first, second = (
        play(robust(EchoEnv(), delay=members, nature=Uniform()), 2) for members in (Finite([0, 1, 2]), Delay(2))
    )
    assert same(first, second)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (lambda: Delay(-1), ValueError, "steps must be an integer >= 0, got steps=-1"),
        (lambda: Delay(1.5), TypeError, "steps must be an integer >= 0, got steps=1.5"),
        (lambda: Delay([]), ValueError, r"steps must not be empty, got steps=\[\]"),
        (lambda: Delay(2, of="reward"), ValueError, "of must be one of 'observation', 'action', 'heard', 'said', got"),
        (lambda: Delay(2, each="step"), ValueError, "each must be one of 'move', 'episode', got each='step'"),
        (lambda: Delay(2, at="speed"), TypeError, "at must be indices, a slice or a function"),
        (
            lambda: robust(EchoEnv(), delay=3, nature=Uniform()),
            TypeError,
            r"delay must be Delay\(...\) or a dict by agent",
        ),
        (
            lambda: robust(EchoEnv(), delay=Delay(2, at=[7]), nature=Uniform()),
            ValueError,
            "at must name coordinates of 3",
        ),
        (lambda: robust(EchoEnv(), observation=Delay(2), nature=Uniform()), ValueError, "give it to the channel delay"),
        (lambda: robust(EchoEnv(), delay=Finite([0.5]), nature=Uniform()), ValueError, "whole numbers of steps"),
        (lambda: robust(EchoEnv(), delay=Delay(2, of="heard"), nature=Uniform()), ValueError, "known for simple_ref"),
        (
            lambda: robust(EchoParallel(), delay=joint(Delay(2)), nature=Uniform()),
            ValueError,
            "joint\\(set\\) adds deltas and cannot act on",
        ),
        (lambda: robust(EchoParallel(), delay={"a": Delay(2)}, nature=Uniform()), ValueError, "delay names agent 'a'"),
    ],
)
def test_what_is_no_delay_is_refused_by_name_rule_and_value(given, error, words):
    with pytest.raises(error, match=words):
        given()


def test_delays_of_observations_and_of_actions_are_one_to_a_policy_without_memory(world):
    returns = [
        [world.pole_return(robust(world.pole(), delay=Delay([k], of=of), nature=Uniform())) for k in (0, 5)]
        for of in ("observation", "action")
    ]
    assert returns[0] == returns[1]


def test_delay_brings_down_the_pole_and_the_team(world):
    assert world.pole_return(world.pole()) == 500
    assert world.pole_return(robust(world.pole(), delay=Delay([5]), nature=Uniform())) < 200
    late = robust(world.talk(), delay=Delay([3], of="action"), nature=Uniform())
    assert world.team_return(late, 20) < world.team_return(world.talk(), 20) - 5


def longest(observation):
    """A nature's policy: the end of its space, which is the longest delay."""
    return 5


def test_a_nature_that_is_an_agent_does_more_harm_than_chance(world):
    chance = world.pole_return(robust(world.pole(), delay=Delay(5), nature=Uniform()))
    game = robust(world.pole(), delay=Delay(5), nature=AsAgents(team=world.balance))
    total = 0.0
    for seed in range(4):
        observation, _ = game.reset(seed=seed)
        over = False
        while not over:
            observation, reward, terminated, truncated, _ = game.step(longest(observation))
            total, over = total - reward, terminated or truncated
    assert total / 4 < chance - 50


def test_an_action_is_late_before_its_actuator_errs_and_a_stranger_acts_before_both():
    naked, env = (
        EchoEnv(),
        robust(EchoEnv(), delay=Delay([1], of="action"), action=Interval(0.1, 0.1), nature=Uniform()),
    )
    play(naked), play(env)
    late = [naked.received[max(0, t - 1)] for t in range(len(naked.received))]
    assert np.allclose(env.unwrapped.received, np.clip(np.array(late) + 0.1, -1, 1))

    def counts(observation):
        counts.calls += 1
        return np.full(2, counts.calls / 100)

    counts.calls = 0
    team = robust(
        EchoParallel(), partners={"a_1": Finite([counts])}, delay={"a_1": Delay([2], of="action")}, nature=Uniform()
    )
    play(team)
    done = [round(100 * float(actions["a_1"][0])) for actions in team.unwrapped.received]
    assert done == [max(1, t - 2) for t in range(1, len(done) + 1)]
