"""`robust-envs replay` and `robust-envs shrink`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["replay", "shrink"]

File = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
Source = Annotated[str, tyro.conf.arg(metavar="RUN_OR_POLICY")]
Env = Annotated[str | None, tyro.conf.arg(metavar="ENV", help_behavior_hint="")]
Words = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Maybe = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
Expression = Annotated[str | None, tyro.conf.arg(metavar="EXPRESSION", help_behavior_hint="")]
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]
_STATUS = {"fixed": 0, "fails": 1, "drifted": 3, "outside-set": 3}


def replay(
    file: File,
    /,
    *,
    policy: Source,
    env: Env = None,
    property: Expression = None,  # noqa: A002 - the flag's name
    video: Maybe = None,
    sb3: Words = None,
    trust_pickle: Flag = False,
) -> int:
    """Play a counterexample again: does it still break the policy?

    Says fails (it does), fixed (it does not any more), drifted (the episode is not the one that was recorded: the
    environment or a library has changed) or outside-set (the sets do not allow the perturbation). Exit status: 0 for
    fixed, 1 for fails, 3 for drifted and outside-set, 2 for bad input.

    Args:
        file: Counterexample that falsify or assert_robust wrote.
        policy: Folder of a run, module:attribute, or a zip of Stable-Baselines3 (with --trust-pickle and --sb3).
        env: Id of Gymnasium or module:function; by default the run's, or the id in the file.
        property: Instead of the one in the file: return>=-60 and the like.
        video: Where to write what it looks like: .gif (needs Pillow), .mp4 (needs imageio with ffmpeg, or moviepy).
        sb3: Algorithm that wrote the zip: ppo, sac, ...
        trust_pickle: Read a zip, which can run any code.
    """
    from robust_envs.commands.screen import say
    from robust_envs.commands.sources import find_policy, make_recorded_env, with_pictures
    from robust_envs.testing.replay import replay_counterexample
    from robust_envs.testing.store import load_counterexample
    from robust_envs.testing.video import Camera, check_video

    if video is not None:
        check_video(video)
    found = load_counterexample(file)
    played, known = find_policy(policy, sb3=sb3, trust_pickle=trust_pickle)
    make = make_recorded_env(found, env, known)
    camera = Camera(lambda: with_pictures(make)) if video is not None else None
    verdict = replay_counterexample(found, played, make if camera is None else camera, property=property)
    say(str(verdict))
    if camera is not None and video is not None:
        say(f"written: {camera.write(video)}")
    return _STATUS[verdict.verdict]


def shrink(
    file: File,
    /,
    *,
    policy: Source,
    env: Env = None,
    property: Expression = None,  # noqa: A002 - the flag's name
    episodes: int = 1000,
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None,
    sb3: Words = None,
    trust_pickle: Flag = False,
) -> int:
    """Make a counterexample smaller: fewer steps, fewer numbers, smaller ones.

    Ctrl-C ends it early and keeps the best so far. Exit status: 0; 2 for bad input, above all for what does not break
    the policy.

    Args:
        file: Counterexample that falsify or assert_robust wrote.
        policy: Folder of a run, module:attribute, or a zip of Stable-Baselines3 (with --trust-pickle and --sb3).
        env: Id of Gymnasium or module:function; by default the run's, or the id in the file.
        property: Instead of the one in the file: return>=-60 and the like.
        episodes: Played at most.
        out: Folder for the smaller one, the file's own by default; the file stays.
        sb3: Algorithm that wrote the zip: ppo, sac, ...
        trust_pickle: Read a zip, which can run any code.
    """
    from robust_envs.commands.screen import say
    from robust_envs.commands.sources import find_policy, make_recorded_env
    from robust_envs.testing.replay import shrink_counterexample
    from robust_envs.testing.store import load_counterexample, save_counterexample

    found = load_counterexample(file)
    played, known = find_policy(policy, sb3=sb3, trust_pickle=trust_pickle)
    make = make_recorded_env(found, env, known)
    small = shrink_counterexample(found, played, make, property=property, max_episodes=episodes)
    numbers = [sum(1 for step in one.steps for k in step.integers if k) for one in (found, small)]
    steps = [len(one.perturbed_steps) for one in (found, small)]
    minimal = "1-minimal" if small.shrink["one_minimal"] else "not known to be 1-minimal: its budget ended"
    say(f"{steps[0]} steps, {numbers[0]} numbers -> {steps[1]} steps, {numbers[1]} numbers ({minimal})")
    say(f"{small.shrink['episodes']} episodes played; margin {small.property['margin']:g}")
    if small.steps == found.steps:
        say(f"it is as small as it gets: {file} stays as it is")
    else:
        say(f"written: {save_counterexample(small, file.parent if out is None else out)}")
    return 0
