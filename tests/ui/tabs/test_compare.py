"""The Compare tab: choose, paint, compare, slide, download; and the same through the API."""

from __future__ import annotations

import io
import re
import time
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from ipseg import open_image
from ipseg.core import viz
from ipseg.core.masks import read_mask
from ipseg.engine.spec import EngineSpec
from ipseg.studies.comparison import Comparison, Entry
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.tabs.compare import on_sam
from ipseg.ui.tabs.compare import render as rows
from tests.ui.conftest import (
    EXAMPLES,
    PATIENCE,
    download,
    narrow_only,
    open_tab,
    wide_only,
)
from tests.ui.test_accessibility import faults

PROMPT, ONE, TWO = (EXAMPLES / "robot" / f"{number}.jpg" for number in ("01", "02", "04"))
TRUTHS = [EXAMPLES.parent / "Annotations" / "robot" / f"{number}.png" for number in ("02", "04")]

HEADS = """cells => cells.map(each => [
  each.dataset.head, getComputedStyle(each, '::before').content !== 'none'])"""  # and whether a cell shows its own


def opened(page, prompt=PROMPT, images=(ONE, TWO)):
    open_tab(page, "Compare")
    page.wait_for_selector("#compare-run")
    page.set_input_files("#compare-prompt input[type=file]", str(prompt))
    page.wait_for_selector("#compare-prompt img")
    page.set_input_files("#compare-images input[type=file]", [str(image) for image in images])
    page.wait_for_selector("#compare-images img")
    return page


def table(page) -> str:
    page.click("#compare-run")
    page.wait_for_selector("#compare-table table")
    return page.inner_text("#compare-table")


@pytest.mark.browser
@narrow_only
def test_two_methods_side_by_side(page):
    opened(page).get_by_text("Ground truth (optional)").click()
    page.set_input_files("#compare-truths input[type=file]", [str(path) for path in TRUTHS])
    page.wait_for_selector("#compare-truths .file-preview")
    text = table(page)
    assert "PerSAM (on the engine's parts)" in text
    assert text.count("saliency") == 4
    heads = page.eval_on_selector_all("#compare-table td", HEADS)
    assert heads.count(["IoU with the ground truth", True]) == 4  # in a narrow window each cell shows its heading
    assert page.eval_on_selector("#compare-table .wide", "each => each.scrollWidth - each.clientWidth") <= 0
    assert "on the engine's parts: the rules of that method, run on the features" in text, "what the label means"
    page.wait_for_selector("#compare-answers img")
    assert page.locator("#compare-slider img").count() >= 2
    before = page.get_attribute("#compare-difference img", "src")
    page.click("#compare-which input")
    page.get_by_role("option", name="04", exact=True).click()
    page.wait_for_function("b => document.querySelector('#compare-difference img').src !== b", arg=before)
    assert faults(page) == []
    assert "PerSAM (on the engine's parts) alone" in page.inner_text("#compare-legend")
    with Image.open(io.BytesIO(download(page, "#compare-figure"))) as figure:
        assert figure.format == "PNG"
        assert figure.height > 700  # two images, one row each
    assert download(page, "#compare-pdf").startswith(b"%PDF-")
    page.click("#compare-copy")
    page.get_by_text("Your own images go as files").wait_for()
    assert page.input_value("#link textarea").endswith("/?tab=compare")
    with zipfile.ZipFile(io.BytesIO(download(page, "#compare-masks"))) as masks:
        assert sorted(masks.namelist()) == ["02/ipseg.png", "02/persam.png", "04/ipseg.png", "04/persam.png"]
        with masks.open("04/ipseg.png") as file, Image.open(file) as mask:
            assert mask.size == open_image(TWO).shape[1::-1]
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    assert page.complaints == []


@pytest.mark.browser
@wide_only
def test_an_example_is_compared_by_one_click_and_its_link_does_it_again(page, demo):
    open_tab(page, "Compare")
    page.get_by_label("Matcher", exact=True).check()
    page.locator("#compare-examples .thumbnail-lg").nth(1).click()
    page.wait_for_selector("#compare-table table")
    text = page.inner_text("#compare-table table")
    assert "IoU" in text  # the truth of the example
    scores = "#compare-table td:nth-child(2)"
    before = page.locator(scores).all_inner_texts()
    assert [float(each) <= 1 for each in before] == [True] * 3
    assert [swatch in text for swatch in ("IPSeg", "PerSAM", "Matcher")] == [True] * 3
    page.wait_for_selector("#compare-run:not([data-elapsed])")
    page.click("#compare-copy")
    page.get_by_text("It opens this example").wait_for()
    link = page.input_value("#link textarea")
    assert link.endswith("/?tab=compare&example=red-mug&methods=ipseg,persam,matcher")
    page.goto(link)
    page.wait_for_selector("#compare-run[data-elapsed]")  # it has begun
    page.wait_for_selector("#compare-table table")
    assert page.locator(scores).all_inner_texts() == before
    page.wait_for_selector("#compare-run:not([data-elapsed])")
    assert page.complaints == []


@pytest.mark.browser
@wide_only
def test_what_is_missing_gets_its_message_and_a_mask_can_be_painted(page, scene, save, tmp_path):
    open_tab(page, "Compare")
    page.click("#compare-run")
    page.wait_for_selector(".toast-body")
    assert "no image of the object yet" in page.inner_text(".toast-body")
    page.wait_for_selector("#compare-run:not([data-elapsed])")
    assert not page.locator("#compare-table .error").is_visible(), "the message says it; the text stays readable"
    image = save(tmp_path / "image.png", scene[0])
    opened(page, image, [image]).get_by_text("Mask of the object (optional)").last.click()
    page.click("#compare-onto")
    page.wait_for_selector("#compare-paint canvas")
    until = time.monotonic() + PATIENCE
    while True:  # nothing says when the canvas takes a stroke, nor when the page has it
        paint(page)
        text = table(page)
        if text.count("given") == 2:
            break
        assert time.monotonic() < until, text


def paint(page) -> None:
    """A stroke over the middle of the image."""
    page.locator("#compare-paint").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = page.locator("#compare-paint canvas").last.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 20, y)
    page.mouse.down()
    for step in range(2):  # the canvas is slow to draw each
        page.mouse.move(x - 10 + 20 * step, y - 30 + 60 * step)
    page.mouse.up()
    page.wait_for_timeout(500)


@pytest.mark.parametrize(
    ("fetches", "spec", "label"),
    [
        (True, EngineSpec("offline"), "Fetch SAM ViT-B (375 MB)"),
        (False, EngineSpec("offline"), ""),
        (True, EngineSpec("offline", segmenter="sam/vit_h"), ""),
        (True, EngineSpec("light"), ""),  # more than SAM is missing
        (True, EngineSpec("offline", saliency="nonsense"), ""),
    ],
)
def test_the_button_for_sam_is_there_where_sam_alone_is_missing(fetches, spec, label, hub_home, tmp_path):
    pytest.importorskip("torch", reason="SAM needs the extra [models]")
    hub_home(tmp_path)
    made = on_sam.button(EnginePool(EngineSpec("offline"), fetches=fetches), spec)
    assert made.visible == bool(label)
    assert made.value.startswith(label)


def test_a_method_keeps_its_colour_in_every_image(engine, scene, tmp_path):
    result = engine.segment(engine.prompt(scene[0]), scene[0])
    found = Comparison(scene[0], tuple(Entry(name, name, "", "saliency", result) for name in ("ipseg", "persam")))
    assert list(found.colours.values()) == list(viz.METHOD_COLOURS[:2])
    names = ("slider", "answers", "difference", "masks")
    (saved,) = rows.save(
        [found], ["scene"], SimpleNamespace(**dict.fromkeys(names, SimpleNamespace(GRADIO_CACHE=str(tmp_path))))
    )
    for number in (0, 1):
        for file in (saved.answers[number][1], saved.images[number]):
            pixels = open_image(file).astype(int)
            near = [(np.abs(pixels - colour).max(axis=-1) < 60).sum() for colour in viz.METHOD_COLOURS[:2]]
            assert np.argmax(near) == number


def test_an_iou_says_with_what_it_is(engine, scene):
    result = engine.segment(engine.prompt(scene[0]), scene[0])
    entries = tuple(Entry(name, name.upper(), f"How {name} differs.", "", result, iou=0.9) for name in "abc")
    two = {("a", "b"): 0.5}
    text = rows.table([Comparison(scene[0], entries[:2], read_mask(scene[1]), two)], ["scene"], "e")
    heads = re.findall(r'<th scope="col">([^<]*)</th>', text)
    assert heads[:2] == ["method", "IoU with the ground truth"]
    for row in text.split("<tr>")[2:]:  # a cell has its heading with it: a narrow window has no room for columns
        assert re.findall(r'<td data-head="([^"]*)">', row) == heads
    assert '<td data-head="IoU with the ground truth">0.90</td>' in text  # as in the captions
    assert "IoU between both methods: 0.50." in text
    assert "on the engine's parts" not in text
    replaced = (entries[0], replace(entries[1], label="B (on the engine's parts)"))
    text = rows.table([Comparison(scene[0], replaced, None, two)], ["scene"], "e")
    assert "<summary><b>on the engine&#x27;s parts</b>: the rules of that method" in text, "before a click"
    three = {**two, ("a", "c"): 0.25}
    text = rows.table([Comparison(scene[0], entries, None, three)], ["scene"], "e")
    assert "IoU between the methods: A and B 0.50; A and C 0.25." in text
    assert "ground truth" not in text
    assert rows._caption(entries[0]) == "A, IoU 0.90 with the ground truth"


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def ask(client: Client, **given):
    request = {
        "prompt": handle_file(PROMPT),
        "images": [{"image": handle_file(ONE), "caption": None}],
        "methods": ["ipseg", "persam"],
        "mask": None,
        "paint": None,
        "truths": None,
        **given,
    }
    return client.predict(**request, api_name="/compare")


def test_the_api_gives_a_record(client):
    answer = ask(client, methods=["ipseg", "persam", "seggpt"], truths=[handle_file(TRUTHS[0])])
    record = next(each for each in answer if isinstance(each, dict) and "images" in each)
    ours, theirs, absent = record["images"][0]["methods"]
    assert ours["prompt_mask"] == theirs["prompt_mask"] == "saliency"
    assert 0 <= ours["iou"] <= 1
    assert "SegGPT" in absent["error"]
    assert "weights fetch seggpt" in absent["error"] or "pip install" in absent["error"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"methods": ["ipseg"]}, "two or more different methods"),
        ({"images": []}, "no image to search"),
        ({"methods": ["persam_f", "groupvit"]}, "PerSAM-F weighs the three masks"),
    ],
)
def test_what_cannot_be_compared_is_one_message(client, given, message):
    with pytest.raises(AppError, match=message):
        ask(client, **given)


def test_a_mask_of_another_size_is_one_message(client, tmp_path):
    Image.fromarray(np.full((40, 40), 255, np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(AppError, match=r"small\.png is 40x40 pixels but its image is 640x480"):
        ask(client, mask=handle_file(tmp_path / "small.png"))
