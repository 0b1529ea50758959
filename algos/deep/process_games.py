"""Any PettingZoo ParallelEnv many times over, in processes of their own, as `Games`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from algos.deep.batched import Outcome, View
from algos.deep.config import check_integer
from algos.deep.games import Env, ParallelGame, Team, count_state
from algos.deep.levels import Radius, set_radius
from algos.deep.statistics import nominal_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from algos.deep.games import Frame

Make = Callable[[], Env]


class PackedGame(gymnasium.Env[Any, Any]):
    """Show a ParallelEnv as an Env whose one observation holds all that a step brings, so that it fits shared memory.

    In a row, for N agents: observations (N, O), who is present (N,), legal actions (N, A), rewards (N,), who lives on
    (N,), nominal rewards (N,), the state (S,). Actions (N, A) are in the environment's units, a discrete one in the
    first column.

    Args:
        make: builds the environment.
        state: whether to tell the environment's `state()`.
    """

    def __init__(self, make: Make, *, state: bool = False) -> None:
        env = make()
        self._team = _read_team(env, state=state)
        self._game = ParallelGame(env, self._team)
        self._read_nominal = nominal_reader(env)
        agents, seen, acts = len(self._team.seats), self._team.observation_size, self._team.action_size
        size = agents * (seen + acts + 4) + self._team.state_size
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = spaces.Box(-np.inf, np.inf, (agents, acts), np.float32)
        self._episode = 0

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; without a seed, with one that the last seed and the number of episodes since make."""
        super().reset(seed=seed)
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        self._episode += 1
        return self._pack(self._game.reset(seed, episode=self._episode), None, None, None), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one step of all agents."""
        step = self._game.play(self._elements(action))
        nominal = None if self._read_nominal is None else self._read_nominal()
        told = step.reward if nominal is None else [nominal.get(a, 0.0) for a in self._team.agents]
        return self._pack(step.frame, step.reward, step.continues, told), 0.0, False, self._game.over, {}

    def set_radius(self, radius: Radius) -> None:
        """Set the radius of the sets of all layers: a number, or a dict by channel."""
        set_radius(self._game.env, radius)

    def close(self) -> None:
        """Close the environment."""
        self._game.env.close()

    def _elements(self, action: Any) -> dict[str, Any]:
        present = self._game.env.agents
        rows = zip(self._team.seats, action, strict=True)
        return {seat.agent: seat.element(row) for seat, row in rows if seat.agent in present}

    def _pack(self, frame: Frame, reward: Any, continues: Any, nominal: Any) -> Any:
        nothing = np.zeros(len(self._team.seats), np.float32)
        parts = [frame.observation, frame.present, frame.legal]
        parts += [nothing if part is None else np.asarray(part) for part in (reward, continues, nominal)]
        parts.append(frame.state)
        return np.concatenate([part.reshape(-1).astype(np.float32) for part in parts])


class ProcessGames:
    """Play many copies of a ParallelEnv, some in each of several processes, as one run.

    Gymnasium's AsyncVectorEnv runs the processes and holds what they show in shared memory; a step waits for all of
    them, so nobody runs ahead.

    Args:
        make: builds the environment; called in the processes, so it must be picklable by cloudpickle.
        num_envs: games, and processes, >= 1.
        wave: steps after which all games begin anew, >= 1: a multiple of the time limit, where there is one.
        device: of the tensors.
        context: how processes are started: "fork", "forkserver" or "spawn"; the platform's way if None.
        state: whether to tell the environment's `state()`, from which QMIX's mixer learns.

    Raises:
        ValueError: num_envs or wave is not positive, or a space is not supported (the agent is named).

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> games = ProcessGames(simple_spread_v3.parallel_env, num_envs=2, wave=25)
        >>> games.reset([0]).observation.shape
        torch.Size([2, 3, 18])
        >>> games.close()
    """

    runs = 1

    def __init__(
        self,
        make: Make,
        *,
        num_envs: int,
        wave: int,
        device: str | torch.device = "cpu",
        context: str | None = None,
        state: bool = False,
    ) -> None:
        check_integer("num_envs", num_envs, at_least=1)
        check_integer("wave", wave, at_least=1)
        env = make()
        team = _read_team(env, state=state)
        self._tells_nominal = nominal_reader(env) is not None
        env.close()
        self.agents, self.num_envs, self.wave = team.agents, num_envs, wave
        self.observation_spaces = tuple(seat.observation_space for seat in team.seats)
        self.action_spaces = tuple(seat.action_space for seat in team.seats)
        self.device = torch.device(device)
        self._masked = team.has_mask
        agents, seen, acts = len(team.seats), team.observation_size, team.action_size
        self.state_size = team.state_size
        self._widths = [agents * seen, agents, agents * acts, agents, agents, agents, team.state_size]
        self._env = AsyncVectorEnv(
            [partial(PackedGame, make, state=state)] * num_envs,
            context=context,
            autoreset_mode=AutoresetMode.DISABLED,
        )

    def reset(self, seeds: Sequence[int]) -> View:
        """Begin all games anew, game i with a seed made of (the run's seed, i)."""
        (seed,) = seeds
        own = np.random.SeedSequence(seed).generate_state(self.num_envs) >> 1
        with self._watched():
            packed, _ = self._env.reset(seed=own.tolist())
        return self._unpack(packed)[0]

    def step(self, actions: Tensor) -> Outcome:
        """Play actions (G, N, A)."""
        with self._watched():
            packed, _, _, over, _ = self._env.step(actions.cpu().numpy())
        following, reward, continues, nominal = self._unpack(packed)
        view = following
        if over.any():
            with self._watched():
                packed, _ = self._env.reset(options={"reset_mask": over})
            view = self._unpack(packed)[0]
        ended = torch.from_numpy(over.copy()).to(self.device)
        return Outcome(reward, continues > 0, following, view, ended, nominal if self._tells_nominal else None)

    def set_radius(self, radius: Radius) -> None:
        """Set the radius of the sets of all layers in all processes: a number, or a dict by channel."""
        with self._watched():
            self._env.call("set_radius", radius)

    def close(self) -> None:
        """End the processes."""
        dead = not all(process.is_alive() for process in self._env.processes)
        self._env.close(terminate=dead)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Say so where a process has died; what an environment raises in a living one is raised here as well."""
        try:
            yield
        except (EOFError, ConnectionError) as error:
            dead = [i for i, process in enumerate(self._env.processes) if not process.is_alive()]
            raise RuntimeError(f"process of game {', '.join(map(str, dead)) or '?'} has died") from error

    def _unpack(self, packed: Any) -> tuple[View, Tensor, Tensor, Tensor]:
        rows = torch.from_numpy(np.array(packed)).to(self.device)
        seen, present, legal, *numbers = rows.split(self._widths, dim=1)
        agents = (len(rows), len(self.agents), -1)
        reward, continues, nominal, state = numbers
        masks = legal.view(agents) > 0 if self._masked else None
        view = View(seen.view(agents), present > 0, masks, state if self.state_size else None)
        return view, reward, continues, nominal


def _read_team(env: Env, *, state: bool) -> Team:
    team = Team.of(env, "tanh")
    return replace(team, state_size=count_state(env)) if state else team
