"""A running demo in a process of its own, and Chromium to drive it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples_media" / "Images"


@dataclass(frozen=True)
class Demo:
    """Where the demo answers, and its process."""

    url: str
    pid: int
    log: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The page with the offline engine, without a network, in a temporary folder of its own."""
    with serve(tmp_path_factory.mktemp("demo"), "--preset", "offline", HF_HUB_OFFLINE="1") as served:
        yield served


@contextmanager
def serve(folder: Path, *arguments: str, program: Sequence[str] = ("app.py",), **environment: str) -> Iterator[Demo]:
    """`python app.py`, or another program, on a free port, with no weights but those that it fetches."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {
        "PORT": str(port),
        "PRECOMPUTE": "0",
        "XDG_CACHE_HOME": str(folder / "xdg"),
        "GRADIO_TEMP_DIR": str(folder / "cache"),
        "HF_HOME": str(folder / "hf"),
    }
    inherited = {name: value for name, value in os.environ.items() if name not in ("IPSEG_WEIGHTS_DIR", "HF_HUB_CACHE")}
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=ROOT,
            env={**inherited, **own, "PYTHONUNBUFFERED": "1", **environment},
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, log)
        yield Demo(url, process.pid, log)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail(f"the demo stopped at once: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the demo did not answer within a minute")


VARIANTS = {"wide-light": (1280, 900, "light"), "phone-dark": (390, 844, "dark")}
wide_only = pytest.mark.parametrize("page", ["wide-light"], indirect=True)
"""For what is the same in every window."""
narrow_only = pytest.mark.parametrize("page", ["phone-dark"], indirect=True)
"""For layouts, which have the least room there."""


@pytest.fixture(scope="session")
def windows(chromium) -> Iterator[dict]:
    """One browser window for each size and theme; its pages share what was fetched and compiled."""
    opened = {
        name: chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        for name, (width, height, scheme) in VARIANTS.items()
    }
    yield opened
    for window in opened.values():
        window.close()


@pytest.fixture(params=VARIANTS)
def page(windows, demo: Demo, request: pytest.FixtureRequest) -> Iterator:
    """The open page, at two widths, in both colour schemes; what the console complains of is in `page.complaints`."""
    opened = windows[request.param].new_page()
    opened.complaints = []
    opened.on("console", lambda message: message.type == "error" and opened.complaints.append(message.text))
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.goto(demo.url)
    opened.wait_for_selector("#run")
    yield opened
    opened.close()


def open_tab(page, name: str) -> None:
    """Press a tab."""
    page.get_by_role("tab", name=name, exact=True).click()


def finished(coroutine: Coroutine) -> Any:
    """The result of a coroutine, run in a thread of its own: Playwright has a loop in the thread of the tests."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()
