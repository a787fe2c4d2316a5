"""The page as a visitor meets it: upload, run, sliders, downloads, bad files, narrow and dark."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ipseg import open_image
from tests.ui.conftest import EXAMPLES, narrow_only, wide_only

pytestmark = pytest.mark.browser

PROMPT, QUERY = EXAMPLES / "yellow_duck" / "00.jpg", EXAMPLES / "yellow_duck" / "03.jpg"
ANSWER = "#verdict .detected, #verdict .uncertain, #verdict .not-detected"


def upload(page, field: str, path) -> None:
    page.set_input_files(f"{field} input[type=file]", str(path))
    page.wait_for_selector(f"{field} img")


def ask(page, prompt=PROMPT, query=QUERY) -> str:
    upload(page, "#prompts", prompt)
    upload(page, "#images", query)
    page.click("#run")
    page.wait_for_selector(ANSWER, timeout=60_000)
    return page.inner_text("#verdict")


def download(page, button: str) -> Image.Image:
    page.wait_for_selector(f"{button}:not([disabled])")
    with page.expect_download() as waiting:
        page.click(button)
    with Image.open(waiting.value.path()) as image:
        image.load()
    return image


def marked_source(page) -> str:
    return page.get_attribute("#marked img", "src")


def test_two_images_in_a_mask_out(page):
    assert "Detected" in ask(page)
    mask, cut = download(page, "#mask-file"), download(page, "#cut-file")
    height, width = open_image(QUERY).shape[:2]
    assert mask.size == cut.size == (width, height)
    assert cut.mode == "RGBA"
    values = np.unique(np.asarray(mask))
    assert values.tolist() == [0, 255]
    assert np.array_equal(np.asarray(cut)[..., 3], np.asarray(mask))
    assert page.locator("#slider img").count() >= 2
    for evidence in ("#marked img", "#heat img", "#saliency img"):
        assert page.locator(evidence).first.is_visible()
    assert page.complaints == []


@wide_only
def test_an_example_is_one_click_away(page):
    page.get_by_text("The red mug, not the green").first.click()
    page.wait_for_selector(ANSWER, timeout=60_000)
    assert "etected" in page.inner_text("#verdict")
    assert page.complaints == []


@wide_only
def test_sliders_answer_anew_without_encoding_again(page):
    ask(page)
    before = marked_source(page)
    page.click("#settings .toggle-button")
    box = page.locator("#c input[type=number]")
    box.fill("9")
    box.press("Tab")
    page.wait_for_function("before => document.querySelector('#marked img')?.src !== before", arg=before)
    steps = page.inner_text("#steps")
    assert "Choosing points" in steps
    assert "Computing features" not in steps


@wide_only
def test_bad_files_get_a_message_and_the_page_goes_on(page, tmp_path):
    text = tmp_path / "letter.jpg"
    text.write_text("not an image")
    upload(page, "#prompts", PROMPT)
    page.set_input_files("#images input[type=file]", str(text))
    page.wait_for_selector("#images img", state="attached")
    page.click("#run")
    page.wait_for_selector(".toast-body")
    assert "letter.jpg is not an image" in page.inner_text(".toast-body")
    assert str(tmp_path) not in page.content()
    page.reload()
    page.wait_for_selector("#run")
    assert "Detected" in ask(page)


@wide_only
def test_pressing_the_button_too_early_says_what_is_missing(page):
    page.click("#run")
    page.wait_for_selector(".toast-body")
    assert "no image of the object yet" in page.inner_text(".toast-body")


@narrow_only
def test_the_page_fits_its_window(page):
    ask(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0


@wide_only
def test_the_page_can_be_used_by_keyboard(page):
    upload(page, "#prompts", PROMPT)
    upload(page, "#images", QUERY)
    page.locator("#run").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(ANSWER, timeout=60_000)


@wide_only
def test_every_image_says_what_it_shows(page):
    ask(page)
    silent = page.eval_on_selector_all("#marked img, #heat img", "images => images.filter(i => !i.alt).length")
    assert silent == 0


@wide_only
def test_nothing_is_fetched_from_elsewhere(page, demo):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector("#run")
    elsewhere = [url for url in asked if not url.startswith((demo.url, "data:", "blob:"))]
    assert elsewhere == []
