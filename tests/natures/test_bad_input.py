"""Bad input is refused at construction, with one clear sentence: parameter, rule, value, close match of a name."""

import re

import gymnasium
import numpy as np
import pytest
from glassbox import EchoAEC, EchoEnv, EchoParallel, EchoTurns, Player
from gymnasium import spaces
from pettingzoo.test.example_envs import generated_agents_env_v0, generated_agents_parallel_v0

from robust_envs import (
    L1,
    L2,
    AsAgents,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Noise,
    Nominal,
    Policy,
    Product,
    Recorded,
    Replay,
    Switch,
    Trace,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    robust,
)


class Spaces(gymnasium.Env):
    def __init__(self, observation=None, action=None):
        self.observation_space = observation or spaces.Box(-1, 1, (3,))
        self.action_space = action or spaces.Discrete(4)


def look_on(move):
    return 0 * move.nominal


U = {"nature": Uniform()}
GRAPH = spaces.Graph(spaces.Box(0, 1, (2,)), None)
KEY = ("observation", "agent_0")
RECORD = Recorded(np.zeros((1, 3)), np.zeros((1, 3)))
TRACE = Trace(seed=0, options=None, depth=0, moves={KEY: RECORD})
BIG_TRACE = Trace(seed=0, options=None, depth=0, moves={KEY: RECORD, ("reward", "agent_0"): RECORD})
MASKED = {"b_0": Player(observation="masked", action="discrete")}
TABLE = {
    # channels
    "unknown channel": (lambda: robust(EchoEnv(), rewards=Linf(1), **U), "'rewards'.*did you mean 'reward'"),
    "unknown channel obs": (lambda: robust(EchoEnv(), observations=Linf(1), **U), "did you mean 'observation'"),
    "far channel": (lambda: robust(EchoEnv(), xyz=Linf(1), **U), "'xyz'.*reward, observation, action"),
    "no channel": (lambda: robust(EchoEnv(), **U), "at least one channel"),
    "empty dict": (lambda: robust(EchoParallel(), reward={}, **U), "at least one channel"),
    "a number": (lambda: robust(EchoEnv(), reward=0.5, **U), "reward must be an uncertainty set.*0.5"),
    "a class": (lambda: robust(EchoEnv(), reward=Linf, **U), "reward must be an uncertainty set"),
    "a list": (lambda: robust(EchoEnv(), observation=[Linf(1)], **U), "observation must be an uncertainty set"),
    "a number by agent": (
        lambda: robust(EchoParallel(), reward={"a_0": 3}, **U),
        "reward must be an uncertainty set.*3",
    ),
    # agents
    "unknown agent": (lambda: robust(EchoParallel(), reward={"a_00": Linf(1)}, **U), "'a_00'.*did you mean 'a_0'"),
    "unknown agent, aec": (lambda: robust(EchoAEC(), action={"b0": Linf(1)}, **U), "'b0'.*did you mean 'b_0'"),
    "unknown agent, gym": (lambda: robust(EchoEnv(), reward={"agent0": Linf(1)}, **U), "did you mean 'agent_0'"),
    "joint in a dict": (
        lambda: robust(EchoParallel(), reward={"a_0": joint(Linf(1))}, **U),
        "joint.*cannot stand in a dict",
    ),
    "ids that are tuples": (
        lambda: robust(EchoParallel({("a", 0): Player()}), reward=Linf(1), **U),
        "ids must not be tuples",
    ),
    "a misspelt nature": (lambda: robust(EchoEnv(), reward=Linf(1), natur=Uniform()), "did you mean 'nature'"),
    "a misspelt trace": (lambda: robust(EchoEnv(), reward=Linf(1), trac=True, **U), "did you mean 'trace'"),
    # environments
    "no environment": (lambda: robust(3, reward=Linf(1), **U), "env must be .*got 3"),
    "a string": (lambda: robust("CartPole-v1", reward=Linf(1), **U), "env must be .*'CartPole-v1'"),
    "an environment's class": (lambda: robust(EchoEnv, reward=Linf(1), **U), "env must be .*call it first"),
    "None": (lambda: robust(None, reward=Linf(1), **U), "env must be"),
    "no possible_agents": (
        lambda: robust(generated_agents_parallel_v0.parallel_env(), reward=Linf(1), **U),
        "env must have possible_agents",
    ),
    "no possible_agents, aec": (
        lambda: robust(generated_agents_env_v0.env(), reward=Linf(1), **U),
        "env must have possible_agents",
    ),
    # natures
    "nature's class": (lambda: robust(EchoEnv(), reward=Linf(1), nature=Uniform), r"instance.*Uniform\(\)"),
    "no nature": (lambda: robust(EchoEnv(), reward=Linf(1), nature=None), "nature must be a nature.*None"),
    "a string nature": (
        lambda: robust(EchoEnv(), reward=Linf(1), nature="uniform"),
        "nature must be a nature.*'uniform'",
    ),
    "worst observation": (
        lambda: robust(EchoEnv(), observation=Linf(1), nature=WorstCase()),
        "worst direction of a reward only.*'observation'.*AsAgents",
    ),
    "worst action": (lambda: robust(EchoEnv(), action=Linf(1), nature=WorstCase()), "reward only.*'action'"),
    "noise on L2": (lambda: robust(EchoEnv(), observation=L2(1), nature=Noise()), "Linf or Interval.*L2"),
    "noise on L1": (lambda: robust(EchoEnv(), observation=L1(1), nature=Noise()), "Linf or Interval.*L1"),
    "noise on Finite": (lambda: robust(EchoEnv(), reward=Finite([1.0]), nature=Noise()), "Linf or Interval.*Finite"),
    "noise on Switch": (
        lambda: robust(EchoEnv(action="discrete"), action=Switch(0.1), nature=Noise()),
        "Linf or Interval",
    ),
    "noise cut": (lambda: Noise(cut=0), "cut must be finite and > 0.*cut=0"),
    "noise cut NaN": (lambda: Noise(cut=np.nan), "cut must be finite and > 0.*nan"),
    "uniform without a plan": (
        lambda: robust(EchoEnv(), observation=per_episode(L2(1)), **U),
        r"length: per_episode\(\.\.\., horizon=T\)",
    ),
    "uniform joint without a plan": (lambda: robust(EchoParallel(), reward=joint(per_episode(L1(1))), **U), "horizon"),
    "worst without a plan": (lambda: robust(EchoEnv(), reward=per_episode(L2(1)), nature=WorstCase()), "horizon"),
    "a policy that is none": (lambda: Policy(3), r"policy must have predict\(\).*3"),
    "a dict of none": (lambda: Policy({"nature_0": 3}), "policy must have predict"),
    "a team that is none": (lambda: AsAgents(team=3), r"team must have predict\(\).*3"),
    "observe": (lambda: AsAgents(observe="all"), "observe must be 'agent' or 'state'.*'all'"),
    "objective": (lambda: AsAgents(objective="sum"), "objective must be 'opposed' or 'shared'.*'sum'"),
    "grid": (lambda: AsAgents(grid=0), "grid must be an integer >= 1.*grid=0"),
    "grid kind": (lambda: AsAgents(grid=2.5), "grid must be an integer >= 1.*grid=2.5"),
    "replay of a file name": (lambda: robust(EchoEnv(), reward=Linf(1), nature=Replay("trace.npz")), "trace"),
    "info": (lambda: robust(EchoEnv(), reward=Linf(1), info="all", **U), "info must be None or 'numeric'.*'all'"),
    "noise cut kind": (lambda: Noise(cut="2"), "cut must be a number.*'2'"),
    "grid bool": (lambda: AsAgents(grid=True), "grid must be an integer >= 1.*grid=True"),
    "a policy for nobody": (
        lambda: robust(EchoEnv(), reward=Linf(1), nature=Policy({"nature_0": look_on, "natur_1": look_on})),
        "policy names 'natur_1'.*did you mean 'nature_0'",
    ),
    "a team with a stranger": (
        lambda: robust(EchoEnv(), reward=Linf(1), nature=AsAgents(team={"agent0": look_on})),
        "team names 'agent0'.*did you mean 'agent_0'",
    ),
    "a team too small": (
        lambda: robust(EchoParallel(), reward=Linf(1), nature=AsAgents(team={"a_0": look_on})),
        "team must have an entry.*'a_1', 'b_0'",
    ),
    "replay without the moves": (
        lambda: robust(EchoEnv(), observation=Linf(1), reward=Linf(1), nature=Replay(TRACE)),
        "no moves of 'reward agent_0'",
    ),
    "replay of another agent": (
        lambda: robust(EchoParallel({"agent0": Player()}), observation=Linf(1), nature=Replay(TRACE)),
        "no moves of 'observation agent0'.*did you mean 'observation agent_0'",
    ),
    "replay of moves without a set": (
        lambda: robust(EchoParallel({"agent_0": Player()}), observation=Linf(1), nature=Replay(BIG_TRACE)),
        "moves of 'reward agent_0', which no set here allows",
    ),
    "several traces for one": (
        lambda: robust(EchoEnv(), observation=Linf(1), nature=Replay((TRACE, TRACE))),
        "one trace here, several are for a VectorEnv",
    ),
    "a function on a graph": (
        lambda: robust(Spaces(GRAPH), reward=Linf(1), nature=look_on),
        "observation of agent_0, which cannot be flattened.*Graph",
    ),
    "a policy on a sequence": (
        lambda: robust(Spaces(spaces.Sequence(spaces.Discrete(2))), reward=Linf(1), nature=Policy(look_on)),
        "observation of agent_0, which cannot be flattened.*Sequence",
    ),
    "agents on a graph": (
        lambda: robust(Spaces(GRAPH), reward=Linf(1), nature=AsAgents()),
        "observation of agent_0, which cannot be flattened.*Graph",
    ),
    # sets and spaces
    "less than a step on integers": (
        lambda: robust(EchoEnv(observation="uint8"), observation=Linf(0.9), **U),
        "observation of agent_0.*nothing can ever move.*0.9",
    ),
    "ball on Discrete": (
        lambda: robust(EchoEnv(action="discrete"), action=Linf(1), **U),
        "action of agent_0.*Discrete.*Finite",
    ),
    "switch on Box": (lambda: robust(EchoEnv(), action=Switch(0.5), **U), "action of agent_0.*Switch.*Discrete"),
    "switch on rewards": (lambda: robust(EchoEnv(), reward=Switch(0.5), **U), "reward of agent_0.*Switch"),
    "actions that are none": (
        lambda: robust(EchoEnv(action="discrete"), action=Finite([4]), **U),
        "members must be actions",
    ),
    "half an action": (
        lambda: robust(EchoEnv(action="discrete"), action=Finite([0.5]), **U),
        "members must be actions",
    ),
    "lengths": (lambda: robust(EchoEnv(), observation=Linf(1, unit=(1, 2)), **U), "observation of agent_0.*unit.*3"),
    "names": (lambda: robust(EchoEnv(), observation=Linf(1, names=("x",)), **U), "names"),
    "matrix": (lambda: robust(EchoEnv(), observation=Ellipsoid(np.eye(2)), **U), "observation of agent_0"),
    "interval of ends": (lambda: robust(EchoEnv(), observation=Interval((0, 0), 1), **U), "observation of agent_0"),
    "finite lengths": (lambda: robust(EchoEnv(), observation=Finite([[0, 1]]), **U), "observation of agent_0"),
    "finite fractions on integers": (
        lambda: robust(EchoEnv(observation="int64"), observation=Finite([[0.5, 0, 0]]), **U),
        "members must be integers",
    ),
    "no integer between": (
        lambda: robust(EchoEnv(observation="int64"), observation=Interval(0.2, 0.8), **U),
        "integer",
    ),
    "dict without product": (
        lambda: robust(EchoEnv(observation="dict"), observation=Linf(1), **U),
        "Dict space needs Product",
    ),
    "tuple without product": (
        lambda: robust(EchoEnv(observation="tuple"), observation=Linf(1), **U),
        "Tuple space needs Product",
    ),
    "product on Box": (
        lambda: robust(EchoEnv(), observation=Product({"a": Linf(1)}), **U),
        "Product acts on Dict and Tuple",
    ),
    "unknown part": (
        lambda: robust(EchoEnv(observation="dict"), observation=Product({"positon": Linf(1)}), **U),
        "'positon'.*did you mean 'position'",
    ),
    "discrete part": (
        lambda: robust(EchoEnv(observation="dict"), observation=Product({"kind": Linf(1)}), **U),
        "'kind'.*Box",
    ),
    "the mask itself": (
        lambda: robust(EchoParallel(MASKED), observation=Product({"action_mask": Linf(1)}), **U),
        "action_mask",
    ),
    "text": (lambda: robust(Spaces(spaces.Text(5)), observation=Linf(1), **U), "observation of agent_0.*Text"),
    "graph": (
        lambda: robust(Spaces(spaces.Graph(spaces.Box(0, 1, (2,)), None)), observation=Linf(1), **U),
        "observation of agent_0.*Graph",
    ),
    "sequence": (lambda: robust(Spaces(spaces.Sequence(spaces.Box(0, 1, (2,)))), observation=Linf(1), **U), "Sequence"),
    "multi discrete": (
        lambda: robust(Spaces(action=spaces.MultiDiscrete([2, 3])), action=Linf(1), **U),
        "MultiDiscrete",
    ),
    "multi binary": (lambda: robust(Spaces(spaces.MultiBinary(4)), observation=Linf(1), **U), "MultiBinary"),
    "joint on discrete actions": (
        lambda: robust(EchoParallel(MASKED), action=joint(Linf(1)), **U),
        "Discrete",
    ),
    "joint in turns": (lambda: robust(EchoTurns(), reward=joint(Linf(1)), **U), "joint.*is_parallelizable"),
    "joint actions in turns": (
        lambda: robust(EchoAEC({"a_0": Player(), "a_1": Player()}), action=joint(Linf(1)), **U),
        "joint.*action",
    ),
    "negative radius": (lambda: Linf(-1), "radius must be finite and >= 0.*-1"),
    "radius NaN": (lambda: L2(np.nan), "radius must be finite and >= 0.*nan"),
    "radius inf": (lambda: L1(np.inf), "radius must be finite and >= 0.*inf"),
    "negative unit": (lambda: Linf(1, unit=-1), "unit must be finite and >= 0.*-1"),
    "probability": (lambda: Switch(1.5), r"probability must be in \[0, 1\].*1.5"),
    "ends crossed": (lambda: Interval(1, 0), "low must be <= high"),
    "no members": (lambda: Finite([]), "members"),
    "horizon": (lambda: per_episode(L2(1), horizon=0), "horizon.*0"),
    "a joint of a joint": (lambda: joint(joint(Linf(1))), "joint cannot hold a Joint"),
    # natures as agents
    "agents in a vector": (
        lambda: robust(gymnasium.make_vec("CartPole-v1", num_envs=2), reward=Linf(1), nature=AsAgents()),
        r"AsAgents\(\) cannot join a VectorEnv",
    ),
    "agents named like natures": (
        lambda: robust(EchoParallel({"nature_7": Player()}), reward=Linf(1), nature=AsAgents()),
        "nature_7",
    ),
    "no room": (
        lambda: robust(
            EchoParallel({"a_0": Player()}), observation=joint(Linf(1)), nature=AsAgents(uniform_spaces=True)
        ),
        "uniform_spaces=True cannot hold nature",
    ),
    "no state": (lambda: robust(EchoEnv(), reward=Linf(1), nature=AsAgents(observe="state")), "state"),
}


@pytest.mark.parametrize("case", TABLE)
def test_refused_with_one_clear_sentence(case):
    attempt, words = TABLE[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        attempt()
    message = str(caught.value)
    assert re.search(words, message), message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize("nature", [Uniform(), Nominal(), Policy(lambda seen: 0), lambda move: [0.0]])
def test_what_is_fair_is_accepted(nature):
    robust(EchoEnv(), reward=Linf(1), nature=nature)


def test_nature_must_be_said():
    with pytest.raises(TypeError, match="nature must be given"):
        robust(EchoEnv(), reward=Linf(1))


def test_channels_are_keywords_only():
    with pytest.raises(TypeError):
        robust(EchoEnv(), Linf(1), nature=Uniform())


@pytest.mark.parametrize("answer", [np.zeros(2), 0.5, "left", None, {}])
def test_a_policy_that_answers_nonsense_is_told_so(answer):
    env = robust(EchoEnv(), observation=Linf(0.1), nature=Policy(lambda seen: answer))
    with pytest.raises((ValueError, TypeError), match="nature"):
        env.reset(seed=0)


def test_a_policy_without_an_entry_for_a_nature_is_told_so():
    with pytest.raises(ValueError, match=r"policy must have an entry.*'nature_1'"):
        robust(EchoParallel(), reward=Linf(0.1), nature=Policy({"nature_0": lambda seen: [0.0]}))


@pytest.mark.parametrize("seed", [-1, 0.5, "0", [0]])
@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_a_seed_that_is_none_is_refused(kind, seed):
    env = robust(kind(), reward=Linf(0.1), **U)
    with pytest.raises(ValueError, match="seed must be an integer >= 0, got seed="):
        env.reset(seed=seed)


@pytest.mark.parametrize("seed", [-1, 0.5, [0, -1], [0, 0.5]])
def test_a_seed_that_is_none_is_refused_by_vectors(seed):
    env = robust(gymnasium.make_vec("CartPole-v1", num_envs=2), reward=Linf(0.1), **U)
    with pytest.raises(ValueError, match="seed must be an integer"):
        env.reset(seed=seed)


@pytest.mark.parametrize("bad", [{"reward": 9.0, "observatio": 1.0}, {"reward": 9.0, "observation": -1.0}])
def test_a_radius_that_cannot_be_set_changes_nothing(bad):
    env = robust(EchoParallel(), reward=Linf(0.5), observation=Linf(0.1), **U)
    with pytest.raises(ValueError, match=r"observatio|-1"):
        env.radius = bad
    assert env.radius == {"reward": 0.5, "observation": 0.1}


def test_natures_that_draw_leave_strange_observations_alone():
    recording = robust(Spaces(GRAPH), reward=Linf(1), nature=Uniform(), trace=True)
    robust(Spaces(GRAPH), reward=Linf(1), nature=Replay(recording.trace))


def test_equal_members_are_one_choice():
    make = lambda: EchoEnv(action="discrete")  # noqa: E731
    env = robust(make(), action=Finite([1, 1]), nature=Policy(lambda seen: 2))
    env.reset(seed=0)
    env.step(np.int64(3))
    assert env.unwrapped.received == [1]
    np.testing.assert_array_equal(env.last_move["action", "agent_0"].chosen, [1])
