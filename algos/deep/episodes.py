"""One PettingZoo game for each run, a step of each at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from algos.deep.seeding import episode_seed
from algos.deep.statistics import EpisodeReturns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from algos.deep.acting import GameHead
    from algos.deep.games import Env, Frame, ParallelGame, Step
    from algos.deep.nets import NumpyMLP
    from algos.deep.state import RunState


class Episodes:
    """Play episodes and store what happened; episode k of a run resets its game with a seed made of (seed, k).

    Runs step together and each begins its next episode by itself. All is over when all episodes end together.

    Args:
        games: one per run, with the same agents and spaces.
        runs: what each run has to itself.
        actors: networks of all runs, the first run's agents first.
        head: how outputs become actions.
    """

    num_envs = 1
    steps = 1

    def __init__(
        self, games: Sequence[ParallelGame], runs: Sequence[RunState], actors: NumpyMLP, head: GameHead
    ) -> None:
        self._games, self._runs, self._actors, self._head = games, runs, actors, head
        self._frames: list[Frame] = []
        self._returns: list[EpisodeReturns] = []

    @property
    def envs(self) -> list[Env]:
        """The environments, one per run."""
        return [game.env for game in self._games]

    @property
    def over(self) -> bool:
        """Whether nobody is left to act in any game."""
        return all(game.over for game in self._games)

    def begin(self) -> None:
        """Begin an episode of every run."""
        starts = [self._begin(game, run) for game, run in zip(self._games, self._runs, strict=True)]
        self._frames, self._returns = [list(part) for part in zip(*starts, strict=True)]

    def _begin(self, game: ParallelGame, run: RunState) -> tuple[Frame, EpisodeReturns]:
        episode, run.episodes = run.episodes, run.episodes + 1
        returns = EpisodeReturns(game.env, game.team.agents)
        return game.reset(episode_seed(run.seed, episode), episode=episode), returns

    def step(self, *, uniform: bool) -> Step:
        """Play one step of every run, by exploring or, before learning starts, at random; return the first run's."""
        for i, game in enumerate(self._games):
            if game.over:
                self._frames[i], self._returns[i] = self._begin(game, self._runs[i])
        observations = [frame.observation for frame in self._frames]
        outputs = self._actors(observations[0] if len(observations) == 1 else np.concatenate(observations))
        draw, agents = self._head.uniform if uniform else self._head.sample, len(observations[0])
        steps = []
        for i, (game, run, frame) in enumerate(zip(self._games, self._runs, self._frames, strict=True)):
            own = outputs[i * agents : (i + 1) * agents]
            actions = draw(own, frame.legal, run.exploration) * frame.present[:, None]
            step = game.step(actions)
            run.buffer.add(frame, actions, step)
            self._returns[i].add(step.reward)
            self._frames[i] = step.frame
            if game.over:
                self._returns[i].report(run.means)
            steps.append(step)
        return steps[0]
