"""Pictures of an episode, written as a film by whatever is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper, BaseWrapper

__all__ = ["Camera", "check_video"]

_FPS = 30


class Camera:
    """Build an environment that keeps a picture of every step of its latest episode.

    Args:
        env_fn: Builds the environment with ``render_mode="rgb_array"``.

    Raises:
        ValueError: When called, if the environment draws no pictures.
    """

    def __init__(self, env_fn: Callable[[], Any]) -> None:
        self.env_fn = env_fn
        self.frames: list[Any] = []

    def __call__(self) -> Any:
        """Build the environment."""
        env = self.env_fn()
        if getattr(env, "render_mode", None) != "rgb_array":
            raise ValueError(
                "video needs an environment with render_mode='rgb_array': let the function of --env take render_mode, "
                f"got {env} with render_mode={getattr(env, 'render_mode', None)!r}"
            )
        if isinstance(env, ParallelEnv):
            return _FilmedParallel(env, self)
        return _FilmedAEC(env, self) if isinstance(env, AECEnv) else _FilmedGym(env, self)

    def look(self, env: Any, *, first: bool = False) -> None:
        """Take a picture."""
        if first:
            self.frames = []
        self.frames.append(np.asarray(env.render(), np.uint8))

    def write(self, path: Path) -> Path:
        """Write the pictures of the latest episode as a film."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".gif":
            _write_gif(path, self.frames)
        elif find_spec("imageio") is not None:
            _imageio().mimsave(path, self.frames, fps=_FPS)
        else:
            from importlib import import_module

            clip = import_module("moviepy").ImageSequenceClip(self.frames, fps=_FPS)
            clip.write_videofile(str(path), logger=None)
        return path


def check_video(path: Path) -> None:
    """Refuse a film that nothing installed can write, before anything is played.

    Raises:
        ValueError: Saying what to install.
    """
    if path.suffix == ".gif":
        if find_spec("PIL") is None:
            raise ValueError(f"video {path.name} needs Pillow: pip install pillow")
    elif path.suffix != ".mp4":
        raise ValueError(f"video must end in .gif or .mp4, got {path.name!r}")
    elif find_spec("imageio_ffmpeg") is None and find_spec("moviepy") is None:
        raise ValueError(
            f"video {path.name} needs moviepy or imageio with ffmpeg: pip install moviepy, "
            "or name a .gif, for which Pillow is enough"
        )


def _imageio() -> Any:
    from importlib import import_module

    return import_module("imageio")


def _write_gif(path: Path, frames: list[Any]) -> None:
    from PIL import Image

    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=1000 // _FPS, loop=0)


class _FilmedGym(gymnasium.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: Any, camera: Camera) -> None:
        super().__init__(env)
        self.camera = camera

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        result = self.env.reset(seed=seed, options=options)
        self.camera.look(self.env, first=True)
        return result

    def step(self, action: Any) -> Any:
        result = self.env.step(action)
        self.camera.look(self.env)
        return result


class _FilmedParallel(BaseParallelWrapper[str, Any, Any]):
    def __init__(self, env: Any, camera: Camera) -> None:
        super().__init__(env)
        self.camera = camera

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        result = self.env.reset(seed=seed, options=options)
        self.camera.look(self.env, first=True)
        return result

    def step(self, actions: Any) -> Any:
        result = self.env.step(actions)
        self.camera.look(self.env)
        return result


class _FilmedAEC(BaseWrapper[str, Any, Any]):
    def __init__(self, env: Any, camera: Camera) -> None:
        super().__init__(env)
        self.camera = camera

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.env.reset(seed=seed, options=options)
        self.camera.look(self.env, first=True)

    def step(self, action: Any) -> None:
        self.env.step(action)
        self.camera.look(self.env)
