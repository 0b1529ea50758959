import numpy as np
import pytest
import torch

from algos.deep.buffers import ReplayBuffer, RowLayout
from algos.deep.games import Frame, Step

CPU = torch.device("cpu")


def layout(masked=False):
    return RowLayout(agents=2, observation=3, action=4, masked=masked)


def buffer(capacity=10, masked=False, seed=0):
    return ReplayBuffer(layout(masked), capacity=capacity, generator=torch.Generator().manual_seed(seed))


def transition(seed):
    rng = np.random.default_rng(seed)

    def floats(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def flags(*shape):
        return rng.random(shape) < 0.5

    frame, after = (Frame(floats(2, 3), flags(2), flags(2, 4)) for _ in range(2))
    return frame, floats(2, 4), Step(floats(2), flags(2), after)


@pytest.mark.parametrize("masked", [False, True])
def test_what_is_read_is_what_was_written(masked):
    replay = buffer(masked=masked)
    frame, actions, step = transition(0)
    replay.add(frame, actions, step)
    batch = replay.sample(1, CPU)
    joint = np.concatenate([frame.observation.ravel(), actions.ravel()])
    np.testing.assert_array_equal(batch.joint[0], joint)
    np.testing.assert_array_equal(batch.observation[:, 0], frame.observation)
    np.testing.assert_array_equal(batch.action[0], actions)
    np.testing.assert_array_equal(batch.reward[:, 0], step.reward)
    np.testing.assert_array_equal(batch.present[:, 0], frame.present)
    np.testing.assert_array_equal(batch.continues[:, 0], step.continues)
    np.testing.assert_array_equal(batch.next_observation[:, 0], step.frame.observation)
    if masked:
        np.testing.assert_array_equal(batch.legal[:, 0], frame.legal)
        np.testing.assert_array_equal(batch.next_legal[:, 0], step.frame.legal)
    else:
        assert batch.legal is batch.next_legal is None


def rewards(replay):
    return sorted({round(float(r), 5) for r in replay.sample(2000, CPU).reward[0]})


def test_oldest_transition_makes_room_for_the_newest():
    replay = buffer(capacity=5)
    for k in range(12):
        replay.add(*transition(k))
    assert len(replay) == 5
    assert rewards(replay) == sorted(round(float(transition(k)[2].reward[0]), 5) for k in range(7, 12))


def test_every_transition_is_drawn_equally_often():
    replay = buffer(capacity=4)
    for k in range(4):
        replay.add(*transition(k))
    _, counts = np.unique(replay.sample(20_000, CPU).reward[0], return_counts=True)
    np.testing.assert_allclose(counts / 20_000, 0.25, atol=0.02)


def test_memory_grows_with_what_is_stored_and_not_beyond_capacity():
    replay = buffer(capacity=10_000)
    sizes = set()
    for k in range(10_001):
        if k % 100 == 0:
            sizes.add(len(replay._rows))
        replay.add(*transition(0))
    assert sizes == {4096, 8192, 10_000}


def test_million_transitions_of_cooperative_navigation_take_under_a_gigabyte():
    row = RowLayout(agents=3, observation=18, action=5, masked=False).width * 4
    assert 1_000_000 * row < 1e9


@pytest.mark.parametrize("stored", [0, 3, 5, 8])
def test_restored_buffer_goes_on_as_the_saved_one(stored):
    replay = buffer(capacity=5)
    for k in range(stored):
        replay.add(*transition(k))
    other = buffer(capacity=5)
    other.restore({name: tensor.clone() for name, tensor in replay.state().items()})
    for k in range(20, 23):
        replay.add(*transition(k))
        other.add(*transition(k))
    assert torch.equal(replay.sample(50, CPU).joint, other.sample(50, CPU).joint)


@pytest.mark.parametrize(
    "state",
    [
        {"rows": torch.zeros(3, 7), "next": torch.tensor(3)},
        {"rows": torch.zeros(6, layout().width), "next": torch.tensor(0)},
        {"rows": torch.zeros(3, layout().width), "next": torch.tensor(1)},
        {"rows": torch.zeros(5, layout().width), "next": torch.tensor(5)},
    ],
)
def test_rows_that_do_not_fit_are_refused(state):
    with pytest.raises(ValueError, match="replay"):
        buffer(capacity=5).restore(state)
