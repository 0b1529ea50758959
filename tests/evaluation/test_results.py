"""Results: tables, paired differences, files; curves: areas and drops by their definitions, the picture."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_envs.evaluation import (
    Episodes,
    Evaluation,
    RobustnessCurve,
    bootstrap_interval,
    paired_difference,
    plot_curve,
)


def made(
    shift: float = 0.0, *, seed: int = 0, levels: tuple[float, ...] = (0.0, 0.5, 1.0), slope: float = 4.0
) -> Evaluation:
    """Returns 10 + luck - slope * level + shift for both agents; the perturbed ones are lower by the level."""
    luck = np.random.default_rng(seed).normal(size=50)
    cells = []
    for nature in ("uniform", "noise"):
        for level in levels:
            nominal = tuple((10.0 + luck - slope * level + shift).tolist())
            perturbed = tuple((np.array(nominal) - level).tolist())
            cells.append(
                Episodes(nature, level, {"a": nominal, "b": nominal}, {"a": perturbed, "b": perturbed}, (25,) * 50)
            )
    return Evaluation(tuple(cells), team=("a", "b"), seed=seed, channels={"reward": "Linf(1.0)"})


def test_table_has_every_line_once_under_both_rewards() -> None:
    table = made().table()
    keys = [(row.nature, row.level, row.agent, row.reward) for row in table]
    assert len(keys) == len(set(keys)) == 2 * 3 * 3 * 2
    for row in table:
        assert row.worst <= row.cvar <= row.mean
        assert row.low <= row.mean <= row.high
        assert (row.episodes, row.length) == (50, 25.0)


def test_team_is_the_sum_of_its_agents() -> None:
    found = made()
    assert found.summary("noise", 0.5).mean == pytest.approx(2 * found.summary("noise", 0.5, agent="a").mean)


def test_csv_holds_the_table() -> None:
    rows = list(csv.DictReader(io.StringIO(made().to_csv())))
    assert len(rows) == len(made().table())
    assert float(rows[0]["mean"]) == made().table()[0].mean


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda found: found.cell("wind", 0.0), "got nature='wind', level=0.0"),
        (lambda found: found.returns("noise", 0.0, agent="c"), r"agent must be 'team' or one of \('a', 'b'\), got"),
        (lambda found: found.returns("noise", 0.0, reward="noisy"), "reward must be 'nominal' or 'perturbed', got"),
    ],
)
def test_asking_for_what_was_not_measured_is_an_error(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(made())


def test_paired_difference_finds_what_unpaired_intervals_hide() -> None:
    better, worse = made(0.1), made(0.0)
    apart = [bootstrap_interval(x.returns("uniform", 0.0)) for x in (better, worse)]
    assert apart[0].low < apart[1].high, "the two intervals overlap"
    for row in paired_difference(better, worse):
        assert row.mean == pytest.approx(0.2)
        assert row.decided
    assert not any(row.decided for row in paired_difference(worse, worse))
    assert all(row.decided and row.high < 0 for row in paired_difference(worse, better))


def test_paired_difference_takes_the_agent_and_the_reward_asked_for() -> None:
    steep, flat = made(slope=4.0), made(slope=0.0)
    rows = {row.level: row.mean for row in paired_difference(flat, steep, agent="a") if row.nature == "uniform"}
    assert rows == pytest.approx({0.0: 0.0, 0.5: 2.0, 1.0: 4.0})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (made(seed=1), r"a and b must share \(seed, env_seed, episodes\), got \(0, None, 50\) and \(1, None, 50\)"),
        (made(levels=(7.0,)), "a and b must share a nature and a level"),
    ],
)
def test_evaluations_without_common_random_numbers_are_not_compared(other: Evaluation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_difference(made(), other)


def test_files_give_back_what_was_saved(tmp_path: Path) -> None:
    curve = RobustnessCurve({"ours": made(0.1), "theirs": made()}, title="a task")
    assert Evaluation.load(made().save(tmp_path / "deep" / "evaluation.json")) == made()
    assert RobustnessCurve.load(curve.save(tmp_path / "curve.json")) == curve
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.json", "deep"], "no temporary file is left"


@pytest.mark.parametrize("kind", [Evaluation, RobustnessCurve])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace("robust-envs/", "other/"),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text.replace('"cells"', '"cellars"').replace('"evaluations"', '"evacuations"'),
        lambda text: text.replace('"nominal"', '"normal"'),
        lambda text: json.dumps(_shortened(json.loads(text))),
    ],
    ids=["cut", "list", "kind", "version", "key", "inner key", "count"],
)
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, kind: Any, damage: Any) -> None:
    whole = made() if kind is Evaluation else RobustnessCurve({"ours": made()})
    path = whole.save(tmp_path / "file.json")
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match="must"):
        kind.load(path)


def _shortened(content: dict[str, Any]) -> dict[str, Any]:
    inner = content if "cells" in content else content["evaluations"]["ours"]
    inner["cells"][0]["nominal"]["a"].pop()
    return content


def test_area_and_drop_of_a_straight_line_are_known() -> None:
    curve = RobustnessCurve({"ours": made()})
    start = made().returns("uniform", 0.0).mean()
    # The team loses 8 per level: half of that on average, all of it at the end.
    assert curve.area("ours", "uniform").value == pytest.approx(start - 4.0)
    assert curve.normalised_area("ours", "uniform").value == pytest.approx((start - 4.0) / start)
    assert curve.worst_drop("ours", "uniform") == pytest.approx((8.0, 8.0, 8.0))
    assert curve.worst_drop("ours", "uniform", reward="perturbed").value == pytest.approx(10.0)


def test_area_is_the_trapezoid_rule_on_uneven_levels() -> None:
    levels = (0.0, 0.1, 0.7, 3.0)
    means = np.array([5.0, 4.0, 4.5, -1.0])
    cells = tuple(Episodes("u", x, {"a": (m, m)}, {"a": (m, m)}, (1, 1)) for x, m in zip(levels, means, strict=True))
    curve = RobustnessCurve({"p": Evaluation(cells, team=("a",), seed=0)})
    assert curve.area("p", "u").value == pytest.approx(np.sum(np.diff(levels) * (means[1:] + means[:-1]) / 2.0) / 3.0)
    assert curve.worst_drop("p", "u").value == pytest.approx(6.0)


def test_interval_of_the_area_keeps_an_episode_together() -> None:
    found = RobustnessCurve({"ours": made()}).area("ours", "uniform")
    luck = bootstrap_interval(made().returns("uniform", 0.0))
    assert found.high - found.low == pytest.approx(luck.high - luck.low, rel=1e-6)


def test_normalised_area_from_a_start_at_zero_is_not_a_number() -> None:
    cells = tuple(Episodes("u", x, {"a": (-x, -x)}, {"a": (-x, -x)}, (1, 1)) for x in (0.0, 1.0))
    curve = RobustnessCurve({"p": Evaluation(cells, team=("a",), seed=0)})
    assert np.isnan(curve.normalised_area("p", "u")).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RobustnessCurve({}), "evaluations must hold at least one policy"),
        (lambda: RobustnessCurve({"a": made(), "b": made(seed=1)}), "evaluations must share natures, levels, seeds"),
        (
            lambda: RobustnessCurve({"a": made()}).area("b", "uniform"),
            r"policy must be one of \('a',\), got policy='b'",
        ),
        (lambda: RobustnessCurve({"a": made(levels=(0.5, 1.0))}).area("a", "uniform"), "levels must start at 0"),
        (lambda: RobustnessCurve({"a": made(levels=(0.0,))}).worst_drop("a", "uniform"), "levels must start at 0"),
    ],
)
def test_curves_that_cannot_be_are_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_table_of_a_curve_shows_the_perturbed_return_only_where_it_differs() -> None:
    differs = RobustnessCurve({"ours": made()})
    assert {row.reward for row in differs.table()} == {"nominal", "perturbed"}
    cells = tuple(Episodes(c.nature, c.level, c.nominal, c.nominal, c.lengths) for c in made().cells)
    same = RobustnessCurve({"ours": Evaluation(cells, team=("a", "b"), seed=0)})
    assert {row.reward for row in same.table()} == {"nominal"}
    assert 2 * len(same.table()) == len(differs.table())
    assert len(differs.to_csv().splitlines()) == len(differs.table()) + 1


def test_a_curve_as_text_has_a_line_for_every_point() -> None:
    curve = RobustnessCurve({"ours": made(), "theirs": made(1.0)})
    header, *lines = str(curve).splitlines()
    assert header.split()[:3] == ["policy", "nature", "level"]
    assert len(lines) == len(curve.table())
    assert lines[0].startswith("ours    uniform  0      nominal")
    assert f"{curve.table()[0].mean:.1f}" in lines[0]
    assert len(repr(curve)) < 100, "a repr does not list every return"


def test_picture_has_a_panel_per_nature_a_line_and_a_band_per_policy(tmp_path: Path) -> None:
    curve = RobustnessCurve({"ours": made(1.0), "theirs": made()}, title="a task")
    figure = plot_curve(curve, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert [panel.get_title() for panel in figure.axes] == ["nature: uniform", "nature: noise"]
    for panel in figure.axes:
        assert panel.get_xlabel()
        assert (len(panel.lines), len(panel.collections)) == (4, 4)
    assert "return" in figure.axes[0].get_ylabel()
    drawn = figure.axes[0].lines[0].get_ydata()
    assert drawn == pytest.approx([made(1.0).summary("uniform", level).mean for level in curve.levels])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["ours, nominal", "ours, perturbed", "theirs, nominal", "theirs, perturbed"]
    headline = figure.get_suptitle()
    assert all(word in headline for word in ("a task", "reward Linf(1.0)", "50 episodes"))


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "robust-envs\[plot\]"'):
        plot_curve(RobustnessCurve({"ours": made()}))
