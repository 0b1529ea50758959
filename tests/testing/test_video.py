"""Films of episodes: a picture for every step, from every kind of environment, by whatever can write them."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from glassbox import EchoAEC, EchoEnv, EchoParallel, play

from robust_envs.testing import video
from robust_envs.testing.video import Camera, check_video


class Drawing:
    """Draw how often it was asked."""

    render_mode = "rgb_array"
    drawn = 0

    def render(self):
        self.drawn += 1
        return np.full((4, 6, 3), self.drawn, np.uint8)


class Gym(Drawing, EchoEnv):
    pass


class Parallel(Drawing, EchoParallel):
    pass


class AEC(Drawing, EchoAEC):
    pass


@pytest.mark.parametrize(("kind", "pictures"), [(Gym, 13), (Parallel, 13), (AEC, 12 * 3 + 4)])
def test_a_picture_is_taken_of_every_step_of_the_latest_episode(kind, pictures):
    camera = Camera(lambda: kind(horizon=12))
    env = camera()
    for _ in range(2):
        play(env, steps=30)
        assert len(camera.frames) == pictures
    assert env.unwrapped.drawn == 2 * pictures


def test_an_environment_that_draws_nothing_is_refused():
    with pytest.raises(ValueError, match="video needs an environment with render_mode='rgb_array'"):
        Camera(EchoEnv)()


@pytest.mark.parametrize(
    ("name", "installed", "said"),
    [
        ("film.gif", (), "needs Pillow: pip install pillow"),
        ("film.mp4", ("PIL",), "needs moviepy or imageio with ffmpeg"),
        ("film.avi", ("PIL",), "video must end in .gif or .mp4"),
    ],
)
def test_what_nothing_can_write_is_refused_with_what_to_install(name, installed, said, tmp_path, monkeypatch):
    monkeypatch.setattr(video, "find_spec", lambda module: module if module in installed else None)
    with pytest.raises(ValueError, match=said):
        check_video(tmp_path / name)


@pytest.mark.parametrize("name", ["imageio", "moviepy"])
def test_films_are_written_by_what_is_installed(name, tmp_path, monkeypatch):
    written = []

    class Clip:
        def __init__(self, frames, fps):
            self.frames = frames

        def write_videofile(self, path, logger):
            written.append((path, len(self.frames)))

    fakes = {
        "imageio": SimpleNamespace(mimsave=lambda path, frames, fps: written.append((str(path), len(frames)))),
        "moviepy": SimpleNamespace(ImageSequenceClip=Clip),
    }
    monkeypatch.setitem(sys.modules, name, fakes[name])
    present = {name, "imageio_ffmpeg"} if name == "imageio" else {name}
    monkeypatch.setattr(video, "find_spec", lambda module: module if module in present else None)
    camera = Camera(lambda: Gym(horizon=3))
    play(camera())
    check_video(tmp_path / "film.mp4")
    assert camera.write(tmp_path / "new" / "film.mp4") == tmp_path / "new" / "film.mp4"
    assert written == [(str(tmp_path / "new" / "film.mp4"), 4)]
