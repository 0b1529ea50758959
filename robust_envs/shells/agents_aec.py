"""PettingZoo AEC environments in which natures are agents and take turns of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pettingzoo.utils import BaseWrapper

from robust_envs.channels import WORLD
from robust_envs.natures import AsAgents
from robust_envs.perturber import legal
from robust_envs.policies import act
from robust_envs.seats import Seat
from robust_envs.shells.aec import Observations, Rounds, check_joint, seen_again, seen_before, views
from robust_envs.shells.agents_parallel import Cast, seat_natures
from robust_envs.shells.layers import Layer

__all__ = ["NatureAECEnv", "NaturesOnlyAECEnv"]


class _Turn(NamedTuple):
    seat: Seat
    agents: tuple[str, ...]


class NatureAECEnv(Cast, Layer, BaseWrapper[Any, Any, Any]):
    """An AECEnv in which natures move exactly where `Policy` would; made by ``robust(..., nature=AsAgents())``.

    When agents are handed their turn, first the natures of their rewards move, then those of their observations; after
    an agent's own move comes the nature of its action. An agent's reward is booked when its nature has moved, and an
    end of the game is announced when all natures have.
    """

    def __init__(
        self, env: Any, *, channels: Mapping[str, Any], nature: AsAgents, info: str | None = None, trace: bool = False
    ) -> None:
        BaseWrapper.__init__(self, env)
        perturber = seat_natures(env, channels, nature, depth=self.layers_below(env), trace=trace)
        parallelizable = bool(env.metadata.get("is_parallelizable", False))
        check_joint(perturber, parallelizable)
        self._settle(perturber, info)
        self._enter(alone=False)
        # natures' turns come between: the environment no longer steps once a round
        self.metadata = {**env.metadata, "is_parallelizable": False}
        self._rounds = Rounds(parallelizable)
        self._views = views(perturber)
        self._stage = perturber.stage
        self._payers = {agent for seat in perturber["reward"] for agent in seat.agents}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        seed, options = self._perturber.begin(seed, options)
        self.env.reset(seed=seed, options=options)
        self._cast = list(self._seats)
        self._held: Any = None
        self._flags: dict[str, tuple[bool, bool]] = {}
        self._end = (False, False)
        self._list()
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.rewards = dict.fromkeys(self.agents, 0)
        self._acts: dict[str, Any] = {}
        self._queue = []
        if self._stage is not None:
            self._stage.enter()
            self._queue = [_Turn(seat, seat.agents) for seat in self._stage.first]
        self._queue += self._turns(("observation",), self._rounds.begin(self.env.agents)) + self._drivers()
        self._face()

    def step(self, action: Any) -> None:
        if not self.agents:
            return
        actor = self.agent_selection
        self._cumulative_rewards[actor] = 0
        if self.terminations[actor] or self.truncations[actor]:
            rewards = self._leave(actor, action)
        elif actor in self._seats:
            rewards = self._nature_moves(action)
        else:
            rewards = self._agent_moves(actor, action)
        self._close(rewards)

    def observe(self, agent: str) -> Any:
        if agent in self._seats:
            return self._shown(self._seats[agent], Observations(self.env))
        nominal = self.env.observe(agent)
        return nominal if nominal is None else seen_again(self._views.get(agent, ()), agent, nominal)

    def last(self, observe: bool = True) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        agent = self.agent_selection
        observation = self.observe(agent) if observe else None
        flags = self.terminations[agent], self.truncations[agent]
        return observation, self._cumulative_rewards[agent], *flags, self.infos[agent]

    def _agent_moves(self, actor: str, action: Any) -> dict[str, Any]:
        self._perturber.take({actor: action}, {})
        if self._perturber.partners:
            self._perturber.face({actor: self.observe(actor)})
        self._held = action
        self._queue = [_Turn(seat, (actor,)) for seat in self._perturber["action"] if actor in seat.agents]
        kernel = None if self._stage is None else self._stage.kernel
        if kernel is not None and self._rounds.closes(actor, self.env):
            self._queue.append(_Turn(kernel, kernel.agents))
        return {} if self._queue else self._advance(actor, action)

    def _nature_moves(self, action: Any) -> dict[str, Any]:
        """Carry out the turn at the head of the queue."""
        seat, agents = self._queue.pop(0)
        if seat.channel in WORLD:
            return self._world_moves(seat, action)
        if seat.point == "action":
            (actor,) = agents
            mask = legal(self.env.observe(actor), self.env.infos, actor) if seat.masked else None
            self._held = seat.obey(action, self._held, mask)
            return {} if self._queue else self._advance(actor, self._held)
        rewarding = seat.point == "reward"
        book = self.env._cumulative_rewards
        values = {
            agent: book[agent] if rewarding else seen_before(self._views[agent], seat, agent, self.env)
            for agent in agents
        }
        if isinstance(seat.agent, tuple):
            values = seat.obey(action, values)
        else:
            values[seat.agent] = seat.obey(action, values[seat.agent])
        return values if rewarding else {}

    def _world_moves(self, seat: Seat, action: Any) -> dict[str, Any]:
        """Carry out what a nature of the world does, at the point of the order of play where that is."""
        stage = self._stage
        assert stage is not None  # only its natures come here
        self._acts[seat.name] = action
        seen, ask = Observations(self.env), self._as_agents(self._acts)
        if seat in stage.first:
            stage.once(seat, seen, ask, again=False)
        elif seat in stage.after:
            stage.land(seen, ask, again=False)
        else:
            stage.drive(seen, ask)
        if seat is stage.kernel:
            return {} if self._queue else self._advance(self.env.agent_selection, self._held)
        return {}

    def _drivers(self) -> list[_Turn]:
        """Return the turns of natures that move before the next step of the world."""
        return [] if self._stage is None else [_Turn(seat, seat.agents) for seat in self._stage.before]

    def _advance(self, actor: str, action: Any) -> dict[str, Any]:
        """Step the environment and queue the natures whose turn that makes it."""
        self._freeze()
        self.env.step(action)
        return self._after(actor, acted=True)

    def _after(self, actor: str, *, acted: bool) -> dict[str, Any]:
        env = self.env
        handed = self._rounds.after(actor, env) if env.agents else []
        self._queue = self._turns(("reward", "observation"), handed)
        if self._stage is not None and acted and handed:
            self._queue = [_Turn(seat, seat.agents) for seat in self._stage.after] + self._queue
            over = all(env.terminations[agent] or env.truncations[agent] for agent in env.agents)
            self._queue += [] if over else self._drivers()
        return {agent: reward for agent, reward in env.rewards.items() if agent not in self._payers}

    def _turns(self, points: tuple[str, ...], handed: list[str]) -> list[_Turn]:
        turns = []
        for point in points:
            for seat in self._perturber[point]:
                agents = tuple(agent for agent in seat.agents if agent in handed)
                turns += [_Turn(seat, agents)] if agents else []
        return turns

    def _leave(self, actor: str, action: Any) -> dict[str, Any]:
        """Let a dead agent go."""
        if actor in self._seats:
            if action is not None:
                raise ValueError("when an agent is dead, the only valid action is None")
            self._cast.remove(actor)
            return {}
        self.env.step(action)
        return self._after(actor, acted=False)

    def _freeze(self) -> None:
        """Keep showing the flags of before the step until all natures have moved."""
        env = self.env
        self._flags = {agent: (env.terminations[agent], env.truncations[agent]) for agent in env.agents}

    def _close(self, rewards: Mapping[str, Any]) -> None:
        """Keep both books and say who is next."""
        self._list()
        earned = self._earnings(self._cast, rewards) if rewards else dict.fromkeys(self._cast, 0)
        self.rewards = {**dict.fromkeys(self.env.agents, 0), **rewards, **earned}
        self._cumulative_rewards = {
            agent: self._cumulative_rewards.get(agent, 0) + self.rewards[agent] for agent in self.agents
        }
        self._face()

    def _list(self) -> None:
        """Show who is here: agents of the environment, then natures."""
        base = self.env.infos
        told = {agent: base[agent] if self._info is None else self._told(base[agent], agent) for agent in base}
        self.agents = [*self.env.agents, *self._cast]
        self.infos = {**told, **{name: self._told({}, name) for name in self._cast}}

    def _face(self) -> None:
        """Show flags and selection: natures in the queue first, then the environment's own choice."""
        env = self.env
        flags = {agent: (env.terminations[agent], env.truncations[agent]) for agent in env.agents}
        if self._queue:
            flags = {agent: self._flags.get(agent, (False, False)) for agent in flags}
            self.agent_selection = self._queue[0].seat.name
        elif env.agents:
            self.agent_selection = env.agent_selection
            if all(any(pair) for pair in flags.values()):
                ended = any(terminated for terminated, _ in flags.values())
                self._end = (ended, not ended) if not any(self._end) else self._end
        elif self._cast:
            self.agent_selection = self._cast[0]
        flags |= dict.fromkeys(self._cast, self._end)
        self.terminations = {agent: bool(pair[0]) for agent, pair in flags.items()}
        self.truncations = {agent: bool(pair[1]) for agent, pair in flags.items()}


class NaturesOnlyAECEnv(BaseWrapper[Any, Any, Any]):
    """An AECEnv of natures alone, the team's frozen policies inside; ``robust(..., nature=AsAgents(team=...))``."""

    def __init__(self, env: NatureAECEnv) -> None:
        super().__init__(env)
        self._game, self._team = env, env._nature.team
        self._names = list(env.natures)
        self.possible_agents = self._names

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self.env.reset(seed=seed, options=options)
        self.rewards = dict.fromkeys(self._names, 0)
        self._play()
        self._show()
        self._cumulative_rewards = dict(self.rewards)

    def step(self, action: Any) -> None:
        if not self.agents:
            return
        self._cumulative_rewards[self.agent_selection] = 0
        self.rewards = dict.fromkeys(self.agents, 0)
        self.env.step(action)
        self._gather()
        self._play()
        self._show()
        self.rewards = {agent: self.rewards[agent] for agent in self.agents}
        self._cumulative_rewards = {
            agent: self._cumulative_rewards[agent] + self.rewards[agent] for agent in self.agents
        }

    def last(self, observe: bool = True) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        agent = self.agent_selection
        observation = self.observe(agent) if observe else None
        flags = self.terminations[agent], self.truncations[agent]
        return observation, self._cumulative_rewards[agent], *flags, self.infos[agent]

    def _show(self) -> None:
        """Show the natures that are left, and whose turn it is."""
        game = self.env
        self.agents = [agent for agent in game.agents if agent in self._names]
        self.agent_selection = game.agent_selection
        self.terminations = {agent: game.terminations[agent] for agent in self.agents}
        self.truncations = {agent: game.truncations[agent] for agent in self.agents}
        self.infos = {agent: game.infos[agent] for agent in self.agents}

    @property
    def radius(self) -> Any:
        """Radius by channel, as on every other layer."""
        return self._game.radius

    @radius.setter
    def radius(self, value: Any) -> None:
        self._game.radius = value

    def _gather(self) -> None:
        for agent in [agent for agent in self.env.agents if agent in self._names]:
            self.rewards[agent] = self.rewards.get(agent, 0) + self.env.rewards[agent]

    def _play(self) -> None:
        """Let the team move until it is nature's turn."""
        game = self.env
        while game.agents and game.agent_selection not in self._names:
            agent = game.agent_selection
            dead = game.terminations[agent] or game.truncations[agent]
            game.step(None if dead else act(self._team, game.observe(agent), agent=agent))
            self._gather()
