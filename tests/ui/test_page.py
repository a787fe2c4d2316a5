"""The page as a visitor meets it: upload, run, sliders, downloads, bad files, narrow and dark."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from ipseg import open_image
from tests.ui.conftest import (
    ANSWER,
    ANSWERED,
    PROMPT,
    QUERY,
    close_messages,
    download,
    fill,
    leave,
    narrow_only,
    now,
    open_tab,
    opened_wide,
    settled,
    upload,
    wide_only,
)

pytestmark = pytest.mark.browser


def image_in(page, button: str) -> Image.Image:
    """The image that a button downloads."""
    with Image.open(io.BytesIO(download(page, button))) as image:
        image.load()
    return image


def on_the_first_screen(page, *shown: str, least: float = float("inf")) -> None:
    """Each is within the window, or as much of it in height as `least`."""
    height = page.viewport_size["height"]
    for selector in shown:
        box = page.locator(selector).bounding_box()
        assert box["y"] >= 0, selector
        assert box["y"] + min(box["height"], least) <= height, selector


# Nothing is asked yet.


@opened_wide
def test_the_settings_cover_nothing_have_a_title_and_escape_closes_them(opened):
    opened.set_viewport_size({"width": 1280, "height": 800})
    toggle = opened.locator("#settings .toggle-button")
    opened.wait_for_selector("#settings .toggle-button[aria-label=Settings][aria-expanded=false]")
    toggle.click()
    opened.wait_for_selector("#settings .toggle-button[aria-expanded=true]")
    opened.get_by_role("heading", name="Settings").wait_for()
    settled(opened)  # it slides in
    panel = opened.locator("#settings .sidebar-content").bounding_box()
    for shown in ("#title p", "#tabs", "#run", "#segment-result"):
        box = opened.locator(shown).first.bounding_box()
        assert box["x"] + box["width"] <= panel["x"], shown
    opened.locator("#preset input").click()  # opens a list
    opened.wait_for_selector(".sidebar.open [role=listbox]")
    opened.keyboard.press("Escape")
    opened.wait_for_selector(".sidebar.open [role=listbox]", state="detached")
    assert opened.locator(".sidebar.open").count() == 1  # Escape closed the list alone
    opened.keyboard.press("Escape")
    opened.wait_for_selector(".sidebar:not(.open)", state="attached")
    assert toggle.evaluate("button => button === document.activeElement")
    assert opened.complaints == []


@opened_wide
def test_a_press_by_keyboard_or_mouse_shows_at_once_that_it_runs_and_the_button_is_free_afterwards(opened):
    fill(opened, QUERY)
    opened.evaluate("""() => {
      window.begun = [];
      new MutationObserver(() => window.begun.push(document.querySelector('#shown-overlay img') === null))
        .observe(document.getElementById('run'), { attributeFilter: ['data-elapsed'] });
    }""")
    opened.locator("#run").focus()
    for press in (lambda: opened.keyboard.press("Enter"), lambda: opened.click("#run")):
        press()
        opened.wait_for_selector(ANSWER)
        opened.wait_for_selector("#shown-overlay img")
        opened.wait_for_selector("#run:not([data-elapsed])")
    assert opened.evaluate("window.begun[0]")  # before there was a result
    assert opened.complaints == []
    now(opened, ANSWERED)


# There is a result.


def test_two_images_in_a_mask_out_and_every_image_says_what_it_shows(answered):
    assert "Detected" in answered.inner_text("#verdict")
    mask, cut = image_in(answered, "#mask-file"), image_in(answered, "#cut-file")
    height, width = open_image(QUERY).shape[:2]
    assert mask.size == cut.size == (width, height)
    assert cut.mode == "RGBA"
    values = np.unique(np.asarray(mask))
    assert values.tolist() == [0, 255]
    assert np.array_equal(np.asarray(cut)[..., 3], np.asarray(mask))
    for image in ("#shown-overlay img", "#marked img", "#heat img", "#saliency img"):
        assert answered.locator(image).first.is_visible()
    silent = answered.eval_on_selector_all("#marked img, #heat img", "images => images.filter(i => !i.alt).length")
    assert silent == 0
    assert answered.complaints == []


def test_the_views_and_the_background_of_the_cut_out(answered):
    views = ("#shown-overlay", "#shown-cut", "#shown-mask", "#shown-original")
    for number in (1, 2, 3, 0):
        answered.locator("#view label").nth(number).click()
        answered.wait_for_selector(f"{views[number]} img")
        assert [answered.is_visible(view) for view in views] == [view == views[number] for view in views]
    answered.locator("#view label").nth(1).click()
    before = answered.get_attribute("#shown-cut img", "src")
    answered.locator("#background label").nth(1).click()  # white
    answered.wait_for_function("before => document.querySelector('#shown-cut img').src !== before", arg=before)
    cut, mask = image_in(answered, "#cut-file"), np.asarray(image_in(answered, "#mask-file")) > 0
    assert cut.mode == "RGB"
    assert (np.asarray(cut)[~mask] == 255).all()
    assert np.array_equal(np.asarray(cut)[mask], open_image(QUERY)[mask])
    assert answered.complaints == []
    white = answered.get_attribute("#shown-cut img", "src")
    answered.locator("#background label").first.click()
    answered.wait_for_function("before => document.querySelector('#shown-cut img').src !== before", arg=white)
    answered.locator("#view label").first.click()
    answered.wait_for_selector("#shown-overlay img")


def test_the_page_works_without_a_network_from_the_first_byte(answered, demo):
    toggle = answered.locator("#settings .toggle-button")
    toggle.click()
    for name in ("Compare", "Batch and video"):
        open_tab(answered, name)
    settled(answered)
    fetched = [address for address in answered.fetched if address.startswith(("http:", "https:"))]
    assert f"{demo.url}/" in fetched
    assert [address for address in fetched if not address.startswith(f"{demo.url}/")] == []
    assert answered.complaints == []
    open_tab(answered, "Segment")
    toggle.click()
    answered.wait_for_selector(".sidebar:not(.open)", state="attached")


def test_sliders_answer_anew_without_encoding_again(answered):
    before = answered.get_attribute("#marked img", "src")
    answered.click("#settings .toggle-button")
    box = answered.locator("#c input[type=number]")
    box.fill("9")
    box.press("Tab")
    answered.wait_for_function("before => document.querySelector('#marked img')?.src !== before", arg=before)
    steps = answered.inner_text("#steps")
    assert "Choosing points" in steps
    assert "Computing features" not in steps
    leave(answered)


# Each from the page as it opens.


@wide_only
def test_everything_up_to_the_result_is_on_the_first_screen(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    on_the_first_screen(page, "#prompts", "#images", "#run", "#examples", least=200)
    assert page.locator("#result, #why").count() == 0  # empty panels are absent
    upload(page, "#prompts", PROMPT)
    page.wait_for_selector("#prompts button[aria-label='Take a photo with the webcam']")
    names = page.eval_on_selector_all("[aria-label]", "all => all.map(each => each.getAttribute('aria-label'))")
    assert [name for name in names if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name)] == []
    page.click("#meant > button")
    page.click("#meant-mark")
    page.wait_for_selector("#meant-image img")
    settled(page)
    on_the_first_screen(page, "#meant-mode", "#meant-image img", "#run", least=230)
    run, image = page.locator("#run").bounding_box(), page.locator("#meant-image").bounding_box()
    assert run["y"] + run["height"] <= image["y"]  # it covers nothing of the image
    page.click("#meant-clear")
    page.click("#meant > button")
    upload(page, "#images", QUERY)
    page.click("#run")
    page.wait_for_selector("#shown-overlay img")
    run, result = page.locator("#run").bounding_box(), page.locator("#shown-overlay img").bounding_box()
    assert result["x"] >= run["x"] + run["width"]  # beside the inputs
    on_the_first_screen(page, "#verdict", "#view", "#shown-overlay img")


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
    close_messages(page)
    settled(page)
    assert page.locator("#images img").count() == 1
    page.click("#run")
    page.wait_for_selector(ANSWER)
    assert "Detected" in page.inner_text("#verdict")
    open_tab(page, "Compare")
    page.wait_for_selector("#compare-prompt input[type=file]", state="attached")
    page.set_input_files("#compare-prompt input[type=file]", str(text.rename(tmp_path / "note.png")))
    page.get_by_text("note.png is not an image").first.wait_for()
    page.wait_for_function("document.querySelectorAll('#compare-prompt img').length === 0")


@narrow_only
def test_on_a_phone_stop_and_progress_are_on_the_screen_and_the_result_comes_before_the_examples(page):
    tabs = page.get_by_role("tab")
    assert all(tabs.nth(number).is_visible() for number in range(tabs.count()))
    assert tabs.count() == 7
    fill(page, QUERY)
    before = page.locator("#examples").bounding_box()["y"] < page.locator("#verdict").bounding_box()["y"]
    assert before  # as long as there is nothing to show
    held, holding = [], [True]
    page.route("**/queue/join*", lambda route: held.append(route) if holding else route.continue_())
    page.click("#run")
    while not held:
        page.wait_for_timeout(20)
    page.wait_for_function("document.querySelector('#verdict').getBoundingClientRect().top < innerHeight / 2")
    on_the_first_screen(page, "#run-stop", "#run", "#verdict", least=60)
    holding.clear()
    for route in held:
        route.continue_()
    page.wait_for_selector("#shown-overlay img")
    assert page.locator("#examples").bounding_box()["y"] > page.locator("#shown-overlay img").bounding_box()["y"]
    page.wait_for_selector("#run:not([data-elapsed])")
    settled(page)
    assert abs(page.locator("#verdict").bounding_box()["y"]) <= 2  # nothing above it moved
    assert page.locator("#shown-overlay img").bounding_box()["y"] < page.viewport_size["height"] / 2
    assert all(page.locator(f"{image} img").first.is_visible() for image in ("#marked", "#heat", "#saliency"))
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert page.complaints == []
