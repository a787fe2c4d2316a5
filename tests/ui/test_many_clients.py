"""Forty clients at once: each gets its own right answer, or is told that the page is busy; memory comes back."""

from __future__ import annotations

import colorsys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.utils import QueueError

import ipseg
from tests.ui.conftest import serve

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # of the client's event loop

CLIENTS, WAITING = 40, 24  # and two are answered at once: the others are told
BACK = 48  # MB by which the server may stay larger than after its first answers


@pytest.fixture(scope="module")
def questions(tmp_path_factory, make_scene, save):
    """A prompt and a picture for each client, all different, and the mask that the engine gives in this process."""
    folder, engine = tmp_path_factory.mktemp("questions"), ipseg.load("offline")
    made = []
    for number in range(CLIENTS):
        colour = tuple(int(255 * part) for part in colorsys.hsv_to_rgb(number / CLIENTS, 0.9, 0.85))
        paths = [folder / f"{number}-{part}.png" for part in ("prompt", "query")]
        for place, path in enumerate(paths):
            save(path, make_scene(96, 128 + number, colour, seed=2 * number + place)[0])
        made.append((*paths, engine.segment(engine.prompt(paths[0]), paths[1]).mask))
    assert len({mask.tobytes() for *_, mask in made}) == CLIENTS
    return made


def ask(client: Client, prompt: Path, query: Path) -> np.ndarray:
    pictures = [{"image": handle_file(prompt), "caption": None}]
    answer = client.predict(prompts=pictures, image=handle_file(query), mask=None, api_name="/segment")
    file = answer[5]["value"] if isinstance(answer[5], dict) else answer[5]
    return ipseg.open_picture(file)[..., 0] == 255


def megabytes(pid: int) -> float:
    """Resident memory of a process."""
    status = Path("/proc", str(pid), "status")
    if not status.exists():
        pytest.skip("reads /proc")
    return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024


def test_each_of_forty_gets_its_own_answer_or_a_word(questions, tmp_path):
    with serve(tmp_path, "--max-queue", str(WAITING), HF_HUB_OFFLINE="1") as served:
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = list(pool.map(lambda number: connect(served.url, tmp_path / str(number)), range(CLIENTS)))
            for client, (prompt, query, mask) in list(zip(clients, questions, strict=True))[:4]:
                np.testing.assert_array_equal(ask(client, prompt, query), mask)
            before, together = megabytes(served.pid), Barrier(CLIENTS)

            def one(number: int) -> str:
                prompt, query, mask = questions[number]
                together.wait()
                try:
                    return "right" if np.array_equal(ask(clients[number], prompt, query), mask) else "wrong"
                except QueueError:
                    return "busy"

            told = list(pool.map(one, range(CLIENTS)))
            assert "wrong" not in told
            assert told.count("right") >= WAITING
            busy = [number for number in range(CLIENTS) if told[number] == "busy"]
            assert busy  # more came than there was room for
            for number in busy:  # and each gets its answer when it comes again
                np.testing.assert_array_equal(ask(clients[number], *questions[number][:2]), questions[number][2])
        assert megabytes(served.pid) < before + BACK
        print(f"\n{told.count('right')} right, {len(busy)} busy; {before:.0f} MB, then {megabytes(served.pid):.0f} MB")


def connect(url: str, folder: Path) -> Client:
    return Client(url, verbose=False, download_files=folder)
