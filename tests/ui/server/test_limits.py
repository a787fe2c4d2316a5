"""Who waits, who is refused, and which jobs end early: on a page whose requests stop at a gate (`gated.py`)."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file

from ipseg.core.types import InputError
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.limits import Ended, Watch
from ipseg.ui.server.pool import EnginePool
from tests.ui.conftest import EXAMPLES, PATIENCE, ROOT, new_window, serve

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop

PROMPT, QUERY, OTHER = (EXAMPLES / "robot" / f"0{number}.jpg" for number in (0, 2, 3))
ENDPOINTS = (
    "segment", "segment_all", "compare", "batch", "video", "label", "ablation", "prompt_sets", "failure_cases",
)  # fmt: skip
WAITING = 3  # requests that may wait: the press of an example sends the request, and two that look at the new inputs


class Gated:
    """The page with its gate: one request at a time, and WAITING may wait."""

    def __init__(self, url: str, log: Path, folder: Path) -> None:
        self.url, self.log, self.folder = url, log, folder
        self.clip = film(folder / "clip.avi")
        self._files: dict[Path, dict] = {}
        self._read = 0

    def begin(self) -> None:
        """The gate closes, and the earlier output is dropped."""
        (self.folder / "open").unlink(missing_ok=True)
        (self.folder / "limit").unlink(missing_ok=True)
        self._read = len(self.log.read_text())

    def open(self) -> None:
        """Requests go on."""
        (self.folder / "open").touch()
        with (self.folder / "opened").open("a") as times:
            times.write("x")

    @property
    def output(self) -> str:
        """The output of the server since the beginning of the test."""
        return self.log.read_text()[self._read :]

    def wait(self, words: str) -> None:
        """Until the server says so."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.output:
            assert time.monotonic() < deadline, f"{words!r} is not in {self.output!r}"
            time.sleep(0.01)

    def file(self, path: Path) -> dict:
        """An image, uploaded once."""
        if path not in self._files:
            answer = httpx.post(f"{self.url}/gradio_api/upload", files={"files": (path.name, path.read_bytes())})
            self._files[path] = {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}
        return self._files[path]

    def given(self, endpoint: str) -> dict:
        """What an endpoint is asked with."""
        prompts = [{"image": self.file(PROMPT), "caption": None}]
        images = [{"image": self.file(QUERY), "caption": None}]
        return {
            "segment": {"prompts": prompts, "image": self.file(QUERY), "mask": None},
            "segment_all": {"prompts": prompts, "images": images, "mask": None},
            "compare": {"prompt": self.file(PROMPT), "images": images, "methods": ["ipseg", "persam"]},
            "batch": {"prompts": prompts, "images": [self.file(QUERY), self.file(OTHER)]},
            "video": {"prompts": prompts, "clip": self.file(self.clip)},
            "label": {"examples": prompts, "classes": ["robot"], "images": [self.file(QUERY), self.file(OTHER)]},
            "ablation": {"prompt": self.file(PROMPT), "image": self.file(QUERY)},
            "prompt_sets": {"kind": "mug"},
            "failure_cases": {"case": "tiny"},
        }[endpoint]

    def ask(self, endpoint: str, agent: str = "python") -> httpx.Response:
        """Put a request into the queue."""
        call, headers = f"{self.url}/gradio_api/call/v2/{endpoint}", {"user-agent": agent}
        return httpx.post(call, json=self.given(endpoint), headers=headers)

    def stream(self, endpoint: str, asked: httpx.Response) -> str:
        """Where its answer comes."""
        return f"{self.url}/gradio_api/call/{endpoint}/{asked.json()['event_id']}"

    def answer(self, endpoint: str, asked: httpx.Response) -> str:
        """Wait for the answer: its stream of events as text."""
        return httpx.get(self.stream(endpoint, asked)).text


def film(path: Path) -> Path:
    """Four frames of the prompt's object."""
    frame = cv2.resize(cv2.imread(str(PROMPT)), (160, 120))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 4, (160, 120))
    for number in range(4):
        writer.write(np.roll(frame, number, axis=1))
    writer.release()
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    program = (str(ROOT / "tests" / "ui" / "gated.py"), str(folder))
    with serve(folder, "--max-queue", str(WAITING), program=program, HF_HUB_OFFLINE="1", PYTHONPATH=str(ROOT)) as demo:
        yield Gated(demo.url, demo.log, folder)


@pytest.fixture
def gate(served):
    served.begin()
    yield served
    served.open()


@pytest.fixture(scope="module")
def window(chromium):
    """The window of this page, whose tabs share what was fetched and compiled."""
    with new_window(chromium, 1280, 800) as context:
        yield context


@pytest.fixture
def tabs(window):
    """Three new tabs of it, each a visitor of its own."""
    opened = [window.new_page() for _ in range(3)]
    yield opened
    for tab in opened:
        tab.close()


@pytest.fixture
def tab(window):
    """One new tab."""
    opened = window.new_page()
    yield opened
    opened.close()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_client_that_leaves_stops_its_job(gate, endpoint):
    with httpx.stream("GET", gate.stream(endpoint, gate.ask(endpoint))):
        gate.wait("arrived")
    gate.wait("deserted")
    gate.open()
    gate.wait("A visitor left")
    assert "passed" not in gate.output  # it went no step further


def test_a_client_that_cancels_stops_its_job(gate):
    client = Client(gate.url, verbose=False)
    images = [{"image": handle_file(PROMPT), "caption": None}]
    job = client.submit(prompts=images, image=handle_file(QUERY), mask=None, api_name="/segment")
    gate.wait("arrived")
    job.cancel()
    gate.wait("deserted")
    gate.open()
    gate.wait("A visitor left")
    assert "passed" not in gate.output


def test_who_stays_gets_an_answer(gate):
    gate.open()
    assert '"engine":"offline"' in gate.answer("segment", gate.ask("segment")).replace(" ", "")
    assert gate.output.count("passed") == 1
    assert "A visitor left" not in gate.output


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_job_that_takes_too_long_is_stopped_and_says_so(gate, endpoint):
    (gate.folder / "limit").write_text("0.0001")
    gate.open()
    text = gate.answer(endpoint, gate.ask(endpoint))
    assert "took longer than 0 seconds" in text
    assert "passed" not in gate.output
    assert "event: error" in text  # the prompt alone took too long, so nothing is done that could be handed out


def test_the_message_says_what_to_do(one_message):
    with pytest.raises(Ended) as ended:
        Watch(-1).check()
    one_message(ended.value)
    assert not isinstance(ended.value, InputError)  # those are one image's, and the others go on
    watch = Watch(60)
    watch.check()
    assert not watch.ended
    watch.stop()
    assert watch.ended


def test_on_a_gpu_one_at_a_time_some_wait_and_the_next_gets_a_message(gate):
    first = gate.ask("segment")
    gate.wait("arrived")
    others = [gate.ask("compare") for _ in range(WAITING)]
    program, browser = gate.ask("batch"), gate.ask("batch", agent="Mozilla/5.0")
    assert (program.status_code, browser.status_code) == (503, 429)
    assert program.json() == browser.json()
    assert program.json()["detail"].startswith(f"The page is busy: {WAITING} requests are waiting already;")
    assert gate.output.count("arrived") == 1
    gate.open()
    assert '"engine": "offline"' in gate.answer("segment", first)
    assert all("event: complete" in gate.answer("compare", each) for each in others)


@pytest.mark.browser
def test_the_page_shows_the_place_in_the_queue_that_it_is_full_and_may_be_closed(gate, tabs):
    first, second, third = tabs
    second.set_viewport_size({"width": 390, "height": 900})
    for tab in (first, second):
        tab.emulate_media(color_scheme="dark")
    press_an_example(first, gate.url)
    gate.wait("arrived")
    press_an_example(second, gate.url)
    place = second.locator("#verdict .progress-text", has_text="queue: 1/")
    place.wait_for(state="visible")
    others = [gate.ask("segment") for _ in range(WAITING - 1)]
    assert place.evaluate("element => parseFloat(getComputedStyle(element).fontSize)") >= 14
    press_an_example(third, gate.url)
    third.wait_for_selector(".toast-body")
    busy = f"The page is busy: {WAITING} requests are waiting already; please try again in a minute."
    assert busy in third.inner_text(".toast-body")
    first.close()
    gate.wait("deserted")
    gate.open()
    gate.wait("A visitor left")
    second.wait_for_selector("#verdict .detected, #verdict .uncertain, #verdict .not-detected")
    for each in others:
        gate.answer("segment", each)
    assert gate.output.count("passed") == WAITING  # all but the first


def press_an_example(page, url: str) -> None:
    page.goto(url)
    page.get_by_text("Robot", exact=True).first.click()


@pytest.mark.parametrize(("quick", "at_once"), [(False, 2), (True, 1)])
def test_at_once_over_all_tabs(monkeypatch, quick, at_once):
    monkeypatch.setattr(EnginePool, "quick", quick)
    assert EnginePool(EngineSpec()).at_once == at_once


def press_the_example_of_compare(page, url: str) -> None:
    page.goto(url)
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.locator("#compare-examples .thumbnail-lg").first.click()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("press", "run"),
    [(press_an_example, "run"), (press_the_example_of_compare, "compare-run")],
    ids=["segment", "compare"],
)
def test_the_button_shows_at_once_that_it_runs_and_stop_ends_it(gate, tab, press, run):
    press(tab, gate.url)
    stop = tab.locator(f"#{run}-stop")
    stop.wait_for(state="visible")
    assert tab.get_attribute(f"#{run}", "data-elapsed").endswith(" s")
    gate.wait("arrived")
    tab.wait_for_function(f"parseInt(document.querySelector('#{run}').dataset.elapsed) >= 1")
    stop.click()
    gate.wait("deserted")
    stop.wait_for(state="hidden")
    assert tab.get_attribute(f"#{run}", "data-elapsed") is None
    gate.open()
    gate.wait("A visitor left")
    assert "passed" not in gate.output


@pytest.mark.browser
@pytest.mark.parametrize(
    ("press", "run"),
    [(press_an_example, "run"), (press_the_example_of_compare, "compare-run")],
    ids=["segment", "compare"],
)
def test_a_click_after_stop_is_not_lost(gate, tab, press, run):
    held = []
    tab.route("**/gradio_api/cancel", lambda route: held.append(route))  # the server's answer is late
    press(tab, gate.url)
    gate.wait("arrived")
    tab.click(f"#{run}-stop")
    tab.wait_for_selector(f"#{run}[data-stopping]")
    while not held:
        tab.wait_for_timeout(50)
    assert tab.evaluate(f"getComputedStyle(document.querySelector('#{run}')).pointerEvents") == "none"
    held[0].continue_()
    tab.wait_for_selector(f"#{run}:not([data-elapsed])")
    assert tab.get_attribute(f"#{run}", "data-stopping") is None
    gate.wait("deserted")
    gate.open()
    tab.click(f"#{run}")
    tab.wait_for_selector(
        "#verdict .detected, #verdict .uncertain, #verdict .not-detected" if run == "run" else "#compare-table table"
    )
