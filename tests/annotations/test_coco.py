"""COCO records: as the format says, and as pycocotools reads them where it is installed."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from ipseg import open_image
from ipseg.annotations import coco as writer
from ipseg.batch.archive import Archive
from ipseg.core.status import Status

STATUSES = [Status.DETECTED, Status.NOT_DETECTED, Status.DETECTED, Status.UNCERTAIN]


def record(masks) -> dict:
    made = writer.Record(about="a test")
    for number, mask in enumerate(masks):
        made.add(f"{number}.jpg", mask, status=STATUSES[number], score=0.25)
    return json.loads(json.dumps(made.data()))


def test_the_record_is_coco():
    mask = np.zeros((6, 8), bool)
    mask[2:5, 3:7] = True
    data = record([mask, mask, mask & False, mask])
    assert [(image["id"], image["width"], image["height"]) for image in data["images"]] == [
        (number, 8, 6) for number in (1, 2, 3, 4)
    ]
    assert [image["status"] for image in data["images"]] == STATUSES
    only, other = data["annotations"]
    assert (other["image_id"], other["status"]) == (4, "uncertain")
    assert only["status"] == "detected"
    assert only["image_id"] == 1
    assert only["bbox"] == [3, 2, 4, 3]
    assert only["area"] == 12
    assert only["segmentation"]["size"] == [6, 8]
    assert only["category_id"] == data["categories"][0]["id"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools itself
def test_pycocotools_reads_every_mask_bit_for_bit(tmp_path):
    coco = pytest.importorskip("pycocotools.coco", reason="needs pycocotools: pip install 'ipseg[dev]'")
    rng, masks = np.random.default_rng(1), {}
    with Archive(tmp_path, "a test") as exported:
        for number, share in enumerate((0.4, 0.0, 0.1, 1.0, 0.9)):
            mask = rng.random((19 + number, 17)) < share
            mask[0, 0] ^= number == 2  # one that begins inside
            status = Status.NOT_DETECTED if number == 3 else Status.DETECTED
            exported.add(f"{number}.jpg", f"in/{number}", mask, status=status, score=0.5)
            masks[f"{number}.jpg"] = mask & (number != 3)
    data = coco.COCO(str(exported.coco))
    annotated = {image["file_name"]: data.imgToAnns[image["id"]] for image in data.dataset["images"]}
    with zipfile.ZipFile(exported.masks) as archive:
        for name, mask in masks.items():
            png = open_image(archive.read(f"in/{name[0]}.png"))[..., 0]
            np.testing.assert_array_equal(png, mask.astype(np.uint8) * 255)
            read = [data.annToMask(annotation) for annotation in annotated[name]] or [np.zeros(mask.shape, np.uint8)]
            np.testing.assert_array_equal(read[0] * 255, png)
            assert [annotation["area"] for annotation in annotated[name]] == [mask.sum()] * bool(mask.any())
