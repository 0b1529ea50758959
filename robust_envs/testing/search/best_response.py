"""A trained adversary: PPO of Stable-Baselines3 plays nature, and every training episode counts."""

from __future__ import annotations

import queue
import threading
from typing import Any

import gymnasium
import numpy as np

from robust_envs.natures import Move, Nature
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.rules import nothing

__all__ = ["BestResponse"]

Array = np.ndarray[Any, np.dtype[Any]]
_WAIT = 600.0  # seconds until a silent partner is given up


class _OverError(Exception):
    """Nobody asks any more."""


class BestResponse:
    """Train PPO against the frozen policy; each training episode is one nature that was asked for.

    The learner sees what nature sees; its actions in [-1, 1] are places between the ends of the set, projected onto it;
    its reward is minus what the agents truly earn. It runs in a thread, in strict turns with whoever plays the
    episodes, so that nothing runs at the same time.

    Args:
        problem: The places: one, with a set of numbers.

    Raises:
        ImportError: If Stable-Baselines3 is not installed.
        ValueError: If there are several places, or nature chooses among discrete actions.

    References:
        Huan Zhang et al., 2021, Robust Reinforcement Learning on State Observations with Learned Optimal Adversary.
    """

    def __init__(self, problem: Problem) -> None:
        try:
            import stable_baselines3  # noqa: F401 - told at once, not in the thread
        except ImportError as error:
            raise ImportError(
                "search='best_response' needs stable-baselines3: pip install 'robust-envs[algos]'"
            ) from error
        if len(problem.places) != 1 or problem.places[0].choice:
            raise ValueError(
                "search='best_response' needs one nature with a set of numbers: use joint(...) for several"
            )
        self._game = _Game(problem)
        self._seed = int(problem.rng.integers(2**31))
        self._thread: threading.Thread | None = None

    def ask(self) -> Nature:
        """Return the learner as it is now."""
        if self._thread is None:
            self._thread = threading.Thread(target=_learn, args=(self._game, self._seed), daemon=True)
            self._thread.start()
        return _Learner(self._game)

    def tell(self, nature: Nature, margin: float) -> None:
        """End the learner's episode."""
        self._game.finish()

    def close(self) -> None:
        """Stop learning."""
        if self._thread is not None:
            self._game.moves.put(("stop", None, 0.0))
            self._thread.join(_WAIT)


class _Learner:
    """Hand each move to the thread that learns, and its action back."""

    def __init__(self, game: _Game) -> None:
        self.game = game

    def __call__(self, move: Move) -> Any:
        game = self.game
        if (move.channel, move.agent) != game.place.key:
            return nothing(move)
        game.moves.put(("move", move.seen, game.paid()))
        return game.delta(game.take(), move)


class _Game(gymnasium.Env[Any, Any]):
    """The other side: an environment whose steps are nature's moves."""

    def __init__(self, problem: Problem) -> None:
        self.place: Place = problem.places[0]
        self.witness = problem.arena.witness
        size = len(self.place.features)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (self.place.rows,), np.float32)
        self.moves: queue.Queue[tuple[str, Any, float]] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()
        self._counted = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        kind, seen, _ = self._next()
        while kind == "end":  # an episode in which nature never moved
            kind, seen, _ = self._next()
        return self._scaled(seen), {}

    def step(self, action: Any) -> Any:
        self.answers.put(action)
        kind, seen, paid = self._next()
        if kind == "end":
            return np.zeros(self.observation_space.shape or (), np.float32), -paid, True, False, {}
        return self._scaled(seen), -paid, False, False, {}

    def _next(self) -> tuple[str, Any, float]:
        kind, seen, paid = self.moves.get(timeout=_WAIT)
        if kind == "stop":
            raise _OverError
        return kind, seen, paid

    def _scaled(self, seen: Array) -> Array:
        return np.asarray(seen / self.place.scale[:-1], np.float32)

    def take(self) -> Any:
        """Wait for the learner's action; what it raised is raised here."""
        answer = self.answers.get(timeout=_WAIT)
        if isinstance(answer, BaseException):
            raise RuntimeError(f"the learner of search='best_response' failed: {answer}") from answer
        return answer

    def delta(self, action: Array, move: Move) -> Array:
        """Return the member of the set an action means."""
        box = move.set.bounds
        return np.asarray(
            move.set.project((box.high + box.low) / 2 + (box.high - box.low) / 2 * action.astype(np.float64))
        )

    def paid(self) -> float:
        """Return what the opposed agents got since the last move."""
        total = sum(map(sum, self.witness.paid.values()))
        gained, self._counted = total - self._counted, total
        return float(gained)

    def finish(self) -> None:
        """Say that the episode is over."""
        self.moves.put(("end", None, self.paid()))
        self._counted = 0


def _learn(game: _Game, seed: int) -> None:
    from stable_baselines3 import PPO

    try:
        model = PPO("MlpPolicy", game, n_steps=1024, batch_size=128, gae_lambda=0.95, seed=seed, device="cpu")
        model.learn(2**31)
    except _OverError:
        return
    except BaseException as error:  # told to the thread that waits for an action
        game.answers.put(error)
