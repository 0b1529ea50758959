"""What natures cost in vector environments: CPU time of chunks, naked and wrapped in turn, median of the ratios."""

import statistics
import time
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import SyncVectorEnv

from robust_envs import Linf, Uniform, robust

SIZE = 64


def speed(make, chunk, chunks=15):
    """Return steps per second of the robust environment over those of the naked one."""
    pair = make(), robust(make(), observation=Linf(0.1), nature=Uniform())
    actions = np.random.default_rng(0).integers(0, 2, (chunk, SIZE))

    def clock(env):
        start = time.process_time()
        for action in actions:
            env.step(action)
        return time.process_time() - start

    for env in pair:
        env.reset(seed=0)
        clock(env)
    return statistics.median(clock(pair[0]) / clock(pair[1]) for _ in range(chunks))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "chunk", "least"),
    [
        (lambda: SyncVectorEnv([partial(gymnasium.make, "CartPole-v1")] * SIZE), 128, 0.80),
        (
            lambda: CartPoleVectorEnv(SIZE),
            1024,
            0.60,
        ),  # a naked step of all 64 takes 50 microseconds, less than one of Sync's
    ],
    ids=["sync", "native"],
)
def test_observation_noise_costs_little_on_64_cartpoles(make, chunk, least):
    assert max(speed(make, chunk) for _ in range(2)) >= least  # the better of two: others use the machine as well
