"""Who cannot see the page, or has no mouse: axe finds nothing serious, and the keyboard goes everywhere."""

from __future__ import annotations

import pytest

from ipseg.core import plugins
from tests.ui.conftest import ANSWER, close_messages, leave, open_tab, opened_wide, settled

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


def test_the_keyboard_goes_everywhere_and_one_sees_where_it_is(opened):
    settled(opened)  # the page counts how many tabs have room
    opened.mouse.click(0, 0)  # the Tab key goes on from there
    order = walk(opened, until="run")
    assert all(stop["outlined"] and stop["inside"] for stop in order), order
    names = [stop["name"] for stop in order]
    assert "Settings" in names[:3]
    assert "tab-segment-button" in names[:4]
    assert "tab-batch-button" in names
    fields = [stop["in"] for stop in order]
    assert list(dict.fromkeys(field for field in fields if field in ("prompts", "images"))) == ["prompts", "images"]
    assert not {"preset", "k", "reset", "copy-link"} & set(fields)  # the settings are closed
    assert names[-1] == "run"
    opened.keyboard.press("Enter")
    opened.wait_for_selector(".toast-body")
    assert "no image of the object yet" in opened.inner_text(".toast-body")
    opened.wait_for_selector("#run:not([data-elapsed])")  # and the button is free again
    close_messages(opened)


@opened_wide
def test_open_settings_and_tabs_are_reached_by_keyboard(opened):
    settled(opened)
    toggle = opened.locator("#settings .toggle-button")
    toggle.focus()
    opened.keyboard.press("Enter")
    settled(opened)  # it slides in
    order = walk(opened, until="copy-link")
    assert all(stop["inside"] for stop in order), order
    assert {"preset", "k", "c", "score"} <= {stop["in"] for stop in order}
    toggle.focus()
    opened.keyboard.press("Enter")
    opened.wait_for_selector(".sidebar:not(.open)", state="attached")
    settled(opened)
    opened.mouse.click(0, 0)  # the Tab key goes on from there
    walk(opened, until="tab-compare-button")
    opened.keyboard.press("Enter")
    opened.wait_for_selector("#tab-compare", state="visible")
    open_tab(opened, "Segment")
    opened.wait_for_selector("#tab-segment", state="visible")


def test_axe_finds_nothing_serious_in_any_tab_in_an_answer_and_the_settings(opened):
    found = {}
    for title, name in TITLES.items():
        open_tab(opened, title)
        opened.wait_for_selector(f"#tab-{name}", state="visible")
        found[title] = faults(opened)
    open_tab(opened, "Segment")
    opened.get_by_text("Red mug").first.click()
    opened.wait_for_selector(ANSWER)
    found["an answer"] = faults(opened)
    opened.click("#settings .toggle-button")
    opened.locator("#parts > button").click()
    opened.click("#copy-link")
    opened.get_by_text("Copied.").wait_for()
    found["the settings"] = faults(opened)
    assert found == {place: [] for place in (*TITLES, "an answer", "the settings")}
    leave(opened)


def walk(page, until: str, most: int = 40) -> list[dict]:
    """Press Tab until something has the focus; what had it on the way."""
    order = []
    for _ in range(most):
        page.keyboard.press("Tab")
        order.append(page.evaluate(FOCUS))
        if order[-1]["name"] == until:
            return order
    pytest.fail(f"{until} was not reached: {order}")
