"""Exports as datumaro reads them, instance for instance."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.annotations import formats

dm = pytest.importorskip("datumaro", reason="needs datumaro, which holds OpenCV below 5: pip install 'ipseg[convert]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # of datumaro and what it imports


def masks(item, dataset) -> list[tuple[str, np.ndarray]]:
    names = dataset.categories()[dm.AnnotationType.label]
    found = [one for one in item.annotations if one.type == dm.AnnotationType.mask]
    return [(names[one.label].name, one.image.astype(bool)) for one in found]


def compare(dataset, expected, original) -> None:
    counted = {}
    for item in dataset:
        wanted, found = expected(original(item)), masks(item, dataset)
        counted[original(item)] = len(found)
        for label, mask in found:
            assert any(label == right and np.array_equal(mask, truth) for right, truth in wanted)
        assert len(found) == len(wanted)
    assert counted == {"b.jpg": 0, "a.png": 2, "shelf 1/ø.png": 2, "turned.jpg": 1}


NAMES = {"a.png": "a.png", "shelf 1__ø.png": "shelf 1/ø.png", "ø.png": "shelf 1/ø.png"}


def name_of(item) -> str:
    """The original name of an image, by its file in the export."""
    inner = item.media.path.rpartition("/")[2]
    return NAMES.get(inner, inner)


def test_voc(tmp_path, labels, expected):
    formats.export(labels, tmp_path, ["voc"])
    dataset = dm.Dataset.import_from(str(tmp_path / "voc"), "voc")
    compare(dataset, expected, name_of)


def test_cvat(tmp_path, labels, expected):
    formats.export(labels, tmp_path, ["cvat"])
    dataset = dm.Dataset.import_from(str(tmp_path / "cvat"), "cvat")
    compare(dataset, expected, name_of)
    scores = {
        float(one.attributes["score"]) for item in dataset for one in item.annotations if "score" in one.attributes
    }
    assert scores == {0.9, 0.75, 0.5, 0.4, 1.0}


def test_a_split_is_the_subset_of_each_image(tmp_path, labels):
    report = formats.export(labels, tmp_path, ["cvat", "coco", "voc"], split=0.5, seed=3)
    for name, kind in (("cvat", "cvat"), ("coco", "coco_instances"), ("voc", "voc")):
        dataset = dm.Dataset.import_from(str(tmp_path / name), kind)
        assert {part: len(subset) for part, subset in dataset.subsets().items()} == report.parts


def test_coco(tmp_path, labels, expected):
    formats.export(labels, tmp_path, ["coco"])
    dataset = dm.Dataset.import_from(str(tmp_path / "coco"), "coco_instances")
    compare(dataset, expected, name_of)
