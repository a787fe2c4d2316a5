"""Labels are saved and read without a loss; corrections count in their place."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.annotations.labels import (
    LabelFolder,
    LabelledImage,
    LabelledInstance,
    LabelsError,
    class_map,
    decode,
    encode,
)
from ipseg.core.status import Status


def mask(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


MUG = LabelledInstance("mug", mask("##..", "##..", "...."), 0.75, Status.DETECTED, second="cup", second_score=0.5)
CUP = LabelledInstance("cup", mask("....", "...#", "..##"), 0.25, Status.UNCERTAIN, track=3)
IMAGE = LabelledImage("shelf/01.jpg", (3, 4), (MUG, CUP), "/data/shelf/01.jpg", content="c0ffee")


def same(one: LabelledImage, other: LabelledImage) -> bool:
    return encode(one) == encode(other)


def test_box_and_area_are_of_the_mask():
    assert MUG.box == (0, 0, 2, 2)
    assert MUG.area == 4
    assert CUP.box == (2, 1, 4, 3)
    assert CUP.area == 3


def test_an_image_survives_its_json():
    again = decode(encode(IMAGE))
    assert same(again, IMAGE)
    assert (again.content, again.corrected) == ("c0ffee", False)
    assert again.instances[1].track == 3
    assert again.instances[0].second == "cup"
    assert (again.instances[1].mask == CUP.mask).all()


def test_thresholds_for_all_or_by_class():
    assert [one.label for one in IMAGE.above(0.5).instances] == ["mug"]
    assert [one.label for one in IMAGE.above(0.75).instances] == ["mug"]
    assert [one.label for one in IMAGE.above({"mug": 0.8, "cup": 0.2}).instances] == ["cup"]
    assert [one.label for one in IMAGE.above({"mug": 0.8}).instances] == ["cup"]


def test_class_map_counts_from_one():
    assert class_map(IMAGE, ("cup", "mug")).tolist() == [[2, 2, 0, 0], [2, 2, 0, 1], [0, 0, 1, 1]]
    assert class_map(IMAGE, [f"{n}" for n in range(300)] + ["cup", "mug"]).dtype == np.uint16


def test_a_correction_counts_and_a_new_run_leaves_it(tmp_path):
    labels = LabelFolder.create(tmp_path / "run", ["mug", "cup"], {"threshold": 0.5})
    labels.write(IMAGE)
    labels.correct(LabelledImage("shelf/01.jpg", (3, 4), (CUP,)))
    labels.write(IMAGE)
    opened = LabelFolder.open(tmp_path / "run")
    assert opened.classes == ("mug", "cup")
    assert opened.settings == {"threshold": 0.5}
    assert [image.name for image in opened] == ["shelf/01.jpg"]
    assert opened.read("shelf/01.jpg").corrected
    assert len(opened.read("shelf/01.jpg").instances) == 1
    assert same(opened.read("shelf/01.jpg", original=True), IMAGE)
    opened.discard_correction("shelf/01.jpg")
    assert same(opened.read("shelf/01.jpg"), IMAGE)


def test_what_cannot_be_labels_is_refused(tmp_path):
    labels = LabelFolder.create(tmp_path, ["mug"])
    with pytest.raises(ValueError, match="cup"):
        labels.write(IMAGE)
    with pytest.raises(ValueError, match="below the labelled folder"):
        labels.read("../secret")
    with pytest.raises(ValueError, match="not empty"):
        LabelledInstance("mug", np.zeros((2, 2), bool), 1.0)
    with pytest.raises(ValueError, match="image's size"):
        LabelledImage("a", (2, 2), (MUG,))
    with pytest.raises(LabelsError, match="ipseg label"):
        LabelFolder.open(tmp_path / "nothing")
    (tmp_path / "labels" / "a.jpg.json").write_text("{")
    with pytest.raises(LabelsError, match="label it again"):
        labels.read("a.jpg")
