"""The rows of many classes on one image."""

from __future__ import annotations

import numpy as np

import ipseg
from ipseg.labelling import cost, matching


def test_one_class_and_many_are_labelled_on_a_new_image(make_scene, monkeypatch):
    engine, (prompt, _), (image, _) = ipseg.load("offline"), make_scene(), make_scene(seed=1)
    asked = []

    def label_image(engine, classes, image):
        asked.append((len(classes), len({each.name for each in classes}), engine.encodings.cache.bytes))
        return matching.label_image(engine, classes, image)

    monkeypatch.setattr(cost, "label_image", label_image)
    monkeypatch.setattr(cost, "PRESENT", 3)
    rows = cost.measure(engine, prompt, image, classes=5)
    assert [row.name for row in rows] == [
        "1 class on one image",
        "5 classes on one image",
        "3 classes that are all in one image",
    ]
    assert asked == [(1, 1, 0), (5, 5, 0), (3, 3, 0)], "nothing is cached when the clock starts"
    assert [row.name for row in cost.measure(engine, prompt, image, classes=1)] == ["1 class on one image"]
    assert cost.measure(engine, prompt, image, classes=0) == []


def test_the_other_objects_differ_and_are_apart():
    image, masks = cost.other_objects(7)
    assert image.shape == (3 * cost.TILE, 3 * cost.TILE, 3)
    assert np.sum(masks, axis=0).max() == 1
    assert min(mask.sum() for mask in masks) > cost.TILE**2 / 20
    assert len({tuple(np.median(image[mask], axis=0)) for mask in masks}) == 7
    np.testing.assert_array_equal(image, cost.other_objects(7)[0])
