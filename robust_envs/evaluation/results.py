"""What an evaluation found: the return of every episode, and the table that sums them up."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robust_envs.evaluation.statistics import bootstrap_interval, cvar
from robust_envs.files import read_versioned, write_atomic, write_json

__all__ = ["TEAM", "Difference", "Episodes", "Evaluation", "Summary", "paired_difference"]

TEAM = "team"
RewardKind = Literal["nominal", "perturbed"]
_KIND, _VERSION = "robust-envs/evaluation", 1


@dataclass(frozen=True)
class Episodes:
    """Hold what was measured under one nature at one level, episode by episode.

    Args:
        nature: its name.
        level: factor on every uncertainty set; 0 is the environment itself.
        nominal: by agent, the sum over each episode of the rewards before nature touched them.
        perturbed: by agent, the sum of the rewards that the agents were given.
        lengths: steps of each episode (of all agents' turns together, for environments played in turns).
    """

    nature: str
    level: float
    nominal: Mapping[str, tuple[float, ...]]
    perturbed: Mapping[str, tuple[float, ...]]
    lengths: tuple[int, ...]


class Summary(NamedTuple):
    """One line of an evaluation's table. Returns are sums of rewards over an episode, in the reward's units."""

    nature: str
    level: float
    agent: str
    reward: str
    episodes: int
    mean: float
    low: float
    high: float
    cvar: float
    worst: float
    length: float


class Difference(NamedTuple):
    """The mean of a's return minus b's over common episodes, with its 95% interval."""

    nature: str
    level: float
    mean: float
    low: float
    high: float

    @property
    def decided(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True)
class Evaluation:
    """Hold the returns of one policy under every nature at every level, in common random numbers.

    Args:
        cells: one `Episodes` for each nature and level, natures outermost.
        team: the agents whose rewards are added up in lines called `team`.
        seed: what the episodes' seeds were derived from.
        env_seed: the environment's own seed when it was held fixed, else None.
        deterministic: whether the policy acted without exploration noise.
        channels: by channel, the uncertainty set at level 1 as text.
    """

    cells: tuple[Episodes, ...] = field(repr=False)
    team: tuple[str, ...]
    seed: int
    env_seed: int | None = None
    deterministic: bool = True
    channels: Mapping[str, str] = field(default_factory=dict)

    @property
    def natures(self) -> tuple[str, ...]:
        """Names of the natures, in the order given."""
        return tuple(dict.fromkeys(cell.nature for cell in self.cells))

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels, ascending."""
        return tuple(dict.fromkeys(cell.level for cell in self.cells))

    @property
    def episodes(self) -> int:
        """Number of episodes of each nature at each level."""
        return len(self.cells[0].lengths)

    @property
    def agents(self) -> tuple[str, ...]:
        """Every agent that took part."""
        return tuple(dict.fromkeys(agent for cell in self.cells for agent in cell.nominal))

    def cell(self, nature: str, level: float) -> Episodes:
        """Find the episodes of one nature at one level."""
        for cell in self.cells:
            if cell.nature == nature and cell.level == level:
                return cell
        raise ValueError(
            f"nature and level must be among {self.natures} and {self.levels}, got nature={nature!r}, level={level}"
        )

    def returns(
        self, nature: str, level: float, *, agent: str = TEAM, reward: RewardKind = "nominal"
    ) -> NDArray[np.float64]:
        """List the returns of an agent, or of the team (the sum over its agents).

        Returns:
            Shape (episodes,). Episode k has the same seeds in every evaluation with the same `seed`.
        """
        if reward not in ("nominal", "perturbed"):
            raise ValueError(f"reward must be 'nominal' or 'perturbed', got reward={reward!r}")
        cell = self.cell(nature, level)
        by_agent = cell.nominal if reward == "nominal" else cell.perturbed
        members = self.team if agent == TEAM else (agent,)
        if agent != TEAM and agent not in self.agents:
            raise ValueError(f"agent must be {TEAM!r} or one of {self.agents}, got agent={agent!r}")
        absent = (0.0,) * len(cell.lengths)
        total: NDArray[np.float64] = np.sum([by_agent.get(member, absent) for member in members], axis=0)
        return total

    def summary(self, nature: str, level: float, *, agent: str = TEAM, reward: RewardKind = "nominal") -> Summary:
        """Sum up one line: mean with its 95% bootstrap interval, CVaR at 10%, the worst episode, the mean length."""
        found = self.returns(nature, level, agent=agent, reward=reward)
        interval = bootstrap_interval(found)
        return Summary(
            nature=nature,
            level=level,
            agent=agent,
            reward=reward,
            episodes=len(found),
            mean=float(found.mean()),
            low=interval.low,
            high=interval.high,
            cvar=cvar(found),
            worst=float(found.min()),
            length=float(np.mean(self.cell(nature, level).lengths)),
        )

    def table(self, *, agents: Sequence[str] | None = None) -> tuple[Summary, ...]:
        """Sum up every nature, level and agent, the team first, under the nominal and under the perturbed reward."""
        names = (TEAM, *self.agents) if agents is None else tuple(agents)
        kinds: tuple[RewardKind, ...] = ("nominal", "perturbed")
        return tuple(
            self.summary(cell.nature, cell.level, agent=agent, reward=reward)
            for cell in self.cells
            for agent in names
            for reward in kinds
        )

    def to_csv(self) -> str:
        """Write the table as CSV text."""
        return table_csv(self.table())

    def to_json(self) -> dict[str, Any]:
        """Turn everything measured into plain lists and numbers."""
        return {"format": _KIND, "version": _VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Evaluation:
        """Rebuild an evaluation from what `to_json` gave."""
        try:
            cells = tuple(_episodes(cell) for cell in content["cells"])
            fields = {key: content[key] for key in ("seed", "env_seed", "deterministic", "channels")}
            found = cls(cells=cells, team=tuple(content["team"]), **fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"evaluation must hold what Evaluation.to_json writes, got damaged content: {error!r}"
            ) from error
        if not cells:
            raise ValueError("cells must hold at least one nature and level, got none")
        return found

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the evaluation as a JSON file, whole or not at all."""
        return write_json(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Evaluation:
        """Read what `save` wrote."""
        return cls.from_json(read_versioned(Path(path).read_text(), kind=_KIND, version=_VERSION))


def paired_difference(
    a: Evaluation, b: Evaluation, *, agent: str = TEAM, reward: RewardKind = "nominal", confidence: float = 0.95
) -> tuple[Difference, ...]:
    """Compare two policies episode by episode, on the same starts and the same luck.

    For each nature and level common to both, average `return_a[k] - return_b[k]` over episodes k. Pairing removes the
    luck both share. The interval covers the episodes only: how far training itself varies takes several seeds.

    Args:
        a, b: evaluations with the same `seed`, `env_seed` and number of episodes.
        agent: an agent, or the team.
        reward: which rewards to add up.
        confidence: of the interval, strictly between 0 and 1.

    Returns:
        One `Difference` for each nature and level that both hold.

    Raises:
        ValueError: when the two did not share their random numbers, or no nature and level.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> from robust_envs.evaluation import RandomPolicy, evaluate
        >>> def make():
        ...     return simple_spread_v3.parallel_env(max_cycles=5)
        >>> found = evaluate(RandomPolicy(make()), make, levels=(0.0,), episodes=3)
        >>> [difference.mean for difference in paired_difference(found, found)]
        [0.0]

    References:
        Paul Glasserman, David Yao, 1992, Some Guidelines and Guarantees for Common Random Numbers.
    """
    ours, theirs = (a.seed, a.env_seed, a.episodes), (b.seed, b.env_seed, b.episodes)
    if ours != theirs:
        raise ValueError(f"a and b must share (seed, env_seed, episodes), got {ours} and {theirs}")
    shared = [cell for cell in a.cells if any((o.nature, o.level) == (cell.nature, cell.level) for o in b.cells)]
    if not shared:
        raise ValueError(
            f"a and b must share a nature and a level, got {a.natures}, {b.natures}, {a.levels}, {b.levels}"
        )
    found = []
    for cell in shared:
        pairs = [x.returns(cell.nature, cell.level, agent=agent, reward=reward) for x in (a, b)]
        gaps = pairs[0] - pairs[1]
        low, high = bootstrap_interval(gaps, confidence=confidence)
        found.append(Difference(cell.nature, cell.level, float(gaps.mean()), low, high))
    return tuple(found)


def table_csv(rows: Sequence[Any]) -> str:
    """Write NamedTuples as CSV text with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0]._fields)
    writer.writerows(rows)
    return text.getvalue()


def save_csv(path: str | os.PathLike[str], rows: Sequence[Any]) -> Path:
    """Write NamedTuples as a CSV file, whole or not at all."""
    return write_atomic(path, table_csv(rows))


def _episodes(content: Mapping[str, Any]) -> Episodes:
    nominal, perturbed = (
        {agent: tuple(map(float, values)) for agent, values in content[kind].items()}
        for kind in ("nominal", "perturbed")
    )
    lengths = tuple(map(int, content["lengths"]))
    if any(len(values) != len(lengths) for values in (*nominal.values(), *perturbed.values())):
        raise ValueError(f"every agent must have one return for each of {len(lengths)} episodes, got other counts")
    return Episodes(str(content["nature"]), float(content["level"]), nominal, perturbed, lengths)
