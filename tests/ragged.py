"""Episodes of random lengths, and what tells whether two vector environments say the same."""

import numpy as np
from glassbox import EchoEnv, draw, same
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from robust_envs import robust

SIZE = 5


class Ragged(EchoEnv):
    """Episodes of random lengths, each with a number in its info, and legal actions in the info where asked for."""

    def __init__(self, observation="float32", action="box", reward="float", masked=False):
        super().__init__(observation, action, reward)
        self.masked = masked

    def reset(self, *, seed=None, options=None):
        observation, _ = super().reset(seed=seed, options=options)
        self.horizon = int(self.np_random.integers(1, 9))
        return observation, self.info()

    def step(self, action):
        observation, reward, _, over, _ = super().step(action)
        ends = bool(over and self.np_random.random() < 0.5)
        return observation, reward, ends, over and not ends, self.info()

    def info(self):
        info = {"age": len(self.received)}
        # what was executed is told, so that the law holds for it too
        if self.received and not isinstance(self.action_space, spaces.Dict):
            info["executed"] = np.array(self.received[-1], np.float64)
        if self.masked:
            info["action_mask"] = np.array([1, 0, 1, 1], np.int8)[self.np_random.permutation(4)]
        return info


def run(env, mode, seed=3, steps=70, between=None):
    """Play several episodes in every sub-environment; return all that was said."""
    rng = np.random.default_rng(5)
    said = [env.reset(seed=seed)]
    for t in range(steps):
        actions = [draw(env.single_action_space, rng) for _ in range(env.num_envs)]
        observation, reward, terminated, truncated, info = env.step(np.stack(actions))
        said.append((observation, reward, terminated, truncated, info))
        if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
            said.append(env.reset(options={"reset_mask": terminated | truncated}))
        if between is not None:
            said.append(between(env, t))
    env.close()
    return said


def plain(value):
    """Sort dictionaries and open object arrays, so that `same` compares what matters."""
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return np.asarray(value)  # numpy itself turns arrays without an axis into scalars at every addition
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def first_difference(a, b):
    assert len(a) == len(b)
    return next(
        (f"entry {k}: {x}\n{y}" for k, (x, y) in enumerate(zip(a, b, strict=True)) if not same(plain(x), plain(y))),
        None,
    )


def both(make, mode, vector=SyncVectorEnv, **how):
    wrapped = vector([lambda: robust(make(), **how)] * SIZE, autoreset_mode=mode)
    return wrapped, robust(vector([make] * SIZE, autoreset_mode=mode), **how)


def assert_commutes(make, mode, how, **playing):
    inside, outside = (run(env, mode, **playing) for env in both(make, mode, **how))
    difference = first_difference(inside, outside)
    assert difference is None, difference
