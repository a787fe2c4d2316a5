"""Every endpoint, asked by two visitors at the same moment: each gets the answer that it gets alone."""

from __future__ import annotations

import hashlib
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from gradio_client import Client, handle_file

from tests.ui.conftest import EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop

TARGETS = {"robot": ("mug", "tiny"), "yellow_duck": ("duck", "hidden")}  # and what the visitor asks of the galleries
ASKED = (
    "segment", "segment_all", "compare", "ablation", "patch_similarity", "batch", "video",
    "label", "prompt_sets", "failure_cases",
)  # fmt: skip


@pytest.fixture(scope="module")
def visitors(demo, tmp_path_factory):
    """Two clients, each with downloads of its own."""
    folders = [tmp_path_factory.mktemp(f"visitor-{number}") for number in range(2)]
    return [Client(demo.url, verbose=False, download_files=folder) for folder in folders]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """For each target a prompt, two small images to search, and a clip of two frames."""
    folder = tmp_path_factory.mktemp("images")
    return {target: made(folder / target, target) for target in TARGETS}


def made(folder: Path, target: str) -> dict[str, Path]:
    folder.mkdir()
    paths = {"clip": folder / "clip.mp4"}
    for number in ("00", "02", "03"):
        image = cv2.resize(cv2.imread(str(EXAMPLES / target / f"{number}.jpg")), (240, 180))
        paths[number] = folder / f"{number}.png"
        cv2.imwrite(str(paths[number]), image)
    writer = cv2.VideoWriter(str(paths["clip"]), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 4, (240, 180))
    for shift in range(2):
        writer.write(np.roll(image, shift, axis=1))
    writer.release()
    return paths


def given(endpoint: str, paths: dict[str, Path], kind: str, case: str) -> dict:
    """What a visitor asks of an endpoint."""
    shown, searched, other = (handle_file(paths[number]) for number in ("00", "02", "03"))
    prompts, several = (
        [{"image": shown, "caption": None}],
        [{"image": each, "caption": None} for each in (searched, other)],
    )
    return {
        "segment": {"prompts": prompts, "image": searched, "mask": None},
        "segment_all": {"prompts": prompts, "images": several, "mask": None},
        "compare": {"prompt": shown, "images": several, "methods": ["ipseg", "persam"]},
        "ablation": {"prompt": shown, "image": searched, "mask": None, "truth": None},
        "patch_similarity": {"prompt": shown, "image": searched, "x": 120, "y": 90},
        "batch": {"prompts": prompts, "images": [searched, other]},
        "video": {"prompts": prompts, "clip": handle_file(paths["clip"])},
        "label": {"examples": prompts, "classes": [kind], "images": [searched, other]},
        "prompt_sets": {"kind": kind, "prompts": prompts + several[1:], "images": several[:1]},
        "failure_cases": {"case": case},
    }[endpoint]


def shown(answer) -> list[str]:
    """The images and masks of an answer, by their content; its text has seconds and what was cached."""
    if isinstance(answer, dict):
        return [digest for each in answer.values() for digest in shown(each)]
    if isinstance(answer, list | tuple):
        return [digest for each in answer for digest in shown(each)]
    if not isinstance(answer, str):
        return []
    drawn = [digest_of(match.encode()) for match in re.findall(r"base64,([^\"]+)", answer)]
    path = Path(answer) if len(answer) < 400 else Path()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return [digest_of(archive.read(name)) for name in archive.namelist()]
    here = path.suffix in (".png", ".webp", ".jpg") and path.is_absolute()  # not the name of an image in data
    return drawn + ([digest_of(path.read_bytes())] if here else [])


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_no_endpoint_is_left_out(visitors):
    assert {name[1:] for name in visitors[0].view_api(return_format="dict")["named_endpoints"]} == {*ASKED, "stop"}


@pytest.mark.parametrize("endpoint", ASKED)
def test_two_visitors_at_once_get_their_own_answers(visitors, images, endpoint):
    asked = [given(endpoint, images[target], *names) for target, names in TARGETS.items()]

    def ask(number: int) -> list[str]:
        return shown(visitors[number].predict(**asked[number], api_name=f"/{endpoint}"))

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(ask, range(2)))
    for number in range(2):
        assert together[number] == ask(number)
    assert not set(together[0]) & set(together[1])
    assert all(together)
