"""The public names, and what importing them costs."""

import inspect
import subprocess
import sys

import pytest

import robust_envs
import robust_envs.envs
import robust_envs.evaluation
import robust_envs.testing
from robust_envs import UncertaintySet, natures

NAMES = [
    "AmbiguitySet",
    "AsAgents",
    "Box",
    "Budgeted",
    "CVaR",
    "ChiSquared",
    "Contamination",
    "Delay",
    "Drift",
    "Dropout",
    "Ellipsoid",
    "Executed",
    "Finite",
    "GradientAttack",
    "Impulse",
    "Interval",
    "KL",
    "L1",
    "L1Ambiguity",
    "L2",
    "L2Ambiguity",
    "LinearFeedback",
    "Linf",
    "LinfAmbiguity",
    "MixedPolicy",
    "Mixture",
    "Move",
    "Noise",
    "Nominal",
    "Option",
    "OutsideSetError",
    "Parameter",
    "Periodic",
    "Policy",
    "Population",
    "Product",
    "RandomWalk",
    "Recorded",
    "Relative",
    "Replay",
    "ReverseKL",
    "Scenarios",
    "Step",
    "Switch",
    "TotalVariation",
    "Trace",
    "UncertaintySet",
    "Uniform",
    "Wasserstein",
    "WorstCase",
    "find_wrapper",
    "heard",
    "intersect",
    "joint",
    "overlay",
    "per_episode",
    "per_state",
    "per_step",
    "robust",
    "said",
    "scheduled",
]
HEAVY = {"torch", "stable_baselines3", "hypothesis", "algos", "matplotlib", "tyro", "rich", "scipy", "mpe2"}
MODULES = (robust_envs, robust_envs.envs, robust_envs.evaluation, robust_envs.testing)
PUBLIC = [(module, name) for module in MODULES for name in module.__all__]


def python(statement: str) -> str:
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_public_names_are_these():
    assert sorted(robust_envs.__all__) == NAMES
    assert all(hasattr(robust_envs, name) for name in NAMES)


@pytest.mark.parametrize("module", ["robust_envs", "robust_envs.evaluation", "robust_envs.testing"])
def test_importing_leaves_the_heavy_libraries_alone(module):
    loaded = python(f"from {module} import *; import sys; print(*sys.modules)").split()
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()


def test_the_command_line_starts_without_torch():
    loaded = python("import robust_envs.cli, sys; print(*sys.modules)").split()
    assert {"torch", "stable_baselines3", "matplotlib"} & set(loaded) == set()


def test_the_package_is_imported_when_a_name_of_it_is_asked_for():
    loaded = python("import robust_envs, sys; print('gymnasium' in sys.modules, robust_envs.robust, robust_envs.sets)")
    assert loaded.startswith("False <function robust")
    assert "robust" in dir(robust_envs)
    with pytest.raises(AttributeError, match="no attribute 'robots'"):
        robust_envs.robots  # noqa: B018


def test_importing_takes_less_than_half_a_second_beyond_gymnasium_and_pettingzoo():
    before = "import time, gymnasium, pettingzoo; start = time.process_time(); "
    clock = before + "from robust_envs import robust; print(time.process_time() - start)"
    assert min(float(python(clock)) for _ in range(3)) < 0.5


def told(thing: object) -> str:
    return inspect.getdoc(thing) or ""


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=[name for _, name in PUBLIC])
def test_every_public_name_is_documented(module, name):
    thing = getattr(module, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert len(told(thing).split()) > 3
    members = inspect.getmembers(thing, callable) if inspect.isclass(thing) else []
    assert [member for member, value in members if not (member.startswith("_") or told(value))] == []


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=[name for _, name in PUBLIC])
def test_every_public_function_and_set_and_nature_shows_an_example(module, name):
    thing = getattr(module, name)
    is_set = inspect.isclass(thing) and issubclass(thing, UncertaintySet) and not inspect.isabstract(thing)
    is_nature = name in natures.__all__ and inspect.isclass(thing) and name != "Move"
    if inspect.isfunction(thing) or is_set or is_nature:
        assert ">>>" in told(thing)
