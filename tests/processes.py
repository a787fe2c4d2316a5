"""Servers in processes of their own."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

PATIENCE = 600
"""Seconds until a test gives up waiting: it only ends what would never come."""


def first_answer(url: str, process: subprocess.Popen, log: Path) -> bytes:
    """What a server answers, once it is there. The test fails with its log where it stops, or never answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"the server stopped at once: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:  # noqa: S310 - our own server
                return response.read()
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not answer: {log.read_text()}")


def free_port() -> int:
    """A port that nobody listens at, and that no other test process is given.

    It is below those from which the system takes the ports of connections, and above 10080, the highest one that
    browsers refuse, in a range of the process's own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in random.sample(range(11_000 + 1_000 * worker, 12_000 + 1_000 * worker), 1_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("No port is free.")
