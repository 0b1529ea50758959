"""A game of one who speaks and one who listens, its right policies, and a pole that is balanced without a memory."""

import gymnasium
import numpy as np
import pytest
from mpe2 import simple_speaker_listener_v4

PUSH = {(0, -1): 1, (0, 1): 2, (1, -1): 3, (1, 1): 4}


def speaker(observation):
    """Say the colour of the goal."""
    return int(np.argmax(observation))


def liar(observation):
    """Say another one."""
    return (int(np.argmax(observation)) + 1) % 3


def listener(observation):
    """Go where the message says."""
    landmark = int(np.argmax(observation[8:11]))
    way = observation[2 + 2 * landmark : 4 + 2 * landmark] - 0.3 * observation[:2]
    axis = int(np.argmax(np.abs(way)))
    return 0 if abs(way[axis]) < 0.05 else PUSH[axis, int(np.sign(way[axis]))]


TEAM = {"speaker_0": speaker, "listener_0": listener}


def talk(**options):
    return simple_speaker_listener_v4.parallel_env(max_cycles=25, **options)


def team_return(env, episodes=8, team=TEAM):
    """Mean return of the team over some seeds."""
    total = 0.0
    for seed in range(episodes):
        observations, _ = env.reset(seed=seed)
        while env.agents:
            observations, rewards, *_ = env.step({a: team[a](observations[a]) for a in env.agents if a in team})
            total += sum(reward for agent, reward in rewards.items() if agent in TEAM)
    return total / episodes


def balance(observation):
    """Push the cart under the falling pole."""
    return int(observation @ [0.05, 0.1, 1.0, 0.5] > 0)


def pole_return(env, episodes=4):
    """Mean return of `balance` over some seeds."""
    total = 0.0
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(balance(observation))
            total, over = total + reward, terminated or truncated
    return total / episodes


class World:
    """What the tests are given."""

    speaker, liar, listener, balance = (
        staticmethod(speaker),
        staticmethod(liar),
        staticmethod(listener),
        staticmethod(balance),
    )
    team, talk, team_return = TEAM, staticmethod(talk), staticmethod(team_return)
    pole_return = staticmethod(pole_return)

    @staticmethod
    def pole():
        return gymnasium.make("CartPole-v1")


@pytest.fixture(scope="session")
def world():
    return World
