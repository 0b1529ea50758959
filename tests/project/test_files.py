"""The project's own files: what they must not hold."""

import re
import subprocess
import sys
from pathlib import Path

# In pieces, so that this file does not hold what it looks for.
MACHINE_PATHS = re.compile("|".join(["/" + name + "/" for name in ("work", "root", "home", "tmp", "farm", "opt")]))
REGISTRIES = re.compile("|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "index" + "-url", "npm" + r"js\."]))


def offenders(files: list[Path], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.name}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_path_of_the_machine_it_was_written_on(own_files):
    assert offenders(own_files, MACHINE_PATHS) == []


def test_no_file_names_a_package_registry(own_files):
    assert offenders(own_files, REGISTRIES) == []


# Hidden files aside: what CI and git read.
TOP = {"algos", "docs", "examples", "robust_envs", "tests"} | {
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "check",
    "pyproject.toml",
}


def test_nothing_else_lies_on_the_top_level(own_files, root):
    assert {path.relative_to(root).parts[0] for path in own_files} <= TOP | {".ci", ".gitignore"}


def test_no_lock_file_is_kept(own_files):
    assert [path.name for path in own_files if path.suffix == ".lock" or path.name.startswith("requirements")] == []


def test_files_stay_short_enough_to_be_read(own_files):
    lengths = {path.name: len(path.read_text().splitlines()) for path in own_files if path.suffix == ".py"}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_examples_are_short_and_open_with_their_sentence(root):
    examples = sorted((root / "examples").rglob("*.py"))
    assert examples
    for path in examples:
        lines = path.read_text().splitlines()
        assert len(lines) <= 60, f"{path.name} has {len(lines)} lines"
        assert re.match(r"# \S+ \S+ \S+", lines[0]), f"{path.name} must open with a comment: the sentence it shows"


def test_check_refuses_a_part_that_it_does_not_have(root):
    refused = subprocess.run([root / "check", "lnit"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "'lnit'" in refused.stderr
    assert "lint types imports" in refused.stderr


def test_ci_installs_and_tests_as_the_readme_says(root):
    command = "python -m venv .venv && .venv/bin/pip install -e '.[all]' && .venv/bin/python "
    lines = (root / "README.md").read_text().splitlines()
    assert command + "-m pytest" in lines
    assert command + "examples/quickstart.py" in lines
    # CI takes the first such line of README and runs its two halves.
    assert [line for line in lines if line.endswith("-m pytest")] == [command + "-m pytest"]
    script = (root / ".ci" / "run").read_text()
    assert """tests=$(grep -m 1 -e '-m pytest$' README.md)\ninstall=${tests% && *}\n""" in script
    assert re.findall(r'bash -euc "\$(\w+)"', script) == ["install", "tests"]


def test_every_part_of_check_runs_in_ci(root):
    parts = re.search(r"^parts=\((.*)\)$", (root / "check").read_text(), re.MULTILINE)
    assert parts is not None
    called = re.search(r"\./check (.+)$", (root / ".ci" / "run").read_text(), re.MULTILINE)
    assert called is not None
    assert {*called[1].split(), "tests"} == set(parts[1].split())


def test_python_is_one_that_is_supported():
    assert sys.version_info >= (3, 11)
