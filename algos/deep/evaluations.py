"""A callback that measures nominal and robust return while training goes on, and keeps the best policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stable_baselines3.common.callbacks import BaseCallback

from algos.deep.config import check_choice, check_integer
from robust_envs.evaluation import evaluate

if TYPE_CHECKING:
    import os

    from algos.deep.games import Env


class EvaluateAtEpisodeEnd(BaseCallback):
    """Measure the policy in environments of its own, at the first episode end after every `every` steps.

    Every evaluation plays the same episodes, by common random numbers, so that a change is the policy's. The nominal
    return is that of the environment itself; the robust return the lowest mean over the natures, rewards as perturbed.
    What was found stands in the log (`eval/...`) and in checkpoints, so that a resumed run knows its best. Training
    does not notice: no random stream of its own is touched.

    Args:
        make: builds an environment without `robust()`.
        every: environment steps between evaluations, >= 1.
        episodes: of each evaluation, for each nature and for none, >= 1.
        seed: of the episodes, >= 0, apart from those of training.
        observation, action, reward: uncertainty sets as in `robust`; without any there is nominal return only.
        natures: a nature, or a dict of them by name; `Uniform()` if None.
        team: agents whose rewards count; all if None.
        best: folder in which the policy with the best return so far is kept, replaced atomically, without replay;
            with several seeds a folder in it for each. None keeps none.
        judge: by which return the best is the best, "robust" or "nominal".

    Raises:
        ValueError: a value is outside its range.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> from algos.deep import MADDPG, EvaluateAtEpisodeEnd
        >>> from robust_envs import Linf
        >>> watch = EvaluateAtEpisodeEnd(simple_spread_v3.parallel_env, every=50, episodes=2, observation=Linf(0.5))
        >>> model = MADDPG(simple_spread_v3.parallel_env()).learn(100, callback=watch)
        >>> sorted(watch.latest[0])
        ['nominal_return', 'robust_return']

    References:
        Glasserman, Yao (1992), Some Guidelines and Guarantees for Common Random Numbers.
    """

    def __init__(
        self,
        make: Callable[[], Env],
        *,
        every: int,
        episodes: int = 20,
        seed: int = 10_000,
        observation: Any = None,
        action: Any = None,
        reward: Any = None,
        natures: Any = None,
        team: Sequence[str] | None = None,
        best: str | os.PathLike[str] | None = None,
        judge: str = "robust",
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        check_integer("every", every, at_least=1)
        check_integer("episodes", episodes, at_least=1)
        check_integer("seed", seed, at_least=0)
        check_choice("judge", judge, ("robust", "nominal"))
        sets = {"observation": observation, "action": action, "reward": reward}
        self._sets = {channel: members for channel, members in sets.items() if members is not None}
        self._make, self._every, self._judge = make, every, judge
        self._options = {"episodes": episodes, "seed": seed, "natures": natures, "team": team}
        self._best = None if best is None else Path(best)
        self._before = 0
        self.latest: list[dict[str, float]] = []

    def _on_training_start(self) -> None:
        trainer: Any = self.model
        self._before = trainer.num_timesteps
        trainer.at_episode_end(self._evaluate_if_due)

    def _on_step(self) -> bool:
        return True

    def _evaluate_if_due(self) -> None:
        trainer: Any = self.model
        before, self._before = self._before, trainer.num_timesteps
        if trainer.num_timesteps // self._every == before // self._every:
            return
        self.latest = [self._measure(trainer, run) for run in range(len(trainer.seeds))]
        lines = []
        for run, found in enumerate(self.latest):
            value = found[f"{self._judge}_return"]
            best = trainer.notes(run).get("best", -math.inf)
            if value > best:
                best = trainer.notes(run)["best"] = value
                self._keep(trainer, run)
            lines.append({**{f"eval/{name}": number for name, number in found.items()}, "eval/best": best})
        trainer.log_lines(lines)

    def _measure(self, trainer: Any, run: int) -> dict[str, float]:
        levels = (0.0, 1.0) if self._sets else (0.0,)
        found = evaluate(_Greedy(trainer, run), self._make, **self._sets, levels=levels, **self._options)
        nominal = found.summary(found.natures[0], 0.0).mean
        by_nature = {name: found.summary(name, levels[-1], reward="perturbed").mean for name in found.natures}
        told = {f"return_{name}": value for name, value in by_nature.items()} if len(by_nature) > 1 else {}
        return {"nominal_return": nominal, "robust_return": min(by_nature.values()), **told}

    def _keep(self, trainer: Any, run: int) -> None:
        if self._best is None:
            return
        several = len(trainer.seeds) > 1
        folder = self._best / f"seed{trainer.seeds[run]}" if several else self._best
        trainer.save(folder, include_buffer=False, run=run if several else None)


class _Greedy:
    """Show one run's policy without exploration; nothing of the trainer changes by asking."""

    multi_agent = True

    def __init__(self, trainer: Any, run: int) -> None:
        self._trainer, self._run = trainer, run

    def predict(
        self, observations: Mapping[str, Any], state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        """Choose the likeliest actions."""
        return self._trainer.predict(observations, deterministic=True, run=self._run)
