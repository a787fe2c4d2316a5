"""What the results of a tab depend on: all that its request takes, and an example is no longer framed without it."""

from __future__ import annotations

import gradio as gr
import pytest

from ipseg.engine.spec import EngineSpec
from ipseg.ui import build
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.tabs.compare import handlers as compare
from ipseg.ui.tabs.failure_cases import handlers as failure_cases
from ipseg.ui.tabs.segment import handlers as segment
from ipseg.ui.widgets import examples
from tests.ui.conftest import finished

RUNS = {
    "tab-segment": "run",
    "tab-compare": "compare",
    "tab-ablation": "ablation",
    "tab-prompt_sets": "prompt_sets",
    "tab-failure_cases": "failure_cases",
    "tab-label": "run",
}  # the handler of each tab's button
ELSEWHERE = {"background", "background-colour", "sign"}  # change no result
PIXELS = (gr.State, gr.ImageEditor)  # what is marked or painted is compared by a hidden text


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    """The page, not served."""

    async def made() -> gr.Blocks:
        return build(EnginePool(EngineSpec()))

    return finished(made())


@pytest.mark.parametrize(("tab", "handler"), RUNS.items())
def test_a_result_is_old_when_anything_that_its_request_takes_has_changed(page, tab, handler):
    known = {one._id for one in page.blocks.values() if str(one.elem_id) == tab}
    assert known, "there is no such tab"
    request = next(
        event for event in page.fns.values() if event.name == handler and tab.split("-")[1] in event.fn.__module__
    )
    takes = {one for one in request.inputs if not isinstance(one, PIXELS)}
    marks = [event for event in page.fns.values() if isinstance(event.js, str) and f"'{tab}'" in event.js]
    changed = [event for event in marks if "when = 'changed'" in event.js]
    assert changed
    for event in changed:
        missing = {one.elem_id for one in takes - set(event.inputs)} - ELSEWHERE
        assert missing == set()
        assert {target for target, _ in event.targets} >= {one._id for one in event.inputs}
    for when in ("asked", "answered"):
        assert [event.inputs for event in marks if f"when = '{when}'" in event.js], when
    if tab in ("tab-segment", "tab-compare"):
        assert [one for one in changed[0].inputs if str(one.elem_id).endswith("-strokes")]


def test_inputs_that_are_no_example_have_no_frame():
    example = next(each for each in examples.found() if each.all_instances and not each.crop)
    prompt, image = ([(str(file), None)] for file in example.files)
    without = segment.SegmentHandlers.without_example
    same, other = without(None, prompt, image, None, True), without(None, prompt, prompt, None, True)
    assert all(one == gr.skip() for one in same)
    assert other[:3] == (gr.skip(),) * 3
    assert other[3].selected_index is None
    instances, negative, panel, frame = without(None, None, None, None, True)
    assert (instances, negative, panel.open, frame.selected_index) == (False, None, False, None)


def test_a_comparison_without_inputs_has_no_truth():
    truths, mask, frame = compare._without_example(None, None)
    assert (truths, mask, frame.selected_index) == (None, None, None)
    example = examples.comparable()[0]
    prompt, image = map(str, example.files)
    assert all(one == gr.skip() for one in compare._without_example(prompt, [(image, None)]))
    assert compare._without_example(prompt, [(prompt, None)])[:2] == (gr.skip(), gr.skip())


def test_one_case_is_framed_at_a_time():
    case, *others = failure_cases._pick(["a", "b"], 1)(gr.SelectData(None, {"index": 1, "value": None}))
    assert case == "b"
    assert [other.selected_index for other in others] == [None]
