"""Tianshou trains a learner for each agent of an AEC game, natures among them."""

import pytest

pytest.importorskip("tianshou", reason="tianshou is not installed: python tests/interop/stacks.py")

from trained import example

from robust_envs import AsAgents, Uniform

pytestmark = pytest.mark.filterwarnings("ignore")
AGENTS = [f"agent_{k}" for k in range(3)]
NATURES = [f"nature_{k}" for k in range(3)]


@pytest.mark.parametrize("agents", [AGENTS, AGENTS + NATURES], ids=["passive", "agents"])
def test_training_changes_every_learner_and_nature_reaches_what_is_seen(watched, agents):
    module = example("tianshou")
    trained = watched.train(module, 300, module.NATURES if len(agents) > 3 else Uniform())
    assert sorted(trained) == agents
    assert all(watched.changed(policy.model) for policy in trained.values())
    assert 0 < watched.largest_move <= 1 + 1e-6


def test_natures_that_are_not_padded_are_refused_by_tianshou_itself():
    with pytest.raises(AssertionError, match="must be identical"):
        example("tianshou").make(AsAgents())
