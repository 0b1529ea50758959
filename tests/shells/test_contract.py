"""What other libraries demand of an environment, of every kind we give back (one test per demand)."""

import gymnasium
import numpy as np
import pettingzoo
import pytest
from glassbox import FAMILY, EchoAEC, EchoEnv, EchoParallel, EchoTurns, all_channels, draw, play, same
from gymnasium.utils import RecordConstructorArgs
from mpe2 import simple_spread_v3

from robust_envs import AsAgents, Ellipsoid, Linf, Policy, Uniform, find_wrapper, joint, robust
from robust_envs.shells import RobustAECEnv, RobustEnv, RobustParallelEnv


def still(observation):
    return np.zeros(2, np.float32)


SETS = {"reward": Linf(0.5), "observation": Linf(0.2)}
WRAPPED = {
    "gym": lambda: robust(EchoEnv(), **all_channels(EchoEnv(), 0.5), nature=Uniform()),
    "parallel": lambda: robust(EchoParallel(), **all_channels(EchoParallel(), 0.5), nature=Uniform()),
    "born": lambda: robust(EchoParallel(FAMILY), **all_channels(EchoParallel(FAMILY), 0.5), nature=Uniform()),
    "aec": lambda: robust(EchoAEC(), **all_channels(EchoAEC(), 0.5), nature=Uniform()),
    "turns": lambda: robust(EchoTurns(), **all_channels(EchoTurns(), 0.5), nature=Uniform()),
    "gym with natures": lambda: robust(EchoEnv(), **SETS, nature=AsAgents()),
    "gym from nature's side": lambda: robust(EchoEnv(), observation=Linf(0.2), nature=AsAgents(team=still)),
    "parallel with natures": lambda: robust(EchoParallel(), **SETS, nature=AsAgents()),
    "born with natures": lambda: robust(EchoParallel(FAMILY), **SETS, nature=AsAgents()),
    "natures alone": lambda: robust(EchoParallel({"a_0": FAMILY["a_0"]}), **SETS, nature=AsAgents(team=still)),
    "aec with natures": lambda: robust(EchoAEC(), **SETS, nature=AsAgents()),
    "aec natures alone": lambda: robust(EchoAEC({"a_0": FAMILY["a_0"]}), **SETS, nature=AsAgents(team=still)),
}
PARALLEL = [name for name in WRAPPED if isinstance(WRAPPED[name](), pettingzoo.ParallelEnv)]
TURNS = [name for name in WRAPPED if isinstance(WRAPPED[name](), pettingzoo.AECEnv)]
SINGLE = [name for name in WRAPPED if isinstance(WRAPPED[name](), gymnasium.Env)]


def test_what_comes_back_is_of_the_same_kind():
    assert isinstance(WRAPPED["gym"](), RobustEnv | gymnasium.Wrapper)
    assert isinstance(WRAPPED["gym"](), RecordConstructorArgs)
    assert isinstance(WRAPPED["parallel"](), RobustParallelEnv)
    assert isinstance(WRAPPED["aec"](), RobustAECEnv)
    assert set(PARALLEL) | set(TURNS) | set(SINGLE) == set(WRAPPED)
    assert SINGLE == ["gym", "gym from nature's side"]


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC, EchoTurns])
def test_spaces_agents_metadata_and_state_are_the_environments_own(kind):
    env = kind()
    wrapped = robust(env, reward=Linf(1.0), nature=Uniform())
    assert wrapped.unwrapped is env
    assert wrapped.metadata == env.metadata
    assert wrapped.render_mode is None
    if kind is EchoEnv:
        assert wrapped.observation_space is env.observation_space
        assert wrapped.action_space is env.action_space
        return
    wrapped.reset(seed=0)
    assert wrapped.possible_agents == env.possible_agents
    assert wrapped.agents == env.agents
    assert wrapped.num_agents == 3
    assert same(wrapped.state(), env.state())
    assert wrapped.state_space == env.state_space
    for agent in env.possible_agents:
        assert wrapped.observation_space(agent) is env.observation_space(agent)


@pytest.mark.parametrize("name", PARALLEL + TURNS)
def test_a_space_is_the_same_object_on_every_call(name):
    env = WRAPPED[name]()
    for agent in env.possible_agents:
        assert env.observation_space(agent) is env.observation_space(agent)
        assert env.action_space(agent) is env.action_space(agent)


@pytest.mark.parametrize("name", WRAPPED)
def test_all_that_is_said_lies_in_its_space(name):
    env = WRAPPED[name]()
    said = play(env)
    if name in SINGLE:
        assert all(env.observation_space.contains(parts[0]) for parts in said)
    elif name in PARALLEL:
        assert all(env.observation_space(a).contains(o) for parts in said for a, o in parts[0].items())
    else:
        assert all(env.observation_space(parts[0]).contains(parts[1]) for parts in said)


@pytest.mark.parametrize("name", PARALLEL)
def test_fresh_dictionaries_every_time_and_the_callers_own_are_left_alone(name):
    env, twin = WRAPPED[name](), WRAPPED[name]()
    rng = np.random.default_rng(0)
    first, second = env.reset(seed=1), twin.reset(seed=1)
    while env.agents:
        assert same(first, second)
        actions = {agent: draw(env.action_space(agent), rng) for agent in env.agents}
        given = {agent: np.array(action) for agent, action in actions.items()}
        second = twin.step(dict(actions))
        for part in first:  # libraries write into what they are handed
            part["__all__"] = 1
            part.pop("a_0", None)
        first = env.step(actions)
        assert list(actions) == list(given)
        assert all(np.array_equal(actions[agent], given[agent]) for agent in given)
        actions.clear()
    assert same(first, second)


@pytest.mark.parametrize("name", PARALLEL)
def test_a_step_after_the_end_is_five_empty_dictionaries(name):
    env = WRAPPED[name]()
    play(env)
    assert env.agents == []
    assert env.step({}) == ({}, {}, {}, {}, {})


@pytest.mark.parametrize("name", PARALLEL)
def test_agents_change_in_reset_and_step_only_and_are_told_everything(name):
    env = WRAPPED[name]()
    said = play(env)
    assert all(set(part) == set(parts[0]) for parts in said for part in parts)
    env.reset(seed=0)
    agents = list(env.agents)
    env.last_move, str(env), hasattr(env, "state_space") and env.state()
    assert env.agents == agents


@pytest.mark.parametrize("name", WRAPPED)
def test_infos_get_no_keys_of_ours(name):
    for parts in play(WRAPPED[name]()):
        info = parts[5] if name in TURNS else parts[-1]
        assert info == {} if name not in PARALLEL else set(map(str, info.values())) == {"{}"}


@pytest.mark.parametrize("name", [name for name in WRAPPED if "natures" in name and name not in SINGLE])
def test_natures_stand_last_are_flat_single_precision_and_carry_a_name_nobody_has(name):
    env = WRAPPED[name]()
    natures = [agent for agent in env.possible_agents if agent.startswith("nature_")]
    assert env.possible_agents[-len(natures) :] == natures
    assert natures == [f"nature_{k}" for k in range(len(natures))]
    for agent in natures:
        space = env.observation_space(agent)
        assert space.dtype == np.float32
        assert len(space.shape) == 1


@pytest.mark.parametrize("name", [name for name in PARALLEL if "natures" in name])
def test_natures_are_there_from_reset_to_the_end_and_end_with_everybody(name):
    env = WRAPPED[name]()
    natures = {agent for agent in env.possible_agents if agent.startswith("nature_")}
    said = play(env)
    assert all(natures <= set(parts[0]) for parts in said)
    *_, terminated, truncated, _ = said[-1]
    flags = {(terminated[nature], truncated[nature]) for nature in natures}
    assert len(flags) == 1
    assert sum(flags.pop()) == 1
    for parts in said[1:-1]:
        assert not any(parts[2][nature] or parts[3][nature] for nature in natures)


@pytest.mark.parametrize("name", [name for name in PARALLEL if "natures" in name and "born" not in name])
def test_everybody_ends_on_the_same_step_with_the_same_flag(name):
    *_, terminated, truncated, _ = play(WRAPPED[name]())[-1]
    assert len({(terminated[agent], truncated[agent]) for agent in terminated}) == 1


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_a_nature_gets_minus_the_reward_of_the_agent_it_opposes(kind):
    env = robust(kind(), reward=Linf(0.5), nature=AsAgents())
    if kind is EchoParallel:
        for _, paid, *_ in play(env)[1:]:
            for k, agent in enumerate(("a_0", "a_1", "b_0")):
                assert paid[f"nature_{k}"] == -paid[agent]
        return
    sums = dict.fromkeys(env.possible_agents, 0.0)
    for agent, _, reward, *_ in play(env, steps=60):
        sums[agent] += reward
    for k, agent in enumerate(("a_0", "a_1", "b_0")):
        assert sums[f"nature_{k}"] == pytest.approx(-sums[agent])
        assert sums[agent] != 0


def test_shared_natures_get_minus_the_sum():
    for _, paid, *_ in play(robust(EchoParallel(), reward=Linf(0.5), nature=AsAgents(objective="shared")))[1:]:
        assert paid["nature_0"] == pytest.approx(-(paid["a_0"] + paid["a_1"] + paid["b_0"]))


def test_a_joint_nature_is_one_agent_paid_for_all():
    env = robust(EchoParallel(), reward=joint(Linf(0.5)), nature=AsAgents())
    assert env.possible_agents == ["a_0", "a_1", "b_0", "nature_0"]
    for _, paid, *_ in play(env)[1:]:
        assert paid["nature_0"] == pytest.approx(-(paid["a_0"] + paid["a_1"] + paid["b_0"]))


def test_nested_natures_go_on_counting_and_leave_natures_alone():
    inner = robust(EchoParallel(), reward=Linf(0.5), nature=AsAgents())
    outer = robust(inner, observation=Linf(0.1), nature=AsAgents())
    assert outer.possible_agents[3:] == [f"nature_{k}" for k in range(6)]
    assert {agent for _, agent in (key for key in (seat.key for seat in outer._perturber.seats))} == {
        "a_0",
        "a_1",
        "b_0",
    }
    play(outer)
    noisy = robust(inner, observation=Linf(0.1), nature=Uniform())
    assert not any("nature" in agent for _, agent in (seat.key for seat in noisy._perturber.seats))


def test_a_nature_is_perturbed_when_it_is_named():
    inner = robust(EchoParallel(), reward=Linf(0.5), nature=AsAgents())
    outer = robust(inner, observation={"nature_0": Linf(0.1)}, nature=Uniform())
    assert not same(outer.reset(seed=0)[0]["nature_0"], inner.reset(seed=0)[0]["nature_0"])


def test_nature_sees_the_state_when_asked():
    env = robust(EchoParallel(), reward=Linf(0.5), nature=AsAgents(observe="state"))
    observations, _ = env.reset(seed=0)
    assert same(observations["nature_0"], env.unwrapped.state())


def test_uniform_spaces_pad_natures_to_the_teams_and_leave_the_team_alone():
    players = dict.fromkeys(("a_0", "a_1"), FAMILY["a_0"])
    env = robust(EchoParallel(players), reward=Linf(0.5), nature=AsAgents(uniform_spaces=True))
    assert len({str(env.observation_space(agent)) for agent in env.possible_agents}) == 1
    assert len({str(env.action_space(agent)) for agent in env.possible_agents}) == 1
    assert env.observation_space("a_0") is env.unwrapped.observation_space("a_0")
    play(env)


def test_the_middle_of_natures_box_is_no_move_and_the_ends_are_the_ends_of_the_set():
    env = robust(EchoParallel(), observation={"a_0": Linf(0.25)}, nature=AsAgents())
    box = env.action_space("nature_0")
    for action, delta in ((box.low, -0.25), ((box.low + box.high) / 2, 0.0), (box.high, 0.25)):
        env.reset(seed=0)
        rest = {agent: env.action_space(agent).sample() for agent in env.agents}
        env.step({**rest, "nature_0": action.astype(np.float32)})
        np.testing.assert_allclose(env.last_move["observation", "a_0"].chosen, delta)


def test_in_parallel_the_first_observation_is_nominal_and_natures_move_comes_one_step_later():
    env, nominal = robust(EchoParallel(), observation=Linf(0.25), nature=AsAgents()), EchoParallel()
    before, _ = nominal.reset(seed=0)
    after, _ = env.reset(seed=0)
    assert all(same(before[agent], after[agent]) for agent in before)
    assert same(after["nature_0"], before["a_0"])
    actions = {agent: env.action_space(agent).sample() for agent in env.agents}
    actions["nature_0"] = env.action_space("nature_0").high
    before, after = nominal.step({agent: actions[agent] for agent in nominal.agents})[0], env.step(actions)[0]
    np.testing.assert_allclose(after["a_0"], np.minimum(before["a_0"] + np.float32(0.25), 1), rtol=1e-6)
    assert same(after["nature_0"], before["a_0"])  # nature sees the truth


def test_the_state_holds_what_nature_did():
    env = robust(EchoParallel(), reward=Linf(0.5), nature=AsAgents())
    env.reset(seed=0)
    assert env.state_space.contains(env.state())
    before = env.state()
    env.step({agent: draw(env.action_space(agent), np.random.default_rng(0)) for agent in env.agents})
    assert env.state().dtype == np.float32
    assert env.state_space.contains(env.state())
    assert env.state().shape == (2 + 3,)
    assert np.any(env.state()[2:] != before[2:])


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_a_missing_action_of_nature_is_named(kind):
    if kind is EchoParallel:
        env = robust(kind(), reward=Linf(0.5), nature=AsAgents())
        env.reset(seed=0)
        with pytest.raises(ValueError, match="nature_0"):
            env.step({agent: env.action_space(agent).sample() for agent in ("a_0", "a_1", "b_0")})


@pytest.mark.parametrize("name", TURNS)
def test_both_books_of_rewards_agree(name):
    # what an agent gathers from last() is what stood in `rewards` over the steps
    env = WRAPPED[name]()
    rng = np.random.default_rng(1)
    env.reset(seed=0)
    booked, received = dict.fromkeys(env.possible_agents, 0.0), dict.fromkeys(env.possible_agents, 0.0)
    for agent in env.agent_iter(400):
        observation, reward, dead, over, _ = env.last()
        received[agent] += reward
        mask = observation.get("action_mask") if isinstance(observation, dict) else None
        env.step(None if dead or over else draw(env.action_space(agent), rng, mask))
        for other, paid in env.rewards.items():
            booked[other] += paid
    assert booked == pytest.approx(received)
    assert any(booked.values())


def test_rewards_of_turns_hold_each_delta_once_a_round():
    nominal, robustly = EchoAEC(), robust(EchoAEC(), reward=Linf(0.5), nature=lambda move: [0.5])
    totals = {}
    for key, env in (("nominal", nominal), ("robust", robustly)):
        totals[key] = sum(parts[2] for parts in play(env, steps=60))
    assert totals["robust"] - totals["nominal"] == pytest.approx(0.5 * 3 * 12)


def test_find_wrapper_walks_through_wrappers_and_conversions():
    env = robust(EchoAEC(), reward=Linf(0.5), nature=Uniform())
    converted = pettingzoo.utils.aec_to_parallel(pettingzoo.utils.wrappers.OrderEnforcingWrapper(env))
    assert find_wrapper(converted, RobustAECEnv) is env
    with pytest.raises(LookupError, match="no RobustEnv"):
        find_wrapper(converted, RobustEnv)


def test_wrapper_attributes_reach_the_environment():
    env = WRAPPED["parallel"]()
    assert env.players == EchoParallel().players


def test_the_gym_view_from_natures_side_is_one_agents_environment():
    env = WRAPPED["gym from nature's side"]()
    assert env.action_space.shape == (3,)
    _, _, *_ = env.reset(seed=0), None
    _, reward, *_ = env.step(np.ones(3, np.float32))
    assert type(reward) is float


def test_natures_of_a_gym_environment_make_it_a_parallel_one():
    env = WRAPPED["gym with natures"]()
    assert env.possible_agents == ["agent_0", "nature_0", "nature_1"]
    said = play(env)
    assert len(said) == 13


def test_the_three_views_of_one_game_have_the_agents_they_should():
    base = EchoParallel().possible_agents
    assert robust(EchoParallel(), **SETS, nature=Policy(still)).possible_agents == base
    assert robust(EchoParallel(), **SETS, nature=AsAgents()).possible_agents == base + [f"nature_{k}" for k in range(6)]
    alone = robust(EchoParallel(), **SETS, nature=AsAgents(team=still))
    assert alone.possible_agents == [f"nature_{k}" for k in range(6)]


def test_reused_buffers_are_no_trap():
    # some environments write every observation into one array
    class Reusing(EchoEnv):
        def step(self, action):
            observation, *rest = super().step(action)
            self.buffer[:] = observation
            return (self.buffer, *rest)

        def reset(self, **options):
            self.buffer, info = super().reset(**options)
            return self.buffer, info

    said = play(robust(Reusing(), observation=Linf(0.2), nature=Uniform(), trace=True))
    expected = play(robust(EchoEnv(), observation=Linf(0.2), nature=Uniform()))
    assert same(said, expected)
    env = robust(Reusing(), observation=Linf(0.2), nature=Uniform(), trace=True)
    play(env)
    twin = robust(EchoEnv(), observation=Linf(0.2), nature=Uniform(), trace=True)
    play(twin)
    assert env.trace == twin.trace


def test_radius_zero_asks_an_aec_environment_for_nothing():
    class Counted(EchoAEC):
        asked = 0

        def observe(self, agent):
            self.asked += 1
            return super().observe(agent)

    def asked(env, base):
        env.reset(seed=0)
        for agent in env.agent_iter(12):
            _, _, terminated, truncated, _ = env.last()
            env.step(None if terminated or truncated else env.action_space(agent).sample())
        return base.asked

    naked, base = Counted(), Counted()
    assert asked(robust(base, observation=Linf(0), reward=Linf(0.5), nature=Uniform()), base) == asked(naked, naked)


def test_joint_sets_without_slack_reach_every_agent_in_turns():
    matrix = np.full((54, 54), 0.9) + 0.1 * np.eye(54)
    env = robust(simple_spread_v3.env(), observation=joint(Ellipsoid(matrix)), nature=Uniform())
    env.reset(seed=0)
    moved = np.concatenate([env.observe(agent) - env.env.observe(agent) for agent in env.agents])
    np.testing.assert_allclose(moved, env.last_move["observation", "*"].executed, atol=1e-6)
    assert np.abs(moved).min() > 0


def test_the_radius_can_be_set_on_natures_alone_in_turns():
    env = robust(simple_spread_v3.env(continuous_actions=True), action=Linf(0.1), nature=AsAgents(team=lambda o: None))
    env.radius = 0.5
    assert env.env.radius == {"action": 0.5}
