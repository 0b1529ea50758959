"""The tasks of the benchmark of falsification, and the searches it compares that the package does not have."""

import numpy as np
from policies import load, make

from robust_envs import Linf
from robust_envs.testing import always_within, relative_return, returns_at_least

UNITS = {"cartpole": (0.35, 0.35, 0.04, 0.45), "pendulum": (0.3, 0.3, 1.0), "spread": None, "cheetah": None}
PROPERTIES = {
    "cartpole": always_within((-2.4, -0.2095), (2.4, 0.2095), of=(0, 2), name="upright"),
    "pendulum": always_within(0.5, 1.5, of=(0,), after=150, name="stands"),
    "spread": relative_return(0.5),
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
