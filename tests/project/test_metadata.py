"""What the package says of itself."""

import re
import tomllib
from importlib.metadata import version

import pytest

import robust_envs


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def test_the_version_is_the_same_everywhere(root, project):
    cited = re.search(r"^version: (\S+)$", (root / "CITATION.cff").read_text(), re.MULTILINE)
    released = re.findall(r"^## \[(\d\S*)\]", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited is not None
    assert project["version"] == version("robust-envs") == robust_envs.__version__ == cited[1]
    assert released[:1] in ([], [project["version"]])


def test_the_core_needs_no_more_than_it_says(project):
    names = sorted(re.split(r"[<>=]", requirement)[0] for requirement in project["dependencies"])
    assert names == ["array-api-compat", "gymnasium", "numpy", "pettingzoo"]


def test_there_are_no_upper_bounds_for_users(project):
    users = [
        *project["dependencies"],
        *(r for name, rs in project["optional-dependencies"].items() for r in rs if name != "docs"),
    ]
    assert [requirement for requirement in users if "<" in requirement or "==" in requirement] == []


def test_all_holds_what_the_readme_needs(project):
    (everything,) = project["optional-dependencies"]["all"]
    assert set(re.findall(r"\w+", everything.partition("[")[2])) == {
        "cli",
        "plot",
        "algos",
        "envs",
        "vmas",
        "fast",
        "ray",
        "test",
        "dev",
    }


def test_both_packages_are_typed(root):
    assert (root / "robust_envs" / "py.typed").is_file()
    assert (root / "algos" / "py.typed").is_file()
