"""COCO files as pycocotools reads them."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.annotations import formats

coco = pytest.importorskip("pycocotools.coco", reason="needs pycocotools: pip install 'ipseg[dev]'")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools itself


def test_pycocotools_reads_every_instance_bit_for_bit(tmp_path, labels, expected):
    formats.export(labels, tmp_path / "out", ["coco"])
    data = coco.COCO(str(tmp_path / "out" / "coco" / "annotations" / "instances_train.json"))
    names = {one["id"]: one["name"] for one in data.loadCats(data.getCatIds())}
    seen = {}
    for image in data.dataset["images"]:
        annotations = data.loadAnns(data.getAnnIds([image["id"]]))
        found = [(names[one["category_id"]], data.annToMask(one).astype(bool)) for one in annotations]
        wanted = expected(image["file_name"])
        assert [label for label, _ in found] == [label for label, _ in wanted]
        for (_, mask), (_, right) in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(mask, right)
        seen[image["file_name"]] = len(found)
    assert seen == {"a.png": 2, "b.jpg": 0, "shelf 1/ø.png": 2, "turned.jpg": 1}


def test_a_split_writes_two_files_with_the_same_categories(tmp_path, labels):
    report = formats.export(labels, tmp_path / "out", ["coco"], split=0.5, seed=3)
    folder = tmp_path / "out" / "coco"
    both = [coco.COCO(str(folder / "annotations" / f"instances_{part}.json")) for part in ("train", "val")]
    assert [len(one.dataset["images"]) for one in both] == [report.parts["train"], report.parts["val"]]
    assert both[0].dataset["categories"] == both[1].dataset["categories"]
    for part, one in zip(("train", "val"), both, strict=True):
        for image in one.dataset["images"]:
            assert (folder / "images" / part / image["file_name"]).is_file()
