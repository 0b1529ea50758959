"""Games of one move that every textbook has, and one in which risk decides."""

from __future__ import annotations

import numpy as np

from robust_envs.envs.markov_game import MarkovGame

__all__ = [
    "battle_of_the_sexes",
    "chicken",
    "coordination_under_risk",
    "matching_pennies",
    "prisoners_dilemma",
    "rock_paper_scissors",
    "stag_hunt",
]


def matching_pennies(*, discount: float = 0.0) -> MarkovGame:
    """Match or mismatch: zero-sum, both mix evenly, value 0.

    Example:
        >>> matching_pennies().is_zero_sum
        True
    """
    sides = ("heads", "tails")
    return MarkovGame.from_matrix([[1, -1], [-1, 1]], discount=discount, actions=(sides, sides))


def rock_paper_scissors(*, discount: float = 0.0) -> MarkovGame:
    """Beat the next one round: zero-sum, everything alike, value 0.

    Example:
        >>> rock_paper_scissors().n_actions
        (3, 3)
    """
    hands = ("rock", "paper", "scissors")
    return MarkovGame.from_matrix([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], discount=discount, actions=(hands, hands))


def stag_hunt(*, discount: float = 0.0) -> MarkovGame:
    """Trust or be safe: a stag together is worth 4, a hare 3 whatever the other does, a stag alone 0.

    Both hunting stag is best, both hunting hare is safe; a stag that may be worth 4 - d with d > 1 is not hunted any
    more.

    Example:
        >>> stag_hunt().rewards[0, 0]
        array([[4., 0.],
               [3., 3.]])

    References:
        J. Harsanyi, R. Selten, 1988, A general theory of equilibrium selection in games.
    """
    prey = ("stag", "hare")
    return _symmetric([[4, 0], [3, 3]], prey, discount)


def prisoners_dilemma(*, discount: float = 0.0) -> MarkovGame:
    """Defecting pays whatever the other does, cooperating would pay both: 3 together, 1 apart, 5 and 0.

    Example:
        >>> prisoners_dilemma().rewards[:, 0, 1, 0]
        array([5., 0.])

    References:
        R. Axelrod, 1984, The evolution of cooperation.
    """
    return _symmetric([[3, 0], [5, 1]], ("cooperate", "defect"), discount)


def chicken(*, discount: float = 0.0) -> MarkovGame:
    """Dare or yield: who dares alone wins 7, both daring get nothing; a mediator helps.

    Example:
        >>> chicken().rewards[:, 0, 0, 1]
        array([7., 2.])

    References:
        R. Aumann, 1974, Subjectivity and correlation in randomized strategies.
    """
    return _symmetric([[0, 7], [2, 6]], ("dare", "yield"), discount)


def battle_of_the_sexes(*, discount: float = 0.0) -> MarkovGame:
    """Go out together, but where: 2 for the one who likes it better, 1 for the other, 0 for both alone.

    Example:
        >>> battle_of_the_sexes().rewards[:, 0, 0, 0]
        array([2., 1.])

    References:
        R. Luce, H. Raiffa, 1957, Games and decisions.
    """
    places = ("opera", "football")
    return MarkovGame.from_matrix([[2, 0], [0, 1]], [[1, 0], [0, 2]], discount=discount, actions=(places, places))


def coordination_under_risk(*, discount: float = 0.9) -> MarkovGame:
    """Work together for more, where only working together is exposed to failure.

    At work both going high pays 2 each; going low pays 1 for sure; high alone pays 0. Play goes on for ever, unless
    nature breaks it: in `broken` everything pays 0 for ever. With contamination R of the transition of (high, high),
    and of no other, working together for ever is worth V = 2 / (1 - discount (1 - R)), and it is a robust equilibrium
    if and only if going low once does not pay: V >= 1 + discount V. That is R <= 1/9 at discount 0.9, where V is 10.
    Both going low for ever is an equilibrium at every R, worth 1 / (1 - discount).

    Example:
        >>> coordination_under_risk().states
        ('work', 'broken')
    """
    rewards, transitions = np.zeros((2, 2, 2, 2)), np.zeros((2, 2, 2, 2))
    rewards[0, 0] = [[2, 0], [1, 1]]
    rewards[1, 0] = [[2, 1], [0, 1]]
    for state in (0, 1):
        transitions[state, ..., state] = 1.0
    levels = ("high", "low")
    return MarkovGame(
        rewards,
        transitions,
        discount,
        start=[1.0, 0.0],
        actions=(levels, levels),
        states=("work", "broken"),
    )


def _symmetric(payoff: list[list[int]], actions: tuple[str, str], discount: float) -> MarkovGame:
    own = np.array(payoff)
    return MarkovGame.from_matrix(own, own.T, discount=discount, actions=(actions, actions))
