"""Make what was found small: the rule, then the list of moves; and see how far the rule carries."""

from robust_envs.testing.shrink.budget import Judge, SpentError, patiently
from robust_envs.testing.shrink.rule import shrink_rule
from robust_envs.testing.shrink.trace import Shrunk, shrink_steps
from robust_envs.testing.shrink.transfer import Transfer, transfer, wilson

__all__ = [
    "Judge",
    "Shrunk",
    "SpentError",
    "Transfer",
    "patiently",
    "shrink_rule",
    "shrink_steps",
    "transfer",
    "wilson",
]
