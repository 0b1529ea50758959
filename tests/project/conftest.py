"""Where the project is and which files are its own."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def own_files(root: Path) -> list[Path]:
    """Every text file that git tracks, or would."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [root / name for name in listed.stdout.splitlines()]
    return [path for path in files if path.is_file() and path.suffix not in {".png", ".npz", ".safetensors"}]
