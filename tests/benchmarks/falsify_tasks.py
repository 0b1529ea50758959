"""The tasks of the benchmark of falsification, and the searches it compares that the package does not have."""

import numpy as np
from policies import load, make

from robust_envs import Linf
from robust_envs.streams import episode_seed
from robust_envs.testing import always_within, eventually, returns_at_least
from robust_envs.testing.arena import Arena
from robust_envs.testing.rules import nothing


def covered(moment, within=0.3):
    """Tell by how much each landmark has an agent within a distance, as the first agent sees it."""
    seen = moment.observation["agent_0"]
    agents = np.concatenate([np.zeros((1, 2)), seen[10:14].reshape(2, 2)])
    ways = np.linalg.norm(seen[4:10].reshape(3, 1, 2) - agents, axis=-1)
    return within - ways.min(axis=1).max()


UNITS = {"cartpole": (0.35, 0.35, 0.04, 0.45), "pendulum": (0.3, 0.3, 1.0), "spread": None, "cheetah": None}
PROPERTIES = {
    "cartpole": always_within((-2.4, -0.2095), (2.4, 0.2095), of=(0, 2), name="upright"),
    "pendulum": always_within(0.5, 1.5, of=(0,), after=150, name="stands"),
    "spread": eventually(covered, after=15, name="covers all landmarks at once"),
    "cheetah": returns_at_least(0.0),
}


def task(name, radius):
    """Return what `falsify` needs, by name: policy, environment, sets, property."""
    unit = UNITS[name]
    members = Linf(radius) if unit is None else Linf(radius, unit=unit)
    return {
        "policy": load(name),
        "env_fn": lambda: make(name),
        "observation": members,
        "property": PROPERTIES[name],
    }


def start(given, k):
    """Return the first seed of trial k from which a task's policy holds without nature."""
    arena = Arena(given["policy"], given["env_fn"], {"observation": given["observation"]})
    for number in range(100):
        nominal = arena.play(nothing, episode_seed(k, number))
        if given["property"].margin(nominal, nominal) >= 0:
            return nominal.seed
    raise ValueError(f"the policy of trial k={k} must hold from some start without nature, got none in 100")


class Annealing:
    """Generalised simulated annealing on the deltas at 8 control points, linear in between: a search of the user's.

    The proposals and the cooling are those of classical annealing: Gaussian steps that shrink with the temperature,
    accepted by Metropolis' rule.
    """

    def __init__(self, problem, points=8, budget=500):
        self.problem, self.rng, self.points = problem, problem.rng, points
        self.size = [place.rows * points for place in problem.places]
        self.now = self.rng.uniform(-1, 1, sum(self.size))
        self.energy, self.asked, self.budget = None, 0, budget

    def ask(self):
        heat = max(0.02, 1 - self.asked / self.budget)
        step = heat * self.rng.standard_normal(len(self.now)) if self.energy is not None else 0.0
        self.tried = np.clip(self.now + step, -1, 1)
        self.asked += 1
        return Courses(self.problem, self.tried, self.points)

    def tell(self, nature, margin):
        heat = max(0.02, 1 - self.asked / self.budget)
        spread = 0.1 * heat * (abs(margin) + 1e-9)
        if self.energy is None or margin < self.energy or self.rng.random() < np.exp((self.energy - margin) / spread):
            self.now, self.energy = self.tried, margin


class Courses:
    """Interpolate between control points in [-1, 1], as shares of the set's half width, projected onto the set."""

    def __init__(self, problem, numbers, points):
        self.plans, start = {}, 0
        self.steps = np.linspace(0, problem.horizon, points)
        for place in problem.places:
            stop = start + place.rows * points
            self.plans[place.key] = numbers[start:stop].reshape(points, place.rows)
            start = stop

    def __call__(self, move):
        plan = self.plans[move.channel, move.agent]
        share = np.array([np.interp(move.step, self.steps, column) for column in plan.T])
        return move.set.project(move.set.bounds.high * share)
