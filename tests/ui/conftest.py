"""A running demo in a process of its own, and Chromium to drive it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import PATIENCE, first_answer, free_port

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples_media" / "Images"
SMALL = ("tests/small_engine.py", "app.py")
"""The demo whose engine "offline" works on small images."""


@dataclass(frozen=True)
class Demo:
    """Where the demo answers, and its process."""

    url: str
    pid: int
    log: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The page with the small offline engine, without a network, in a temporary folder of its own."""
    with serve(tmp_path_factory.mktemp("demo"), "--preset", "offline", HF_HUB_OFFLINE="1") as served:
        yield served


@contextmanager
def serve(
    folder: Path, *arguments: str, program: Sequence[str] = SMALL, stop: int = signal.SIGKILL, **environment: str
) -> Iterator[Demo]:
    """`python app.py` or another program, on a free port, with no weights but those that it fetches.

    ``stop``: the signal that ends it. At SIGTERM a server waits some seconds for those who are connected.
    """
    port = free_port()
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
        first_answer(url, process, log)
        yield Demo(url, process.pid, log)
    finally:
        process.send_signal(stop)
        process.wait(timeout=PATIENCE)


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Requests of the tests and of Gradio's client wait as long as a busy machine needs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("get", "post", "request", "stream"):
            patch.setattr(httpx, name, partial(getattr(httpx, name), timeout=PATIENCE))
        yield


VARIANTS = {"wide-light": (1280, 900, "light"), "phone-dark": (390, 844, "dark")}
wide_only = pytest.mark.parametrize("page", ["wide-light"], indirect=True)
"""For what is the same in every window."""
opened_wide = pytest.mark.parametrize("opened", ["wide-light"], indirect=True)
narrow_only = pytest.mark.parametrize("page", ["phone-dark"], indirect=True)
"""For layouts, which have the least room there."""


def new_window(chromium, width: int = 1280, height: int = 900, **options: str):
    """A browser window with a store of its own; what is waited for in it may take as long as a busy machine needs."""
    clipboard = ["clipboard-read", "clipboard-write"]  # a browser with windows asks its user
    context = chromium.new_context(viewport={"width": width, "height": height}, permissions=clipboard, **options)
    context.set_default_timeout(1000 * PATIENCE)
    return context


STILL = """() => {
  const before = window.seenBefore;
  window.seenBefore = document.body.innerHTML;
  return window.seenBefore === before && document.getAnimations().every(
    (one) => one.playState !== 'running' || one.effect.getComputedTiming().endTime === Infinity);
}"""


def settled(page) -> None:
    """Wait until nothing changes, fades or slides any more."""
    page.wait_for_function(STILL, polling=100)


def close_messages(page) -> None:
    """Close what pops up, which else stays for ten seconds; `settled` waits as long."""
    page.evaluate("document.querySelectorAll('.toast-close').forEach(button => button.click())")
    page.wait_for_selector(".toast-body", state="detached")


@pytest.fixture(scope="session")
def windows(chromium) -> Iterator[dict]:
    """One browser window for each size and theme; its pages share what was fetched and compiled."""
    opened = {
        name: new_window(chromium, width, height, color_scheme=scheme)
        for name, (width, height, scheme) in VARIANTS.items()
    }
    yield opened
    for window in opened.values():
        window.close()


@pytest.fixture(scope="session")
def pages(windows) -> dict:
    """One browser page for each window, which the tests load anew: a new one takes twice as long."""
    opened = {name: window.new_page() for name, window in windows.items()}
    for page in opened.values():
        listen(page)
    return opened


def listen(page) -> None:
    """Collect what the console complains of and the addresses of what the page fetches."""
    page.complaints, page.fetched = [], []
    page.on("request", lambda request: page.fetched.append(request.url))
    page.on("console", lambda message: message.type == "error" and page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))


def load(pages, window: str, url: str):
    """The page of a window, loaded anew."""
    page = pages[window]
    leave(page)
    page.goto(url)
    page.wait_for_selector("#run")
    return page


def leave(page) -> None:
    """End what a test left with its document."""
    page.unroute_all()
    page.goto("about:blank")
    page.complaints.clear()
    page.fetched.clear()


@pytest.fixture(params=VARIANTS)
def page(pages, demo: Demo, request: pytest.FixtureRequest) -> Iterator:
    """The open page, at two widths, in both colour schemes; what the console complains of is in `page.complaints`."""
    resize(pages, request.param)
    yield load(pages, request.param, demo.url)
    leave(pages[request.param])


def resize(pages, window: str) -> None:
    """Give a page the size of its window again."""
    width, height, _ = VARIANTS[window]
    pages[window].set_viewport_size({"width": width, "height": height})


def shared(request: pytest.FixtureRequest, state: str, reach: Callable[[Any], Any]) -> Iterator:
    """The page of a window in a state that tests share.

    `reach` leads there from the page just loaded, where no earlier test left the page in that state. A test leaves
    the state as it was, says by `now` which it has become, or ends it by `leave`; a test that fails ends it too.
    """
    pages, demo, window = request.getfixturevalue("pages"), request.getfixturevalue("demo"), request.param
    page, failed = pages[window], request.session.testsfailed
    resize(pages, window)
    if page.evaluate("window.stateOfTests") != state:
        load(pages, window, demo.url)
        reach(page)
        now(page, state)
    yield page
    if request.session.testsfailed > failed:
        leave(page)
    page.complaints.clear()


def now(page, state: str) -> None:
    """Say in which state of `shared` the page is."""
    page.evaluate("state => { window.stateOfTests = state }", state)


OPENED, ANSWERED = "opened", "answered"


@pytest.fixture(params=VARIANTS)
def opened(request: pytest.FixtureRequest) -> Iterator:
    """The page with nothing asked and the settings closed, which tests share."""
    yield from shared(request, OPENED, lambda page: None)


@pytest.fixture(params=["wide-light"])
def answered(request: pytest.FixtureRequest) -> Iterator:
    """The page with the result of one input image, its duck detected, which tests share."""
    yield from shared(request, ANSWERED, ask)


PROMPT, QUERY = EXAMPLES / "yellow_duck" / "00.jpg", EXAMPLES / "yellow_duck" / "03.jpg"
ANSWER = "#verdict .detected, #verdict .uncertain, #verdict .not-detected"


def fill(page, *images: Path) -> None:
    """Upload the prompt image and input images."""
    upload(page, "#prompts", PROMPT)
    upload(page, "#images", *images)


def upload(page, field: str, *paths: Path) -> None:
    page.set_input_files(f"{field} input[type=file]", [str(path) for path in paths])
    page.wait_for_selector(f"{field} img")


def ask(page) -> None:
    """Segment one image, and wait until the result is complete."""
    fill(page, QUERY)
    page.click("#run")
    page.wait_for_selector(ANSWER)
    page.wait_for_selector("#shown-overlay img")
    page.wait_for_selector("#run:not([data-elapsed])")


def open_tab(page, name: str) -> None:
    """Press a tab until it is open: at first the page counts how many tabs have room, and makes them anew."""
    tab = page.get_by_role("tab", name=name, exact=True)
    until = time.monotonic() + PATIENCE
    tab.click()
    while tab.get_attribute("aria-selected") != "true":
        assert time.monotonic() < until, f"the tab {name} does not open"
        page.wait_for_timeout(50)
        tab.click()


def download(page, button: str) -> bytes:
    """The content of the file that a button downloads, once it can be pressed."""
    page.wait_for_selector(f"{button}:not([disabled])")
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.path().read_bytes()


def finished(coroutine: Coroutine) -> Any:
    """The result of a coroutine, run in a thread of its own: Playwright has a loop in the thread of the tests."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()
