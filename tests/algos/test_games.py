import numpy as np
import pytest

from algos.deep.games import ParallelGame, Team


def play(env, steps=None):
    """Play zeros until the end; return the frames and steps."""
    team = Team.of(env, "tanh")
    game = ParallelGame(env, team)
    frames, outcomes = [game.reset(3, episode=7)], []
    while not game.over and (steps is None or len(outcomes) < steps):
        outcomes.append(game.step(np.zeros(team.real_actions.shape, np.float32)))
        frames.append(outcomes[-1].frame)
    return frames, outcomes


def test_environment_is_reset_with_the_seed(toys):
    env = toys.mixed_game()
    play(env)
    assert env.seeds == [3]


def test_time_limit_lets_everybody_live_on(toys):
    _, steps = play(toys.mixed_game(horizon=2, terminate=False))
    assert [step.continues.tolist() for step in steps] == [[True] * 3] * 2


def test_termination_does_not(toys):
    _, steps = play(toys.mixed_game(horizon=2, terminate=True))
    assert [step.continues.tolist() for step in steps] == [[True] * 3, [False] * 3]


def test_agent_that_dies_early_is_absent_and_unrewarded_from_then_on(toys):
    frames, steps = play(toys.mixed_game(horizon=3, terminate=False, deaths={"early": 1}))
    assert [step.continues.tolist() for step in steps] == [[False, True, True]] * 3
    assert [frame.present.tolist() for frame in frames] == [[True] * 3, *[[False, True, True]] * 2, [False] * 3]
    assert [step.reward[0] for step in steps] == [1.0, 0.0, 0.0]
    assert not frames[2].observation[0].any()


def test_only_living_agents_are_asked_to_act(toys):
    env = toys.mixed_game(horizon=3, deaths={"early": 1})
    play(env)
    assert [sorted(actions) for actions in env.played] == [["early", "late", "masked"], *[["late", "masked"]] * 2]


def spoil(part, agent, value):
    def fault(env, outcome):
        if env.time == 2:
            outcome[part][agent] = value

    return fault


def drop(part, agent):
    def fault(env, outcome):
        if env.time == 2:
            del outcome[part][agent]

    return fault


@pytest.mark.parametrize(
    ("fault", "agent", "said"),
    [
        (spoil(1, "late", np.nan), "late", "finite reward"),
        (spoil(1, "late", None), "late", "one number"),
        (drop(1, "late"), "late", "one number"),
        (spoil(0, "early", np.full(3, np.inf, np.float32)), "early", "finite"),
        (spoil(0, "early", np.ones(4, np.float32)), "early", "shape"),
        (drop(0, "late"), "late", "no observation"),
    ],
)
def test_fault_of_the_environment_names_agent_step_and_episode(toys, fault, agent, said):
    with pytest.raises(ValueError, match=said) as caught:
        play(toys.mixed_game(horizon=4, fault=fault))
    assert f"agent {agent!r}" in str(caught.value)
    assert "step 2 of episode 7" in str(caught.value)


def test_episode_without_agents_is_refused(toys):
    env = toys.mixed_game()
    env.possible_agents = []
    team = Team.of(toys.mixed_game(), "tanh")
    with pytest.raises(ValueError, match="agents after reset"):
        ParallelGame(env, team).reset(0, episode=0)
