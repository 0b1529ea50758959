"""Counterexamples on disk: JSON that reads well in a diff, with image-sized perturbations in an npz beside it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robust_envs._version import __version__
from robust_envs.channels import CHANNELS
from robust_envs.files import read_versioned, write_atomic
from robust_envs.testing.counterexample import Counterexample, Expect, PerturbedStep
from robust_envs.testing.declarations import read_channel, write_channel

__all__ = ["FOLDER", "load_counterexample", "load_counterexamples", "save_counterexample"]

FOLDER = Path("tests", "counterexamples")
"""Where counterexamples go when nobody says otherwise, seen from the folder one works in."""
_KIND, _VERSION = "robust-envs counterexample", 1
_READABLE = 4096  # integers in a JSON file; more of them nobody reads
_IDENTITY = ("agents", "seed", "channels", "q", "steps")  # with environment and property: what makes it this one
_OBJECTS = ("env", "policy", "property", "search", "shrink")


def save_counterexample(
    found: Counterexample, folder: str | os.PathLike[str] = FOLDER, *, name: str | None = None
) -> Path:
    """Write a counterexample into a folder, whole or not at all.

    The same counterexample gets the same file name, whoever finds it, so that a folder holds each once.

    Args:
        found: What to keep.
        folder: Made when it is missing.
        name: Begins the file name; by default environment and property.

    Returns:
        The path of the JSON file. Perturbations of more than 4096 integers go into an npz of the same name.

    Raises:
        ValueError: If something in it is no JSON or a set cannot be written as text.

    Example:
        >>> import tempfile
        >>> from robust_envs import Linf
        >>> from robust_envs.testing.counterexample import Counterexample
        >>> from robust_envs.testing.counterexample import Expect, PerturbedStep
        >>> found = Counterexample(
        ...     env={"id": "CartPole-v1"}, wrappers=(), agents=("agent_0",), policy={"sha256": None}, seed=3,
        ...     channels={"observation": Linf(0.1)}, q=256, property={"name": "balances", "margin": -1.0}, rule=None,
        ...     steps=(PerturbedStep(7, "agent_0", "observation", (0, 0, -256, 0)),), horizon=9,
        ...     expect=Expect(9.0, 9, True, "00"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save_counterexample(found, folder)
        ...     path.name, load_counterexample(path) == found
        ('CartPole-v1-balances-....json', True)
    """
    content = _content(found)
    try:
        json.dumps(content, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"a counterexample must be made of JSON to be saved: {error}") from error
    told = json.dumps([content[key] for key in _IDENTITY] + [found.env.get("id"), found.property.get("expression")])
    digest = hashlib.blake2b(told.encode(), digest_size=4).hexdigest()
    stem = name or f"{found.env.get('id') or 'env'}-{found.property.get('name', 'property')}"
    target = Path(folder) / f"{_slug(stem)}-{digest}.json"
    if sum(len(step.integers) for step in found.steps) > _READABLE:
        content["steps"] = _write_arrays(found.steps, target.with_suffix(".npz"))
    return write_atomic(target, _text(content))


def load_counterexample(path: str | os.PathLike[str]) -> Counterexample:
    """Read a counterexample; nothing is evaluated, imported or unpickled.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, something else, or of a newer version; the message says what is wrong.

    Example:
        >>> load_counterexample("nowhere.json")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """
    target = Path(path)
    try:
        content = read_versioned(target.read_text(encoding="utf-8"), kind=_KIND, version=_VERSION)
        return _assembled(content, target)
    except KeyError as error:
        raise ValueError(f"{target.name} is no counterexample: {error.args[0]} is missing") from error
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a damaged file makes its readers raise
        raise ValueError(f"{target.name} is no counterexample: {error}") from error


def load_counterexamples(folder: str | os.PathLike[str] = FOLDER) -> Iterator[tuple[Path, Counterexample]]:
    """Read all counterexamples of a folder in the order of their names; a folder that is not there holds none.

    Raises:
        ValueError: For a JSON file that is none: a regression suite must not shrink unseen.

    Example:
        >>> list(load_counterexamples("nowhere"))
        []
    """
    for path in sorted(Path(folder).glob("*.json")):
        yield path, load_counterexample(path)


def _content(found: Counterexample) -> dict[str, Any]:
    return {
        "format": _KIND,
        "version": _VERSION,
        "robust_envs": __version__,
        "env": dict(found.env),
        "wrappers": list(found.wrappers),
        "agents": list(found.agents),
        "policy": dict(found.policy),
        "seed": found.seed,
        "channels": {channel: write_channel(channel, given) for channel, given in found.channels.items()},
        "q": found.q,
        "property": dict(found.property),
        "rule": None if found.rule is None else dict(found.rule),
        "steps": [[int(s.t), s.agent, s.channel, [int(k) for k in s.integers]] for s in found.steps],
        "horizon": found.horizon,
        "expect": found.expect._asdict(),
        "search": dict(found.search),
        "shrink": dict(found.shrink),
    }


def _text(content: Mapping[str, Any]) -> str:
    """Lay it out so that a diff shows what changed: a line for each entry, and one for each perturbed step."""
    lines = []
    for key, value in content.items():
        if key == "steps" and isinstance(value, list) and value:
            rows = ",\n    ".join(json.dumps(row) for row in value)
            lines.append(f'  "steps": [\n    {rows}\n  ]')
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _slug(stem: str) -> str:
    return re.sub(r"[^\w.]+", "-", stem).strip("-.")[:80] or "counterexample"


def _write_arrays(steps: Sequence[PerturbedStep], path: Path) -> dict[str, Any]:
    places = list(dict.fromkeys((step.agent, step.channel) for step in steps))
    arrays: dict[str, Any] = {
        "t": np.array([step.t for step in steps], np.int64),
        "place": np.array([places.index((step.agent, step.channel)) for step in steps], np.int64),
    }
    for k, place in enumerate(places):
        arrays[f"integers_{k}"] = np.array([s.integers for s in steps if (s.agent, s.channel) == place], np.int32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    data = buffer.getvalue()
    write_atomic(path, data)
    return {"npz": path.name, "sha256": hashlib.sha256(data).hexdigest(), "places": places}


def _read_arrays(head: Mapping[str, Any], folder: Path) -> tuple[PerturbedStep, ...]:
    name = head["npz"]
    if not isinstance(name, str) or Path(name).name != name:
        raise ValueError(f"npz must be a file beside it, got {name!r}")
    if not (folder / name).is_file():
        raise ValueError(f"{name} must lie beside it")
    data = (folder / name).read_bytes()
    if hashlib.sha256(data).hexdigest() != head["sha256"]:
        raise ValueError(f"{name} is not the file that was saved with it")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    rows = [iter(arrays[f"integers_{k}"].tolist()) for k in range(len(head["places"]))]
    pairs = zip(arrays["t"].tolist(), arrays["place"].tolist(), strict=True)
    return tuple(_step([t, *head["places"][place], next(rows[place])]) for t, place in pairs)


def _assembled(content: Mapping[str, Any], path: Path) -> Counterexample:
    for name in _OBJECTS:
        if not isinstance(content[name], dict):
            raise ValueError(f"{name} must be an object, got {name}={content[name]!r}")
    steps, rule = content["steps"], content["rule"]
    if rule is not None and not isinstance(rule, dict):
        raise ValueError(f"rule must be an object or null, got rule={rule!r}")
    if not isinstance(steps, list | dict):
        raise ValueError(f"steps must be a list, got steps={steps!r}")
    return Counterexample(
        env=content["env"],
        wrappers=_texts("wrappers", content["wrappers"]),
        agents=_texts("agents", content["agents"]),
        policy=content["policy"],
        seed=_whole("seed", content["seed"]),
        channels={_channel(channel): read_channel(channel, given) for channel, given in _pairs(content["channels"])},
        q=_whole("q", content["q"], least=1),
        property=content["property"],
        rule=rule,
        steps=_read_arrays(steps, path.parent) if isinstance(steps, dict) else tuple(map(_step, steps)),
        horizon=_whole("horizon", content["horizon"]),
        expect=_expect(content["expect"]),
        search=content["search"],
        shrink=content["shrink"],
    )


def _pairs(channels: Any) -> Any:
    if not isinstance(channels, dict) or not channels:
        raise ValueError(f"channels must be an object that names a channel, got channels={channels!r}")
    return channels.items()


def _channel(name: str) -> str:
    if name not in CHANNELS:
        raise ValueError(f"channels must be among {', '.join(CHANNELS)}, got {name!r}")
    return name


def _step(row: Any) -> PerturbedStep:
    if not (isinstance(row, list) and len(row) == 4 and isinstance(row[3], list)):
        raise ValueError(f"a step must be [time, agent, channel, [integers]], got {row!r}")
    t, agent, channel, integers = row
    if not (isinstance(agent, str) and isinstance(channel, str)):
        raise ValueError(f"a step must be [time, agent, channel, [integers]], got {row!r}")
    return PerturbedStep(
        _whole("time", t), agent, _channel(channel), tuple(_whole("integers", k, least=None) for k in integers)
    )


def _expect(given: Any) -> Expect:
    if not isinstance(given, dict) or set(given) != set(Expect._fields):
        raise ValueError(f"expect must hold {', '.join(Expect._fields)}, got expect={given!r}")
    total, terminated, fingerprint = given["total"], given["terminated"], given["sha256"]
    if isinstance(total, bool) or not isinstance(total, int | float):
        raise ValueError(f"total must be a number, got total={total!r}")
    if not isinstance(terminated, bool) or not isinstance(fingerprint, str):
        raise ValueError(f"expect must hold a bool and a fingerprint, got expect={given!r}")
    return Expect(float(total), _whole("length", given["length"]), terminated, fingerprint)


def _texts(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ValueError(f"{name} must be a list of texts, got {name}={given!r}")
    return tuple(given)


def _whole(name: str, given: Any, *, least: int | None = 0) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or (least is not None and given < least):
        rule = "an integer" if least is None else f"an integer >= {least}"
        raise ValueError(f"{name} must be {rule}, got {name}={given!r}")
    return given
