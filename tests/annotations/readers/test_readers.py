"""Datasets as they are read: what was exported comes back; files of other tools are read, or refused in one message."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipseg.__main__ import main
from ipseg.annotations import formats, readers
from ipseg.annotations.labels import LabelFolder, LabelsError
from ipseg.annotations.readers import DatasetError
from ipseg.core.types import SettingError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools itself

NAMES = {"shelf 1__ø.png": "shelf 1/ø.png"}
NEEDS = {"yolo": "supervision", "labelme": "supervision", "coco_polygons": "pycocotools"}
NEEDS |= {"voc": "datumaro", "cvat": "datumaro"}
LINE = [(3, 12), (4, 12), (5, 13)]  # (x, y) that join the two parts of an instance in YOLO


def needs(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"needs {NEEDS[name]}: pip install 'ipseg[formats,convert]'")


@pytest.mark.filterwarnings("ignore")  # of datumaro and what it imports
@pytest.mark.parametrize("name", ["coco", "coco_polygons", "yolo", "labelme", "voc", "cvat"])
def test_what_was_exported_comes_back(tmp_path, labels, expected, name):
    needs(name)
    formats.export(labels, tmp_path, [name], split=0.5, seed=3)
    source = readers.read(tmp_path / name)  # recognised
    assert set(source.classes) == {"nut", "blå krus"}
    found = {}
    for image in source.images():
        original = NAMES.get(image.name, image.name)
        found[original] = image
        assert image.size == (18, 24)
        assert Path(image.file).is_file()
        wanted = expected(original)
        assert sorted(one.label for one in image.instances) == sorted(label for label, _ in wanted)
        for label, truth in wanted:
            truth = truth.copy()
            for x, y in LINE if name == "yolo" and truth.sum() == 14 else ():
                truth[y, x] = True
            assert any(one.label == label and np.array_equal(one.mask, truth) for one in image.instances)
    assert len(found) == 4
    if name != "yolo":
        assert sorted(one.score for one in found["shelf 1/ø.png"].instances) == [0.4, 0.5]
        assert {one.status.value for one in found["shelf 1/ø.png"].instances} == {"uncertain"}
    if name != "cvat":  # its images are in one folder
        assert sorted(source.parts.values()) == ["train"] * 3 + ["val"]
    assert not source.skipped


@pytest.mark.parametrize("name", ["labels", "coco"])
def test_a_conversion_is_the_export(tmp_path, labels, name, capsys):
    """Of a label folder, and of an export with a split, which stays."""
    formats.export(labels, tmp_path / "direct", ["coco", "png"], split=0.5, seed=3)
    given = tmp_path / ("labels" if name == "labels" else "direct/coco")
    split = ["--split", "0.5", "--seed", "3"] if name == "labels" else []
    assert main(["convert", str(given), str(tmp_path / "out"), "--to", "png", *split]) == 0
    assert "4 images (3 train, 1 val), 5 instances" in capsys.readouterr().out
    for path in (tmp_path / "direct" / "png").rglob("*.png"):
        other = tmp_path / "out" / "png" / path.relative_to(tmp_path / "direct" / "png")
        np.testing.assert_array_equal(np.asarray(Image.open(path)), np.asarray(Image.open(other)))


def test_a_foreign_coco_file_with_polygons_crowds_and_boxes(tmp_path, capsys):
    needs("coco_polygons")
    annotation = {"image_id": 7, "category_id": 3, "iscrowd": 0, "bbox": [0, 0, 1, 1], "area": 1}
    data = {
        "images": [{"id": 7, "file_name": "a.jpg", "height": 20, "width": 30}],
        "categories": [{"id": 9, "name": "late"}, {"id": 3, "name": "early"}],
        "annotations": [
            {**annotation, "id": 1, "segmentation": [[2, 3, 6, 3, 6, 8, 2, 8], [10, 10, 12, 10, 12, 12, 10, 12]]},
            {**annotation, "id": 2, "segmentation": {"size": [20, 30], "counts": [5, 595]}, "iscrowd": 1},
            {**annotation, "id": 3, "segmentation": []},
            {**annotation, "id": 4, "segmentation": {"size": [20, 30], "counts": [40, 20, 540]}, "category_id": 9},
        ],
    }
    (tmp_path / "mine.json").write_text(json.dumps(data))
    source = readers.read(tmp_path / "mine.json")
    assert source.classes == ("early", "late")
    (image,) = source.images()
    assert [(one.label, one.box, one.area, one.score) for one in image.instances] == [
        ("early", (2, 3, 12, 12), 24, 1.0),
        ("late", (2, 0, 3, 20), 20, 1.0),
    ]
    assert image.file == ""
    assert dict(source.skipped) == {"crowds, left out": 1, "boxes without a mask, left out": 1}
    assert main(["convert", str(tmp_path / "mine.json"), str(tmp_path / "out"), "--to", "voc"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["1 crowds, left out", "1 boxes without a mask, left out"]
    assert "voc: 1 image without a file" in printed


def test_yolo_of_ultralytics_with_boxes_and_names_by_number(tmp_path):
    needs("yolo")
    for inner in ("images/train/x", "images/val", "labels/train/x", "labels/val"):
        (tmp_path / inner).mkdir(parents=True)
    (tmp_path / "data.yaml").write_text("path: .\ntrain: images/train\nval: images/val\nnames: {0: a, 1: b}\n")
    for inner in ("images/train/x/1.png", "images/val/2.png"):
        Image.new("RGB", (40, 20)).save(tmp_path / inner)
    (tmp_path / "labels/train/x/1.txt").write_text("1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n0 0.5 0.5 0.2 0.2\n")
    source = readers.read(tmp_path)
    second, first = source.images()
    assert [(one.label, one.box) for one in first.instances] == [("b", (4, 2, 21, 11))]
    assert second.instances == ()
    assert source.parts == {"x/1.png": "train", "2.png": "val"}
    assert dict(source.skipped) == {"boxes without a mask, left out": 1}


def test_images_of_one_name_in_both_parts_stay_apart(tmp_path):
    needs("yolo")
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [a]\n")
    for part in ("train", "val"):
        (tmp_path / "images" / part).mkdir(parents=True)
        Image.new("RGB", (40, 20)).save(tmp_path / "images" / part / "1.png")
    Image.new("RGB", (40, 20)).save(tmp_path / "images" / "val" / "2.png")
    source = readers.read(tmp_path)
    assert source.parts == {"train/1.png": "train", "val/1.png": "val", "2.png": "val"}
    assert [Path(image.file).parent.name for image in source.images()] == ["val", "train", "val"]


def test_labelme_with_other_shapes(tmp_path):
    needs("labelme")
    square = {"label": "a", "shape_type": "rectangle", "points": [[1, 2], [5, 6]], "group_id": None}
    point = {"label": "b", "shape_type": "point", "points": [[1, 2]], "group_id": None}
    data = {"imagePath": "in\\1.jpg", "imageHeight": 20, "imageWidth": 30, "shapes": [point, square], "imageData": None}
    (tmp_path / "1.json").write_text(json.dumps(data))
    source = readers.read(tmp_path, "labelme")
    (image,) = source.images()
    assert (image.name, source.classes) == ("1.jpg", ("a", "b"))
    assert [(one.label, one.box) for one in image.instances] == [("a", (1, 2, 6, 7))]
    assert dict(source.skipped) == {"shapes that are no polygon, left out": 1}


def write_yolo(folder: Path) -> None:
    (folder / "images").mkdir()
    Image.new("RGB", (40, 20)).save(folder / "images" / "1.png")
    (folder / "labels").mkdir()
    (folder / "labels" / "1.txt").write_text("7 0.1 0.1 0.5 0.1 0.5 0.5\n")
    (folder / "data.yaml").write_text("train: images\nnames: [a]\n")


def write_coco(counts, height: int = 2) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "annotations").mkdir(parents=True)
        one = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": [2, 2], "counts": counts}}
        data = {"images": [{"id": 1, "file_name": "a", "height": height, "width": 2}], "annotations": [one]}
        data["categories"] = [{"id": 1, "name": "a"}]
        (folder / "annotations" / "instances.json").write_text(json.dumps(data))

    return write


@pytest.mark.parametrize(
    ("write", "name", "message"),
    [
        (lambda folder: None, None, "is of no format that is read; state it with --from"),
        (lambda folder: None, "coco", "has no COCO file of instances"),
        (lambda folder: (folder / "data.yaml").write_text("names: ["), "yolo", "data.yaml is damaged"),
        (lambda folder: (folder / "data.yaml").write_text("names: [a]"), "yolo", "has no images"),
        (write_yolo, "yolo", "1.txt is damaged"),
        (lambda folder: (folder / "a.json").write_text("{"), "labelme", "a.json cannot be read as JSON"),
        (lambda folder: (folder / "a.json").write_text("{}"), "labelme", "a.json is damaged"),
        (write_coco([1, 1, 1]), None, "instances.json is damaged or of another format"),
        (write_coco("é"), None, "instances.json is damaged or of another format"),
        (write_coco([4], 10**6), None, "a is too large"),
        (write_coco([4], -2), None, "a is 2x-2 pixels"),
    ],
)
def test_what_cannot_be_read_is_one_message(tmp_path, write, name, message, capsys):
    needs(name or "")
    write(tmp_path)
    with pytest.raises(DatasetError, match=message):
        list(readers.read(tmp_path, name).images())
    chosen = ["--from", name] if name else []
    assert main(["convert", str(tmp_path), str(tmp_path / "out"), "--to", "png", *chosen]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ipseg: ")
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out" / "png").exists()


def test_a_folder_that_is_not_there_and_one_without_labels(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        readers.read(tmp_path / "none")
    with pytest.raises(LabelsError):
        readers.read(tmp_path, "labels")
    with pytest.raises(SettingError, match='The format "png" is not read'):
        readers.read(tmp_path, "png")


def test_a_folder_of_two_formats_asks_which(tmp_path, labels):
    LabelFolder.create(tmp_path / "both", ["a"]).folder.joinpath("labels.json").unlink()
    write_coco([4])(tmp_path / "both")
    (tmp_path / "both" / "data.yaml").write_text("names: [a]")
    with pytest.raises(DatasetError, match="may be coco or yolo; state it"):
        readers.read(tmp_path / "both")


def test_the_polygons_of_coco_ask_for_pycocotools(tmp_path, monkeypatch):
    write_coco([4])(tmp_path)
    file = tmp_path / "annotations" / "instances.json"
    data = json.loads(file.read_text())
    data["annotations"][0]["segmentation"] = [[0, 0, 1, 0, 1, 1]]
    file.write_text(json.dumps(data))
    monkeypatch.setattr(sys, "meta_path", [Missing("pycocotools"), *sys.meta_path])
    for module in [module for module in sys.modules if module.partition(".")[0] == "pycocotools"]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(SettingError, match=r"^Reading COCO's polygons needs pycocotools"):
        list(readers.read(tmp_path).images())


def test_a_name_that_leads_out_of_a_dataset_is_no_file(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    write_coco([0, 4])(tmp_path / "data")
    file = tmp_path / "data" / "annotations" / "instances.json"
    for name in ("../secret.jpg", str(tmp_path / "secret.jpg")):
        file.write_text(file.read_text().replace('"a"', json.dumps(name), 1))
        (image,) = readers.read(tmp_path / "data").images()
        assert (image.name, image.file) == (name, "")
        formats.export([image], tmp_path / "out", ["coco"], classes=["a"])
        assert not [path for path in (tmp_path / "out").rglob("*") if "secret" in path.name]
        file.write_text(file.read_text().replace(json.dumps(name), '"a"', 1))


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("yolo", "supervision", "formats"),
        ("labelme", "supervision", "formats"),
        ("voc", "datumaro", "convert"),
        ("cvat", "datumaro", "convert"),
    ],
)
def test_a_package_that_is_missing_is_one_message(tmp_path, monkeypatch, name, package, extra):
    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Missing(package), *sys.meta_path])
    with pytest.raises(SettingError, match=rf'needs {package}, .* pip install "ipseg\[{extra}\]"'):
        readers.read(tmp_path, name)


def test_an_export_for_cvat_is_no_label_folder(tmp_path, labels, monkeypatch):
    """It has a ``labels.json`` of its own."""
    formats.export(labels, tmp_path, ["cvat"], images="none")
    found = []
    monkeypatch.setattr(readers.plugins.module("readers", "cvat"), "read", found.append)
    readers.read(tmp_path / "cvat")
    assert found == [tmp_path / "cvat"]


class Missing:
    """A finder for which a package is not installed."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name, path=None, target=None):
        if name == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
