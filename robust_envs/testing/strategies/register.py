"""What `hypothesis.strategies.from_type` makes of our classes."""

from __future__ import annotations

from gymnasium import spaces
from hypothesis import strategies as st

from robust_envs.natures import Noise
from robust_envs.sets import AmbiguitySet, Joint, PerEpisode, Product, Switch, UncertaintySet
from robust_envs.testing.strategies.ambiguity import AMBIGUITY_KINDS, ambiguity_sets
from robust_envs.testing.strategies.sets import KINDS, uncertainty_sets

__all__ = ["register"]


def register() -> None:
    """Teach `from_type` to draw sets and natures; anything else is drawn from its constructor as it is."""
    kinds: list[type[UncertaintySet]] = [*KINDS, Joint, PerEpisode]
    for kind in kinds:
        st.register_type_strategy(kind, uncertainty_sets(kinds=(kind,)))
    for members in AMBIGUITY_KINDS:
        st.register_type_strategy(members, ambiguity_sets(kinds=(members,)))
    box = spaces.Box(-1.0, 1.0, (2,))
    st.register_type_strategy(Switch, uncertainty_sets(spaces.Discrete(4), kinds=(Switch,)))
    st.register_type_strategy(Product, uncertainty_sets(spaces.Dict(a=box, b=box)))
    st.register_type_strategy(UncertaintySet, uncertainty_sets())
    st.register_type_strategy(AmbiguitySet, ambiguity_sets())
    st.register_type_strategy(Noise, st.integers(1, 12).map(lambda k: Noise(cut=k / 4)))
