"""PufferLib trains the team, and a nature in turns with it."""

import signal
from importlib.util import find_spec

import numpy as np
import pytest

if (
    find_spec("pufferlib") is None
):  # its import leaves a link in the folder it happens in: not while tests are collected
    pytest.skip("pufferlib is not installed: python tests/interop/stacks.py", allow_module_level=True)

from trained import example

from robust_envs import AsAgents, Linf, Uniform, robust

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pressed = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, pressed)  # importing its trainer makes Ctrl-C end the process at once


@pytest.mark.parametrize(("nature", "sides"), [(Uniform(), ["team"]), (AsAgents(), ["nature", "team"])], ids=repr)
def test_training_changes_every_policy_and_nature_reaches_what_is_seen(watched, nature, sides):
    trained = watched.train(example("pufferlib"), 400, nature)
    assert sorted(trained) == sides
    assert all(watched.changed(network) for network in trained.values())
    assert 0 < watched.largest_move <= 1 + 1e-6


def test_natures_with_other_spaces_break_its_emulation():
    env = example("pufferlib").make(AsAgents())
    env.reset(seed=0)
    assert env.num_agents == 6
    with pytest.raises(ValueError, match="nature_0"):
        env.step(np.full((6, 5), 0.5, np.float32))


def test_two_games_for_each_worker_share_their_seeds_with_the_next_worker():
    import pufferlib.vector

    module, rows = example("pufferlib"), []
    for worker in range(2):  # its worker k holds a Serial that is reset with seed + k, and counts up again inside
        games = pufferlib.vector.make(module.make, env_kwargs={"nature": Uniform()}, backend="Serial", num_envs=2)
        rows += list(games.reset(seed=worker)[0].reshape(2, -1).copy())
    assert np.array_equal(rows[1], rows[2])
    assert len({row.tobytes() for row in rows}) == 3


def test_its_trainer_cuts_rewards_at_one():
    module, kept = example("pufferlib"), []
    original = module.PuffeRL.train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.PuffeRL, "train", lambda self: kept.append(self.rewards.clone()) or original(self))
        patch.setattr(module, "robust", lambda env, **o: robust(env, reward=Linf(50.0), nature=Uniform()))
        module.learn(Uniform(), 384)
    assert max(float(rewards.abs().max()) for rewards in kept) == 1.0
