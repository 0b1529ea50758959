"""XuanCe trains agents that share nothing, natures among them."""

import pytest

pytest.importorskip("xuance", reason="xuance is not installed: python tests/interop/stacks.py")

from trained import example

from robust_envs import AsAgents, Uniform

pytestmark = pytest.mark.filterwarnings("ignore")
AGENTS = [f"agent_{k}" for k in range(3)]
NATURES = [f"nature_{k}" for k in range(3)]


@pytest.mark.parametrize(("nature", "groups"), [(Uniform(), AGENTS), (AsAgents(), [*AGENTS, *NATURES])], ids=repr)
def test_training_changes_every_policy_and_nature_reaches_what_is_seen(watched, nature, groups, tmp_path):
    watched.monkeypatch.chdir(tmp_path)
    trained = watched.train(example("xuance"), 100, nature)
    assert sorted(trained) == groups
    assert all(watched.changed(network) for network in trained.values())
    assert 0 < watched.largest_move <= 1 + 1e-6
