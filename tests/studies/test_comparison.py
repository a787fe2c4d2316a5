"""Several methods on one prompt: who answered what, with which mask, and what is said of those that cannot."""

from __future__ import annotations

import numpy as np
import pytest

import ipseg
from ipseg.core import plugins
from ipseg.core.types import MaskError, SettingError
from ipseg.studies import comparison

pytestmark = pytest.mark.usefixtures("small_offline")

SIZE = (90, 120)


@pytest.fixture(scope="module")
def engine(small_offline):
    return ipseg.load("offline")


@pytest.fixture
def scenes(make_scene):
    (prompt, prompt_mask), (one, truth), (other, _) = (make_scene(*SIZE, (200, 30, 40), seed=seed) for seed in range(3))
    return prompt, prompt_mask, one, truth, other


def test_every_method_answers_every_image(engine, scenes):
    prompt, prompt_mask, one, truth, other = scenes
    reports = []
    prepared = comparison.prepare(
        engine, ["ipseg", "persam"], prompt, prompt_mask, progress=lambda *now: reports.append(now)
    )
    found = list(comparison.compare(prepared, [one, other], [truth, None], progress=lambda *now: reports.append(now)))
    assert [[entry.method for entry in each.entries] for each in found] == [["ipseg", "persam"]] * 2
    assert all(entry.mask_source == "given" for each in found for entry in each.entries)
    first, second = found[0].entries
    assert first.iou == pytest.approx(comparison.iou(first.result.mask, truth))
    assert found[1].entries[0].iou is None
    assert found[0].agreement == {("ipseg", "persam"): comparison.iou(first.result.mask, second.result.mask)}
    assert all(0 <= share <= 1 for share, _ in reports)


def test_without_a_mask_all_take_the_one_that_ipseg_uses(engine, scenes):
    prompt, _, one, *_ = scenes
    prepared = comparison.prepare(engine, ["ipseg", "persam", "matcher_z"], prompt)
    assert {method.mask_source for method in prepared} == {"saliency"}
    ours, theirs = prepared[0].prompt.views[0].saliency > 0.5, prepared[1].prompt.mask
    np.testing.assert_array_equal(ours, theirs)
    (found,) = comparison.compare(prepared, [one])
    assert len(found.answered) == 3


def test_who_cannot_answer_says_why_and_the_others_go_on(engine, scenes):
    prompt, prompt_mask, one, *_ = scenes
    prepared = comparison.prepare(engine, ["ipseg", "persam_f", "groupvit"], prompt, prompt_mask)
    (found,) = comparison.compare(prepared, [one])
    assert [entry.method for entry in found.answered] == ["ipseg"]
    assert "Segment Anything" in found.entries[1].error
    assert found.entries[2].error.endswith(".")
    assert found.entries[1].record() == {"method": "persam_f", "label": "PerSAM-F", "error": found.entries[1].error}


def test_a_record_is_plain_data(engine, scenes):
    import json

    prompt, prompt_mask, one, truth, _ = scenes
    (found,) = comparison.compare(comparison.prepare(engine, ["ipseg", "persam"], prompt, prompt_mask), [one], [truth])
    record = json.loads(json.dumps([entry.record() for entry in found.entries]))
    assert record[1]["label"] == "PerSAM (on the engine's parts)"
    assert set(record[0]) == {
        "method", "label", "prompt_mask", "status", "iou", "area", "seconds", "prompt_seconds", "positive_points",
        "negative_points",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["ipseg"], "two or more different methods"),
        (["ipseg", "ipseg"], "two or more different methods"),
        ([], "two or more different methods"),
        (["ipseg", "magic"], 'no method "magic"'),
    ],
)
def test_what_is_no_comparison_is_one_message(engine, scenes, names, message, one_message):
    with pytest.raises(SettingError, match=message) as caught:
        comparison.prepare(engine, names, scenes[0])
    one_message(str(caught.value))


def test_settings_reach_their_method(engine, scenes):
    prompt, prompt_mask, *_ = scenes
    entered = comparison.prepare(
        engine, ["ipseg", "matcher"], prompt, prompt_mask, settings={"matcher": {"protocol": "none"}}
    )
    assert "protocol" in entered[1].error
    with pytest.raises(MaskError, match="same size"):
        plugins.method("matcher", engine).prompt(prompt, np.ones((3, 3), bool))


def test_two_masks_agree_as_algebra_says():
    square, shifted = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    square[2:6, 2:6], shifted[2:6, 3:7] = True, True
    assert comparison.iou(square, square) == 1
    assert comparison.iou(square, shifted) == pytest.approx(12 / 20)
    assert comparison.iou(square, ~square) == 0
    assert comparison.iou(square & False, square & False) == 1
