"""Decisions of one player."""

from __future__ import annotations

import math

import numpy as np

from robust_envs.envs._checks import number, whole
from robust_envs.envs.markov_game import MarkovGame

__all__ = ["inventory", "machine_replacement", "riverswim"]


def machine_replacement(*, conditions: int = 8, discount: float = 0.8) -> MarkovGame:
    """Keep a machine running or repair it in time.

    A running machine wears by one condition with probability 0.8; it costs nothing but in its last condition, where
    each period costs 20. A repair costs 2 and makes it new with probability 0.9; otherwise it wears as ever.

    Args:
        conditions: number of conditions, >= 2.
        discount: in [0, 1).

    Example:
        >>> machine_replacement().actions
        (('keep', 'repair'),)

    References:
        In the manner of E. Delage, S. Mannor, 2010, Percentile optimization for Markov decision processes with
        parameter uncertainty, and W. Wiesemann, D. Kuhn, B. Rustem, 2013, Robust Markov decision processes; numbers
        of our own.
    """
    n = whole("conditions", conditions, 2)
    transitions, rewards = np.zeros((n, 2, n)), np.zeros((1, n, 2))
    for s in range(n):
        transitions[s, 0, s] += 0.2
        transitions[s, 0, min(s + 1, n - 1)] += 0.8
    transitions[:, 1] = 0.1 * transitions[:, 0]
    transitions[:, 1, 0] += 0.9
    rewards[0, -1] -= 20.0
    rewards[0, :, 1] -= 2.0
    start = np.eye(n)[0]
    names = [f"condition {s}" for s in range(n)]
    return MarkovGame(rewards, transitions, discount, start=start, actions=(("keep", "repair"),), states=names)


def riverswim(*, length: int = 6, discount: float = 0.95) -> MarkovGame:
    """Swim against the current for a large reward, or drift for a small one.

    Drifting always goes one place down. Swimming goes up with probability 0.35, stays with 0.6 and slips back with
    0.05; at the lower end it goes up with 0.6, at the upper end it stays with 0.6. Drifting at the lower end pays
    0.005, swimming at the upper end 1.

    Args:
        length: number of places, >= 2.
        discount: in [0, 1).

    Example:
        >>> riverswim().transitions[2, 1]
        array([0.  , 0.05, 0.6 , 0.35, 0.  , 0.  ])

    References:
        A. Strehl, M. Littman, 2008, An analysis of model-based interval estimation for Markov decision processes; the
        numbers are those of I. Osband, D. Russo, B. Van Roy, 2013, (More) efficient reinforcement learning via
        posterior sampling.
    """
    n = whole("length", length, 2)
    transitions, rewards = np.zeros((n, 2, n)), np.zeros((1, n, 2))
    for s in range(n):
        transitions[s, 0, max(s - 1, 0)] = 1.0
        transitions[s, 1, [max(s - 1, 0), s, min(s + 1, n - 1)]] = (0.05, 0.6, 0.35)
    transitions[0, 1] = 0.4 * np.eye(n)[0] + 0.6 * np.eye(n)[1]
    transitions[-1, 1] = 0.4 * np.eye(n)[-2] + 0.6 * np.eye(n)[-1]
    rewards[0, 0, 0], rewards[0, -1, 1] = 0.005, 1.0
    start = np.eye(n)[0]
    return MarkovGame(rewards, transitions, discount, start=start, actions=(("drift", "swim"),))


def inventory(*, capacity: int = 10, demand: float = 4.0, discount: float = 0.95) -> MarkovGame:
    """Order before demand is known, and sell what there is.

    The state is the stock, the action how much is ordered (no more than fits in); demand has a Poisson distribution,
    cut at the capacity. A unit costs 3 to order, 1 to keep over a period, and sells for 8. Rewards depend on the next
    state, which says what was sold.

    Args:
        capacity: most units in stock, >= 1.
        demand: mean of the demand, finite, > 0.
        discount: in [0, 1).

    Example:
        >>> inventory().next_state_rewards
        True

    References:
        M. Puterman, 1994, Markov decision processes, section 3.2.
    """
    n = whole("capacity", capacity, 1) + 1
    demand = number("demand", demand, "be finite and > 0", np.finfo(np.float64).tiny, np.inf)
    chances = np.exp(np.arange(n) * math.log(demand) - demand - [math.lgamma(d + 1) for d in range(n)])
    chances[-1] += 1.0 - chances.sum()
    stock = np.arange(n)
    transitions, rewards = np.zeros((n, n, n)), np.zeros((1, n, n, n))
    for s in range(n):
        for order in range(n):
            filled = min(s + order, n - 1)
            for d in range(n):
                transitions[s, order, max(filled - d, 0)] += chances[d]
            rewards[0, s, order] = 8.0 * (filled - stock) - 3.0 * (filled - s) - 1.0 * filled
    orders = tuple(f"order {k}" for k in range(n))
    return MarkovGame(rewards, transitions, discount, actions=(orders,), states=[f"{s} in stock" for s in range(n)])
