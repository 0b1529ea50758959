"""Who looks for perturbations: by name, or any object that is asked and told."""

from robust_envs.testing.search.base import SEARCHES, Search, make_search

__all__ = ["SEARCHES", "Search", "make_search"]
