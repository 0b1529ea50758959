"""The next state of a Markov game, as a distribution that nature may replace by another of an ambiguity set."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.channels import BoxPort
from robust_envs.sets import AmbiguitySet, Moved, UncertaintySet

__all__ = ["Kernel"]

Array = np.ndarray[Any, np.dtype[Any]]


class Kernel:
    """What the channel ``transition`` moves in a game that is played from its arrays.

    Args:
        root: The unwrapped environment: a `MarkovGameEnv` or `MarkovDecisionEnv`.
        members: The distributions nature may put in place of P(. | s, a).

    Raises:
        ValueError: If the environment has no such arrays.
    """

    each_step, floating, shifting = True, False, False
    labels = None

    def __init__(self, root: Any, members: AmbiguitySet) -> None:
        if not hasattr(root, "kernels"):
            raise ValueError(
                f"transition with a set of distributions ({members!r}) needs a game played from its arrays: "
                f"MarkovGameEnv(game) or MarkovDecisionEnv(MarkovGame.from_gymnasium(env)), got {type(root).__name__}"
            )
        self.root, self.given = root, members
        size = int(root.game.n_states)
        self.port = BoxPort(spaces.Box(0.0, 1.0, (size,), np.float64))
        self.members = Moved(members, tuple(np.full(size, 1.0 / size).tolist()))

    def around(self, nominal: Array) -> UncertaintySet:
        """Return the set of deltas about the distribution of this state and these actions."""
        return Moved(self.given, tuple(np.asarray(nominal, np.float64).tolist()))
