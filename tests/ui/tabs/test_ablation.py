"""The tab "Ablation" as a visitor meets it, and its endpoint."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from ipseg.core import viz
from ipseg.core.types import Frame
from ipseg.studies import ablation
from ipseg.ui.tabs.ablation import figures, layout, render
from tests.ui.conftest import EXAMPLES, narrow_only, open_tab, wide_only
from tests.ui.test_accessibility import faults

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop
TRUTHS = EXAMPLES.parent / "Annotations"


def tidy(page) -> None:
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    assert page.complaints == []


def luminance(colour: str) -> float:
    """Relative luminance of WCAG of "rgb(1 2 3)" or "#010203"."""
    numbers = [int(colour[at : at + 2], 16) for at in (1, 3, 5)] if "#" in colour else re.findall(r"\d+", colour)
    shares = (int(each) / 255 for each in numbers)
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_number_can_be_read_on_every_colour_of_the_heat_map():
    seen = [figures.colour_of(number / 100, 0.5, 0.9) for number in range(101)]
    for fill, text in seen:
        light, dark = sorted((luminance(fill), luminance(text)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (fill, text)
    assert seen[0] == seen[50]  # below the scale
    assert len(set(seen)) > 30


def test_a_layer_has_plain_words_with_its_technical_name():
    assert render._name("block4") == "Early layer (block4)"
    assert render._name("block10@480") == "Middle layer (block10@480)"
    assert render._name("block15") == "Late layer (block15)"
    assert render._name("s3") == "Stable Diffusion, fine (s3)"
    assert render._name("own") == "own"


def test_a_setting_that_cannot_be_says_why():
    def cell(view, numbers):
        return "<td>1</td>"

    assert render.LACKING not in render._cells(None, [(16, 4), (64, 4)], cell, "heat")
    with_gap = render._cells(None, [(2, 2), (64, 2), (64, 8)], cell, "heat")
    assert f'<p class="aside">–: {render.LACKING}.</p>' in with_gap


def patch(values) -> ablation.PatchSimilarity:
    values = np.array(values, np.float32)
    frame = Frame((40, 60), values.shape, (0.0, 0.0, 60.0, 40.0))
    places, scores = np.array([[45, 10], [15, 30]], np.float32), np.array([0.9, 0.4], np.float32)
    return ablation.PatchSimilarity((0, 0, 30, 20), values, frame, places, scores)


def test_the_map_of_a_patch_has_a_colour_scale_with_numbers_and_its_best_match_stands_out():
    found, image = patch([[0.1, 0.9], [0.4, 0.2]]), np.full((40, 60, 3), 90, np.uint8)
    low, high = figures.range_of(image, found, 960)
    assert (low, high) == pytest.approx((0.1, 0.9), abs=0.01)
    text = render.patch(found, "the prompt", "the searched image", (low, high))
    assert "<b>1</b>: 0.90, <b>2</b>: 0.40" in text
    scale = text[text.index('class="legend"') :]
    assert "Similarity (cosine) in the searched image" in scale
    assert re.search(r"<b>0\.10</b><i style=.*gradient.*</i><b>0\.90</b>", scale)
    large = figures.with_matches(np.full((400, 600, 3), 90, np.uint8), patch([[0.1, 0.9], [0.4, 0.2]]), 960)
    amber = (np.abs(large.astype(int) - viz.MASK).max(axis=-1) < 8).sum()
    white = (large == 255).all(axis=-1).sum()
    assert amber > white > 50


def test_the_sections_are_in_the_order_of_interest_and_the_endpoint_in_its_own():
    assert [name for name, *_ in layout.SECTIONS] == ["grid", "similarity", "saliency", "features"]
    assert layout.OUTPUTS == ("features", "similarity", "saliency", "grid")
    assert not any("Fig." in heading or "Table" in heading for _, heading, _ in layout.SECTIONS)


@pytest.mark.browser
@narrow_only
def test_an_example_shows_every_section(page):
    open_tab(page, "Ablation")
    page.wait_for_selector("#ablation-run")
    assert not page.is_visible("#ablation-results")
    page.locator("#ablation-examples button").first.click()
    page.wait_for_selector("#ablation-grid .heat td.own")
    assert "with the true mask" in page.inner_text("#ablation-verdict")
    assert page.locator("#ablation-steps img").count() == 4
    for section in ("features", "similarity", "saliency", "grid"):
        assert page.locator(f"#ablation-{section} .message").is_visible()
        for image in page.locator(f"#ablation-{section} img").all():
            assert image.get_attribute("alt")
            assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    assert page.locator("#ablation-grid .heat tbody td:not(.none)").count() == 15
    assert "preset" in page.inner_text("#ablation-grid .heat td.own")
    shown = page.locator("#ablation-grid .beside img").count()
    assert 1 <= shown <= 3
    assert page.locator("#ablation-grid details img").count() == 15
    assert not page.locator("#ablation-grid details img").first.is_visible()
    legend = page.locator("#ablation-grid .legend .scale")
    assert len(re.findall(r"\d\.\d", legend.inner_text())) == 2
    assert legend.locator("i").bounding_box()["width"] > 100
    order = ["ablation-steps", "ablation-patches", *(f"ablation-{name}" for name, *_ in layout.SECTIONS)]
    tops = [page.locator(f"#{name}").bounding_box()["y"] for name in order]
    assert tops == sorted(tops)
    assert "no “with and without Stable Diffusion” here" in page.inner_text("#ablation-similarity")
    tidy(page)
    assert faults(page) == []
    page.locator("#ablation-steps img").last.click()  # it fills the window, and the next press puts it back
    filled = page.locator("#ablation-steps img").last
    assert filled.bounding_box()["width"] == page.viewport_size["width"]
    page.mouse.click(5, 5)
    assert filled.bounding_box()["width"] < page.viewport_size["width"]


@pytest.mark.browser
@wide_only
def test_nothing_given_is_one_message_and_a_click_on_a_patch_shows_its_similarity_in_the_other_image(page):
    open_tab(page, "Ablation")
    page.click("#ablation-run")
    page.wait_for_selector("text=There is no image of the object yet")
    assert not page.is_visible("#ablation-results")
    page.locator("#ablation-examples button").first.click()
    page.wait_for_selector("#ablation-patch-image img")
    sources = "['prompt', 'image'].map((name) => document.querySelector(`#ablation-patch-${name} img`).src).join()"
    seen = [page.evaluate(sources)]
    for name, said in (("prompt", "is of the prompt"), ("image", "is of the searched image")):
        box = page.locator(f"#ablation-patch-{name} img").bounding_box()
        page.locator(f"#ablation-patch-{name} img").click(position={"x": box["width"] / 4, "y": box["height"] / 4})
        page.wait_for_function(f"before => {sources} !== before", arg=seen[-1])
        page.get_by_text(said).wait_for()
        seen.append(page.evaluate(sources))
    assert "1: " in page.inner_text("#ablation-patch")
    tidy(page)


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def ask(client: Client, **given):
    pair = {"prompt": handle_file(EXAMPLES / "robot/01.jpg"), "image": handle_file(EXAMPLES / "robot/02.jpg")}
    return client.predict(**{**pair, "mask": None, "truth": None, **given}, api_name="/ablation")


def test_the_endpoint_answers_with_numbers(client):
    truths = {name: handle_file(TRUTHS / f"robot/{file}.png") for name, file in (("mask", "01"), ("truth", "02"))}
    *outputs, record = ask(client, **truths)
    record = json.loads(record) if isinstance(record, str) else record
    assert len(outputs) == 6
    assert all(outputs)
    assert record["iou_with"] == "truth"
    assert {(one["k"], one["clusters"]) for one in record["grid"]} >= {(32, 4), (8, 2), (64, 16)}
    own = next(one["iou"] for one in record["grid"] if {**record["setting"], "iou": one["iou"]} == one)
    assert own == record["iou"] == record["saliency"]["own"] == record["similarity"]["prior"]
    assert record["saliency"]["true"] > record["saliency"]["none"]


def test_the_endpoint_of_a_patch_finds_it_again(client):
    robot = handle_file(EXAMPLES / "robot/01.jpg")
    facts, _ = client.predict(prompt=robot, image=robot, x=300, y=260, api_name="/patch_similarity")
    left, top, right, bottom = facts["patch"]
    best = facts["matches"][0]
    assert left <= 300 <= right
    assert top <= 260 <= bottom
    assert left <= best["x"] <= right
    assert top <= best["y"] <= bottom
    assert best["cosine"] > 0.999
    with pytest.raises(AppError, match=r"\(9999.*is not on the image; give x below 640"):
        client.predict(prompt=robot, image=robot, x=9999, y=260, api_name="/patch_similarity")


def test_the_endpoint_has_documented_arguments(client):
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/ablation"]
    assert [parameter["parameter_name"] for parameter in endpoint["parameters"]] == [
        "prompt", "image", "mask", "truth",
        "preset", "features", "sd_weight", "timestep", "saliency", "segmenter", "refinement",
        "mask_value",
    ]  # fmt: skip


def test_what_cannot_be_used_gets_its_message(client, tmp_path):
    (tmp_path / "words.jpg").write_text("words")
    Image.new("L", (20, 10), 255).save(tmp_path / "small.png")
    small, words = handle_file(tmp_path / "small.png"), handle_file(tmp_path / "words.jpg")
    for given, text in (
        ({"image": None}, "no image to search yet"),
        ({"prompt": words}, r"words\.jpg is not an image"),
        ({"truth": small}, "small"),
        ({"preset": "paper"}, "weights"),
        ({"saliency": "nonsense"}, "nonsense"),
    ):
        with pytest.raises((AppError, ValueError), match=text):
            ask(client, **given)
