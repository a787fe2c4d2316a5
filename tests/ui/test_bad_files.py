"""Every file of the table gets what the table says: an answer, or its one message; and the page goes on."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import zipfile
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import ipseg
from tests.ui import bad_files
from tests.ui.bad_files import ANSWER, BATCHES, CLIPS, HEIGHT, IMAGES, MASKS, WIDTH, File

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop

GOOD = [file for file in IMAGES if file.gets == ANSWER]
BAD = [file for file in IMAGES if file.gets != ANSWER]


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """Every file of the table, by field."""
    folder = tmp_path_factory.mktemp("inputs")
    for field, files in bad_files.FIELDS.items():
        (folder / field).mkdir()
        for file in files:
            (folder / field / file.name).write_bytes(file.make())
    bad_files.scene().save(folder / "good.png")
    return folder


def prompts(path: Path) -> list[dict]:
    return [{"image": handle_file(path), "caption": None}]


def segment(client: Client, prompt: Path, image: Path, mask: Path | None = None):
    given = handle_file(mask) if mask else None
    return client.predict(prompts=prompts(prompt), image=handle_file(image), mask=given, api_name="/segment")


def file_of(answer) -> Path:
    return Path(answer["value"] if isinstance(answer, dict) else answer)


def gets_its_message(file: File, ask, one_message, inputs: Path) -> None:
    """Its one message and nothing else, without a folder of this or the server's."""
    with pytest.raises(AppError) as caught:
        ask()
    message = html.unescape(str(caught.value))
    assert message == file.message
    one_message(message, names=file.name, folder=inputs)
    assert not re.search(r"/\w+/", message)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.name)
def test_an_image_of_an_unusual_kind_gets_an_answer(client, inputs, file):
    answer = segment(client, inputs / "good.png", inputs / "an image" / file.name)
    assert ipseg.open_image(answer[1]).shape[:2] == (HEIGHT, WIDTH)  # upright


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.name)
def test_an_image_that_cannot_be_used(client, inputs, one_message, file):
    path = inputs / "an image" / file.name
    gets_its_message(file, lambda: segment(client, inputs / "good.png", path), one_message, inputs)
    gets_its_message(file, lambda: segment(client, path, inputs / "good.png"), one_message, inputs)


@pytest.mark.parametrize("file", MASKS, ids=lambda file: file.name)
def test_a_mask_that_cannot_be_used(client, inputs, one_message, file):
    good = inputs / "good.png"
    gets_its_message(file, lambda: segment(client, good, good, inputs / "a mask" / file.name), one_message, inputs)


@pytest.mark.parametrize("file", BATCHES, ids=lambda file: file.name)
def test_a_batch_that_cannot_be_used(client, inputs, one_message, file):
    given = {"prompts": prompts(inputs / "good.png"), "images": [handle_file(inputs / "images of a batch" / file.name)]}
    gets_its_message(file, lambda: client.predict(**given, mask=None, api_name="/batch"), one_message, inputs)


@pytest.mark.parametrize("file", [file for file in BATCHES if file.name != "film.avi"], ids=lambda file: file.name)
def test_images_to_label_that_cannot_be_used(client, inputs, one_message, file):
    given = {"examples": prompts(inputs / "good.png"), "classes": ["ellipse"]}
    images = [handle_file(inputs / "images of a batch" / file.name)]
    gets_its_message(file, lambda: client.predict(**given, images=images, api_name="/label"), one_message, inputs)


@pytest.mark.skipif(importlib.util.find_spec("trackers") is not None, reason="where trackers is, a clip is labelled")
def test_a_clip_to_label_needs_the_tracker(client, inputs):
    clip = handle_file(inputs / "images of a batch" / "film.avi")
    with pytest.raises(AppError, match="Labelling a clip needs trackers, which is missing; run pip install"):
        client.predict(examples=prompts(inputs / "good.png"), classes=["ellipse"], images=[clip], api_name="/label")


def test_an_example_that_cannot_be_used_names_its_class(client, inputs):
    for file in BAD:
        given = {"examples": prompts(inputs / "an image" / file.name), "images": [handle_file(inputs / "good.png")]}
        with pytest.raises(AppError) as caught:
            client.predict(**given, classes=["ellipse"], api_name="/label")
        message = html.unescape(str(caught.value))
        assert message in (file.message, f"ellipse/{file.message}")


@pytest.mark.parametrize("file", CLIPS, ids=lambda file: file.name)
def test_a_clip_that_cannot_be_used(client, inputs, one_message, file):
    given = {"prompts": prompts(inputs / "good.png"), "clip": handle_file(inputs / "a clip" / file.name)}
    gets_its_message(file, lambda: client.predict(**given, mask=None, api_name="/video"), one_message, inputs)


def test_in_a_zip_the_good_are_answered_and_the_others_get_messages(client, inputs, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in IMAGES:
            archive.write(inputs / "an image" / file.name, file.name)
    given = {"prompts": prompts(inputs / "good.png"), "images": [handle_file(tmp_path / "all.zip")]}
    status, _, _, masks, coco, _ = client.predict(**given, mask=None, api_name="/batch")
    message = {html.unescape(line) for line in re.findall("<li>(?!<i )(.*?)</li>", status)}
    assert message == {file.message for file in BAD}
    images = json.loads(file_of(coco).read_text())["images"]
    assert {image["file_name"] for image in images} == {file.name for file in GOOD}
    with zipfile.ZipFile(file_of(masks)) as archive:
        assert len(archive.namelist()) == len(GOOD)


def test_the_table_is_the_truth():
    assert bad_files.TABLE.read_text() == bad_files.text(), "run: python -m tests.ui.bad_files"
