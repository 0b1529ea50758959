"""VMAS environments: thousands of games as torch tensors, natures inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.natures import AsAgents, GradientAttack, LinearFeedback, Replay
from robust_envs.natures.move import is_drawn
from robust_envs.perturber import PREFIX, Perturber
from robust_envs.shells.batched_budgets import make_batched_seat
from robust_envs.shells.batched_seats import BatchedSeat
from robust_envs.shells.batched_streams import torch_module
from robust_envs.shells.layers import Layer
from robust_envs.traces import Executed
from robust_envs.worlds import Lever, World
from robust_envs.worlds.tables import ready_parameters

__all__ = ["RobustBatchedEnv", "gymnasium_space", "is_vmas", "robust_vmas"]

_CHANNELS = ("reward", "observation", "action")


def is_vmas(env: Any) -> bool:
    """Tell whether this is a VMAS environment, without importing VMAS."""
    return any(kind.__module__.startswith("vmas.") and kind.__name__ == "Environment" for kind in type(env).__mro__)


def robust_vmas(env: Any, **arguments: Any) -> Any:
    """Put nature into a VMAS environment; what comes back is an instance of its class as well."""
    base: Any = type(env)
    return _kind(base)(env, **arguments)


@cache
def _kind(base: Any) -> Any:
    if issubclass(base, RobustBatchedEnv):
        return base
    return type(
        "RobustVmasEnv", (RobustBatchedEnv, base), {"__module__": __name__, "__doc__": RobustBatchedEnv.__doc__}
    )


class RobustBatchedEnv(Layer):
    """A VMAS environment with natures in each of its games; made by `robust`, which documents the arguments.

    Natures move whole tensors. The random streams are torch generators of their own on the environment's device, one
    for each (channel, agent), so that other channels, agents and the simulator see no difference. A function of `Move`
    gets tensors with a leading axis G (games) and answers one; ``move.step`` is a tensor (G,). `Policy` sees (G, n).
    ``reset(seed=[s, t])`` seeds equal shares of the games one by one: the natures of each share are those of a smaller
    environment with that seed. ``last_move`` holds tensors (G, dim).
    """

    def __init__(
        self, env: Any, *, channels: dict[str, Any], nature: Any, info: str | None = None, trace: bool = False
    ) -> None:
        _refuse(channels, nature, info, trace)
        self.env = env
        self._names = [agent.name for agent in env.agents]
        observation, action = (self._spaces(space) for space in (env.observation_space, env.action_space))
        depth = self.layers_below(env)
        perturber = Perturber(
            channels,
            nature=nature,
            agents=self._names,
            observation_space=observation.__getitem__,
            action_space=action.__getitem__,
            depth=depth,
            first=sum(name.startswith(PREFIX) for name in self._names),
            world=None if channels.get("dynamics") is None else BatchedWorld(env),
        )
        self._stage = perturber.stage
        self._settle(perturber, info)
        self._seats: dict[str, list[BatchedSeat]] = {
            channel: [
                make_batched_seat(seat, games=env.num_envs, device=env.device, depth=depth)
                for seat in perturber[channel]
            ]
            for channel in _CHANNELS
        }
        self._all = [seat for seats in self._seats.values() for seat in seats]
        self._looks = any(seat.looks for seat in self._all)
        self._nominal: dict[str, Any] = {}
        self._nominal_rewards: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name in ("env", "_names"):  # not there yet: while a copy is being made
            raise AttributeError(name)
        return getattr(self.env, name)

    def _spaces(self, space: Any) -> dict[str, Any]:
        parts = [space.spaces[n] for n in self._names] if hasattr(space.spaces, "keys") else list(space.spaces)
        return {name: gymnasium_space(part) for name, part in zip(self._names, parts, strict=True)}

    def reset(
        self,
        seed: int | Sequence[int] | None = None,
        return_observations: bool = True,
        return_info: bool = False,
        return_dones: bool = False,
    ) -> Any:
        """Begin an episode of all games, as VMAS does; natures begin anew, by streams of the same seed."""
        several = isinstance(seed, Sequence)
        if seed is not None:
            self._seed_natures(list(seed) if isinstance(seed, Sequence) else [seed])
        for seat in self._all:
            seat.begin()
        self._perturber.restore()
        passed = seed if not several or isinstance(self.env, RobustBatchedEnv) else seed[0]  # type: ignore[index]
        given = self.env.reset(passed, True, return_info, return_dones)
        nominal, *others = given if return_info or return_dones else [given]
        if self._stage is not None:
            self._stage.begin()
        self._see(nominal)
        shown = [self._move("observation", nominal)] if return_observations else []
        return _one_or_all([*shown, *others])

    def reset_at(
        self,
        index: int,
        return_observations: bool = True,
        return_info: bool = False,
        return_dones: bool = False,
    ) -> Any:
        """Begin an episode of one game; the natures of the others stay as they are."""
        given = self.env.reset_at(index, True, return_info, return_dones)
        nominal, *others = given if return_info or return_dones else [given]
        for seat in self._all:
            seat.begin_one(index)
        self._see(nominal)
        shown = [self._move("observation", nominal, again=True)] if return_observations else []
        return _one_or_all([*shown, *others])

    def seed(self, seed: int | None = None) -> Any:
        """Seed the simulator and the natures."""
        self._seed_natures([0 if seed is None else seed])
        return self.env.seed(seed)

    def step(self, actions: Any) -> Any:
        """Play one step of all games."""
        listed = self._by_name(actions)
        moved = self._moved("action", listed)
        if isinstance(actions, dict):
            played: Any = moved
        else:
            played = [moved[name] for name in self._names]
        if self._stage is not None:
            self._stage.drive({})
        nominal, rewards, *others = self.env.step(played)
        self._see(nominal)
        below = getattr(self.env, "nominal_rewards", None)
        self._nominal_rewards = self._by_name(rewards) if below is None else below
        return [self._move("observation", nominal), self._move("reward", rewards), *others]

    def get_from_scenario(
        self,
        get_observations: bool,
        get_rewards: bool,
        get_infos: bool,
        get_dones: bool,
        dict_agent_names: bool | None = None,
    ) -> Any:
        """Ask once more for what the present turn shows; natures do not move again, but in games that began since."""
        found = self.env.get_from_scenario(get_observations, get_rewards, get_infos, get_dones, dict_agent_names)
        if found is None:
            return None
        parts = list(found)
        if get_observations:
            self._see(parts[0])
            parts[0] = self._move("observation", parts[0], again=True)
        if get_rewards and all(seat.last is not None for seat in self._seats["reward"]):
            place = int(get_observations)
            parts[place] = self._move("reward", parts[place], again=True)
        return parts

    @property
    def nominal_rewards(self) -> dict[str, Any]:
        """Rewards of the last step before any nature moved, (G,) by agent."""
        return self._nominal_rewards

    @property
    def last_move(self) -> dict[tuple[str, str], Executed]:
        """The latest move of each nature of this layer, by (channel, agent), tensors of shape (G, dim)."""
        moves = {seat.seat.key: seat.executed for seat in self._all} | self._perturber.world_moves
        return {key: move for key, move in moves.items() if move is not None}

    @property
    def trace(self) -> Any:
        """Traces are of single games: there is none here."""
        raise AttributeError("trace is recorded in single games: wrap a PettingZoo environment with trace=True")

    def _seed_natures(self, seeds: Sequence[Any]) -> None:
        for seed in seeds:
            if not isinstance(seed, int | np.integer) or seed < 0:
                raise ValueError(f"seed must be an integer >= 0, got seed={seed!r}")
        if self.num_envs % len(seeds):
            raise ValueError(f"seed must split {self.num_envs} games into equal shares, got {len(seeds)} seeds")
        for seat in self._all:
            seat.seed([int(seed) for seed in seeds])
        if self._stage is not None:
            self._perturber.seed_world(int(seeds[0]))

    def _see(self, nominal: Any) -> None:
        if self._looks:
            self._nominal = {name: _flattened(value) for name, value in self._by_name(nominal).items()}

    def _move(self, channel: str, values: Any, *, again: bool = False) -> Any:
        """Let the natures of a channel move on values as VMAS gives them, a list or a dict by agent."""
        if not self._seats[channel]:
            return values
        moved = self._moved(channel, self._by_name(values), again=again)
        return moved if isinstance(values, dict) else [moved[name] for name in self._names]

    def _moved(self, channel: str, values: dict[str, Any], *, again: bool = False) -> dict[str, Any]:
        new = dict(values)
        for seat in self._seats[channel]:
            act, agent = seat.again if again else seat.perturb, seat.seat.agent
            seen = self._seen(seat.seat.agents) if seat.looks else None
            if isinstance(agent, tuple):
                new.update(act({one: values[one] for one in agent}, seen))
            else:
                new[agent] = act(values[agent], seen)
        return new

    def _seen(self, agents: Sequence[str]) -> Any:
        return torch_module().cat([self._nominal[agent] for agent in agents], 1)

    def _by_name(self, values: Any) -> dict[str, Any]:
        return dict(values) if isinstance(values, dict) else dict(zip(self._names, values, strict=True))


def gymnasium_space(space: Any) -> spaces.Space[Any]:
    """Turn a space of the old gym, which VMAS speaks, into Gymnasium's.

    Raises:
        ValueError: for a space that is not Box, Discrete, MultiDiscrete or Dict.
    """
    match type(space).__name__:
        case "Box":
            return spaces.Box(space.low, space.high, space.shape, space.dtype.type)
        case "Discrete":
            return spaces.Discrete(int(space.n))
        case "MultiDiscrete":
            return spaces.MultiDiscrete(np.array(space.nvec))
        case "Dict":
            return spaces.Dict({name: gymnasium_space(part) for name, part in space.spaces.items()})
    raise ValueError(f"space must be Box, Discrete, MultiDiscrete or Dict, got {space}")


def _flattened(value: Any) -> Any:
    torch = torch_module()
    if isinstance(value, dict):
        return torch.cat([_flattened(value[name]) for name in sorted(value)], 1)  # as gymnasium flattens a Dict
    return value.reshape(len(value), -1).to(torch.float32)


def _one_or_all(parts: list[Any]) -> Any:
    return (parts[0] if len(parts) == 1 else parts) if parts else None


class BatchedWorld(World):
    """The simulator, as the channel `dynamics` sees it: its parameters are those of all games."""

    def __init__(self, env: Any) -> None:
        while isinstance(env, Layer):
            env = env.env  # type: ignore[attr-defined]
        self.root = env

    def lever(self, channel: str, given: Any) -> Lever:
        """Return what the channel moves."""
        return Lever(channel, self.root, given, ready_parameters(self.root))


def _refuse(channels: Mapping[str, Any], nature: Any, info: str | None, trace: bool) -> None:
    known = (*_CHANNELS, "dynamics")
    for channel, given in channels.items():
        if given is not None and channel not in known:
            raise ValueError(f"{channel} is not for batched games, which take {', '.join(known)}: got {given!r}")
    if channels.get("dynamics") is not None and not is_drawn(nature):
        raise ValueError(
            f"dynamics of batched games are those of all games at once: nature must be one that looks at none of "
            f"them (Uniform, Noise, Nominal, a shape in time), got {nature!r}"
        )
    if isinstance(nature, AsAgents):
        raise ValueError(
            "AsAgents() adds agents to a game, and a VMAS environment's agents are its scenario's: train nature on a "
            "PettingZoo environment and bring it here as Policy(...)"
        )
    if isinstance(nature, Replay):
        raise ValueError("Replay() repeats one episode of single games: a batched environment has thousands at once")
    if isinstance(nature, LinearFeedback | GradientAttack) or hasattr(nature, "course") or hasattr(nature, "pick"):
        raise ValueError(
            f"{type(nature).__name__} moves in one game at a time: for thousands at once there are Nominal, Uniform, "
            f"Noise, WorstCase, Policy and functions of Move, got {nature!r}"
        )
    if trace:
        raise ValueError("trace must be False for batched games: a trace records the episode of a single one")
    if info is not None:
        raise ValueError(
            f"info must be None for batched games, whose last_move holds the executed deltas, got {info!r}"
        )
