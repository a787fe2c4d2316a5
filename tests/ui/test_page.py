"""The page as a visitor meets it: upload, run, sliders, downloads, bad files, narrow and dark."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from ipseg import open_image
from tests.ui.conftest import EXAMPLES, download, narrow_only, open_tab, settled, wide_only

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
    page.wait_for_selector(ANSWER)
    return page.inner_text("#verdict")


def image_in(page, button: str) -> Image.Image:
    """The image that a button downloads."""
    with Image.open(io.BytesIO(download(page, button))) as image:
        image.load()
    return image


def marked_source(page) -> str:
    return page.get_attribute("#marked img", "src")


def test_two_images_in_a_mask_out(page):
    assert "Detected" in ask(page)
    mask, cut = image_in(page, "#mask-file"), image_in(page, "#cut-file")
    height, width = open_image(QUERY).shape[:2]
    assert mask.size == cut.size == (width, height)
    assert cut.mode == "RGBA"
    values = np.unique(np.asarray(mask))
    assert values.tolist() == [0, 255]
    assert np.array_equal(np.asarray(cut)[..., 3], np.asarray(mask))
    assert page.locator("#shown-overlay img").is_visible()
    for evidence in ("#marked img", "#heat img", "#saliency img"):
        assert page.locator(evidence).first.is_visible()
    assert page.complaints == []


@wide_only
def test_everything_up_to_the_result_is_on_the_first_screen(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    for shown in ("#prompts", "#images", "#run", "#examples"):
        box = page.locator(shown).bounding_box()
        assert box["y"] + min(box["height"], 200) <= 800, shown
    assert page.locator("#result, #why").count() == 0  # empty panels are absent
    ask(page)
    page.wait_for_selector("#shown-overlay img")
    run, result = page.locator("#run").bounding_box(), page.locator("#shown-overlay img").bounding_box()
    assert result["x"] >= run["x"] + run["width"]  # beside the inputs
    for shown in ("#verdict", "#view", "#shown-overlay img"):
        box = page.locator(shown).bounding_box()
        assert box["y"] >= 0, shown
        assert box["y"] + box["height"] <= 800, shown


@narrow_only
def test_on_a_phone_the_tabs_are_all_there_and_the_result_comes_into_view(page):
    tabs = page.get_by_role("tab")
    assert all(tabs.nth(number).is_visible() for number in range(tabs.count()))
    assert tabs.count() == 7
    ask(page)
    page.wait_for_selector("#shown-overlay img")
    page.wait_for_function("document.querySelector('#verdict').getBoundingClientRect().top < innerHeight / 3")
    assert page.locator("#shown-overlay img").bounding_box()["y"] < 844 / 2


@wide_only
def test_the_views_and_the_background_of_the_cut_out(page):
    ask(page)
    views = ("#shown-overlay", "#shown-cut", "#shown-mask", "#shown-original")
    for number, chosen in enumerate(views):
        page.locator("#view label").nth(number).click()
        page.wait_for_selector(f"{chosen} img")
        assert [page.is_visible(view) for view in views] == [view == chosen for view in views]
    page.locator("#view label").nth(1).click()
    before = page.get_attribute("#shown-cut img", "src")
    page.locator("#background label").nth(1).click()  # white
    page.wait_for_function("before => document.querySelector('#shown-cut img').src !== before", arg=before)
    cut, mask = image_in(page, "#cut-file"), np.asarray(image_in(page, "#mask-file")) > 0
    assert cut.mode == "RGB"
    assert (np.asarray(cut)[~mask] == 255).all()
    assert np.array_equal(np.asarray(cut)[mask], open_image(QUERY)[mask])
    assert page.complaints == []


@wide_only
def test_an_open_panel_of_settings_covers_nothing(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.click("#settings .toggle-button")
    settled(page)  # it slides in
    panel = page.locator("#settings .sidebar-content").bounding_box()
    for shown in ("#title p", "#tabs", "#run", "#segment-result"):
        box = page.locator(shown).first.bounding_box()
        assert box["x"] + box["width"] <= panel["x"], shown


@wide_only
def test_the_settings_have_a_title_and_escape_closes_them(page):
    toggle = page.locator("#settings .toggle-button")
    page.wait_for_selector("#settings .toggle-button[aria-label=Settings][aria-expanded=false]")
    toggle.click()
    page.wait_for_selector("#settings .toggle-button[aria-expanded=true]")
    page.get_by_role("heading", name="Settings").wait_for()
    page.locator("#preset input").click()  # opens a list
    page.wait_for_selector(".sidebar.open [role=listbox]")
    page.keyboard.press("Escape")
    page.wait_for_selector(".sidebar.open [role=listbox]", state="detached")
    assert page.locator(".sidebar.open").count() == 1  # Escape closed the list alone
    page.keyboard.press("Escape")
    page.wait_for_selector(".sidebar:not(.open)", state="attached")
    assert toggle.evaluate("button => button === document.activeElement")
    assert page.complaints == []


@wide_only
def test_every_button_of_the_image_fields_has_a_real_name(page):
    upload(page, "#prompts", PROMPT)
    page.wait_for_selector("#prompts button[aria-label='Take a photo with the webcam']")
    names = page.eval_on_selector_all("[aria-label]", "all => all.map(each => each.getAttribute('aria-label'))")
    assert [name for name in names if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name)] == []


@wide_only
def test_the_marked_prompt_image_and_the_button_are_on_the_first_screen(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    upload(page, "#prompts", PROMPT)
    page.click("#meant > button")
    page.click("#meant-mark")
    page.wait_for_selector("#meant-image img")
    settled(page)
    for shown in ("#meant-mode", "#meant-image img", "#run"):
        box = page.locator(shown).bounding_box()
        assert box["y"] >= 0, shown
        assert box["y"] + min(box["height"], 230) <= 800, shown
    run, image = page.locator("#run").bounding_box(), page.locator("#meant-image").bounding_box()
    assert run["y"] + run["height"] <= image["y"]  # it covers nothing of the image


@wide_only
def test_a_press_shows_at_once_that_it_runs_and_the_button_is_free_afterwards(page):
    upload(page, "#prompts", PROMPT)
    upload(page, "#images", QUERY)
    page.evaluate("""() => {
      window.begun = [];
      new MutationObserver(() => window.begun.push(document.querySelector('#shown-overlay img') === null))
        .observe(document.getElementById('run'), { attributeFilter: ['data-elapsed'] });
    }""")
    for _ in range(2):
        page.click("#run")
        page.wait_for_selector("#shown-overlay img")
        page.wait_for_selector("#run:not([data-elapsed])")
    assert page.evaluate("window.begun[0]")  # before there was a result
    assert page.complaints == []


@wide_only
def test_an_example_is_one_click_away(page):
    page.get_by_text("Red mug").first.click()
    page.wait_for_selector(ANSWER)
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
    page.wait_for_selector(".toast-body")
    assert "letter.jpg is not an image" in page.inner_text(".toast-body")
    assert str(tmp_path) not in page.content()
    assert page.locator("#images img").count() == 0  # no broken preview
    page.set_input_files("#images input[type=file]", [str(text), str(QUERY)])
    page.wait_for_function("document.querySelectorAll('#images img').length === 1")
    settled(page)
    assert page.locator("#images img").count() == 1
    open_tab(page, "Compare")
    page.wait_for_selector("#compare-prompt input[type=file]", state="attached")
    page.set_input_files("#compare-prompt input[type=file]", str(text.rename(tmp_path / "note.png")))
    page.get_by_text("note.png is not an image").first.wait_for()
    page.wait_for_function("document.querySelectorAll('#compare-prompt img').length === 0")
    page.reload()
    page.wait_for_selector("#run")
    assert "Detected" in ask(page)


@wide_only
def test_pressing_the_button_too_early_says_what_is_missing(page):
    page.click("#run")
    page.wait_for_selector(".toast-body")
    assert "no image of the object yet" in page.inner_text(".toast-body")
    page.wait_for_selector("#run:not([data-elapsed])")  # and the button is free again


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
    page.wait_for_selector(ANSWER)


@wide_only
def test_every_image_says_what_it_shows(page):
    ask(page)
    silent = page.eval_on_selector_all("#marked img, #heat img", "images => images.filter(i => !i.alt).length")
    assert silent == 0


@wide_only
def test_the_page_works_without_a_network_from_the_first_byte(page, demo):
    elsewhere = []

    def answer(route) -> None:
        if route.request.url.startswith(f"{demo.url}/"):
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    page.route("**/*", answer)
    page.reload()
    page.wait_for_selector("#run")
    assert "Detected" in ask(page)
    page.wait_for_selector("#shown-overlay img")
    page.click("#settings .toggle-button")
    for name in ("Compare", "Batch and video"):
        open_tab(page, name)
    assert elsewhere == []
    assert page.complaints == []
