"""AgileRL trains the team, and natures by a policy of their own."""

import pytest

pytest.importorskip("agilerl", reason="agilerl is not installed: python tests/interop/stacks.py")

from trained import example

from robust_envs import AsAgents, Uniform

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("nature", "groups"), [(Uniform(), ["agent"]), (AsAgents(), ["agent", "nature"])], ids=repr)
def test_training_changes_every_policy_and_nature_reaches_what_is_seen(watched, nature, groups, tmp_path):
    watched.monkeypatch.chdir(tmp_path)
    trained = watched.train(example("agilerl"), 100, nature)
    assert sorted(trained) == groups
    assert all(watched.changed(network) for network in trained.values())
    assert 0 < watched.largest_move <= 1 + 1e-6
