"""Exports as the tools themselves read them: labelme, Label Studio, CVAT; and index images as they are read here."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from PIL import Image

from ipseg.annotations import formats
from ipseg.annotations.formats import label_studio
from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance
from ipseg.core.masks import read_values
from ipseg.core.types import SettingError

ORIGINAL = {"shelf 1__ø.png": "shelf 1/ø.png"}


def same(found, wanted) -> None:
    assert [label for label, _ in found] == [label for label, _ in wanted]
    for (_, mask), (_, truth) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mask, truth)


@pytest.mark.filterwarnings("ignore")  # of labelme and what it imports
def test_labelme_itself(tmp_path, labels, expected):
    reader = pytest.importorskip("labelme._label_file", reason="needs labelme, which brings Qt: pip install labelme")
    from labelme.utils import shape_to_mask

    formats.export(labels, tmp_path, ["labelme"])
    files = sorted((tmp_path / "labelme" / "train").glob("*.json"))
    assert len(files) == 4
    for file in files:
        data = reader.read_label_file(str(file))  # checks the size of the image, too
        found: dict[int, tuple[str, np.ndarray]] = {}
        for shape in data.shapes:
            mask = shape_to_mask((18, 24), shape["points"], shape["shape_type"])
            label, before = found.get(shape["group_id"], (shape["label"], np.zeros_like(mask)))
            found[shape["group_id"]] = (label, before | mask)
        same(list(found.values()), expected(ORIGINAL.get(data.image_path, data.image_path)))
    assert (tmp_path / "labelme" / "labels.txt").read_text("utf-8") == "nut\nblå krus\n"


def test_labelme_shapes_hold_score_and_status(tmp_path, labels):
    formats.export(labels, tmp_path, ["labelme"])
    data = json.loads((tmp_path / "labelme" / "train" / "shelf 1__ø.json").read_text("utf-8"))
    assert [(each["group_id"], each["score"], each["status"]) for each in data["shapes"]] == [
        (1, 0.5, "uncertain"),
        (1, 0.5, "uncertain"),
        (2, 0.4, "uncertain"),
    ]


def test_the_run_lengths_of_label_studio_by_hand():
    mask = np.array([[False, True]])
    # 8 values of 8 bits, sizes 3 4 8 16; a run of 4 zeros and one of 4 times 255, both of the shortest size
    bits = f"{8:032b}" + "00111" + "0010001101111111" + "10001100000000" + "10001111111111"
    bits += "0" * (-len(bits) % 8)
    assert label_studio.run_lengths(mask) == [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


@pytest.mark.filterwarnings("ignore")  # of label-studio-sdk and what it imports
def test_label_studio_itself(tmp_path, labels, expected):
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="needs label-studio-sdk: OpenCV below 4.13")
    formats.export(labels, tmp_path, ["label_studio"])
    tasks = json.loads((tmp_path / "label_studio" / "tasks.json").read_text("utf-8"))
    assert len(tasks) == 4
    for task in tasks:
        (prediction,) = task["predictions"]
        found = []
        for result in prediction["result"]:
            size = (result["original_height"], result["original_width"])
            pixels = brush.decode_rle(result["value"]["rle"]).reshape(*size, 4)
            assert set(np.unique(pixels)) <= {0, 255}
            found.append((result["value"]["brushlabels"][0], pixels[..., 3] > 0))
        same(found, expected(task["data"]["name"]))
    large = np.zeros((300, 400), bool)
    large[20:290, 3:398] = True
    read = brush.decode_rle(label_studio.run_lengths(large)).reshape(300, 400, 4)
    np.testing.assert_array_equal(read[..., 0] > 0, large)


def test_tasks_of_label_studio_name_files_that_are_there(tmp_path, labels):
    formats.export(labels, tmp_path, ["label_studio"])
    folder = tmp_path / "label_studio"
    tasks = json.loads((folder / "tasks.json").read_text("utf-8"))
    for task in tasks:
        assert (folder / unquote(task["data"]["image"].removeprefix(label_studio.LOCAL))).is_file()
    assert {task["data"]["name"]: task["predictions"][0]["score"] for task in tasks} == {
        "a.png": 0.75,
        "b.jpg": 0.0,
        "shelf 1/ø.png": 0.4,
        "turned.jpg": 1.0,
    }
    config = Xml.fromstring((folder / "config.xml").read_text("utf-8"))
    assert [each.get("value") for each in config.iter("Label")] == ["nut", "blå krus"]


def test_cvat_masks_by_its_own_reader(tmp_path, labels, expected):
    masks = pytest.importorskip("cvat_sdk.masks", reason="needs cvat-sdk: pip install 'ipseg[cvat]'")
    formats.export(labels, tmp_path, ["cvat"])
    root = Xml.parse(tmp_path / "cvat" / "annotations.xml").getroot()
    for image in root.iter("image"):
        found = []
        for each in image.iter("mask"):
            left, top, width, height = (int(each.get(key, "")) for key in ("left", "top", "width", "height"))
            points = [*map(int, each.get("rle", "").split(",")), left, top, left + width - 1, top + height - 1]
            mask = masks.decode_mask(points, image_width=24, image_height=18)
            found.append((each.get("label"), mask))
        same(found, expected(image.get("name")))
        assert (tmp_path / "cvat" / "images" / image.get("name", "")).is_file()


def test_index_images(tmp_path, labels, expected):
    formats.export(labels, tmp_path, ["png"])
    folder = tmp_path / "png"
    names = json.loads((folder / "classes.json").read_text("utf-8"))
    assert names == {"0": "background", "1": "nut", "2": "blå krus"}
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == 4
    for line in lines:
        classes, instances = (read_values(folder / line[key], (18, 24)) for key in ("classes", "instances"))
        same([(each["label"], instances == each["number"]) for each in line["listed"]], expected(line["image"]))
        for each in line["listed"]:
            assert set(classes[instances == each["number"]]) == {
                int(key) for key in names if names[key] == each["label"]
            }
        assert ((classes > 0) == (instances > 0)).all()
        assert (folder / line["file"]).is_file()


def test_overlapping_instances_of_a_correction_are_counted(tmp_path):
    under, over = np.zeros((16, 16), bool), np.zeros((16, 16), bool)
    under[2:8, 2:8] = over[6:12, 6:12] = True
    image = LabelledImage("a.png", (16, 16), (LabelledInstance("a", over, 0.9), LabelledInstance("b", under, 0.5)))
    report = formats.export([image], tmp_path, ["png"], classes=["a", "b"])
    assert list(report.formats[0].lost.values()) == [1]
    values = read_values(tmp_path / "png" / "classes" / "train" / "a.png")
    assert [int((values == number).sum()) for number in (1, 2)] == [36, 32]


def test_many_classes_take_16_bits_or_are_refused(tmp_path):
    names = [f"class {number}" for number in range(300)]
    mask = np.ones((16, 16), bool)
    image = LabelledImage("a.png", (16, 16), (LabelledInstance("class 299", mask, 0.9),))
    formats.export([image], tmp_path, ["png"], classes=names)
    assert set(read_values(tmp_path / "png" / "classes" / "train" / "a.png").ravel()) == {300}
    with pytest.raises(SettingError, match="at most 254 classes, not 300"):
        formats.export([image], tmp_path, ["voc"], classes=names)
    with pytest.raises(SettingError, match='a class named "Background"'):
        formats.export([image], tmp_path, ["voc"], classes=["Background"])


def test_voc_files(tmp_path, labels):
    formats.export(labels, tmp_path, ["voc"])
    folder = tmp_path / "voc"
    with Image.open(folder / "SegmentationClass" / "a.png") as image:
        assert image.mode == "P"
        palette = image.getpalette()
    assert palette is not None
    assert [tuple(palette[3 * number : 3 * number + 3]) for number in (0, 1, 2, 15, 255)] == [  # of the VOC2012 devkit
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (192, 128, 128),
        (224, 224, 192),
    ]
    root = Xml.parse(folder / "Annotations" / "shelf 1__ø.xml").getroot()
    assert [each.findtext("difficult") for each in root.iter("object")] == ["1", "1"]
    assert [each.text for each in root.findall("object/bndbox/*")[:4]] == ["1", "11", "8", "18"]
    assert (folder / "ImageSets" / "Segmentation" / "train.txt").read_text("utf-8").splitlines() == [
        "a",
        "b",
        "shelf 1__ø",
        "turned",
    ]
    assert (folder / "labelmap.txt").read_text("utf-8").splitlines()[1:] == [
        "background:0,0,0::",
        "nut:128,0,0::",
        "blå krus:0,128,0::",
    ]


def test_a_track_is_in_every_format_that_holds_one(tmp_path):
    mask = np.ones((16, 16), bool)
    labels = LabelFolder.create(tmp_path / "labels", ["a"])
    labels.write(LabelledImage("clip/00001.png", (16, 16), (LabelledInstance("a", mask, 0.9, track=7),)))
    formats.export(labels, tmp_path, ["coco", "labelme", "cvat", "voc", "png", "label_studio"])

    def text(path: str) -> str:
        return (Path(tmp_path) / path).read_text("utf-8")

    assert '"track_id": 7' in text("coco/annotations/instances_train.json")
    assert '"track": 7' in text("labelme/train/clip__00001.json")
    assert '<attribute name="track">7</attribute>' in text("cvat/annotations.xml")
    assert "<value>7</value>" in text("voc/Annotations/clip__00001.xml")
    assert '"track": 7' in text("png/train.jsonl")
    assert '"track": 7' in text("label_studio/tasks.json")
