"""A CleanRL-style file trains the team, and nature where it is an agent."""

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from trained import example

from robust_envs import AsAgents, Uniform


@pytest.mark.parametrize(("nature", "groups"), [(Uniform(), ["agent"]), (AsAgents(), ["agent", "nature"])], ids=repr)
def test_training_changes_every_group_and_nature_reaches_what_is_seen(watched, nature, groups):
    trained = watched.train(example("cleanrl"), 100, nature)
    assert sorted(trained) == groups
    assert all(watched.changed(network) for network in trained.values())
    assert 0 < watched.largest_move <= 1 + 1e-6
