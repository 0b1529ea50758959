"""Glass-box environments, which keep what they were given, and what reads episodes off any environment.

The environments draw all they say from one generator, seeded by `reset(seed=...)`: whoever touches it is found out.
"""

import dataclasses
from copy import deepcopy
from functools import partial
from typing import ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from robust_envs import Linf, Product, Switch

BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
SPACES = {
    "float32": BOX,
    "float64": spaces.Box(-np.inf, np.inf, (2,), np.float64),
    "wide": spaces.Box(-1.0, 1.0, (9,), np.float32),
    "uint8": spaces.Box(0, 255, (4, 4, 3), np.uint8),
    "int64": spaces.Box(-5, 5, (3,), np.int64),
    "scalar": spaces.Box(-1.0, 1.0, (), np.float32),
    "masked": spaces.Dict(observation=BOX, action_mask=spaces.Box(0, 1, (4,), np.int8)),
    "dict": spaces.Dict(position=BOX, velocity=spaces.Box(-2.0, 2.0, (2,), np.float64), kind=spaces.Discrete(3)),
    "tuple": spaces.Tuple((BOX, spaces.Discrete(3))),
}
ACTIONS = {
    "box": spaces.Box(-1.0, 1.0, (2,), np.float32),
    "box64": spaces.Box(-2.0, 2.0, (2,), np.float64),
    "int": spaces.Box(-3, 3, (2,), np.int64),
    "discrete": spaces.Discrete(4),
    "late": spaces.Discrete(4, start=2),
}
REWARDS = {"float": float, "int": lambda x: int(10 * x), "float32": np.float32, "float64": np.float64}


def draw(space, rng, mask=None):
    """Draw a member of a space from a plain generator; under a mask a legal one."""
    if isinstance(space, spaces.Dict):
        mask = np.zeros(4, np.int8)
        mask[rng.choice(4, 2, replace=False)] = 1
        return {key: mask if key == "action_mask" else draw(part, rng) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(draw(part, rng) for part in space.spaces)
    if isinstance(space, spaces.Discrete):
        legal = np.arange(space.n) if mask is None else np.flatnonzero(mask)
        return np.int64(space.start + rng.choice(legal))
    if space.dtype.kind in "iu":
        return rng.integers(space.low, space.high, endpoint=True, dtype=space.dtype.type)
    return np.asarray(rng.uniform(np.maximum(space.low, -3), np.minimum(space.high, 3)), space.dtype.type)


class EchoEnv(gymnasium.Env):
    """Say random things and keep the actions in `received`."""

    metadata: ClassVar = {"render_modes": []}

    def __init__(self, observation="float32", action="box", reward="float", horizon=12):
        self.observation_space, self.action_space = SPACES[observation], ACTIONS[action]
        self.reward, self.horizon, self.received = reward, horizon, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.received, self.options = [], options
        return draw(self.observation_space, self.np_random), {}

    def step(self, action):
        self.received.append(action)
        observation = draw(self.observation_space, self.np_random)
        reward = REWARDS[self.reward](self.np_random.normal())
        return observation, reward, False, len(self.received) >= self.horizon, {}


@dataclasses.dataclass(frozen=True)
class Player:
    """One agent: its spaces, the kind of its rewards and the steps it lives from (born at) and to (dies at)."""

    observation: str = "float32"
    action: str = "box"
    reward: str = "float"
    born: int = 0
    dies: int = 99


TEAM = {"a_0": Player(), "a_1": Player(), "b_0": Player(observation="float64", action="discrete", reward="int")}
FAMILY = {
    "a_0": Player(),
    "a_1": Player(dies=4, reward="float32"),
    "a_2": Player(born=3),
    "b_0": Player(observation="masked", action="discrete", born=2, dies=7),
}


class World:
    """What the two PettingZoo environments share: players, spaces, one generator."""

    metadata: ClassVar = {"name": "echo_v0", "render_modes": [], "is_parallelizable": True}
    render_mode = None

    def __init__(self, players=None, horizon=12):
        self.players, self.horizon = dict(TEAM if players is None else players), horizon
        self.possible_agents, self.agents = list(self.players), []
        self._spaces = {  # of its own: the suites seed them
            agent: (deepcopy(SPACES[player.observation]), deepcopy(ACTIONS[player.action]))
            for agent, player in self.players.items()
        }
        self.received = []
        self.np_random = np.random.default_rng()

    def observation_space(self, agent):
        return self._spaces[agent][0]

    def action_space(self, agent):
        return self._spaces[agent][1]

    @property
    def state_space(self):
        return spaces.Box(0.0, 1.0, (2,), np.float32)

    def state(self):
        return np.full(2, len(self.received) / 100, np.float32)

    def start(self, seed, options):
        if seed is not None:
            self.np_random = np.random.default_rng(seed)
        self.received, self.options = [], options
        self.agents = [agent for agent, player in self.players.items() if player.born == 0]
        return {agent: self.draw(agent) for agent in self.agents}

    def draw(self, agent):
        return draw(self.observation_space(agent), self.np_random)

    def turn(self, actions):
        self.received.append(actions)
        now, players = len(self.received), self.players
        living = self.agents + [agent for agent in players if players[agent].born == now]
        observations = {agent: self.draw(agent) for agent in living}
        rewards = {agent: REWARDS[players[agent].reward](self.np_random.normal()) for agent in living}
        dead = {agent: players[agent].dies <= now for agent in living}
        over = dict.fromkeys(living, now >= self.horizon)
        return observations, rewards, dead, over


class EchoParallel(World, ParallelEnv):
    """Say random things to all agents at once and keep their actions in `received`."""

    def reset(self, seed=None, options=None):
        observations = self.start(seed, options)
        return observations, {agent: {} for agent in observations}

    def step(self, actions):
        observations, rewards, dead, over = self.turn(dict(actions))
        self.agents = [agent for agent in observations if not (dead[agent] or over[agent])]
        return observations, rewards, dead, over, {agent: {} for agent in observations}


class EchoAEC(World, AECEnv):
    """The same in turns: the world moves when the last agent of a round has acted; nobody is born."""

    def reset(self, seed=None, options=None):
        self.said = self.start(seed, options)
        self.rewards = dict.fromkeys(self.agents, 0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection, self.acted = self.agents[0], {}

    def observe(self, agent):
        return self.said[agent]

    def step(self, action):
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0
        self.acted[agent] = action
        self._clear_rewards()
        if agent == self.agents[-1]:
            self.said, self.rewards, self.terminations, self.truncations = self.turn(self.acted)
            self.acted = {}
            self.agent_selection = self.agents[0]
            self._accumulate_rewards()
            self._deads_step_first()
        else:
            self.agent_selection = self.agents[self.agents.index(agent) + 1]


class EchoTurns(EchoAEC):
    """A game of turns that no parallel environment can be: everybody is told and paid something after every turn."""

    metadata: ClassVar = {"name": "echo_turns_v0", "render_modes": [], "is_parallelizable": False}

    def step(self, action):
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0
        self.said, self.rewards, self.terminations, self.truncations = self.turn({agent: action})
        self._accumulate_rewards()
        self.agent_selection = self.agents[(self.agents.index(agent) + 1) % len(self.agents)]
        self._deads_step_first()


def sized(space, radius):
    """Return a set that acts on all of a space that can be perturbed; on a Discrete space it acts always."""
    if isinstance(space, spaces.Discrete):
        return Switch(float(radius > 0))
    if isinstance(space, spaces.Dict) and "action_mask" not in space.spaces:
        return Product({key: Linf(radius) for key, part in space.spaces.items() if isinstance(part, spaces.Box)})
    if isinstance(space, spaces.Tuple):
        return Product({k: Linf(radius) for k, part in enumerate(space.spaces) if isinstance(part, spaces.Box)})
    box = space["observation"] if isinstance(space, spaces.Dict) else space
    return Linf(float(np.ceil(radius)) if box.dtype.kind in "iu" else radius)  # integers move by one at least


def all_channels(env, radius):
    """Return sets of one radius for all channels of an environment, as arguments for `robust`."""
    if isinstance(env, gymnasium.Env):
        return {
            "reward": Linf(radius),
            "observation": sized(env.observation_space, radius),
            "action": sized(env.action_space, radius),
        }
    return {
        "reward": Linf(radius),
        "observation": {agent: sized(env.observation_space(agent), radius) for agent in env.possible_agents},
        "action": {agent: sized(env.action_space(agent), radius) for agent in env.possible_agents},
    }


def same(a, b):
    """Tell whether two values agree in every bit and every type."""
    if isinstance(a, np.ndarray | np.generic):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def play(env, seed=0, steps=20, reset_seed=..., options=None):
    """Play an episode with actions of a generator of its own; return all that the environment said."""
    rng = np.random.default_rng([7, seed])
    reset = partial(env.reset, seed=seed if reset_seed is ... else reset_seed, options=options)
    if isinstance(env, gymnasium.Env):
        return _play_gym(env, reset, rng, steps)
    return (_play_parallel if isinstance(env, ParallelEnv) else _play_aec)(env, reset, rng, steps)


def _mask(observation):
    return observation.get("action_mask") if isinstance(observation, dict) else None


def _play_gym(env, reset, rng, steps):
    said = [reset()]
    for _ in range(steps):
        said.append(env.step(draw(env.action_space, rng, _mask(said[-1][0]))))
        if said[-1][2] or said[-1][3]:
            break
    return said


def _play_parallel(env, reset, rng, steps):
    said = [reset()]
    for _ in range(steps):
        if not env.agents:
            break
        observations = said[-1][0]
        said.append(
            env.step({a: draw(env.action_space(a), rng, _mask(observations[a])) for a in env.agents}),
        )
    return [tuple(dict(part) for part in parts) for parts in said]


def _play_aec(env, reset, rng, steps):
    reset()
    said = []
    for agent in env.agent_iter(steps * len(env.possible_agents)):
        observation, reward, dead, over, info = env.last()
        said.append((agent, observation, reward, dead, over, info, dict(env.rewards), list(env.agents)))
        env.step(None if dead or over else draw(env.action_space(agent), rng, _mask(observation)))
    return said


def observations(said, agent=None):
    return [parts[0] if agent is None else parts[0][agent] for parts in said if agent is None or agent in parts[0]]


def rewards(said, agent=None):
    return [parts[1] if agent is None else parts[1][agent] for parts in said[1:] if agent is None or agent in parts[1]]
