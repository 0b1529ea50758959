"""PettingZoo's own suites pass over the wrappers, on other people's environments.

The suites warn about the environments below (unbounded spaces, observations of different shapes, ...): they would warn
without us too, so their warnings are not errors here. What we add to them is what they leave out.
"""

from functools import partial

import numpy as np
import pytest
from glassbox import FAMILY, TEAM, EchoAEC, EchoParallel, EchoTurns, Player, all_channels, play, same
from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3
from pettingzoo.butterfly import pistonball_v6
from pettingzoo.classic import connect_four_v3, texas_holdem_no_limit_v6, tictactoe_v3
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, render_test, seed_test
from pettingzoo.test.example_envs import generated_agents_env_v0, generated_agents_parallel_v0
from pettingzoo.test.state_test import state_test
from pettingzoo.utils import aec_to_parallel, parallel_to_aec

from robust_envs import AsAgents, Finite, Linf, Noise, Policy, Switch, Uniform, robust

try:
    from pettingzoo.sisl import pursuit_v5 as pursuit
except ImportError:  # pettingzoo 1.26
    from pettingzoo.sisl import pursuit_v4 as pursuit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


ZEROS = np.zeros(200_000)  # more than any nature here needs


class Known:
    """PettingZoo's examples of births and deaths, told who may ever come and with spaces that stay."""

    def __init__(self, max_cycles=20, render_mode=None):
        self.possible_agents = [f"type{kind}_{k}" for kind in range(3) for k in range(60)]
        self._kept = {}
        super().__init__(max_cycles, render_mode)

    def add_type(self):
        name = super().add_type() if len(self.types) < 3 else self.types[0]
        spaces = self._kept.setdefault(name, (self._obs_spaces[name], self._act_spaces[name]))
        self._obs_spaces[name], self._act_spaces[name] = spaces
        return name

    def observation_space(self, agent):
        return self._kept[generated_agents_parallel_v0.get_type(agent)][0]

    def action_space(self, agent):
        return self._kept[generated_agents_parallel_v0.get_type(agent)][1]


class Generated(Known, generated_agents_parallel_v0.parallel_env):
    def step(self, actions):
        if not self.agents:
            return {}, {}, {}, {}, {}
        return super().step(actions)


class GeneratedTurns(Known, generated_agents_env_v0.raw_env):
    def observe(self, agent):
        # the example samples at every call; ours must be able to ask twice
        size = self.observation_space(agent).shape[0]
        rng = np.random.default_rng([self.num_steps, len(agent), int(agent.split("_")[1])])
        return rng.random(size).astype(np.float32)


def wrapped(make, radius=0.3, nature=Uniform(), **kwargs):  # noqa: B008
    env = make(**kwargs)
    return robust(env, **all_channels(env, radius), nature=nature)


def played(make, **kwargs):
    env = make(**kwargs)
    return robust(env, reward=Linf(0.3), nature=AsAgents())


PARALLEL = {
    "spread": partial(simple_spread_v3.parallel_env, max_cycles=20, continuous_actions=True),
    "tag": partial(simple_tag_v3.parallel_env, max_cycles=20),
    "speaker": partial(simple_speaker_listener_v4.parallel_env, max_cycles=20),
    "pursuit": partial(pursuit.parallel_env, max_cycles=10, x_size=8, y_size=8, n_evaders=2, n_pursuers=2),
    "pistonball": partial(pistonball_v6.parallel_env, max_cycles=5, n_pistons=4),
    "glass box": EchoParallel,
    "born and dying": partial(EchoParallel, FAMILY),
    "generated": Generated,
}
TURNS = {
    "spread": partial(simple_spread_v3.env, max_cycles=20, continuous_actions=True),
    "tag": partial(simple_tag_v3.env, max_cycles=20),
    "speaker": partial(simple_speaker_listener_v4.env, max_cycles=20),
    "pursuit": partial(pursuit.env, max_cycles=5, x_size=8, y_size=8, n_evaders=2, n_pursuers=2),
    "connect four": connect_four_v3.env,
    "tic tac toe": tictactoe_v3.env,
    "texas hold'em": texas_holdem_no_limit_v6.env,
    "glass box": EchoAEC,
    "turns": EchoTurns,
    "generated": GeneratedTurns,
}
MASKED = ("connect four", "tic tac toe", "texas hold'em")


@pytest.mark.parametrize("name", PARALLEL)
@pytest.mark.parametrize("wrap", [wrapped, played], ids=["inside", "agents"])
def test_parallel_api(name, wrap):
    parallel_api_test(wrap(PARALLEL[name]), num_cycles=15)


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("wrap", [wrapped, played], ids=["inside", "agents"])
def test_aec_api(name, wrap):
    api_test(wrap(TURNS[name]), num_cycles=15)


@pytest.mark.parametrize("name", [name for name in PARALLEL if name not in ("pursuit", "pistonball", "generated")])
def test_converted_environments_pass_too(name):
    api_test(parallel_to_aec(wrapped(PARALLEL[name])), num_cycles=10)
    parallel_api_test(robust(aec_to_parallel(EchoAEC()), reward=Linf(1.0), nature=Uniform()), num_cycles=10)


@pytest.mark.parametrize("name", [name for name in PARALLEL if name != "generated"])
@pytest.mark.parametrize("wrap", [wrapped, played], ids=["inside", "agents"])
def test_parallel_seeds(name, wrap):
    parallel_seed_test(partial(wrap, PARALLEL[name]), num_cycles=10)


@pytest.mark.parametrize("name", [name for name in TURNS if name != "generated"])
@pytest.mark.parametrize("wrap", [wrapped, played], ids=["inside", "agents"])
def test_aec_seeds(name, wrap):
    seed_test(partial(wrap, TURNS[name]), num_cycles=10)


@pytest.mark.parametrize("name", [name for name in PARALLEL if name != "generated"])
@pytest.mark.parametrize("nature", [Uniform(), Noise(), Policy(lambda seen: ZEROS)], ids=["Uniform", "Noise", "Policy"])
def test_parallel_seeds_over_whole_episodes(name, nature):
    # PettingZoo's own test stops after one step: it iterates over the keys of a dictionary
    def make():
        env = PARALLEL[name]()
        return robust(env, reward=Linf(0.5), observation=all_channels(env, 0.1)["observation"], nature=nature)

    first, second = make(), make()
    for seed in (3, 4):
        one, two = play(first, seed, steps=25), play(second, seed, steps=25)
        assert len(one) > 5
        assert same(one, two)
    assert not same(play(first, 3, steps=25), one)


@pytest.mark.parametrize("name", [name for name in TURNS if name != "generated"])
def test_aec_seeds_over_whole_episodes(name):
    first, second = wrapped(TURNS[name]), wrapped(TURNS[name])
    one, two = play(first, 3, steps=25), play(second, 3, steps=25)
    assert len(one) > 5
    assert same(one, two)


@pytest.mark.parametrize("module", [simple_spread_v3, simple_tag_v3, simple_speaker_listener_v4])
def test_states(module):
    state_test(wrapped(module.env, max_cycles=10), wrapped(module.parallel_env, max_cycles=10))
    parallel = played(module.parallel_env, max_cycles=10)
    parallel.reset(seed=0)
    assert parallel.state_space.contains(parallel.state())
    state_test(played(module.env, max_cycles=10), parallel)


@pytest.mark.parametrize("wrap", [wrapped, played], ids=["inside", "agents"])
def test_rendering_to_arrays(wrap):
    def make(render_mode="rgb_array"):
        env = wrap(simple_spread_v3.env, max_cycles=5, render_mode="rgb_array")
        env.metadata = {**env.metadata, "render_modes": ["rgb_array"]}  # no screen here for "human"
        return env

    render_test(make)
    par = wrap(simple_spread_v3.parallel_env, max_cycles=5, render_mode="rgb_array")
    par.reset(seed=0)
    assert par.render_mode == "rgb_array"
    assert par.render().shape[2] == 3
    par.close()


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("members", [Switch(0.7), Finite([0, 1, 2, 3])], ids=repr)
def test_only_legal_actions_are_put_in_place_of_masked_ones(name, members):
    # an illegal move ends these games at once with a warning, which is an error here
    env = robust(TURNS[name](), action=members, nature=Uniform(), trace=True)
    for seed in range(3):
        said = play(env, seed, steps=30)
        assert len(said) > 3
        replaced = [moves.executed for key, moves in env.trace.moves.items()]
        if name == "tic tac toe":
            assert any(np.any(executed) for executed in replaced)


@pytest.mark.parametrize("name", MASKED)
def test_masks_are_left_alone_and_the_board_is_not(name):
    nominal, robustly = TURNS[name](), robust(TURNS[name](), observation=Linf(2.0), nature=Uniform())
    nominal.reset(seed=0), robustly.reset(seed=0)
    before, after = nominal.last()[0], robustly.last()[0]
    assert same(before["action_mask"], after["action_mask"])
    assert before["observation"].dtype == after["observation"].dtype
    space = robustly.observation_space(robustly.agent_selection)
    assert space.contains(after) or not space.contains(before)


def test_births_and_deaths_are_those_of_the_environment():
    env, robustly = Generated(), robust(Generated(), observation=Linf(0.1), reward=Linf(0.5), nature=Uniform())
    nominal, said = play(env, 1, steps=30), play(robustly, 1, steps=30)
    assert [list(parts[0]) for parts in nominal] == [list(parts[0]) for parts in said]
    assert len({len(parts[0]) for parts in said}) > 2


@pytest.mark.parametrize("kind", [generated_agents_parallel_v0.parallel_env, generated_agents_env_v0.env])
def test_environments_that_do_not_say_who_may_come_are_refused(kind):
    with pytest.raises(ValueError, match="possible_agents"):
        robust(kind(), reward=Linf(1.0), nature=Uniform())


def test_multiwalker():
    pytest.importorskip("Box2D", reason="multiwalker needs Box2D, which has no wheel for every platform")
    from pettingzoo.sisl import multiwalker_v9

    parallel_api_test(wrapped(multiwalker_v9.parallel_env, max_cycles=10), num_cycles=10)


@pytest.mark.parametrize("members", [Linf(20), Finite([[5] * 3])], ids=["noise", "finite"])
def test_pixels_stay_pixels(members):
    make = partial(EchoParallel, {agent: Player("uint8") for agent in TEAM})
    if isinstance(members, Finite):
        members = Finite([[5] * 48, [0] * 48, [-5] * 48])
    said, nominal = play(robust(make(), observation=members, nature=Uniform())), play(make())
    for before, after in zip(nominal, said, strict=True):
        for agent in before[0]:
            moved = after[0][agent].astype(int) - before[0][agent]
            assert after[0][agent].dtype == np.uint8
            assert np.abs(moved).max() <= 20
