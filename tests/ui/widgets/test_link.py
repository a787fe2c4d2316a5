"""A link to a tab and settings: written, read, and pressed in Chromium."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest

from ipseg.engine.spec import EngineSpec
from ipseg.ui.widgets import link as links
from ipseg.ui.widgets.controls import own_numbers, values_of
from tests.ui.conftest import narrow_only, wide_only

TABS = ("segment", "compare", "batch")
START = {"tab": "segment", **dict(zip(links.NAMES, values_of(EngineSpec("offline")), strict=False))}
HERE = {**START, **dict(zip(links.NUMBERS, own_numbers("offline"), strict=True))}
LIGHT = dict(zip(links.NUMBERS, own_numbers("light"), strict=True))


def query(link: str) -> dict[str, str]:
    """What a server makes of a query string."""
    return dict(parse_qsl(link.removeprefix("?"), keep_blank_values=True))


def test_the_start_needs_no_query():
    assert links.write(HERE, START) == ""
    assert links.read({}, TABS) == ({}, "")


@pytest.mark.parametrize(
    ("changed", "link"),
    [
        ({"tab": "compare"}, "?tab=compare"),
        ({"preset": "light", **LIGHT}, "?preset=light"),
        ({"preset": "light", **LIGHT, "k": 5}, "?preset=light&k=5"),
        ({"features": ["dinov2/large", "stable_diffusion"]}, "?features=dinov2/large,stable_diffusion"),
        ({"sd_weight": 0.1, "timestep": 100}, "?sd_weight=0.1&timestep=100"),
        ({"segmenter": "sam2/tiny", "refinement": "cascade"}, "?segmenter=sam2/tiny&refinement=cascade"),
        ({"k": 16, "clusters": 8, "threshold": 0.4}, "?k=16&clusters=8&threshold=0.4"),
        ({"threshold": 0.4, "reject_threshold": 0.3}, "?threshold=0.4&reject_threshold=0.3"),
    ],
)
def test_what_differs_is_written_and_read_again(changed, link):
    assert links.write({**HERE, **changed}, START) == link
    values, message = links.read(query(link), TABS)
    assert message == ""
    numbers = dict(zip(links.NUMBERS, own_numbers(values.get("preset", "offline")), strict=True))
    assert {**START, **numbers, **values} == {**HERE, **changed}


def test_a_part_that_the_page_opens_with_can_be_left_out_again():
    start = {**START, "saliency": "tsdn", "sd_weight": 0.1}
    link = links.write({**HERE, "saliency": "", "sd_weight": None}, start)
    assert link == "?sd_weight=&saliency="
    assert links.read(query(link), TABS)[0] == {"saliency": "", "sd_weight": None}


@pytest.mark.parametrize("text", ["dinov2/large+clip", "dinov2/large clip", "dinov2/large,clip"])
def test_features_may_be_joined_by_a_plus(text):
    assert links.read({"features": text}, TABS)[0] == {"features": ["dinov2/large", "clip"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tab": "elsewhere"},
        {"preset": "fastest"},
        {"features": "dinov2/large,magic"},
        {"sd_weight": "-1"},
        {"sd_weight": "nan"},
        {"timestep": "1000"},
        {"timestep": "1.5"},
        {"saliency": "none/big"},
        {"k": "999"},
        {"k": ""},
        {"clusters": "0"},
        {"threshold": "inf"},
        {"reject_threshold": "nan"},
        {"colour": "<b>red</b>"},
        {"k": "9" * 5000},
    ],
)
def test_what_cannot_be_used_is_left_out_with_a_message(wrong, one_message):
    values, message = links.read({"tab": "batch", **wrong} if "tab" not in wrong else wrong, TABS)
    assert values == ({} if "tab" in wrong else {"tab": "batch"})
    one_message(message, names=next(iter(wrong)))
    assert len(message) < 200


def test_much_nonsense_stays_one_short_message(one_message):
    values, message = links.read({f"name{number}": "x" * 500 for number in range(500)}, TABS)
    assert values == {}
    assert len(message) < 400
    one_message(message)


def test_what_others_put_into_links_is_no_matter():
    assert links.read({"__theme": "dark", "utm_source": "letter", "view": "api", "logs": "build"}, TABS) == ({}, "")


def test_a_preset_brings_its_numbers_and_the_link_its_own():
    opened = links._opened(TABS, START, lambda engine, request: (engine[0],))
    tab, *values, state, message = opened(SimpleNamespace(query_params={"tab": "batch", "preset": "light", "k": "5"}))
    named = dict(zip(links.NAMES, values, strict=True))
    assert (tab.selected, state, message) == ("batch", "light", "")
    assert named["preset"] == "light"
    assert [named[name] for name in links.NUMBERS] == [5, *own_numbers("light")[1:]]
    assert named["timestep"] is None  # else Gradio shows a 0 where nothing is chosen
    assert named["features"]["__type__"] == "update"  # it stays as it is


def linked(**more) -> links.Linked:
    """A tab with two examples and, with ``more``, lists of names."""
    opened, copy, copied = (SimpleNamespace(value="") for _ in range(3))
    lists = {name: (SimpleNamespace(value=value), ("ipseg", "persam", "matcher")) for name, value in more.items()}
    return links.Linked([opened], lambda name: name, opened, ("robot", "red-mug"), copy, copied, lists)


def test_a_link_holds_the_example_of_its_tab_and_no_other():
    both = {"segment": linked(), "compare": linked(methods=["ipseg", "persam"])}
    now = {**HERE, "tab": "compare", **both["compare"].values(["robot", ["ipseg", "matcher"]])}
    link = links.write(now, START)
    assert link == "?tab=compare&example=robot&methods=ipseg,matcher"
    values, message = links.read(query(link), TABS, both)
    assert message == ""
    assert (values["example"], values["methods"]) == ("robot", ["ipseg", "matcher"])
    assert links.write({**HERE, **both["compare"].values(["", ["ipseg", "persam"]])}, START) == ""  # as it starts
    opened = links._opened(TABS, START, lambda engine, request: (engine[0],), both)
    *_, segment, compare, methods = opened(SimpleNamespace(query_params=query(link)))
    assert (compare, methods) == ("robot", ["ipseg", "matcher"])
    assert segment["__type__"] == "update"  # it stays empty


@pytest.mark.parametrize(
    "wrong",
    [{"example": "attic"}, {"example": "robot", "methods": "ipseg"}, {"tab": "batch", "example": "robot"}],
)
def test_an_example_that_the_tab_does_not_have_is_named(wrong, one_message):
    values, message = links.read(wrong, TABS, {"segment": linked()})
    assert "methods" not in values
    assert values.get("example", "robot") == "robot"
    one_message(message, names=list(wrong)[-1])


LINK = (
    "?tab=batch&preset=light&saliency=tokencut&segmenter=sam2/tiny&k=16&clusters=8&threshold=0.4&reject_threshold=0.3"
)


def opened(page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("#run", state="attached")


@pytest.mark.browser
@narrow_only
def test_a_link_opens_its_tab_and_settings_and_the_button_writes_it(page, demo):
    opened(page, f"{demo.url}/{LINK}")
    page.wait_for_selector("#tab-batch", state="visible")
    page.wait_for_function("document.querySelector('#engine-state').innerText.startsWith('light')")
    assert not page.is_visible("#tab-segment")
    assert page.locator("#verdict .waiting").count() == 1  # nothing was asked
    page.click("#settings .toggle-button")
    shown = [page.input_value(f"#{name} input[type=number]") for name in ("k", "c", "score", "reject-score")]
    assert (page.input_value("#preset input"), shown) == ("light", ["16", "8", "0.4", "0.3"])
    page.click("#copy-link")
    page.get_by_text("Copied.").wait_for()
    assert page.get_by_text("Copied.").is_visible()
    assert page.input_value("#link textarea") == f"{demo.url}/{LINK}"
    assert page.evaluate("navigator.clipboard.readText()") == f"{demo.url}/{LINK}"
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert page.complaints == []


@pytest.mark.browser
@wide_only
def test_a_bad_link_gets_a_message_and_the_page_opens_as_ever(page, demo):
    opened(page, f"{demo.url}/?tab=attic&k=999&colour=<b>red</b>&timestep=50")
    page.wait_for_selector(".toast-body")
    assert '"tab=attic, k=999, colour=<b>red</b>" of the link' in page.inner_text(".toast-body")
    assert page.is_visible("#tab-segment")
    page.wait_for_function("document.querySelector('#engine-state').innerText.includes('timestep')")
    assert page.complaints == []


@pytest.mark.browser
@wide_only
def test_numbers_that_are_left_to_the_preset_stay_empty(page):
    page.click("#settings .toggle-button")
    page.locator("#parts > button").click()
    weight = page.get_by_label("Weight of Stable Diffusion")
    weight.wait_for()
    page.click("#copy-link")
    page.get_by_text("Copied.").wait_for()
    assert (weight.input_value(), page.input_value("#link textarea")) == ("", page.url)


@pytest.mark.browser
def test_a_link_copied_before_the_page_has_answered_holds_no_empty_numbers(windows, demo):
    page = windows["wide-light"].new_page()
    held = []
    page.route("**/gradio_api/run/predict*", lambda route: held.append(route) if not held else route.continue_())
    opened(page, demo.url)
    page.click("#settings .toggle-button")
    page.locator("#parts > button").click()  # Gradio makes its numbers as they are first seen
    weight = page.get_by_label("Weight of Stable Diffusion")
    weight.wait_for()
    page.click("#copy-link")
    page.locator("#link textarea").wait_for()
    assert held, "the page asked nothing as it opened"
    assert page.input_value("#link textarea").rstrip("/") == demo.url
    assert weight.input_value() == ""
    page.close()


@pytest.mark.browser
@wide_only
def test_where_the_browser_will_not_copy_the_link_is_shown(page):
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.click("#settings .toggle-button")
    page.click("#copy-link")
    page.get_by_text("copy the link from the field").wait_for()
    assert page.input_value("#link textarea") == page.url
    assert page.complaints == []
