"""Twelve clients at once: each gets its own right answer or the message that the page is busy; memory comes back."""

from __future__ import annotations

import colorsys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.utils import QueueError

import ipseg
from tests.ui.conftest import PATIENCE, ROOT, serve

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # of the client's event loop

CLIENTS, TARGETS = 12, 4
WAITING = 5  # and one is being answered: the others get a message
BACK = 80  # MB by which the server may stay larger than when it has seen each image once


@pytest.fixture(scope="module")
def requests(tmp_path_factory, save, small_offline):
    """Four targets in three images, all pairs different, and the mask that the engine gives in this process."""
    folder, engine = tmp_path_factory.mktemp("requests"), ipseg.load("offline")
    shown = [save(folder / f"target-{target}.png", square(target)) for target in range(TARGETS)]
    prompts = [engine.prompt(path) for path in shown]
    made = []
    for number in range(CLIENTS // TARGETS):
        asked = save(folder / f"all-{number}.png", everything(number))
        made += [(path, asked, engine.segment(prompt, asked).mask) for path, prompt in zip(shown, prompts, strict=True)]
    assert len({(*mask.shape, mask.tobytes()) for *_, mask in made}) == CLIENTS
    return made


def colour(target: int) -> list[int]:
    return [int(255 * part) for part in colorsys.hsv_to_rgb(target / TARGETS, 0.95, 0.85)]


def background(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(110, 130, (height, width, 3), dtype=np.uint8)


def square(target: int) -> np.ndarray:
    """One object alone."""
    image = background(96, 96)
    image[28:68, 28:68] = colour(target)
    return image


def everything(number: int) -> np.ndarray:
    """All of them, in two rows."""
    image = background(96 + 8 * number, 140)
    for target in range(TARGETS):
        top, left = 12 + 44 * (target // 3), 12 + 44 * ((target + number) % 3)
        image[top : top + 28, left : left + 28] = colour(target)
    return image


def ask(client: Client, prompt: Path, query: Path) -> np.ndarray:
    images = [{"image": handle_file(prompt), "caption": None}]
    answer = client.predict(prompts=images, image=handle_file(query), mask=None, api_name="/segment")
    file = answer[1]
    return ipseg.open_image(file)[..., 0] == 255


def megabytes(pid: int) -> float:
    """Resident memory of a process."""
    status = Path("/proc", str(pid), "status")
    if not status.exists():
        pytest.skip("reads /proc")
    return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024


def test_each_of_twelve_gets_its_own_answer_or_a_message(requests, tmp_path):
    program, gate = (str(ROOT / "tests" / "ui" / "gated.py"), str(tmp_path)), tmp_path / "open"
    gate.touch()
    with serve(tmp_path, "--max-queue", str(WAITING), program=program, HF_HUB_OFFLINE="1") as served:
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = list(pool.map(lambda number: connect(served.url, tmp_path / str(number)), range(CLIENTS)))
            for number in (0, 5, 10, 3):  # each image once: what is cached of them is there now
                np.testing.assert_array_equal(ask(clients[number], *requests[number][:2]), requests[number][2])
            before, together = megabytes(served.pid), Barrier(CLIENTS)

            def one(number: int) -> str:
                prompt, query, mask = requests[number]
                together.wait()
                try:
                    return "right" if np.array_equal(ask(clients[number], prompt, query), mask) else "wrong"
                except QueueError:
                    return "busy"

            gate.unlink()
            asked, until = [pool.submit(one, number) for number in range(CLIENTS)], time.monotonic() + PATIENCE
            while sum(each.done() for each in asked) < CLIENTS - WAITING - 1:  # who finds no room is answered at once
                assert time.monotonic() < until
                time.sleep(0.01)
            gate.touch()
            outcomes = [each.result() for each in asked]
            assert "wrong" not in outcomes
            assert outcomes.count("right") == WAITING + 1
            busy = [number for number in range(CLIENTS) if outcomes[number] == "busy"]
            for number in busy:  # and each gets its answer when it comes again
                np.testing.assert_array_equal(ask(clients[number], *requests[number][:2]), requests[number][2])
        assert megabytes(served.pid) < before + BACK
        print(
            f"\n{outcomes.count('right')} right, {len(busy)} busy; {before:.0f} MB, then {megabytes(served.pid):.0f} MB"
        )


def connect(url: str, folder: Path) -> Client:
    return Client(url, verbose=False, download_files=folder, httpx_kwargs={"timeout": PATIENCE})
