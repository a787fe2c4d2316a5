"""The galleries: what they hold, what is computed, and that it is computed once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ipseg
from ipseg.core.status import Status
from ipseg.core.types import InputError
from ipseg.studies import galleries
from tests.ui.conftest import EXAMPLES

pytestmark = pytest.mark.usefixtures("small_offline")

FOLDER = EXAMPLES.parent


@pytest.fixture(scope="module")
def contents():
    return galleries.read(FOLDER)


@pytest.fixture
def engine(small_offline):
    return ipseg.load("offline")


def test_as_many_as_the_galleries_need(contents):
    kinds, cases = contents
    assert len(kinds) >= 8
    assert all(len(kind.sets) == 3 and len(kind.inputs) >= 2 for kind in kinds.values())
    assert len(cases) >= 10
    assert {case.rule for case in cases.values()} == {"single", "complete", "clear", ""}
    hard = [case for case in cases.values() if not case.rule]
    assert len(hard) >= 5
    for case in hard:
        assert case.mended.image.is_file()
        assert case.prompt.truth.any()
        assert case.input.truth.any()
    for kind in kinds.values():
        for shown in (*kind.inputs, *(one for each in kind.sets.values() for one in each)):
            assert shown.image.is_file()
            assert shown.truth.any()


def test_a_result_is_computed_once(contents, engine, tmp_path, monkeypatch):
    kind = contents[0]["duck"]
    prompts = [one.image for one in kind.sets["A"]]
    first = galleries.compute(engine, prompts, kind.inputs[0], tmp_path)
    assert 0 <= first.iou <= 1
    assert first.saliency.dtype == np.uint8
    monkeypatch.setattr(type(engine), "segment", None)
    again = galleries.compute(engine, prompts, kind.inputs[0], tmp_path)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert (first.iou, first.status) == (again.iou, again.status)


def test_a_case_is_computed_without_and_with_its_remedy(contents, monkeypatch):
    case, asked = contents[1]["twin"], []
    monkeypatch.setattr(
        galleries, "compute", lambda _, prompts, image, progress=None, negative=(): asked.append((prompts, negative))
    )
    first, other = case.prompt.image, case.mended.image
    for remedy, prompts, negative in (
        (galleries.NEGATIVE, [first], [other]),
        (galleries.SECOND, [other, first], ()),
        (galleries.CORRECTED, [other], ()),
    ):
        asked.clear()
        galleries.compute_case(None, replace(case, remedy=remedy))
        assert asked == [([first], ()), (prompts, negative)]


def test_a_negative_prompt_is_another_result(contents, engine, tmp_path):
    kind = contents[0]["duck"]
    one, other = kind.sets["A"][0].image, kind.sets["B"][0].image
    galleries.compute(engine, [one], kind.inputs[0], tmp_path)
    galleries.compute(engine, [one], kind.inputs[0], tmp_path, negative=[other])
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_another_engine_does_not_get_it(contents, engine, tmp_path):
    kind = contents[0]["duck"]
    prompts = [one.image for one in kind.sets["A"]]
    galleries.compute(engine, prompts, kind.inputs[0], tmp_path)
    galleries.compute(ipseg.load("offline", saliency="none"), prompts, kind.inputs[0], tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2


@pytest.mark.parametrize("damage", [b"", b"words", None], ids=["empty", "words", "cut short"])
def test_what_is_damaged_on_disk_is_computed_again(contents, engine, tmp_path, damage):
    kind = contents[0]["mug"]
    prompts = [one.image for one in kind.sets["A"]]
    first = galleries.compute(engine, prompts, kind.inputs[0], tmp_path)
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:200] if damage is None else damage)
    again = galleries.compute(engine, prompts, kind.inputs[0], tmp_path)
    np.testing.assert_array_equal(first.mask, again.mask)


def test_a_disk_that_cannot_be_written_loses_nothing(contents, engine, tmp_path):
    (tmp_path / "file").write_text("in the way")
    kind = contents[0]["duck"]
    prompts = [one.image for one in kind.sets["A"]]
    assert galleries.compute(engine, prompts, kind.inputs[0], tmp_path / "file").mask.shape


def test_agreement_is_the_mean_over_the_inputs():
    def made(*masks):
        image, saliency = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8)
        return [galleries.GalleryResult(image, np.array(mask, bool), Status.DETECTED, 0.5, saliency) for mask in masks]

    found = {
        "A": made([[1, 1], [0, 0]], [[1, 1], [1, 1]]),
        "B": made([[1, 0], [0, 0]], [[1, 1], [1, 1]]),
    }
    assert galleries.agreement(found) == {("A", "B"): pytest.approx(0.75)}
    assert galleries.mean_iou(found["A"]) == 0.5
    assert galleries.reliability(found) == {"A": pytest.approx(0.75), "B": pytest.approx(0.75)}
    first, second = galleries.consensus(found)
    np.testing.assert_array_equal(first, [[1, 0.5], [0, 0]])
    np.testing.assert_array_equal(second, np.ones((2, 2)))
    found["C"] = made([[0, 0], [1, 1]], [[1, 1], [0, 0]])  # against A: 0 and 1/2; against B: 0 and 1/2
    assert galleries.reliability(found) == pytest.approx({"A": 0.5, "B": 0.5, "C": 0.25})


def test_an_image_without_truth_has_no_iou(contents, engine, tmp_path):
    kind = contents[0]["duck"]
    asked = galleries.GalleryImage(kind.inputs[0].image, None, "")
    found = galleries.compute(engine, [kind.sets["A"][0].image], asked, tmp_path)
    assert found.iou is None
    assert np.isnan(galleries.mean_iou([found]))


def test_no_gallery_is_one_message(tmp_path):
    with pytest.raises(InputError, match="run the page from a checkout"):
        galleries.read(tmp_path)
