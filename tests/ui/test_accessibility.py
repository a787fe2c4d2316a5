"""Who cannot see the page, or has no mouse: axe finds nothing serious, and the keyboard goes everywhere."""

from __future__ import annotations

import pytest

from ipseg.core import plugins
from tests.ui.conftest import open_tab, settled, wide_only

pytestmark = pytest.mark.browser

TITLES = {module.TITLE: name for name in plugins.names("tabs") for module in [plugins.module("tabs", name)]}
GRADIO = {  # what Gradio's own components break; nothing on the page can reach into them
    "aria-prohibited-attr": ".empty[aria-label='Empty value']",  # an empty image: a named div without a role
    "nested-interactive": "button:has(input[type='file'])",  # an upload's button is around its input
}
FOCUS = """() => {
  const focused = document.activeElement, box = focused.getBoundingClientRect(), style = getComputedStyle(focused);
  return {
    name: focused.id || focused.getAttribute('aria-label') || '',
    in: focused.closest('[id]')?.id || '',
    outlined: style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2,
    inside: box.width > 0 && box.x >= 0 && box.right <= innerWidth && box.bottom > 0 && box.y < innerHeight,
  };
}"""
ANSWER = "#verdict .detected, #verdict .uncertain, #verdict .not-detected"


def faults(page) -> list[str]:
    """What axe calls serious or critical, but for what is Gradio's own."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install 'ipseg[dev]'")
    page.mouse.move(0, 0)
    settled(page)  # colours fade in
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
        if not page.locator(node["target"][-1]).first.evaluate(
            "(element, own) => own !== null && element.matches(own)", GRADIO.get(violation["id"])
        )
    ]


def test_axe_finds_nothing_serious_in_any_tab(page):
    found = {}
    for title, name in TITLES.items():
        open_tab(page, title)
        page.wait_for_selector(f"#tab-{name}", state="visible")
        found[title] = faults(page)
    assert found == {title: [] for title in TITLES}


def test_axe_finds_nothing_serious_in_an_answer_and_the_settings(page):
    page.get_by_text("Red mug").first.click()
    page.wait_for_selector(ANSWER)
    assert faults(page) == []
    page.click("#settings .toggle-button")
    page.locator("#parts > button").click()
    page.click("#copy-link")
    page.get_by_text("Copied.").wait_for()
    assert faults(page) == []


def test_the_keyboard_goes_everywhere_and_one_sees_where_it_is(page):
    settled(page)  # the page counts how many tabs have room
    order = walk(page, until="run")
    assert all(stop["outlined"] and stop["inside"] for stop in order), order
    names = [stop["name"] for stop in order]
    assert "Settings" in names[:3]
    assert "tab-segment-button" in names[:4]
    assert "tab-batch-button" in names
    uploads = [stop["in"] for stop in order if stop["in"] in ("prompts", "images")]
    assert list(dict.fromkeys(uploads)) == ["prompts", "images"]
    assert names[-1] == "run"
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast-body")


@wide_only
def test_the_settings_are_reached_by_keyboard_only_when_they_are_open(page):
    names = [stop["in"] for stop in walk(page, until="run")]
    assert not {"preset", "k", "reset", "copy-link"} & set(names)
    page.locator("#settings .toggle-button").focus()
    page.keyboard.press("Enter")
    settled(page)  # it slides in
    order = walk(page, until="copy-link")
    assert all(stop["inside"] for stop in order), order
    assert {"preset", "k", "c", "score"} <= {stop["in"] for stop in order}


@wide_only
def test_a_tab_opens_by_keyboard(page):
    settled(page)  # the page counts how many tabs have room
    walk(page, until="tab-compare-button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tab-compare", state="visible")


def walk(page, until: str, most: int = 40) -> list[dict]:
    """Press Tab until something has the focus; what had it on the way."""
    order = []
    for _ in range(most):
        page.keyboard.press("Tab")
        order.append(page.evaluate(FOCUS))
        if order[-1]["name"] == until:
            return order
    pytest.fail(f"{until} was not reached: {order}")
