"""PettingZoo AEC environments, natures inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo.utils import AssertOutOfBoundsWrapper, BaseWrapper, ClipOutOfBoundsWrapper, OrderEnforcingWrapper

from robust_envs.channels import JointPort
from robust_envs.perturber import PREFIX, Perturber
from robust_envs.seats import Seat
from robust_envs.shells.layers import Layer, name_of
from robust_envs.shells.parallel import possible_agents
from robust_envs.worlds import World

__all__ = ["RobustAECEnv", "Rounds"]

_FLAT = (spaces.Box, spaces.Discrete, spaces.MultiBinary, spaces.MultiDiscrete)  # no place for an action mask
_CHECKERS = (AssertOutOfBoundsWrapper, ClipOutOfBoundsWrapper, OrderEnforcingWrapper)  # keep no books of their own


class Rounds:
    """Tell when agents are handed their turn: once between two of their own moves.

    A parallelizable environment hands it to all at once, when the last of a round has acted; others to one at a time,
    and to all that are left when the game is over.
    """

    def __init__(self, parallelizable: bool) -> None:
        self.parallelizable = parallelizable
        self._handed: set[str] = set()

    def begin(self, agents: list[str]) -> list[str]:
        """Return who is handed a turn by the reset: everybody."""
        self._handed = set(agents)
        return list(agents)

    def closes(self, actor: str, env: Any) -> bool:
        """Tell whether the move that `actor` is about to make lets the world take its step."""
        return not self.parallelizable or not self._handed & alive(env) - {actor}

    def after(self, actor: str, env: Any) -> list[str]:
        """Return who is handed a turn by the step which `actor` just made."""
        self._handed.discard(actor)
        living = alive(env)
        # a round is over when nobody still has a turn to play, a game when nobody lives
        if living and not self.parallelizable:
            due = [env.agent_selection]
        elif living.isdisjoint(self._handed):
            due = env.agents
        else:
            return []
        handed = [agent for agent in due if agent not in self._handed]
        self._handed.update(handed)
        return handed


def alive(env: Any) -> set[str]:
    """Return the agents whose game is not over."""
    agents, terminated, truncated = env.agents, env.terminations, env.truncations
    return {agent for agent in agents if not (terminated[agent] or truncated[agent])}


class Observations(Mapping[str, Any]):
    """Nominal observations by agent, asked for one at a time: AEC environments compute them on demand."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def __getitem__(self, agent: str) -> Any:
        if agent not in self._env.agents:
            raise KeyError(agent)
        return self._env.observe(agent)

    def __iter__(self) -> Any:
        return iter(self._env.agents)

    def __len__(self) -> int:
        return len(self._env.agents)


def _shown(name: str) -> Any:
    """Show what the environment says at the moment: wrappers around a layer may change it behind its back."""
    return property(lambda layer: getattr(layer._keeper, name))


class RobustAECEnv(Layer, BaseWrapper[Any, Any, Any]):
    """A PettingZoo AECEnv with natures inside; made by `robust`, which documents the arguments.

    Nature draws once per agent and turn. Rewards are booked in ``rewards`` and in what ``last()`` returns alike.
    """

    agents, agent_selection = _shown("agents"), _shown("agent_selection")
    terminations, truncations = _shown("terminations"), _shown("truncations")

    def __init__(
        self, env: Any, *, channels: dict[str, Any], nature: Any, info: str | None = None, trace: bool = False
    ) -> None:
        super().__init__(env)
        agents = possible_agents(env)
        perturber = Perturber(
            channels,
            nature=nature,
            agents=agents,
            observation_space=env.observation_space,
            action_space=env.action_space,
            depth=self.layers_below(env),
            first=sum(str(agent).startswith(PREFIX) for agent in agents),
            trace=trace,
            name=name_of(env),
            world=World(env),
        )
        self._settle(perturber, info)
        parallelizable = bool(env.metadata.get("is_parallelizable", False))
        check_joint(perturber, parallelizable)
        self._rounds = Rounds(parallelizable)
        self._views = views(perturber)
        self._stage = perturber.stage
        self._rewards: dict[str, Any] = {}  # of the latest step, and
        self._book: dict[str, Any] = {}  # since an agent's last turn: what nature has changed
        self._pays = bool(perturber["reward"])
        self._hears = bool(perturber["action"]) or perturber.noting
        self._shows = perturber.noting or any(asks(seat, env) for seat in perturber["action"])

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        seed, options = self._perturber.begin(seed, options)
        self.env.reset(seed=seed, options=options)
        self._keeper = keeper(self.env)  # before, the wrappers say what is wrong with asking
        self._begin_round = True
        if self._stage is not None:
            self._stage.enter()
            self._stage.open(Observations(self.env), again=False)
        self._sums: dict[str, Any] = dict.fromkeys(self.env.agents, 0)
        self._moved: set[str] = set()
        self._rewards, self._book = {}, {}
        self._observed(self._rounds.begin(self.agents))

    def step(self, action: Any) -> None:
        env = self.env
        if not self.agents:
            env.step(action)  # the environment's own warning
            return
        actor = self.agent_selection
        acting = not (self.terminations[actor] or self.truncations[actor])
        if acting:
            action = self._acted(actor, action)
        else:
            for seat in self._views.get(actor, ()):
                seat.forget()
        self._moved.discard(actor)
        self._sums[actor] = 0
        env.step(action)
        handed = self._rounds.after(actor, self) if self.agents else []
        if self._stage is not None and acting and handed:
            self._begin_round = True
            self._stage.land(Observations(env), again=False)
        self._pay(handed)
        self._observed(handed)

    def observe(self, agent: str) -> Any:
        nominal = self.env.observe(agent)
        return nominal if nominal is None else seen_again(self._views.get(agent, ()), agent, nominal)

    def last(self, observe: bool = True) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        agent = self.agent_selection
        observation = self.observe(agent) if observe else None
        flags = self.terminations[agent], self.truncations[agent]
        return observation, self._cumulative_rewards[agent], *flags, self.infos[agent]

    @property
    def infos(self) -> Any:  # type: ignore[override]
        """The environment's infos, with the executed deltas where they were asked for."""
        return self._keeper.infos if self._info is None else self._infos

    @property
    def rewards(self) -> Any:  # type: ignore[override]
        """The rewards of the latest step, as nature left them."""
        rewards = self._keeper.rewards
        return {**rewards, **self._rewards} if self._rewards else rewards

    @property
    def _cumulative_rewards(self) -> Any:  # type: ignore[override]
        book = self._keeper._cumulative_rewards
        return {**book, **self._book} if self._book else book

    def _acted(self, actor: str, action: Any) -> Any:
        if self._stage is not None and self._begin_round:
            self._stage.drive(Observations(self.env))
            self._begin_round = False
        if not self._hears:
            return action
        actions = {actor: action}
        seen: Mapping[str, Any] = Observations(self.env) if self._shows else {}
        if self._perturber.partners:
            self._perturber.face({actor: self.observe(actor)})
        self._perturber.take(actions, seen)
        self._perturber.move("action", actions, seen, self._keeper.infos)
        return actions[actor]

    def _pay(self, handed: list[str]) -> None:
        """Keep both books: ``rewards`` of this step, and what each agent gathered since its last turn."""
        if not self._pays:
            return  # the environment's own books show through
        rewards, self._rewards = self._keeper.rewards, {}
        book = self._keeper._cumulative_rewards  # stands where nature has not moved since the last turn
        if handed:
            nominal = {agent: book[agent] for agent in handed}
            perturbed = dict(nominal)
            self._perturber.move("reward", perturbed, Observations(self.env))
            for agent in handed:
                if perturbed[agent] is not nominal[agent]:
                    self._moved.add(agent)
                    self._rewards[agent] = booked(rewards[agent], perturbed[agent], nominal[agent])
        for agent, reward in self.rewards.items():
            self._sums[agent] = self._sums.get(agent, 0) + reward
        self._book = {agent: _like(book[agent], self._sums[agent]) for agent in self.agents if agent in self._moved}

    def _observed(self, handed: list[str]) -> None:
        due = [agent for agent in handed if not all(seat.waits for seat in self._views.get(agent, ()))]
        if due:
            values = {agent: kept(self.env.observe(agent)) for agent in due}
            self._perturber.move("observation", dict(values), values)
        if len(due) < len(handed):
            self._postpone([agent for agent in handed if agent not in due])
        if self._info is not None:
            self._infos = {agent: self._told(info, agent) for agent, info in self._keeper.infos.items()}

    def _postpone(self, agents: list[str]) -> None:
        """Let natures move that need not know what these agents see: to observe may cost or draw."""
        for seat in self._perturber["observation"]:
            present = tuple(agent for agent in seat.agents if agent in agents)
            if present:
                seat.postpone(partial(told, self.env, seat, self._views, present))


def keeper(env: Any) -> Any:
    """Return who keeps the books: wrappers that only pass them on cost more than a robust layer does."""
    while type(env) in _CHECKERS:
        env = env.env
    return env


def kept(observation: Any) -> Any:
    """Copy an observation: an environment may return one buffer again and again."""
    if isinstance(observation, Mapping):
        return {name: kept(part) for name, part in observation.items()}
    return observation.copy() if isinstance(observation, np.ndarray) else observation


def asks(seat: Seat, env: Any) -> bool:
    """Tell whether the nature of an action must know what its agents see: it looks, or legal choices may be there."""
    flat = all(isinstance(env.observation_space(agent), _FLAT) for agent in seat.agents)
    return seat.looks and not (seat.drawn and flat)


def views(perturber: Perturber) -> dict[str, list[Seat]]:
    """Return the seats behind each agent's observations, in the order in which they move."""
    seats: dict[str, list[Seat]] = {}
    for seat in perturber["observation"]:
        for agent in seat.agents:
            seats.setdefault(agent, []).append(seat)
    return seats


def seen_again(seats: Iterable[Seat], agent: str, nominal: Any) -> Any:
    """Apply the moves of this turn to what the agent would see now."""
    for seat in seats:
        nominal = seat.again({agent: nominal})[agent] if isinstance(seat.agent, tuple) else seat.again(nominal)
    return nominal


def seen_before(seats: list[Seat], seat: Seat, agent: str, env: Any) -> Any:
    """Return what an agent would see now but for one nature and those that come after it."""
    return seen_again(seats[: seats.index(seat)], agent, env.observe(agent))


def told(env: Any, seat: Seat, seats: Mapping[str, list[Seat]], agents: tuple[str, ...]) -> Any:
    """Return the values that a nature moves, of several agents by agent."""
    values = {agent: seen_before(seats[agent], seat, agent, env) for agent in agents}
    return values if isinstance(seat.agent, tuple) else values[agents[0]]


def _like(nominal: Any, total: Any) -> Any:
    """Keep the kind of numpy float that the environment's own book has: numpy 1 widens ``0 + np.float32(1)``."""
    return type(nominal)(total) if isinstance(nominal, np.floating) else total


def booked(reward: Any, value: Any, nominal: Any) -> Any:
    """Put nature's move into this step's reward; exact where the whole of it came in this step."""
    return value if reward == nominal else reward + (value - nominal)


def check_joint(perturber: Perturber, parallelizable: bool) -> None:
    """Refuse joint sets where the values they couple never lie together on the table."""
    for seat in perturber.seats:
        if not isinstance(seat.port, JointPort):
            continue
        if seat.point == "action":
            raise ValueError("joint(set) on action needs the joint action, AEC agents act in turn: wrap a ParallelEnv")
        if not parallelizable:
            raise ValueError(f"joint(set) on {seat.channel} needs an AEC environment that is_parallelizable")
