"""Sets of choices are values like all sets: frozen, comparable, hashable, picklable, printed as they are written."""

import pickle

import pytest
from gymnasium import spaces

from robust_envs import L2, Delay, Dropout, Finite, Linf, Switch, heard, joint, said

SETS = [
    Delay(3),
    Delay([2], of="action", each="episode"),
    Delay(2, of="heard", at=slice(8, None)),
    Delay(2, at=[0, -1]),
    Dropout(),
    Dropout(0.3, mode="zero", budget=5, of="said", at=[1]),
    heard(Linf(0.1), at=slice(None, 3)),
    heard(Switch(0.1), at=[0, 1], words=[[0, 1]]),
    said(Switch(0.2), base=5),
    said(Dropout(0.2), at=2),
    joint(heard(L2(0.1)), agents=["a", "b"]),
]


@pytest.mark.parametrize("members", SETS, ids=repr)
def test_a_set_is_a_value(members):
    twin = eval(repr(members), {**globals(), "Joint": lambda inner, agents: joint(inner, agents=agents)})
    assert twin == members
    assert hash(twin) == hash(members)
    assert pickle.loads(pickle.dumps(members)) == members


@pytest.mark.parametrize("members", SETS, ids=repr)
def test_a_set_scaled_by_zero_is_zero_and_by_one_is_itself(members):
    assert members.scaled(0.0).is_zero
    assert members.scaled(1.0) == members
    assert not members.is_zero


def test_scaling_multiplies_steps_and_probabilities():
    assert Delay(4).scaled(0.5) == Delay(2)
    assert Delay([3]).scaled(0.5) == Delay([1])
    assert Delay([3]).with_radius(2) == Delay([2])
    assert Delay([1, 5]).scaled(2.0).steps == (2, 10)
    assert Dropout(0.4).scaled(2.0).probability == 0.8
    assert Dropout(0.9).scaled(2.0).probability == 1.0


@pytest.mark.parametrize("members", [Delay(2), Dropout(0.5)], ids=repr)
def test_a_set_of_choices_holds_no_deltas(members):
    bound = members.bind(spaces.Discrete(3))
    for ask in (
        lambda: bound.contains([0.0]),
        lambda: bound.project([0.0]),
        lambda: bound.grid(2),
        lambda: bound.bounds,
    ):
        with pytest.raises(TypeError, match="holds no deltas: nature chooses, and adds nothing"):
            ask()


def test_policies_can_only_be_listed():
    def still(observation):
        return 0

    members = Finite([still, still])
    assert members.policies
    assert not members.is_zero
    assert members.scaled(0.0).is_zero
    with pytest.raises(ValueError, match="members are policies, which stand under partners"):
        members.bind(2)
    assert not Finite([1.0, 2.0]).policies
