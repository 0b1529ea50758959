"""What the tests of other libraries share."""

import pytest


@pytest.fixture
def watched(monkeypatch):
    """Watch an example train: its environments, what nature did in them, and the weights it began with."""
    pytest.importorskip("torch", reason="torch is not installed")
    from trained import Watched

    return Watched(monkeypatch)
