"""Wrapping, then vectorising, equals vectorising, then wrapping: bit for bit, in every autoreset mode."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from glassbox import ACTIONS, SPACES, EchoEnv, draw, same, sized
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from nature_cases import NATURES

from robust_envs import (
    L2,
    Finite,
    Interval,
    Linf,
    Noise,
    Nominal,
    Policy,
    Product,
    Replay,
    Switch,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    per_state,
    robust,
)
from robust_envs.shells.layers import Layer

SIZE = 5
MODES = list(AutoresetMode)


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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("observation", "action"), [(one, "box") for one in SPACES] + [("float32", one) for one in ACTIONS if one != "box"]
)
def test_wrapping_and_vectorising_commute_for_all_spaces(observation, action, mode):
    make = partial(Ragged, observation, action)
    probe = make()
    how = {
        "reward": Linf(0.5),
        "observation": sized(probe.observation_space, 0.4),
        "action": sized(probe.action_space, 1.5),
    }
    assert_commutes(make, mode, {**how, "nature": Uniform()}, steps=30)


def tilt(move):
    """A plain function as nature, which looks at everything it is shown."""
    seen = np.float64(np.tanh(move.seen.sum() + move.nominal.astype(float).sum() + move.step + move.rng.random()))
    if type(move.set).__name__ == "Finite":
        return move.nominal
    return move.set.project(np.full(move.set.dim, seen))


def play_nature(seen):
    return np.tanh(seen[:2] * 3)


def wide_where_far(observation, action):
    return float(np.abs(observation).max() + (0 if action is None else np.abs(action).max())) * (observation[0] > -0.5)


CASES = {
    "per state": {key: per_state(L2(0.5), wide_where_far) for key in ("reward", "observation", "action")}
    | {"nature": Uniform()},
    "per state, looking": {key: per_state(L2(0.5), wide_where_far) for key in ("reward", "action")} | {"nature": tilt},
    "uniform L2": {"reward": L2(0.5), "observation": L2(0.7), "action": L2(0.7), "nature": Uniform()},
    "noise": {"reward": Linf(0.5), "observation": Linf(0.7), "action": Linf(0.7), "nature": Noise()},
    "worst case": {"reward": L2(0.5), "nature": WorstCase()},
    "nominal": {"reward": L2(0.5), "observation": Linf(0.2), "nature": Nominal()},
    "nominal, biased": {"reward": Interval(0.1, 0.2), "nature": Nominal()},
    "not monotone": {"reward": Interval(0.1, 0.2), "nature": Uniform()},
    "function": {"reward": L2(0.5), "observation": Linf(0.7), "action": Linf(0.7), "nature": tilt},
    "policy": {"reward": L2(0.5), "action": Linf(0.7), "nature": Policy(play_nature)},
    "budget": {"reward": per_episode(L2(0.9), horizon=4), "observation": per_episode(Linf(0.9)), "nature": Uniform()},
    "pinned": {"observation": Linf(0.5, unit=(1.0, 0.0, 2.0)), "nature": Uniform()},
    "members": {"observation": Finite([(0.1, 0.2, 0.3), (0.0, 0.0, 0.0)]), "nature": Uniform()},
    "by agent": {"reward": {"agent_0": Linf(0.1)}, "nature": Uniform()},
    "some radius 0": {"reward": Linf(0.0), "observation": Linf(0.3), "action": Linf(0.0), "nature": Uniform()},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("extra", [{}, {"info": "numeric"}, {"trace": True}], ids=["bare", "numeric", "trace"])
def test_wrapping_and_vectorising_commute_for_all_natures(case, extra, mode):
    assert_commutes(Ragged, mode, {**CASES[case], **extra}, steps=30)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("nature", NATURES.values(), ids=NATURES)
def test_natures_with_clocks_memories_and_parts_commute(nature, mode):
    how = {"reward": Linf(0.5), "observation": Linf(0.7), "action": Linf(0.7), "nature": nature}
    assert_commutes(Ragged, mode, how, steps=30)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("members", [Finite([0, 3]), Switch(0.6)], ids=repr)
@pytest.mark.parametrize("observation", ["float32", "masked"])
def test_choices_commute_with_masks_from_observations_and_infos(observation, members, masked, mode):
    make = partial(Ragged, observation, "discrete", masked=masked)
    assert_commutes(make, mode, {"action": members, "nature": Uniform()})


@pytest.mark.parametrize("mode", MODES)
def test_parts_of_a_dict_commute(mode):
    parts = Product({"position": Linf(0.2), "velocity": L2(0.4)})
    assert_commutes(partial(Ragged, "dict"), mode, {"observation": parts, "nature": Uniform()})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", [11, [4, 9, 4, 1, 0]], ids=str)
def test_commuting_holds_for_seeds_and_beyond_one_block_of_rows(seed, mode):
    how = {"reward": Linf(0.5), "observation": Linf(0.4), "action": Linf(0.3), "nature": Uniform()}
    assert_commutes(Ragged, mode, how, seed=seed, steps=300)


@pytest.mark.parametrize("mode", MODES)
def test_commuting_survives_resets_with_and_without_seeds(mode):
    def between(env, t):
        return {9: partial(env.reset, seed=7), 17: env.reset, 23: partial(env.reset, seed=[1, None, 2, None, 5])}.get(
            t, lambda: None
        )()

    how = {"reward": Linf(0.5), "observation": Linf(0.4), "action": Linf(0.3), "nature": Uniform()}
    assert_commutes(Ragged, mode, how, between=between)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("nature", [Uniform(), tilt], ids=["rows", "function"])
def test_commuting_survives_new_radii_for_all_and_for_some(nature, mode):
    some, others = np.array([True, False, False, True, False]), np.array([False, True, False, True, True])

    def between(env, t):
        options = {
            8: {"radius": 0.9},
            14: {"radius": {"observation": 0.0}, "reset_mask": some.copy()},
            20: {"radius": {"reward": 0.1, "observation": 0.2}, "reset_mask": others.copy()},
            26: {"radius": 0.0},
            32: {"radius": {"action": 0.4}, "reset_mask": some.copy()},
        }.get(t)
        return None if options is None else env.reset(options=options)

    how = {"reward": Linf(0.5), "observation": Linf(0.4), "action": Linf(0.3), "nature": nature}
    assert_commutes(Ragged, mode, how, between=between)


@pytest.mark.parametrize("reward", ["float", "int", "float64"])
def test_commuting_holds_for_rewards_of_every_exact_kind(reward):
    how = {"reward": Linf(0.5), "nature": Uniform()}
    assert_commutes(partial(Ragged, reward=reward), AutoresetMode.NEXT_STEP, how)


@pytest.mark.parametrize("mode", MODES)
def test_commuting_holds_across_processes(mode):
    how = {"reward": Linf(0.5), "observation": Linf(0.4), "nature": Uniform()}
    inside = SyncVectorEnv([lambda: robust(Ragged(), **how)] * 2, autoreset_mode=mode)
    outside = robust(AsyncVectorEnv([Ragged] * 2, autoreset_mode=mode), **how)
    difference = first_difference(run(inside, mode, steps=20), run(outside, mode, steps=20))
    assert difference is None, difference


class Wild(Ragged):
    """Leaves its observation space now and then."""

    def reset(self, *, seed=None, options=None):
        observation, info = super().reset(seed=seed, options=options)
        return observation * np.float32(1.3), info

    def step(self, action):
        observation, *rest = super().step(action)
        return observation * np.float32(1.3), *rest


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("observation", ["float32", "wide"])
def test_commuting_holds_for_observations_outside_their_space(observation, mode):
    assert_commutes(partial(Wild, observation), mode, {"observation": Linf(0.4), "nature": Uniform()})


@pytest.mark.skipif(not hasattr(Layer, "robust_layers"), reason="processes cannot tell their layers")
def test_layers_in_processes_do_not_share_noise_with_those_outside():
    first, second = ({"observation": Linf(r), "nature": Uniform()} for r in (0.4, 0.3))
    inside = SyncVectorEnv([lambda: robust(robust(Ragged(), **first), **second)] * 2)
    outside = robust(AsyncVectorEnv([lambda: robust(Ragged(), **first)] * 2), **second)
    assert first_difference(run(inside, None, steps=5), run(outside, None, steps=5)) is None


@pytest.mark.parametrize("mode", MODES)
def test_two_layers_commute(mode):
    first = {"observation": Linf(0.4), "nature": Uniform()}
    second = {"observation": Linf(0.3), "reward": Linf(0.3), "nature": Noise(), "info": "numeric"}
    ways = [
        SyncVectorEnv([lambda: robust(robust(Ragged(), **first), **second)] * SIZE, autoreset_mode=mode),
        robust(SyncVectorEnv([lambda: robust(Ragged(), **first)] * SIZE, autoreset_mode=mode), **second),
        robust(robust(SyncVectorEnv([Ragged] * SIZE, autoreset_mode=mode), **first), **second),
    ]
    said = [run(env, mode) for env in ways]
    assert first_difference(said[0], said[1]) is None
    assert first_difference(said[0], said[2]) is None


def test_sub_environments_with_bounds_of_their_own_commute():
    def make(k):
        env = Ragged()
        env.observation_space = spaces.Box(-1.0 - k, 1.0 + k, (3,), np.float32)
        return env

    mode, how = AutoresetMode.NEXT_STEP, {"observation": Linf(0.8), "nature": Uniform()}
    options = {"observation_mode": "different", "autoreset_mode": mode}
    inside = SyncVectorEnv([lambda k=k: robust(make(k), **how) for k in range(3)], **options)
    outside = robust(SyncVectorEnv([partial(make, k) for k in range(3)], **options), **how)
    assert first_difference(run(inside, mode), run(outside, mode)) is None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", ["uniform L2", "function", "budget"])
def test_traces_and_last_moves_are_those_of_the_single_environments(case, mode):
    inside, outside = both(Ragged, mode, **CASES[case], trace=True)
    run_together(inside, outside, mode)
    assert all(a == b for a, b in zip(inside.get_attr("trace"), outside.trace, strict=True))
    assert_same_moves(inside, outside)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_last_moves_are_those_of_the_single_environments(case, mode):
    inside, outside = both(Ragged, mode, **CASES[case])
    run_together(inside, outside, mode, check=assert_same_moves)


def run_together(inside, outside, mode, steps=20, check=None):
    rng = np.random.default_rng(1)
    for env in (inside, outside):
        env.reset(seed=2)
    for _ in range(steps):
        actions = np.stack([draw(inside.single_action_space, rng) for _ in range(SIZE)])
        said = [env.step(actions) for env in (inside, outside)]
        if check is not None:
            check(inside, outside)
        over = said[0][2] | said[0][3]
        if mode is AutoresetMode.DISABLED and over.any():
            for env in (inside, outside):
                env.reset(options={"reset_mask": over.copy()})


def assert_same_moves(inside, outside):
    singles, moves = inside.get_attr("last_move"), outside.last_move
    assert set().union(*singles) == set(moves)
    for key, move in moves.items():
        for i, single in enumerate(singles):
            for ours, theirs in zip(move, single.get(key, (0.0, 0.0, 0.0)), strict=True):
                assert (ours[i] == theirs).all(), (key, i)


def test_joint_on_one_agent_is_the_plain_set():
    vector = partial(SyncVectorEnv, [Ragged] * SIZE)
    a = run(robust(vector(), reward=joint(L2(0.4)), observation=joint(L2(0.3)), nature=Uniform()), None)
    b = run(robust(vector(), reward=L2(0.4), observation=L2(0.3), nature=Uniform()), None)
    assert first_difference(a, b) is None


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_a_tuple_of_traces_replays_bit_for_bit(mode):
    def make():
        return SyncVectorEnv([partial(EchoEnv, horizon=9)] * SIZE, autoreset_mode=mode)

    how = {"reward": Linf(0.5), "observation": Linf(0.4), "action": Linf(0.3)}
    recorded = robust(make(), **how, nature=Uniform(), trace=True)
    said = run(recorded, mode, seed=[5, 3, 9, 9, 0], steps=8)
    again = robust(make(), **how, nature=Replay(recorded.trace), trace=True)
    assert first_difference(said, run(again, mode, seed=None, steps=8)) is None
    assert all(a == b for a, b in zip(recorded.trace, again.trace, strict=True))


def test_gymnasium_cartpole_commutes():
    how = {"reward": Linf(0.5), "observation": Linf(0.1), "action": Switch(0.2), "nature": Uniform()}
    assert_commutes(partial(gymnasium.make, "CartPole-v1"), AutoresetMode.NEXT_STEP, how)
