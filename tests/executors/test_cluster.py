"""A Ray cluster of two nodes on this machine: work goes to both, and one may die."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="process groups as POSIX knows them"),
]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("two_nodes.py")


class Node:
    """One node, with everything it starts, in a process group of its own."""

    def __init__(self, *arguments: str, env: dict[str, str]) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", *arguments]
        self.process = subprocess.Popen(
            command, env=env, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        """End it all, as a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Cluster:
    """Two nodes on loopback."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        (folder / "token").write_text("0123456789abcdef" * 4)
        ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token"), "RAY_USAGE_STATS_ENABLED": "0"}
        self.env = {**os.environ, **ours, "PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(folder)}
        here = "--node-ip-address=127.0.0.1"
        self.nodes = [Node("--head", f"--port={port}", here, "--include-dashboard=false", env=self.env)]
        self.wait_for(1)
        self.nodes.append(Node(f"--address={self.address}", here, env=self.env))
        self.wait_for(2)

    def wait_for(self, nodes: int) -> None:
        """Wait until so many nodes answer."""
        count = f"import ray; ray.init({self.address!r}, logging_level='ERROR'); print(len(ray.nodes()))"
        end = time.monotonic() + 120
        while time.monotonic() < end:
            done = subprocess.run(
                [sys.executable, "-c", count], env=self.env, capture_output=True, text=True, check=False
            )
            if done.returncode == 0 and int(done.stdout.split()[-1]) >= nodes:
                return
            time.sleep(1)
        pytest.fail(f"no cluster of {nodes} nodes within two minutes: {done.stderr[-2000:]}")

    def start(self, what: str) -> subprocess.Popen[str]:
        """Start the script on the cluster."""
        command = [sys.executable, str(SCRIPT), self.address, what]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:  # sockets need short paths
        made = Cluster(Path(folder))
        yield made
        for node in made.nodes:
            node.kill()


def test_an_evaluation_on_two_nodes_is_that_of_one_process(cluster: Cluster) -> None:
    out, err = cluster.start("same").communicate(timeout=180)
    assert out.splitlines()[-1:] == ["[2, true]"], err


def test_a_node_that_dies_is_told_and_its_work_done_on_the_other(cluster: Cluster) -> None:
    running = cluster.start("8")
    assert running.stdout is not None
    began = sorted(running.stdout.readline() for _ in range(2))
    assert began == ["0 began\n", "1 began\n"], running.communicate()[1]
    cluster.nodes[1].kill()
    out, err = running.communicate(timeout=300)
    assert "a worker was lost" in out, err
    assert out.splitlines()[-1] == "[2, 1]", f"both done, on the node that is left, not {err}"
