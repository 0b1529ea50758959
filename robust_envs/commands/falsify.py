"""`robust-envs falsify`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import tyro

from robust_envs.commands.spreading import Cluster, Workers, chosen_executor
from robust_envs.files import write_json
from robust_envs.testing.store import FOLDER

__all__ = ["falsify"]

Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]
Sets = Annotated[tuple[str, ...], tyro.conf.arg(metavar="SET", help_behavior_hint=""), tyro.conf.UseAppendAction]
Words = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]


def falsify(
    policy: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_OR_POLICY")],
    /,
    *,
    property: Annotated[str, tyro.conf.arg(metavar="EXPRESSION")],  # noqa: A002 - the flag's name
    observation: Sets = (),
    action: Sets = (),
    reward: Sets = (),
    message: Sets = (),
    delay: Sets = (),
    dropout: Sets = (),
    dynamics: Sets = (),
    start: Sets = (),
    transition: Sets = (),
    env: Annotated[str | None, tyro.conf.arg(metavar="ENV", help_behavior_hint="")] = None,
    episodes: int = 300,
    search: str = "auto",
    seed: int = 0,
    oblivious: Flag = False,
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = FOLDER,
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    sb3: Words = None,
    trust_pickle: Flag = False,
    workers: Workers = None,
    ray: Cluster = None,
) -> int:
    """Search for the smallest perturbation that breaks a policy.

    Exit status: 0 if nothing was found (which says how hard it was tried, not that there is nothing), 1 if something
    was, 2 for bad input.

    Args:
        policy: Folder of a run, module:attribute, or a zip of Stable-Baselines3 (with --trust-pickle and --sb3).
        property: What must hold: return>=-60, return>=80% (of nominal), return[agent_0]>=1, worst_agent>=0,
            -0.2<=obs[2]<=0.2; joined by and, or.
        observation: How far observations may be off: linf:0.1, l2:0.5, interval:-0.1,0.2 or Linf(0.1, unit=(1, 2)); for
            one agent NAME=SET, again for the next.
        action: The same for actions; discrete ones take finite:0,2 (replacements) or switch:0.1.
        reward: The same for rewards.
        message: What may happen to messages: switch:0.2, linf:0.3, heard(Dropout(0.5)).
        delay: How late observations may be: delay:3; actions: Delay(3, of="action").
        dropout: How often they may be lost: dropout:0.2.
        dynamics: How far parameters may be off: masspole=relative:0.3, again for the next.
        start: How far the first state may be off: linf:0.1 or NAME=SET.
        transition: The same for every state.
        env: Id of Gymnasium, or module:function that builds the environment; a run knows its own.
        episodes: Of the search.
        search: auto, signs, steer, cem, segments, noise, pgd, cma or best_response.
        seed: Of the search and of the start.
        oblivious: Nature may not look at the episode.
        out: Folder for the counterexample.
        report: JSON file for everything that was found.
        sb3: Algorithm that wrote the zip: ppo, sac, ...
        trust_pickle: Read a zip, which can run any code.
        workers: Processes to search in; what is found is the same.
        ray: Address of a Ray cluster to search on.
    """
    from robust_envs.commands.screen import say, show_search
    from robust_envs.commands.sources import find_env, find_policy
    from robust_envs.testing.declarations import read_words
    from robust_envs.testing.falsify import falsify as search_for
    from robust_envs.testing.notation import read_property
    from robust_envs.testing.store import save_counterexample

    given = {
        "observation": observation,
        "action": action,
        "reward": reward,
        "message": message,
        "delay": delay,
        "dropout": dropout,
        "dynamics": dynamics,
        "start": start,
        "transition": transition,
    }
    channels: dict[str, Any] = {name: read_words(texts) for name, texts in given.items() if texts}
    if not channels:
        raise ValueError(f"a set must be given: --{', --'.join(given)}, e.g. --observation linf:0.1")
    demanded = read_property(property)
    found_policy, known = find_policy(policy, sb3=sb3, trust_pickle=trust_pickle)
    make: Any = known if env is None else find_env(env)
    if make is None:
        raise ValueError("env must be given: --env with an id of Gymnasium or module:function; runs know theirs")
    with show_search(episodes) as progress:
        found = search_for(
            found_policy,
            make,
            **channels,
            property=demanded,
            max_episodes=episodes,
            seed=seed,
            search=search,
            oblivious=oblivious,
            executor=chosen_executor(workers, ray),
            progress=progress,
        )
    say(found.report())
    if report is not None:
        say(f"written: {write_json(report, found.to_json())}")
    if found.counterexample is not None:
        path = save_counterexample(found.counterexample, out)
        say(f"written: {path}\nreplay:  {_again(path, policy, env, sb3, trust_pickle=trust_pickle)}")
    return int(found.found)


def _again(path: Path, policy: str, env: str | None, sb3: str | None, *, trust_pickle: bool) -> str:
    words = ["robust-envs", "replay", str(path), "--policy", policy]
    words += [] if env is None else ["--env", env]
    words += [] if sb3 is None else ["--sb3", sb3]
    return shlex.join([*words, "--trust-pickle"] if trust_pickle else words)
