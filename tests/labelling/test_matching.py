"""Which class a pixel belongs to, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.annotations.labels import LabelledInstance
from ipseg.core.types import SettingError
from ipseg.labelling import matching


def claim(label: str, columns: slice, score: float) -> LabelledInstance:
    mask = np.zeros((1, 10), bool)
    mask[0, columns] = True
    return LabelledInstance(label, mask, score)


def row(one: LabelledInstance) -> list[int]:
    return np.flatnonzero(one.mask[0]).tolist()


def test_the_better_score_gets_the_pixels_of_both():
    placed = matching.assign([claim("cup", slice(3, 8), 0.6), claim("mug", slice(0, 5), 0.9)])
    assert [(one.label, row(one)) for one in placed] == [("mug", [0, 1, 2, 3, 4]), ("cup", [5, 6, 7])]
    assert [one.second for one in placed] == ["", ""]


def test_an_object_claimed_by_two_classes_has_one_label_and_names_the_other():
    placed = matching.assign(
        [claim("cup", slice(0, 4), 0.6), claim("mug", slice(0, 5), 0.9), claim("jar", slice(1, 5), 0.5)]
    )
    assert [(one.label, row(one)) for one in placed] == [("mug", [0, 1, 2, 3, 4])]
    assert (placed[0].second, placed[0].second_score) == ("cup", 0.6)  # the best of the others


def test_exactly_half_claimed_is_dropped():
    placed = matching.assign([claim("mug", slice(0, 4), 0.9), claim("cup", slice(2, 6), 0.6)])
    assert [one.label for one in placed] == ["mug"]
    placed = matching.assign([claim("mug", slice(0, 4), 0.9), claim("cup", slice(2, 7), 0.6)])
    assert [one.label for one in placed] == ["mug", "cup"]


def test_of_equal_scores_the_larger_comes_first_then_the_earlier():
    placed = matching.assign([claim("cup", slice(0, 3), 0.5), claim("mug", slice(0, 4), 0.5)])
    assert [one.label for one in placed] == ["mug"]
    placed = matching.assign([claim("cup", slice(0, 3), 0.5), claim("mug", slice(0, 3), 0.5)])
    assert [(one.label, one.second) for one in placed] == [("cup", "mug")]


def test_two_instances_of_one_class_are_no_rivals():
    placed = matching.assign([claim("mug", slice(0, 3), 0.9), claim("mug", slice(0, 3), 0.5)])
    assert [(one.label, one.second) for one in placed] == [("mug", "")]


@pytest.mark.parametrize("names", [[], ["mug", "mug"]])
def test_classes_have_names_of_their_own(names):
    classes = [matching.ClassPrompt(name, None) for name in names]  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="name of its own"):
        matching.label_image(None, classes, np.zeros((8, 8, 3), np.uint8))  # type: ignore[arg-type]
