"""Sentences about messages, delays, losses and partners, which the laws are tried on in the glass-box environments."""

import gymnasium
import numpy as np
from glassbox import FAMILY, EchoAEC, EchoEnv, EchoParallel, EchoTurns
from gymnasium import spaces

from robust_envs import (
    Delay,
    Dropout,
    Finite,
    Linf,
    MixedPolicy,
    Mixture,
    Nominal,
    Policy,
    Population,
    Switch,
    Uniform,
    heard,
    per_step,
    said,
    scheduled,
)

KINDS = {
    "gym": EchoEnv,
    "parallel": EchoParallel,
    "born": lambda: EchoParallel(FAMILY),
    "aec": EchoAEC,
    "turns": EchoTurns,
}


class Lean:
    """A policy that follows what it sees, to one side."""

    def __init__(self, side):
        self.side = side

    def __call__(self, observation):
        return np.tanh(self.side * observation[:2])


LEFT, RIGHT = Lean(-1.0), Lean(1.0)


def speaks(env):
    """Say which part of each action is a message, whatever the space."""
    if isinstance(env, gymnasium.Env):
        return said(Linf(0.4), at=[1])
    boxes = {agent: isinstance(env.action_space(agent), spaces.Box) for agent in env.possible_agents}
    return {agent: said(Linf(0.4), at=[1]) if box else said(Switch(0.6), base=2) for agent, box in boxes.items()}


def partners(*members, wrap=lambda members: members):
    """Let other policies play an agent, where there are others."""
    return lambda env: None if isinstance(env, gymnasium.Env) else {"a_1": wrap(Finite(members))}


# What the channels of a sentence are, given the environment; ``None`` where it makes no sense.
SENTENCES = {
    "late observations": lambda env: {"delay": Delay(3)},
    "fixed delay": lambda env: {"delay": Delay([2])},
    "unknown delay": lambda env: {"delay": Delay(3, each="episode")},
    "late actions": lambda env: {"delay": Delay([1, 3], of="action")},
    "late coordinates": lambda env: {"delay": Delay(2, at=slice(-2, None))},
    "lost observations": lambda env: {"dropout": Dropout(0.5)},
    "stuck": lambda env: {"dropout": Dropout(0.3, mode="stuck")},
    "dark coordinates": lambda env: {"dropout": Dropout(0.5, mode="zero", at=[0, 1])},
    "lost actions": lambda env: {"dropout": Dropout(0.7, mode="zero", budget=4, of="action")},
    "heard noise": lambda env: {"message": heard(Linf(0.3), at=[-1])},
    "heard words": lambda env: {"message": heard(Switch(0.5), at=[0, 1], words=[[1, 0], [0, 1], [-1, 0]])},
    "heard nothing": lambda env: {"message": heard(Dropout(0.5, mode="zero"), at=[0, 1])},
    "said": lambda env: {"message": speaks(env)},
    "strangers": lambda env: {"partners": partners(LEFT, RIGHT)(env)},
    "many strangers": lambda env: {"partners": partners(LEFT, MixedPolicy([LEFT, RIGHT]), wrap=per_step)(env)},
    "all": lambda env: {
        "observation": Linf(0.2) if isinstance(env, gymnasium.Env) else {"a_0": Linf(0.2)},
        "message": heard(Linf(0.3), at=[0]),
        "delay": Delay(2),
        "dropout": Dropout(0.3),
        "partners": partners(LEFT, RIGHT)(env),
    },
    "all on actions": lambda env: {
        "message": speaks(env),
        "delay": Delay(2, of="action"),
        "dropout": Dropout(0.3, of="action"),
        "partners": partners(LEFT, RIGHT)(env),
    },
}
ZEROS = {
    "delay": lambda env: {"delay": Delay(0)},
    "delay of none": lambda env: {"delay": Delay(3, of="action").scaled(0.0)},
    "dropout": lambda env: {"dropout": Dropout(0.0)},
    "budget": lambda env: {"dropout": Dropout(1.0, budget=0, of="action")},
    "message": lambda env: {"message": heard(Linf(0.0), at=[0])},
    "words": lambda env: {"message": heard(Switch(0.0), at=[0])},
    "partners": lambda env: {"partners": partners(LEFT, wrap=lambda members: members.scaled(0.0))(env)},
}


def last(move):
    """A function that looks, and takes the last choice it has, or the greatest delta."""
    if getattr(move.set, "discrete", False):
        return move.set.actions[-1] if move.seen.sum() > 0 else move.nominal
    return move.set.bounds.high


def play(seen):
    """A policy of nature's, for choices and for deltas."""
    return np.full(9, float(seen.sum() > 0))


NATURES = {
    "uniform": Uniform(),
    "function": last,
    "policy": Policy(play),
    "scheduled": scheduled(Uniform(), start=2, every=2, budget=5),
    "mixture": Mixture(0.5, last),
    "population": Population([Uniform(), Nominal(), last], each="move"),
}


def channels(kind, sentence):
    """Return the channels of a sentence for an environment of some kind; ``None`` if there are none."""
    given = {channel: sets for channel, sets in (SENTENCES | ZEROS)[sentence](kind()).items() if sets is not None}
    return given or None
