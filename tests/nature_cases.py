"""One of each nature which every law of `tests/laws` is tried on, and where each can play."""

import numpy as np
from gymnasium import spaces

from robust_envs import (
    Drift,
    Impulse,
    LinearFeedback,
    Linf,
    Mixture,
    Noise,
    Nominal,
    Periodic,
    Policy,
    Population,
    RandomWalk,
    Step,
    Uniform,
    scheduled,
)


def look(move):
    """A function that looks, counts and draws."""
    pull = np.full(len(move.nominal), 0.1 * move.step + float(move.seen.sum()))
    return move.nominal if getattr(move.set, "discrete", False) else move.set.project(pull * move.rng.random())


def play(seen):
    """A policy of nature's."""
    return np.tanh(seen[:9].sum()) * np.ones(40)


# What does not look is drawn ahead, what looks is asked: both ways for every nature made of others.
DRAWN = {
    "uniform": Uniform(),
    "impulse": Impulse(at=2, duration=3),
    "step": Step(at=4),
    "periodic": Periodic(period=5.0, phase=0.1),
    "square": Periodic(period=4.0, phase=0.1, square=True),
    "drift": Drift(over=9),
    "walk": RandomWalk(step=0.3),
    "late": scheduled(Uniform(), start=2, stop=9),
    "now and then": scheduled(Noise(), every=3, duration=2),
    "bursts": scheduled(Uniform(), probability=0.3, duration=2, budget=5),
    "curriculum": scheduled(Uniform(), curriculum=[(0, 0.2), (3, 1.0)]),
    "mixture": Mixture(0.4, Uniform()),
    "population": Population([Uniform(), Drift(over=3), Nominal()], weights=(1, 2, 1)),
    "population by move": Population([Uniform(), RandomWalk()], each="move"),
    "nested": scheduled(Mixture(0.7, Population([Periodic(period=3.0), Noise()], each="move")), start=1, budget=6),
}
LOOKING = {
    "late function": scheduled(look, start=2, every=2, budget=3),
    "late policy": scheduled(Policy(play), probability=0.5, curriculum=[(0, 0.5), (2, 1.0)]),
    "mixed function": Mixture(0.5, look),
    "mixed policy": Mixture(0.5, Policy(play)),
    "noisy": Mixture(0.3, Uniform(), noisy=True),
    "noisy policy": Mixture(0.3, Policy(play), noisy=True),
    "population of all": Population([look, Policy(play), Step(at=3), Uniform(), RandomWalk()], each="move"),
    "nested noisy": scheduled(Mixture(0.5, Mixture(0.5, look, noisy=True), noisy=True), start=2, budget=4),
}
NATURES = DRAWN | LOOKING
ADDS = (Impulse, Step, Periodic, Drift, RandomWalk, Noise, LinearFeedback)


def feedback(dim, size, squash="tanh"):
    """A feedback law of some shape, no two entries alike."""
    gain = np.sin(np.arange(1.0, dim * size + 1)).reshape(dim, size)
    return LinearFeedback(gain, np.cos(np.arange(dim)), squash=squash)


def adds(nature):
    """Tell whether a nature, or a part of it, adds deltas and so cannot replace choices."""
    if isinstance(nature, ADDS) or (isinstance(nature, Mixture) and nature.noisy):
        return True
    return any(map(adds, getattr(nature, "parts", ())))


def channels(env, nature, radius):
    """Return sets for all channels of a glass-box environment that a nature can act on."""
    import gymnasium
    from glassbox import all_channels

    sets = all_channels(env, radius)
    if not adds(nature):
        return sets
    if isinstance(env, gymnasium.Env):
        return sets if isinstance(env.action_space, spaces.Box) else sets | {"action": None}
    sets["action"] = {a: s for a, s in sets["action"].items() if isinstance(env.action_space(a), spaces.Box)}
    return sets


__all__ = ["DRAWN", "LOOKING", "NATURES", "Linf", "adds", "channels", "feedback", "look", "play"]
