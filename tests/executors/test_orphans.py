"""What becomes of workers whose parent is killed: they stop as after Ctrl-C, and nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PARENT = """
import os, pathlib, sys, time
from robust_envs.executors import Processes

def work(task, tell):
    pathlib.Path("pid").write_text(str(os.getpid()))
    try:
        while True:
            tell(1)
            time.sleep(0.02)
    except KeyboardInterrupt:
        pathlib.Path("checkpoint").write_text("written")
        raise

if __name__ == "__main__":
    list(Processes(1).run(work, [0], hear=lambda number, text: None))
"""


def waited(what, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes where Linux lists them")
def test_workers_without_a_parent_write_their_checkpoint_and_end(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path)
    assert waited(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    worker = int((tmp_path / "pid").read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert waited((tmp_path / "checkpoint").exists)
    assert waited(lambda: not alive(worker))
