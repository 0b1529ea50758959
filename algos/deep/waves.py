"""Thousands of games at once, a step of all at a time: acting, storing and counting on their device."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch

from algos.deep.heads import Units
from algos.deep.seeding import episode_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from algos.deep.acting import GamesHead
    from algos.deep.batched import Games, Outcome, View
    from algos.deep.games import Team
    from algos.deep.nets import LearnedStack
    from algos.deep.state import RunState

_Given = TypeVar("_Given")
_Answer = TypeVar("_Answer")


class Waves:
    """Play waves of games and store what happened; wave k of a run resets all its games with a seed of (seed, k).

    In a wave, games whose episode ends begin the next one by themselves. A wave that is over cuts what is still being
    played, as a time limit would.

    Args:
        games: of all runs.
        team: their agents.
        runs: what each run has to itself.
        actors: networks of all runs, the first run's agents first.
        head: how their outputs become actions to play.

    Raises:
        ValueError: `actors` are on another device than the games.
    """

    def __init__(
        self, games: Games, team: Team, runs: Sequence[RunState], actors: LearnedStack, *, head: GamesHead
    ) -> None:
        if actors.parameters.device != games.device:
            raise ValueError(f"device must be that of the games, {games.device}, got {actors.parameters.device}")
        self._games, self._team, self._runs, self._actors = games, team, runs, actors
        self._head = head
        self._units = Units(team, games.device)
        self._layout = runs[0].buffer.layout
        self._streams = [run.games for run in runs]
        self.num_envs = self.steps = games.num_envs // games.runs
        self._wave, self._step = 0, games.wave
        self._view: View | None = None
        for run in runs:
            run.buffer.move_to(games.device)

    @property
    def envs(self) -> list[Games]:
        """The games, as what is trained on."""
        return [self._games]

    @property
    def over(self) -> bool:
        """Whether the wave has ended."""
        return self._step >= self._games.wave

    def begin(self) -> None:
        """Begin all games anew."""
        self._wave = self._runs[0].episodes
        seeds = [episode_seed(run.seed, run.episodes) for run in self._runs]
        for run in self._runs:
            run.episodes += 1
        self._step = 0
        shape = (self._games.num_envs, len(self._team.seats))
        self._view = self._asked(self._games.reset, seeds)
        self._check("observation", self._view.observation, (*shape, self._team.observation_size))
        self._received, self._nominal = (torch.zeros(shape, device=self._games.device) for _ in range(2))
        self._length = torch.zeros(shape[0], device=self._games.device)
        self._finished = torch.zeros(len(self._runs), 2 + 2 * shape[1], device=self._games.device, dtype=torch.float64)
        self._knows_nominal = False

    @torch.no_grad()
    def step(self, *, uniform: bool) -> Outcome:
        """Play one step of all games, by exploring or, before learning starts, at random."""
        assert self._view is not None  # begin was called
        view, self._step = self._view, self._step + 1
        legal = None if view.legal is None else self._by_network(view.legal)
        outputs = self._actors(self._by_network(view.observation))
        draw = self._head.uniform if uniform else self._head.sample
        actions = self._by_game(draw(outputs, legal, self._streams)) * view.present[:, :, None]
        outcome = self._asked(self._games.step, self._units(actions))
        self._check("reward", outcome.reward, tuple(view.present.shape))
        self._check("observation", outcome.following.observation, tuple(view.observation.shape))
        rows = self._layout.pack(view, actions, outcome)
        for run, share in zip(self._runs, rows.chunk(len(self._runs)), strict=True):
            run.buffer.extend(share)
        self._count(outcome, view.present.any(1))
        self._view = outcome.view
        if self.over:
            self._report()
        return outcome

    def _by_network(self, values: Tensor) -> Tensor:
        """Turn (G, N, n) into (R * N, G / R, n)."""
        return self._swapped(values)

    def _by_game(self, values: Tensor) -> Tensor:
        """Turn (R * N, G / R, n) into (G, N, n)."""
        return self._swapped(values)

    def _swapped(self, values: Tensor) -> Tensor:
        runs = len(self._runs)
        return values.reshape(runs, len(values) // runs, *values.shape[1:]).transpose(1, 2).flatten(0, 1)

    def _asked(self, ask: Callable[[_Given], _Answer], given: _Given) -> _Answer:
        """Ask the games for something; what goes wrong there is told with its place."""
        try:
            return ask(given)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{error} ({self._place})") from error
        except (RuntimeError, OSError, EOFError) as error:
            raise RuntimeError(f"games failed with {type(error).__name__}: {error} ({self._place})") from error

    @property
    def _place(self) -> str:
        return f"step {self._step} of wave {self._wave}"

    def _check(self, what: str, values: Tensor, shape: tuple[int, ...]) -> None:
        """Raise unless the shape is right and, naming agent, game and step, all numbers are finite."""
        if tuple(values.shape) != shape:
            raise ValueError(
                f"games must give {what}s {shape} for the agents {', '.join(self._team.agents)}, "
                f"got {tuple(values.shape)} ({self._place})"
            )
        if torch.isfinite(values.sum()):  # one number tells: infinity and NaN survive every sum
            return
        bad = ~torch.isfinite(values.flatten(2) if values.ndim > 2 else values[:, :, None]).all(-1)
        if bad.any():
            game, agent = (int(i) for i in bad.nonzero()[0])
            run, own = divmod(game, self.num_envs)
            raise ValueError(
                f"agent {self._team.agents[agent]!r} must get a finite {what}, got {values[game, agent].tolist()} "
                f"(game {own}, {self._place}, seed {self._runs[run].seed})"
            )

    def _count(self, outcome: Outcome, played: Tensor) -> None:
        """Add up returns; those of episodes that ended go to their run's sums, without a word to the processor."""
        self._knows_nominal = outcome.nominal is not None
        self._received += outcome.reward
        self._nominal += outcome.reward if outcome.nominal is None else outcome.nominal
        self._length += played
        over = outcome.over if self._step < self._games.wave else torch.ones_like(outcome.over)
        totals = torch.cat([torch.ones_like(over)[:, None], self._length[:, None], self._nominal, self._received], 1)
        ended = torch.where(over[:, None], totals.double(), 0.0)
        self._finished += ended.unflatten(0, (len(self._runs), -1)).sum(1)
        keep = ~over
        self._received *= keep[:, None]
        self._nominal *= keep[:, None]
        self._length *= keep

    def _report(self) -> None:
        """Hand the wave's returns to the runs' logs, weighted by how many episodes they come from."""
        agents = self._team.agents
        for run, (count, length, *sums) in zip(self._runs, self._finished.tolist(), strict=True):
            nominal, received = sums[: len(agents)], sums[len(agents) :]
            run.means.add("rollout/ep_len_mean", length, count)
            run.means.add("rollout/ep_rew_mean", sum(nominal), count)
            for agent, value in zip(agents, nominal, strict=True):
                run.means.add(f"rollout/ep_rew_mean/{agent}", value, count)
            if self._knows_nominal:
                run.means.add("rollout/ep_perturbed_rew_mean", sum(received), count)
