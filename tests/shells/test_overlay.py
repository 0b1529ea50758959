"""Pictures of what nature did: bars over what is rendered, and the trace as a plot."""

import gymnasium
import numpy as np
import pytest
from glassbox import EchoAEC, EchoEnv, EchoParallel, play, same
from gymnasium.vector import SyncVectorEnv
from pettingzoo import AECEnv, ParallelEnv

from robust_envs import Finite, Linf, Nominal, Trace, Uniform, overlay, robust
from robust_envs.drawing import draw_bars


def rendering(kind, colour=200, size=(120, 160), **options):
    class Rendering(kind):
        metadata = {**kind.metadata, "render_modes": ["rgb_array"]}  # noqa: RUF012
        render_mode = "rgb_array"

        def render(self):
            return np.full((*size, 3), colour, np.uint8)

    return Rendering(**options)


KINDS = pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])


@KINDS
def test_the_picture_keeps_its_shape_and_shows_bars_where_nature_moved(kind):
    env = overlay(robust(rendering(kind), observation=Linf(0.5), reward=Linf(1.0), nature=Uniform()))
    play(env, steps=3)
    frame = env.render()
    assert (frame.shape, frame.dtype) == ((120, 160, 3), np.uint8)
    plain = rendering(kind).render()
    assert (frame != plain).any()
    assert (frame[:, -8:] == plain[:, -8:]).all()  # only the corner is drawn on


@KINDS
def test_all_else_stays_as_it_is(kind):
    make = lambda: robust(rendering(kind), observation=Linf(0.5), nature=Uniform())  # noqa: E731
    assert same(play(overlay(make())), play(make()))
    base = {EchoEnv: gymnasium.Env, EchoParallel: ParallelEnv, EchoAEC: AECEnv}[kind]
    assert isinstance(overlay(make()), base)


def test_bars_are_as_high_as_the_share_of_what_was_allowed():
    orange, blue = [230, 159, 0], [86, 180, 233]

    def pixels(number, colour):
        return int((draw_bars(np.zeros((60, 200, 3), np.uint8), [("a", np.array([number]))]) == colour).all(2).sum())

    heights = [pixels(number, orange) for number in (0.0, 0.1, 0.5, 1.0)]
    assert heights == sorted(heights)
    assert heights[0] == 0 < heights[1] < heights[-1]
    assert pixels(-1.0, blue) == heights[-1]
    assert pixels(-1.0, orange) == 0


def test_a_nature_that_rests_draws_no_bar():
    env = overlay(robust(rendering(EchoEnv, colour=0), observation=Linf(0.5), nature=Nominal()))
    play(env, steps=2)
    assert len(np.unique(env.render().reshape(-1, 3), axis=0)) <= 3  # ground, letters, line


def test_replaced_choices_are_shown_as_full_bars():
    env = overlay(robust(rendering(EchoEnv, action="discrete"), action=Finite([3]), nature=lambda move: 3))
    env.reset(seed=0)
    env.step(0)
    replaced = (env.render() == [230, 159, 0]).all(2).sum()
    env.step(3)
    assert replaced > 0 == (env.render() == [230, 159, 0]).all(2).sum()


@pytest.mark.parametrize("size", [(8, 8), (40, 12), (90, 60), (900, 1200)])
def test_pictures_of_every_size_are_drawn_on(size):
    env = overlay(robust(rendering(EchoParallel, size=size), observation=Linf(0.5), reward=Linf(1.0), nature=Uniform()))
    play(env, steps=2)
    assert env.render().shape == (*size, 3)


def test_thousands_of_numbers_are_drawn_as_the_extremes_of_groups():
    numbers = np.zeros(10_000)
    numbers[7777] = 1.0
    drawn = draw_bars(np.zeros((60, 300, 3), np.uint8), [("pixels", numbers)])
    assert (drawn == [230, 159, 0]).all(2).any()


def test_rows_that_find_no_room_are_counted():
    rows = [(f"row {k}", np.zeros(1)) for k in range(50)]
    drawn = draw_bars(np.zeros((60, 200, 3), np.uint8), rows)
    fewer = draw_bars(np.zeros((60, 200, 3), np.uint8), rows[:20])
    assert (drawn != fewer).any()  # "+47 more" against "+17 more"


def test_the_frame_of_the_environment_is_not_written_into():
    frame = np.full((60, 80, 3), 7, np.uint8)
    draw_bars(frame, [("a", np.ones(3))])
    assert (frame == 7).all()


BAD = {
    "no layer": (lambda: overlay(rendering(EchoEnv)), ValueError, "robust layer"),
    "no picture": (lambda: overlay(robust(EchoEnv(), reward=Linf(1), nature=Uniform())), ValueError, "rgb_array.*None"),
    "a vector": (
        lambda: overlay(robust(SyncVectorEnv([EchoEnv]), reward=Linf(1), nature=Uniform())),
        TypeError,
        "gymnasium Env",
    ),
    "nothing": (lambda: overlay(3), TypeError, "got 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(case):
    make, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        make()


def test_a_trace_plots_itself(tmp_path):
    pytest.importorskip("matplotlib")
    env = robust(EchoParallel(), observation=Linf(0.5), reward=Linf(1.0), nature=Uniform(), trace=True)
    play(env)
    figure = env.trace.plot(tmp_path / "trace.png")
    assert (tmp_path / "trace.png").read_bytes().startswith(b"\x89PNG")
    drawn = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert set(drawn) == {f"{channel} of {agent}" for channel, agent in env.trace.moves}
    (line, *_) = drawn["reward of a_0"].lines
    np.testing.assert_array_equal(line.get_ydata(), env.trace.moves["reward", "a_0"].executed[:, 0])
    assert len(drawn["observation of a_0"].get_lines()) == 3 + 1  # coordinates, and the line at 0


def test_a_trace_of_many_numbers_or_of_none_plots_too():
    pytest.importorskip("matplotlib")
    env = robust(EchoEnv("uint8"), observation=Linf(3), nature=Uniform(), trace=True)
    play(env)
    assert len(env.trace.plot(title="pixels").axes[0].images) == 1
    assert Trace(seed=0, options=None, depth=0, moves={}).plot() is not None
