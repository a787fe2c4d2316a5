"""The tab "Ablation" as a visitor meets it, and its endpoint."""

from __future__ import annotations

import json

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from tests.ui.conftest import EXAMPLES, narrow_only, open_tab, wide_only
from tests.ui.test_accessibility import faults

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop
TRUTHS = EXAMPLES.parent / "Annotations"


def tidy(page) -> None:
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    assert page.complaints == []


@pytest.mark.browser
@narrow_only
def test_an_example_shows_every_section(page):
    open_tab(page, "Ablation")
    page.wait_for_selector("#ablation-run")
    assert not page.is_visible("#ablation-results")
    page.locator("#ablation-examples button").first.click()
    page.wait_for_selector("#ablation-grid td.own img", timeout=120_000)
    assert "with the true mask" in page.inner_text("#ablation-verdict")
    assert page.locator("#ablation-steps img").count() == 4
    for section in ("features", "similarity", "saliency", "grid"):
        assert page.locator(f"#ablation-{section} .message").is_visible()
        for image in page.locator(f"#ablation-{section} img").all():
            assert image.get_attribute("alt")
            assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    assert page.locator("#ablation-grid img").count() == 15
    assert page.locator("#ablation-grid td.own").count() == 1
    assert "preset" in page.inner_text("#ablation-grid td.own")
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
def test_nothing_given_is_one_message(page):
    open_tab(page, "Ablation")
    page.click("#ablation-run")
    page.wait_for_selector("text=There is no image of the object yet")
    assert not page.is_visible("#ablation-results")
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
