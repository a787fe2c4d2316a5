"""Exports as supervision reads them, instance for instance."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ipseg.annotations import formats

sv = pytest.importorskip("supervision", reason="needs supervision: pip install 'ipseg[formats]'")

FLAT = {"b.jpg": "b.jpg", "a.png": "a.png", "shelf 1__ø.png": "shelf 1/ø.png", "turned.jpg": "turned.jpg"}
ONE = {"b.jpg": 0, "a.png": 2, "shelf 1/ø.png": 2, "turned.jpg": 1}  # instances of each image
BRIDGE = [(3, 12), (4, 12), (5, 13)]  # (x, y) of the line that joins the two parts of an instance in YOLO


def read(dataset, original) -> dict[str, list[tuple[str, np.ndarray]]]:
    """The class and mask of each instance of each image, by the image's original name."""
    found = {}
    for path, _, detections in dataset:
        labels = [dataset.classes[number] for number in (detections.class_id if len(detections) else [])]
        found[original(path)] = list(zip(labels, detections.mask if labels else [], strict=True))
    return found


def compare(found, expected, changed=()) -> None:
    assert {name: len(each) for name, each in found.items()} == ONE
    for name, instances in found.items():
        for (label, mask), (right, truth) in zip(instances, expected(name), strict=True):
            assert label == right
            truth = truth.copy()
            if truth.sum() == 14:  # of two parts
                for x, y in changed:
                    truth[y, x] = True
            np.testing.assert_array_equal(mask, truth)


def test_yolo(tmp_path, labels, expected):
    report = formats.export(labels, tmp_path, ["yolo"])
    folder = tmp_path / "yolo"
    dataset = sv.DetectionDataset.from_yolo(
        str(folder / "images" / "train"), str(folder / "labels" / "train"), str(folder / "data.yaml")
    )
    assert dataset.classes == ["nut", "blå krus"]
    compare(read(dataset, lambda path: FLAT[Path(path).name]), expected, BRIDGE)
    assert dict(report.formats[0].lost) == {
        "instances whose score and status the format cannot hold": 5,
        "instances of several parts, joined by a line": 1,
    }
    assert report.formats[0].renamed == 1


def test_a_reader_that_cuts_off_finds_the_same_pixels_of_yolo(tmp_path, labels, expected):
    """As ultralytics draws: shares times the size, cut off to whole pixels (checked with ultralytics 8.4.190)."""
    formats.export(labels, tmp_path, ["yolo"])
    lines = (tmp_path / "yolo" / "labels" / "train" / "a.txt").read_text().splitlines()
    for line, (_, truth) in zip(lines, expected("a.png"), strict=True):
        shares = np.array(line.split()[1:], np.float32).reshape(-1, 2)
        mask = np.zeros((18, 24), np.uint8)
        cv2.fillPoly(mask, [(shares * np.float32([24, 18])).astype(np.int32)], 1)
        np.testing.assert_array_equal(mask.astype(bool), truth)


def test_labelme(tmp_path, labels, expected):
    formats.export(labels, tmp_path, ["labelme"])
    folder = str(tmp_path / "labelme" / "train")
    dataset = sv.DetectionDataset.from_labelme(folder, folder, force_masks=True)
    compare(read(dataset, lambda path: FLAT[Path(path).name]), expected)


def test_coco(tmp_path, labels, expected):
    formats.export(labels, tmp_path, ["coco"])
    folder = tmp_path / "coco"
    images = folder / "images" / "train"
    dataset = sv.DetectionDataset.from_coco(
        str(images), str(folder / "annotations" / "instances_train.json"), force_masks=True
    )
    compare(read(dataset, lambda path: Path(path).relative_to(images).as_posix()), expected)


def test_coco_polygons(tmp_path, labels, expected):
    """supervision draws the border of a polygon, which is one pixel more at the right and at the lower side."""
    formats.export(labels, tmp_path, ["coco_polygons"])
    folder = tmp_path / "coco_polygons"
    images = folder / "images" / "train"
    dataset = sv.DetectionDataset.from_coco(str(images), str(folder / "annotations" / "instances_train.json"))
    found = read(dataset, lambda path: Path(path).relative_to(images).as_posix())
    assert {name: len(each) for name, each in found.items()} == ONE
    ((_, ring), _) = found["a.png"]
    truth = expected("a.png")[0][1]
    assert not (truth & ~ring).any()
    wider = np.pad(truth, ((1, 0), (1, 0)))
    assert not (ring & ~(truth | wider[:-1, 1:] | wider[1:, :-1] | wider[:-1, :-1])).any()


def test_voc_boxes(tmp_path, labels):
    formats.export(labels, tmp_path, ["voc"])
    folder = tmp_path / "voc"
    dataset = sv.DetectionDataset.from_pascal_voc(str(folder / "JPEGImages"), str(folder / "Annotations"))
    boxes = {FLAT[Path(path).name]: detections.xyxy.tolist() for path, _, detections in dataset}
    assert boxes == {
        "a.png": [[2, 3, 9, 9], [12, 0, 24, 5]],
        "b.jpg": [],
        "shelf 1/ø.png": [[0, 10, 8, 18], [23, 17, 24, 18]],
        "turned.jpg": [[12, 0, 24, 5]],
    }


def test_a_split_of_yolo_is_two_folders_that_can_be_read(tmp_path, labels):
    report = formats.export(labels, tmp_path, ["yolo"], split=0.5, seed=3)
    folder = tmp_path / "yolo"
    for part in ("train", "val"):
        dataset = sv.DetectionDataset.from_yolo(
            str(folder / "images" / part), str(folder / "labels" / part), str(folder / "data.yaml")
        )
        assert len(dataset) == report.parts[part]
