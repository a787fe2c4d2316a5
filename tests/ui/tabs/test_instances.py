"""Instances as the first tab shows them: found, corrected by clicks, added, switched off, saved."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from ipseg.core import viz
from ipseg.core.result import Instance
from ipseg.core.status import Status
from ipseg.core.types import Points
from ipseg.method.marks import Marks
from ipseg.ui.tabs.segment import instances, render
from ipseg.ui.tabs.segment import layout as segment_layout
from ipseg.ui.tabs.segment import render_instances as several
from ipseg.ui.tabs.segment.handlers import SegmentHandlers
from ipseg.ui.tabs.segment.instances import Edit, ShownInstance
from ipseg.ui.tabs.segment.request import SegmentRequest
from ipseg.ui.tabs.segment.state import SavedResults
from tests import two_squares
from tests.two_squares import square
from tests.ui.conftest import finished

NOTHING = np.empty((0, 2), np.float32)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """A red square on the left and a blue one on the right, on noisy grey."""
    return two_squares.image()


@pytest.fixture
def result(engine, pixels):
    """A result with two instances: 2500 and 1500 of 14400 pixels."""
    whole = engine.segment(engine.prompt(pixels), pixels)
    points = Points(NOTHING, NOTHING)
    found = (
        Instance(square(15, 65), points, 0.9, Status.DETECTED),
        Instance(square(95, 125), points, 0.4, Status.UNCERTAIN),
    )
    limits = {"threshold": 0.5, "reject_threshold": 0.25}
    return replace(whole, mask=square(15, 65), status=Status.DETECTED, score=0.9, instances=found, **limits)


def layout_of_segment() -> segment_layout.Layout:
    """The components of the tab, on a page of their own."""

    async def made() -> segment_layout.Layout:
        with gr.Blocks():
            return segment_layout.build()

    return finished(made())


def opened(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


# What is found, and what clicks do.


def test_the_single_mask_is_the_instance_where_none_was_found_and_it_is_an_answer(result):
    assert [(one.number, one.score) for one in instances.found_in(result)] == [(1, 0.9), (2, 0.4)]
    alone = replace(result, instances=())
    (one,) = instances.found_in(alone)
    assert (one.number, one.status, one.by_hand) == (1, Status.DETECTED, False)
    assert (one.mask == result.mask).all()
    guess = replace(alone, status=Status.NOT_DETECTED)
    assert instances.found_in(guess) == ()
    (accepted,) = instances.found_in(guess, accepted=True)
    assert (accepted.status, accepted.by_hand) == (Status.DETECTED, True)


def test_a_click_corrects_one_instance_and_leaves_the_others(offline, pixels, result):
    red, blue = instances.found_in(result)
    wide, prompt = replace(red, mask=square(15, 90)), offline.prompt(pixels)  # with a part of the background
    after = instances.corrected(offline, pixels, [wide, blue], [Edit(1, 80.5, 45.5, positive=False)], prompt)
    assert [(one.number, one.by_hand) for one in after] == [(1, True), (2, False)]
    assert not after[0].mask[45, 80]
    assert after[0].mask[45, 40]
    assert (after[1].mask == blue.mask).all()


def test_a_click_beside_adds_an_instance_or_completes_the_one_that_it_is_about(offline, pixels, result):
    red, half = instances.found_in(result)
    prompt = offline.prompt(pixels)
    assert instances.about(offline, pixels, [red], (120.5, 45.5), prompt) == 2
    after = instances.corrected(offline, pixels, [red], [Edit(2, 120.5, 45.5, positive=True)], prompt)
    assert [(one.number, one.by_hand) for one in after] == [(1, False), (2, True)]
    assert after[1].mask[45, 120]
    assert not (after[0].mask & after[1].mask).any()
    small = replace(half, mask=square(97, 105))  # the blue square, of which the click is about, holds it
    assert instances.about(offline, pixels, [red, small], (130.5, 45.5), prompt) == 2
    assert instances.about(offline, pixels, [], (120.5, 45.5), prompt) == 1


# What is saved of them.


def test_the_files_and_the_record_hold_the_instances_that_are_on(result):
    cache = gr.Gallery()
    one = several.save("a", result, instances.found_in(result), cache)
    assert [name for name, _ in one.files] == ["a.png", "a.numbers.png", "a.1.png", "a.2.png"]
    files = {name: opened(file) for name, file in one.files}
    assert np.array_equal(files["a.png"], 255 * (square(15, 65) | square(95, 125)))
    assert np.array_equal(files["a.numbers.png"], square(15, 65) + 2 * square(95, 125))
    assert one.caption == "a: 2 instances"
    assert one.area == pytest.approx(4000 / 14400)
    off = several.switched(one, [1], cache)
    files = {name: opened(file) for name, file in off.files}
    assert sorted(files) == ["a.2.png", "a.numbers.png", "a.png"]
    assert np.array_equal(files["a.numbers.png"], 2 * square(95, 125))
    assert np.array_equal(opened(off.cut_out)[..., 3] > 0, square(95, 125))
    assert (off.caption, off.status) == ("a: 1 of 2 instances", Status.UNCERTAIN)
    assert off.area == pytest.approx(1500 / 14400)
    (listed,) = off.record["instances"]
    assert (listed["number"], listed["pixels"], listed["box"]) == (2, 1500, [95, 20, 125, 70])
    assert (off.record["found"], off.record["score"]) == (2, 0.4)
    assert np.array_equal(opened(several.switched(off, [], cache).cut_out), opened(one.cut_out))


def test_the_evidence_has_the_instances_that_are_on_and_their_points(result, pixels):
    left, right = (Points(np.float32([[x, 45]]), NOTHING) for x in (40, 110))
    found = [replace(one, points=points) for one, points in zip(result.instances, (left, right), strict=True)]
    one = several.save("a", replace(result, instances=tuple(found)), instances.found_in(result), gr.Gallery(), off=[1])
    shown = several.marked(one, *several.reopened(one))
    alone = viz.overlay_of(pixels, square(95, 125), Status.UNCERTAIN, right)
    assert np.array_equal(shown, alone)
    with_both = several.marked(replace(one, off=()), *several.reopened(one))
    assert not np.array_equal(with_both[:, :80], shown[:, :80])


def test_a_switch_draws_the_evidence_anew(result):
    page = layout_of_segment()
    handlers = SegmentHandlers(None, None, page)
    one = several.save("a", result, instances.found_in(result), page.answers)
    values = {page.session: SavedResults((one,)), page.instances: [2], page.background: "White", page.colour: "#ffffff"}
    answer = dict(zip(handlers.outputs, handlers.switch(values), strict=True))
    off = answer[page.session].shown
    assert off.off == (1,)
    assert np.array_equal(answer[page.marked], several.marked(off, *several.reopened(off)))


@pytest.mark.parametrize("given", [[1, 3], [3]])
def test_numbers_of_an_earlier_result_switch_nothing(result, given):
    page = layout_of_segment()
    one = several.save("a", result, instances.found_in(result), page.answers)
    values = {page.session: SavedResults((one,)), page.instances: given, page.background: "White", page.colour: "#fff"}
    assert SegmentHandlers(None, None, page).switch(values) == gr.skip()
    nothing = {**values, page.session: SavedResults()}
    assert SegmentHandlers(None, None, page).switch(nothing) == gr.skip()


def test_the_verdict_counts_the_instances_that_are_on(result):
    cache = gr.Gallery()
    one = several.save("a", result, instances.found_in(result), cache)
    text = several.verdict(SavedResults((one,), all_instances=True, engine="e"))
    assert "<b>2 instances found</b>. Together they fill 28% of the image. Uncertain: 2; check it." in text
    assert "Scores 0.90 to 0.40; detected from 0.50 on, not detected below 0.25" in text
    assert text.count("<i ") == 2
    second = several.verdict(SavedResults((several.switched(one, [1], cache),)))
    assert "<b>2 instances found</b>, 1 of them on. It fills 10% of the image." in second
    assert 'class="uncertain"' in second
    none = several.verdict(SavedResults((several.switched(one, [1, 2], cache),)))
    assert "all switched off. The mask is empty." in none
    both = several.verdict(SavedResults((one, replace(one, name="b", off=(2,)))))
    assert "<b>3 instances</b> in <b>2 of 2</b> images. Shown, a: " in both


def test_what_a_person_corrected_has_no_score(result):
    found = [replace(one, by_hand=one.number == 1) for one in instances.found_in(result)]
    one = several.save("a", result, found, gr.Gallery())
    assert [each.name for each in one.instances] == ["1 (by hand)", "2 (0.40)"]
    assert "Score 0.40; " in several.verdict(SavedResults((one,)))


def test_a_place_has_the_number_of_its_instance_also_where_that_is_off(result):
    one = several.save("a", result, instances.found_in(result), gr.Gallery(), off=[2])
    places = [(20.5, 30.5), (100.5, 30.5), (2.0, 2.0), (160.0, 90.0)]
    assert [several.number_at(one, place) for place in places] == [1, 2, 0, 0]


def test_instances_that_are_gone_are_not_switched_off(result):
    (first, _) = instances.found_in(result)
    assert several.save("a", result, [first], gr.Gallery(), off=[2]).off == ()


def test_where_no_instance_was_found_the_verdict_says_so(engine, result):
    guess = replace(result, instances=(), status=Status.NOT_DETECTED, score=0.1)
    text = render.verdict(engine.prompt(result.image), guess, "e", 1.0, none_found=True)
    assert "<b>No instance found.</b> The object does not seem to be in this image." in text
    assert render.save("a", guess, (), gr.Gallery(), none_found=True).caption == "a: no instance"


# Where the mask of the prompt comes from.


def request(**changed) -> SegmentRequest:
    given = {"prompts": ("a.png",), "images": ("b.png",), "mask": None, "negative_prompt": (), "all_instances": False}
    return SegmentRequest(**{**given, "parameters": None, **changed})


def marks(boxes: int, clicks: int) -> Marks:
    return Marks(((0.0, 0.0, 5.0, 5.0),) * boxes, Points(np.ones((clicks, 2), np.float32), NOTHING))


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({}, "from your mask"),  # of a saved prompt: see below
        ({"mask": "m.png"}, "from your mask"),
        ({"paint": "p.png"}, "painted by you"),
        ({"marks": marks(0, 0), "paint": "p.png"}, "painted by you"),
        ({"marks": marks(0, 1)}, "from your click"),
        ({"marks": marks(0, 2)}, "from your clicks"),
        ({"marks": marks(1, 0)}, "from your box"),
        ({"marks": marks(2, 0)}, "from your boxes"),
        ({"marks": marks(1, 1)}, "from your box and clicks"),
    ],
)
def test_the_source_of_the_prompts_mask_is_named(given, source):
    assert request(**given).source == source


def test_each_prompt_image_says_where_its_object_comes_from(offline, pixels):
    prompt = offline.prompt([pixels, pixels], [square(15, 65), None])
    captions = [caption for _, caption in render.prompt_views(prompt, render.BY_CLICK)]
    assert captions == ["from your click", "found automatically (saliency)"]
    both = offline.prompt([pixels, pixels], [square(15, 65)] * 2)
    captions = [caption for _, caption in render.prompt_views(both, render.BY_CLICK, saved=True)]
    assert captions == ["from your click", "from the saved prompt"]
    assert [caption for _, caption in render.prompt_views(both, saved=True)] == ["from the saved prompt"] * 2


def test_shown_instances_keep_their_order():
    found = [ShownInstance(number, square(10 * number, 10 * number + 5), 0.5, Status.DETECTED) for number in (1, 2, 3)]
    numbers = instances.labels(found, (90, 160))
    assert np.unique(numbers).tolist() == [0, 1, 2, 3]
    assert np.unique(instances.without(numbers, [2])).tolist() == [0, 1, 3]
