"""Precision, recall, average precision and confusion, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.types import InputError
from ipseg.labelling import measure

SIZE = (4, 40)


def one(label: str, left: int, right: int, score: float = 0.9) -> LabelledInstance:
    mask = np.zeros(SIZE, bool)
    mask[:, left:right] = True
    return LabelledInstance(label, mask, score)


def image(name: str, *instances: LabelledInstance) -> LabelledImage:
    return LabelledImage(name, SIZE, instances)


def test_a_pair_overlaps_by_more_than_half_and_the_best_score_chooses_first():
    true = [one("mug", 0, 10), one("mug", 20, 30)]
    assert measure.pairs([one("mug", 0, 20)], true) == {}  # exactly one half
    assert measure.pairs([one("mug", 0, 19)], true) == {0: 0}
    assert measure.pairs([one("mug", 0, 10, 0.5), one("mug", 0, 9, 0.8)], true) == {1: 0}
    assert measure.pairs([one("cup", 21, 30), one("mug", 0, 12)], true) == {0: 1, 1: 0}


def test_masks_of_two_sizes_are_no_pair():
    row = LabelledInstance("mug", one("mug", 0, 10).mask[:1], 0.9)  # numpy would repeat it
    with pytest.raises(ValueError, match="masks of one size"):
        measure.pairs([row], [one("mug", 0, 10)])


def test_counts_want_the_right_class_and_confusion_says_which_it_was():
    matches = measure.Matches()
    matches.add(
        [one("mug", 0, 10), one("cup", 20, 30), one("mug", 34, 40)],
        [one("mug", 0, 10), one("mug", 20, 30), one("cup", 12, 18)],
    )
    mugs, cups, both = matches.counts("mug"), matches.counts("cup"), matches.counts()
    assert (mugs.matched, mugs.found, mugs.true) == (1, 2, 2)
    assert (mugs.precision, mugs.recall) == (0.5, 0.5)
    assert (cups.matched, cups.found, cups.true) == (0, 1, 1)
    assert (both.precision, both.recall) == pytest.approx((1 / 3, 1 / 3))
    assert dict(matches.confusion) == {("mug", "mug"): 1, ("mug", "cup"): 1, ("", "mug"): 1, ("cup", ""): 1}
    assert (matches.counts("jar").precision, matches.counts("jar").recall) == (None, None)


def test_the_matrix_has_what_was_not_found_last():
    text = measure.matrix({("mug", "mug"): 3, ("mug", ""): 1, ("cup", "mug"): 2})
    assert text.splitlines() == [
        "| true \\ found | mug | nothing |",
        "| --- | ---: | ---: |",
        "| cup | 2 |  |",
        "| mug | 3 | 1 |",
    ]


def test_the_best_instance_names_an_image_that_lies_in_the_folder_of_its_class():
    folders = measure.Folders()
    folders.add(image("mug/1.jpg", one("mug", 0, 4), one("cup", 6, 9, 0.5)))
    folders.add(image("a/mug/2.jpg", one("cup", 0, 4), one("mug", 6, 9, 0.5)))
    folders.add(image("cup/1.jpg"))
    assert dict(folders.best) == {("mug", "mug"): 1, ("mug", "cup"): 1, ("cup", ""): 1}
    assert (folders.images, folders.right, folders.among) == (3, 1, 2)


def test_average_precision_is_that_of_coco():
    pytest.importorskip("pycocotools")
    measured = measure.AveragePrecision(["mug", "cup"])
    measured.add(image("1", one("mug", 0, 10), one("cup", 20, 30)), image("1", one("mug", 0, 10), one("cup", 20, 30)))
    assert measured.values() == pytest.approx((1, 1))
    measured.add(image("2"), image("2", one("mug", 0, 10)))
    ap, ap50 = measured.values()  # of mugs one of two is found: precision 1 at 51 of 101 recalls
    assert ap50 == pytest.approx((51 / 101 + 1) / 2, abs=1e-3)
    assert ap == pytest.approx(ap50)
    shifted = measure.AveragePrecision(["mug"])
    shifted.add(image("1", one("mug", 0, 9)), image("1", one("mug", 0, 12)))  # 0.75: six of ten thresholds
    assert shifted.values() == pytest.approx((0.6, 1.0))
    assert measure.AveragePrecision(["mug"]).values() == (0.0, 0.0)


def test_average_precision_compares_masks_whose_rows_and_columns_differ():
    """Two parts of one column: as many pixels of as many runs, whatever (height, width) is taken for the other."""
    pytest.importorskip("pycocotools")
    masks = np.zeros((2, *SIZE), bool)
    masks[0, 1:3, 5:25] = True  # 40 pixels
    masks[1, 1:3, 5:20] = masks[1, 0, 5:15] = True  # 40 pixels, of which the first has 30: IoU 0.6
    found, true = (LabelledInstance("mug", mask, 0.9) for mask in masks)
    measured = measure.AveragePrecision(["mug"])
    measured.add(image("1", found), image("1", true))
    assert measured.values() == pytest.approx((0.3, 1.0))  # 0.50, 0.55 and, as the IoU is not below it, 0.60


def test_average_precision_is_of_all_sizes_of_objects():
    """COCO's summary takes objects of any area: 40 pixels and, above its 96 x 96 for large ones, 10,000."""
    pytest.importorskip("pycocotools")
    large = np.ones((100, 100), bool)
    measured = measure.AveragePrecision(["mug"])
    measured.add(image("1", one("mug", 0, 10)), image("1", one("mug", 0, 10)))
    whole = LabelledImage("2", (100, 100), (LabelledInstance("mug", large, 0.9),))
    measured.add(LabelledImage("2", (100, 100), ()), whole)
    ap, _ = measured.values()
    assert ap == pytest.approx(51 / 101)


def test_sizes_that_differ_are_one_message():
    measured = measure.AveragePrecision(["mug"])
    other = LabelledImage("1", (4, 20), (LabelledInstance("mug", np.ones((4, 20), bool), 1.0),))
    with pytest.raises(InputError, match="pixels in the labels"):
        measured.add(image("1", one("mug", 0, 10)), other)
