import json

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from algos.deep.games import Team
from algos.deep.spaces import Seat, space_from_json, space_to_json

SPACES = [
    spaces.Box(-1.0, 1.0, (3,), np.float32),
    spaces.Box(np.array([0.0, -np.inf]), np.array([1.0, np.inf]), dtype=np.float64),
    spaces.Box(0, 255, (2, 2, 3), np.uint8),
    spaces.Discrete(4, start=2),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiBinary(3),
    spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(0.0, 1.0, (1,), np.float32)}),
    spaces.Tuple([spaces.Discrete(2), spaces.Box(0.0, 1.0, (1,), np.float32)]),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_space_survives_json(space):
    rebuilt = space_from_json(json.loads(json.dumps(space_to_json(space))))
    assert rebuilt == space
    assert space_to_json(rebuilt) == space_to_json(space)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_flat_observation_has_the_declared_size(space):
    seat = Seat("a", space, spaces.Discrete(2), "tanh")
    space.seed(0)
    assert seat.flatten(space.sample()).shape == (seat.observation_size,)


@pytest.mark.parametrize(
    ("observation", "action", "continuous"),
    [
        (spaces.Text(3), spaces.Discrete(2), "tanh"),
        (spaces.Dict({"x": spaces.Sequence(spaces.Discrete(2))}), spaces.Discrete(2), "tanh"),
        (spaces.Discrete(2), spaces.MultiDiscrete([2, 2]), "tanh"),
        (spaces.Discrete(2), spaces.Box(-np.inf, np.inf, (1,), np.float32), "tanh"),
        (spaces.Discrete(2), spaces.Box(0, 3, (1,), np.int64), "tanh"),
        (spaces.Discrete(2), spaces.Box(-1.0, 1.0, (2,), np.float32), "softmax"),
        (spaces.Dict({"action_mask": spaces.MultiBinary(2)}), spaces.Discrete(2), "tanh"),
        (
            spaces.Dict({"observation": spaces.Discrete(2), "action_mask": spaces.MultiBinary(2)}),
            spaces.Box(-1.0, 1.0, (2,), np.float32),
            "tanh",
        ),
    ],
)
def test_unsupported_space_is_refused_and_the_agent_named(observation, action, continuous):
    with pytest.raises(ValueError, match="agent 'speaker_0'"):
        Seat("speaker_0", observation, action, continuous)


@settings(deadline=None, max_examples=100)
@given(
    values=hnp.arrays(np.float32, 3, elements=st.floats(-1, 1, width=32)),
    low=hnp.arrays(np.float32, 3, elements=st.floats(-100, 0, width=32)),
    width=hnp.arrays(np.float32, 3, elements=st.floats(0.125, 100, width=32)),
)
def test_box_action_is_an_element_of_the_space(values, low, width):
    space = spaces.Box(low, low + width, dtype=np.float32)
    action = Seat("a", spaces.Discrete(1), space, "tanh").action(values)
    assert space.contains(action)
    np.testing.assert_allclose(action, low + (values + 1) / 2 * width, rtol=1e-3, atol=1e-3)


def test_ends_of_the_tanh_range_are_the_corners_of_the_box():
    seat = Seat("a", spaces.Discrete(1), spaces.Box(-3.0, 5.0, (2,), np.float32), "tanh")
    np.testing.assert_array_equal(seat.action(np.array([-1.0, 1.0], np.float32)), [-3.0, 5.0])


def test_discrete_action_counts_from_the_start_of_its_space():
    seat = Seat("a", spaces.Discrete(1), spaces.Discrete(3, start=5), "tanh")
    assert seat.action(np.array([0.0, 1.0, 0.0], np.float32)) == 6


def test_agents_with_other_spaces_are_padded_with_zeros(toys):
    team = Team.of(toys.mixed_game(), "tanh")
    observations, _ = toys.mixed_game().reset()
    values, legal = team.encode(observations)
    np.testing.assert_array_equal(values, [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]])
    np.testing.assert_array_equal(legal, [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]])


def test_absent_agent_is_all_zero(toys):
    observations, _ = toys.mixed_game().reset()
    del observations["late"]
    values, _ = Team.of(toys.mixed_game(), "tanh").encode(observations)
    assert not values[1].any()


def test_mask_decides_what_is_legal(toys):
    observations, _ = toys.mixed_game().reset()
    observations["masked"]["action_mask"] = np.array([0, 1, 0, 1], np.int8)
    _, legal = Team.of(toys.mixed_game(), "tanh").encode(observations)
    assert legal[2].tolist() == [False, True, False, True]


def test_agent_left_no_legal_action_is_given_all(toys):
    observations, _ = toys.mixed_game().reset()
    observations["masked"]["action_mask"] = np.zeros(4, np.int8)
    _, legal = Team.of(toys.mixed_game(), "tanh").encode(observations)
    assert legal[2].all()


@pytest.mark.parametrize(
    ("agent", "observation", "said"),
    [
        ("early", np.ones(2), "shape must be"),
        ("early", np.ones((1, 3)), "shape must be"),
        ("early", np.array([1.0, np.nan, 1.0]), "finite"),
        ("masked", {"observation": np.ones(2), "action_mask": np.ones(3)}, "action_mask must have 4"),
        ("masked", {"observation": np.ones(2)}, "action_mask"),
        ("masked", np.ones(2), "does not fit"),
    ],
)
def test_observation_outside_its_space_is_refused_and_the_agent_named(toys, agent, observation, said):
    team = Team.of(toys.mixed_game(), "tanh")
    observations, _ = toys.mixed_game().reset()
    with pytest.raises(ValueError, match=said) as caught:
        team.encode({**observations, agent: observation})
    assert f"agent {agent!r}" in str(caught.value)


def test_team_survives_json(toys):
    team = Team.of(toys.mixed_game(), "tanh")
    rebuilt = Team.from_json(json.loads(json.dumps(team.to_json())), "tanh")
    rebuilt.check_same(team)
    assert rebuilt.agents == team.agents


def test_other_agents_and_other_spaces_are_told_apart(toys):
    team = Team.of(toys.matrix_game([[0, 1], [1, 0]]), "tanh")
    with pytest.raises(ValueError, match=r"agents \['a', 'b'\]"):
        team.check_same(Team.of(toys.mixed_game(), "tanh"))
    with pytest.raises(ValueError, match="agent 'b': action space must be Discrete"):
        team.check_same(Team.of(toys.matrix_game([[0, 1, 2], [1, 0, 2]]), "tanh"))


@pytest.mark.parametrize(("env", "kind", "said"), [(object(), TypeError, "ParallelEnv"), (None, TypeError, "NoneType")])
def test_what_is_no_parallel_env_is_refused(env, kind, said):
    with pytest.raises(kind, match=said):
        Team.of(env, "tanh")


def test_env_without_possible_agents_is_refused(toys):
    env = toys.mixed_game()
    del env.possible_agents
    with pytest.raises(ValueError, match="possible_agents"):
        Team.of(env, "tanh")
