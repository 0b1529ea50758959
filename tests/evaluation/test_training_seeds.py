"""Means over training seeds: Student's interval over runs, in tables and pictures."""

from __future__ import annotations

import pytest
from scipy import stats

from robust_envs.evaluation import Episodes, Evaluation, RobustnessCurve, over_training_seeds, plot_curve

LEVELS = (0.0, 1.0)


def run(mean: float, *, rewards: bool = False) -> Evaluation:
    """A policy with this mean return at level 0, and one less at level 1."""
    cells = []
    for level in LEVELS:
        nominal = {"a": (mean - level - 1.0, mean - level + 1.0)}
        perturbed = {"a": (mean - 5.0, mean - 5.0)} if rewards else nominal
        cells.append(Episodes("uniform", level, nominal, perturbed, (5, 5)))
    return Evaluation(tuple(cells), team=("a",), seed=0)


@pytest.fixture
def curve() -> RobustnessCurve:
    return RobustnessCurve({f"ours {k}": run(mean) for k, mean in enumerate((1.0, 2.0, 6.0))} | {"random": run(-1.0)})


METHODS = {"ours": ("ours 0", "ours 1", "ours 2")}


def test_interval_is_students_over_the_means_of_the_runs(curve: RobustnessCurve) -> None:
    first, second = over_training_seeds(curve, METHODS)
    low, high = stats.t.interval(0.95, 2, loc=3.0, scale=stats.sem([1.0, 2.0, 6.0]))
    assert (first.method, first.level, first.seeds, first.reward) == ("ours", 0.0, 3, "nominal")
    assert (first.mean, first.low, first.high) == pytest.approx((3.0, low, high))
    assert second.mean == pytest.approx(2.0)


def test_rewards_that_were_touched_are_told_apart() -> None:
    curve = RobustnessCurve({"one": run(0.0, rewards=True), "two": run(2.0, rewards=True)})
    points = over_training_seeds(curve, {"both": ("one", "two")})
    assert [(point.level, point.reward, point.mean) for point in points] == [
        (0.0, "nominal", 1.0),
        (0.0, "perturbed", -4.0),
        (1.0, "nominal", 0.0),
        (1.0, "perturbed", -4.0),
    ]


@pytest.mark.parametrize("methods", [{"ours": ("ours 0", "ours 9")}, {"ours": ("ours 0",)}, {"ours": ("ours 0",) * 2}])
def test_methods_without_runs_are_refused(curve: RobustnessCurve, methods: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match=r"methods must .* in 'ours'"):
        over_training_seeds(curve, methods)


def test_picture_has_a_thin_line_for_each_run_around_their_mean(curve: RobustnessCurve) -> None:
    pytest.importorskip("matplotlib")
    figure = plot_curve(curve, methods=METHODS)
    (panel,) = figure.axes
    drawn = [list(line.get_ydata()) for line in panel.lines]
    assert drawn[0] == pytest.approx([3.0, 2.0])
    assert drawn[1:4] == [[1.0, 0.0], [2.0, 1.0], [6.0, 5.0]]
    assert len({line.get_color() for line in panel.lines[:4]}) == 1
    assert panel.lines[1].get_linewidth() < panel.lines[0].get_linewidth()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ours (3 seeds)", "random"]


def test_legend_with_long_names_stays_on_the_picture() -> None:
    pytest.importorskip("matplotlib")
    figure = plot_curve(RobustnessCurve({f"{'a long name ' * 3}{k}": run(k) for k in range(7)}))
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
