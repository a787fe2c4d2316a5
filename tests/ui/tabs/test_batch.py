"""The tab "Batch and video": upload, run, stop, download, bad files; and the same through the API."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from gradio_client import Client, handle_file

from ipseg import open_image
from ipseg.batch import clips
from ipseg.core import rle, viz
from ipseg.core.status import Status
from ipseg.ui.tabs.batch.render import Tally, caption
from ipseg.ui.widgets import running
from tests.ui.conftest import EXAMPLES, download, narrow_only, open_tab, wide_only
from tests.ui.test_accessibility import faults

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop

PROMPT = EXAMPLES / "yellow_duck" / "00.jpg"
DONE = "#batch-status :is(.detected, .uncertain, .not-detected, .stopped)"
STOP_AFTER_ONE = """() => new Promise(stopped => {
  const look = () => {
    const stop = document.querySelector('#batch-stop');
    if (!(document.querySelector('#batch-status progress')?.value >= 1) || stop.disabled) return setTimeout(look, 5);
    const status = document.querySelector('#batch-status').innerText;
    const runs = document.querySelectorAll('#batch-run[data-elapsed]').length;
    stop.click();
    stopped([status, runs]);
  };
  look();
})"""  # at once: of ten small images the last is soon done. Returns the status that is shown and how many buttons run


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Two images and one file of words in a zip, a longer zip, and a short clip of an image that moves."""
    folder = tmp_path_factory.mktemp("inputs")
    small = {number: cv2.resize(cv2.imread(str(_example(number))), None, fx=0.4, fy=0.4) for number in (1, 2, 3, 4)}
    with zipfile.ZipFile(folder / "ducks.zip", "w") as archive:
        for number in (1, 2):
            archive.writestr(f"ducks/{number}.png", cv2.imencode(".png", small[number])[1].tobytes())
        archive.writestr("ducks/words.jpg", b"words")
    _pack(folder / "many.zip", small, range(40))
    _pack(folder / "again.zip", small, range(50, 60))
    for number, place in enumerate(("one.png", "deeper/two.png"), start=1):
        (folder / "folder" / place).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / "folder" / place), small[number])
    _film(folder / "duck.mp4", small[3])
    with clips.Writer(folder, "whole", 10, small[3].shape[:2]) as writer:
        for number in range(40):
            writer.write(np.roll(small[3], number, axis=1))
    return folder


def _pack(path: Path, small, numbers) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in numbers:
            image = cv2.GaussianBlur(small[1 + number % 4], (0, 0), 0.3 + number / 50)
            archive.writestr(f"{number:02}.png", cv2.imencode(".png", image)[1].tobytes())


def _example(number: int):
    return EXAMPLES / "yellow_duck" / f"{number:02}.jpg"


def _film(path, image) -> None:
    height, width = image.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 10, (width, height))
    for number in range(10):
        moved = np.array([[1, 0, number], [0, 1, number / 2]], np.float32)
        writer.write(cv2.warpAffine(image, moved, (width, height), borderMode=cv2.BORDER_REFLECT))
    writer.release()


def tab(page) -> None:
    """Open the tab."""
    open_tab(page, "Batch and video")
    page.wait_for_selector("#batch-run")


def opened(page, field: str, path):
    tab(page)
    page.set_input_files("#batch-prompts input[type=file]", str(PROMPT))
    page.wait_for_selector("#batch-prompts img")
    if field == "#batch-clip":
        page.click("#batch-clip-panel > button")
    page.set_input_files(f"{field} input[type=file]", str(path))
    page.wait_for_selector(f"{field} .file-preview")
    return page


@pytest.mark.browser
@narrow_only
def test_a_zip_in_masks_out(page, inputs):
    opened(page, "#batch-files", inputs / "ducks.zip").click("#batch-run")
    page.wait_for_selector(DONE)
    status = page.inner_text("#batch-status")
    assert "Done. Detected in 2 of 2 images." in status
    assert "ducks/words.jpg is not an image" in status
    page.wait_for_selector("#batch-gallery img")
    with zipfile.ZipFile(io.BytesIO(download(page, "#batch-masks"))) as masks:
        assert masks.namelist() == ["ducks/1.png", "ducks/2.png"]
    assert len(json.loads(download(page, "#batch-coco"))["annotations"]) == 2
    assert page.is_disabled("#batch-stop")
    assert faults(page) == []
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    assert page.complaints == []


@pytest.mark.browser
@wide_only
def test_stop_really_stops_and_the_next_run_goes_on_where_it_was(page, inputs):
    opened(page, "#batch-files", inputs / "again.zip").click("#batch-run")
    shown, running_buttons = page.evaluate(STOP_AFTER_ONE)
    assert "of 10 images" in shown
    assert running_buttons == 1, "it runs"
    page.wait_for_selector(DONE)
    status = page.inner_text("#batch-status")
    assert "Run it again to resume." in status
    stopped_at = int(status.split("Stopped after ")[1].split()[0])
    assert 1 <= stopped_at < 10
    with zipfile.ZipFile(io.BytesIO(download(page, "#batch-masks"))) as masks:
        assert len(masks.namelist()) == stopped_at
    page.wait_for_selector("#batch-stop[disabled]", state="attached")
    page.wait_for_selector("#batch-run:not([data-elapsed])")
    page.click("#batch-run")
    page.get_by_text("Done.").wait_for()
    status = page.inner_text("#batch-status")
    found = int(re.search(r"(\d+) images? (?:is|are) from an earlier run", status)[1])
    assert stopped_at <= found <= stopped_at + 2  # images that were worked on when it stopped
    with zipfile.ZipFile(io.BytesIO(download(page, "#batch-masks"))) as masks:
        assert len(masks.namelist()) == 10
    assert page.complaints == []


@pytest.mark.browser
@wide_only
def test_what_is_missing_gets_its_message_and_then_a_folder_is_run(page, inputs):
    tab(page)
    page.click("#batch-run")
    page.wait_for_selector(".toast-body")
    assert "no images to search yet" in page.inner_text(".toast-body")
    page.wait_for_selector("#batch-status .waiting")
    page.wait_for_selector("#batch-stop[disabled]", state="attached")
    page.set_input_files("#batch-prompts input[type=file]", str(PROMPT))
    page.wait_for_selector("#batch-prompts img")
    with page.expect_file_chooser() as chooser:
        page.click("#batch-folder")
    chooser.value.set_files(inputs / "folder")
    page.wait_for_selector("#batch-files .file-preview")
    page.wait_for_function("document.querySelector('#batch-count').innerText.trim() === '2 images'")
    page.wait_for_function(
        "[...document.querySelectorAll('#batch-count img')].filter((each) => each.naturalWidth > 0).length === 2"
    )
    page.click("#batch-run")
    page.wait_for_selector(DONE)
    assert "Done. Detected in 2 of 2 images." in page.inner_text("#batch-status")
    with zipfile.ZipFile(io.BytesIO(download(page, "#batch-masks"))) as masks:
        assert sorted(Path(name).name for name in masks.namelist()) == ["one.png", "two.png"]
    page.set_input_files("#batch-prompts input[type=file]", str(_example(1)))
    page.wait_for_selector("#batch-status .earlier + :is(.detected, .uncertain, .not-detected)")
    assert page.complaints == []


def test_the_time_left_counts_only_images_of_this_run():
    start = time.perf_counter() - 100
    resumed = running.bar(20, 50, "image", start, "20.jpg", earlier=18)
    assert "<b>20</b> of 50 images" in resumed
    assert int(re.search(r"about (\d+) min left", resumed)[1]) >= 25  # 30 more at 50 seconds each
    assert "left" not in running.bar(18, 50, "image", start, "18.jpg", earlier=18)  # none was computed yet
    tally = Tally("image", None, start=start, done=20, total=50, cached=18)
    assert int(re.search(r"about (\d+) min left", tally.bar("20.jpg"))[1]) >= 25
    assert [running._span(seconds) for seconds in (5, 119, 200, 8000)] == ["5 s", "119 s", "3 min", "2 h 13 min"]


def test_the_caption_begins_with_the_status_and_the_summary_names_empty_masks():
    assert caption(Status.NOT_DETECTED, "can_0.jpg") == "Not detected: can_0.jpg"
    tally = Tally("image", None, done=2, total=2, states=Counter({Status.DETECTED: 2}))
    assert "are empty" not in tally.verdict(False, "e")
    assert "chips" not in tally.verdict(False, "e"), "one state needs no legend"
    tally.states[Status.NOT_DETECTED] += 1
    both = tally.verdict(False, "e")
    assert "the masks of images where nothing was detected are empty" in both
    chips = re.findall(r"<li><i style=.border: 3px (\w+) rgb(\(.*?\)).></i>(.*?)</li>", both)
    assert chips == [("solid", str(viz.MASK), "Detected: 2"), ("dashed", str(viz.GUESS), "Not detected: 1")]


@pytest.mark.browser
@wide_only
def test_a_clip_plays(page, inputs):
    opened(page, "#batch-clip", inputs / "duck.mp4").click("#batch-run-clip")
    page.wait_for_selector(DONE)
    assert "Done. Detected in 10 of 10 frames." in page.inner_text("#batch-status")
    page.wait_for_selector("#batch-video video")
    page.wait_for_function("document.querySelector('#batch-video video').readyState >= 2")
    assert page.evaluate("document.querySelector('#batch-video video').duration") == pytest.approx(1, abs=0.25)
    assert download(page, "#batch-made")[:16].startswith((b"\x00\x00\x00", b"\x1aE\xdf\xa3"))
    assert page.complaints == []


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def request(**given):
    return {"prompts": [{"image": handle_file(PROMPT), "caption": None}], "mask": None, **given}


def file_of(answer):
    return answer["value"] if isinstance(answer, dict) else answer


def test_the_endpoints_have_names_and_documented_arguments(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    common = [
        "k", "clusters", "threshold", "reject_threshold", "preset", "features", "sd_weight", "timestep", "saliency",
        "segmenter", "refinement", "mask_value",
    ]  # fmt: skip
    for name, own in (
        ("/batch", ["prompts", "images", "mask"]),
        ("/video", ["prompts", "clip", "mask", "keyframes_per_second"]),
    ):
        assert [parameter["parameter_name"] for parameter in named[name]["parameters"]] == own + common
    assert named["/stop"]["parameters"] == []


def test_masks_and_coco_agree(client, inputs):
    files = [handle_file(_example(number)) for number in (1, 2)]
    _, gallery, _, masks, coco, _ = client.predict(**request(images=files), api_name="/batch")
    assert len(file_of(gallery)) == 2
    data = json.loads(Path(file_of(coco)).read_text())
    assert [image["file_name"] for image in data["images"]] == ["01.jpg", "02.jpg"]
    with zipfile.ZipFile(file_of(masks)) as archive:
        for annotation, name in zip(data["annotations"], archive.namelist(), strict=True):
            mask = open_image(archive.read(name))[..., 0] == 255
            segmentation = annotation["segmentation"]
            np.testing.assert_array_equal(rle.decode(segmentation["counts"], tuple(segmentation["size"])), mask)
            assert mask.shape == open_image(_example(int(name[:2]))).shape[:2]


def test_a_clip_through_the_api(client, inputs):
    answer = client.predict(**request(clip=handle_file(inputs / "duck.mp4"), keyframes_per_second=2), api_name="/video")
    made = clips.open_clip(_path(file_of(answer[5])))
    assert sum(1 for _ in clips.frames(made)) == 10
    with zipfile.ZipFile(file_of(answer[3])) as masks:
        assert len(masks.namelist()) == 10


def test_a_clip_that_is_cut_short_says_so_and_gives_the_rest(client, tmp_path, inputs):
    data = (inputs / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 9 // 10])
    given = request(clip=handle_file(tmp_path / "cut.mp4"), keyframes_per_second=1)
    status, _, _, masks, _, made = client.predict(**given, api_name="/video")
    assert re.search(r"<li>cut.mp4 is damaged or cut short, and \d+ of 40 frames were read; save", status)
    with zipfile.ZipFile(file_of(masks)) as archive:
        assert 0 < len(archive.namelist()) < 40
        assert len(list(clips.frames(clips.open_clip(_path(file_of(made)))))) == len(archive.namelist())


def test_a_clip_and_a_bad_zip_among_images_refuse_themselves_alone(client, inputs, tmp_path):
    (tmp_path / "words.zip").write_bytes(b"words")
    files = [handle_file(path) for path in (inputs / "duck.mp4", tmp_path / "words.zip", _example(1))]
    status, _, _, masks, *_ = client.predict(**request(images=files), api_name="/batch")
    assert re.search(r"<li>duck.mp4 is a clip; .* under Or a video clip \(tab Batch and video\) or to ipseg", status)
    assert "<li>words.zip is damaged or no zip at all; save or download it again.</li>" in status
    with zipfile.ZipFile(file_of(masks)) as archive:
        assert archive.namelist() == ["01.png"]


def _path(text) -> Path:
    return Path(text["video"] if isinstance(text, dict) else text)


def test_a_client_that_stops_gets_what_is_done(client, inputs):
    job = client.submit(**request(images=[handle_file(inputs / "many.zip")], k=31), api_name="/batch")
    deadline = time.monotonic() + 600
    while len(job.outputs()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    client.predict(api_name="/stop")
    status, _, _, masks, *_ = job.result(timeout=600)
    assert "Stopped after" in status
    with zipfile.ZipFile(file_of(masks)) as archive:
        assert 1 <= len(archive.namelist()) < 40
