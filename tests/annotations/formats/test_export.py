"""What every format has in common: atomic, streamed, split by name, honest about what it left out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ipseg.annotations import formats, readers
from ipseg.annotations.formats import _names
from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance, LabelsError
from ipseg.core import plugins
from ipseg.core.store import OutputError
from ipseg.core.types import SettingError

EVERY = formats.names()
STABLE = ["val", "train", "val", "val", "val", "val"]  # of 0.jpg to 5.jpg at a half; must never change


def tree(folder) -> dict[str, bytes]:
    """Every file below a folder and its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_counts_what_was_written_and_what_was_left_out(tmp_path, labels):
    labels.write(LabelledImage("broken.jpg", (0, 0), error="broken.jpg is damaged."))
    report = formats.export(labels, tmp_path / "out", ["coco"], thresholds={"nut": 0.45})
    assert (report.images, report.instances, report.uncertain, report.below, report.failed) == (4, 4, 1, 1, 1)
    assert report.classes == {"nut": 2, "blå krus": 2}
    assert report.parts == {"train": 4}
    (one,) = report.formats
    assert (one.name, one.folder, one.without_file, one.upright) == ("coco", tmp_path / "out" / "coco", 0, 1)
    assert report.messages()[0] == "4 images (4 train), 4 instances"
    assert "1 image that could not be labelled left out" in report.messages()


@pytest.mark.parametrize("name", EVERY)
def test_an_export_is_the_same_bytes_again_and_leaves_nothing_partial(tmp_path, labels, name):
    formats.export(labels, tmp_path / "out", [name])
    first = tree(tmp_path / "out" / name)
    formats.export(labels, tmp_path / "out", [name])
    assert tree(tmp_path / "out" / name) == first
    assert not list((tmp_path / "out").glob(".*.part"))


@pytest.mark.parametrize("name", EVERY)
def test_an_export_that_fails_leaves_the_earlier_one(tmp_path, labels, name):
    formats.export(labels, tmp_path / "out", [name])
    before = tree(tmp_path / "out" / name)

    def failing() -> Iterator[LabelledImage]:
        yield from labels
        raise LabelsError("damaged")

    with pytest.raises(LabelsError, match="damaged"):
        formats.export(failing(), tmp_path / "out", [name], classes=labels.classes)
    assert tree(tmp_path / "out" / name) == before
    assert not list((tmp_path / "out").glob(".*.part"))


def test_what_is_no_export_is_never_replaced(tmp_path, labels):
    (tmp_path / "out" / "coco").mkdir(parents=True)
    (tmp_path / "out" / "coco" / "mine.txt").write_text("mine")
    with pytest.raises(SettingError, match="no export of ipseg"):
        formats.export(labels, tmp_path / "out", ["coco"])
    assert tree(tmp_path / "out" / "coco") == {"mine.txt": b"mine"}


def test_an_export_that_was_edited_is_not_replaced(tmp_path, labels):
    """As by labelme, which saves into the export."""
    formats.export(labels, tmp_path / "out", ["labelme"])
    edited = tmp_path / "out" / "labelme" / "train" / "a.json"
    edited.write_text("{}")
    late = edited.stat().st_mtime + 10
    os.utime(edited, (late, late))
    with pytest.raises(SettingError, match=r"train/a\.json in .* was changed after the export"):
        formats.export(labels, tmp_path / "out", ["labelme"])
    assert edited.read_text() == "{}"


def test_what_an_export_refuses_is_refused_before_the_work(tmp_path):
    (tmp_path / "yolo").mkdir()
    (tmp_path / "yolo" / "mine.txt").write_text("mine")
    formats.check(["coco", "yolo"], 0.5, "link", classes=["a", "background"])
    with pytest.raises(SettingError, match="no export of ipseg"):
        formats.check(["coco", "yolo"], 0.5, "link", folder=tmp_path)
    with pytest.raises(SettingError, match="cannot hold a class"):
        formats.check(["coco", "voc"], None, "link", classes=["a", "background"])


def test_an_export_does_not_remove_the_images_that_it_is_of(tmp_path, labels):
    formats.export(labels, tmp_path / "out", ["coco"], images="copy")
    inside = tmp_path / "out" / "coco" / "images" / "train" / "a.png"
    moved = [replace(image, file=str(inside)) for image in labels]
    with pytest.raises(OutputError, match="would replace"):
        formats.export(moved, tmp_path / "out", ["coco"], classes=labels.classes)
    assert inside.is_file()


def test_one_image_is_in_memory_at_a_time(tmp_path, labels):
    alive: list[int] = []

    class Watched(tuple):
        def __del__(self) -> None:
            alive.remove(1)

    def stream() -> Iterator[LabelledImage]:
        for number in range(6):
            instances = Watched(labels.read("a.png").instances)
            alive.append(1)
            assert len(alive) <= 2
            yield LabelledImage(f"{number}.png", (18, 24), instances)
            del instances

    formats.export(stream(), tmp_path / "out", EVERY, classes=labels.classes)


@pytest.mark.parametrize("name", EVERY)
def test_images_without_a_file_are_counted_and_labelled_all_the_same(tmp_path, labels, image_folder, name):
    shutil.rmtree(image_folder)
    report = formats.export(labels, tmp_path / "out", [name])
    assert report.instances == 5
    assert report.formats[0].without_file == 4


def test_links_copies_and_upright_copies(tmp_path, labels, image_folder):
    folder = tmp_path / "out" / "coco" / "images" / "train"
    formats.export(labels, tmp_path / "out", ["coco"])
    assert (folder / "shelf 1" / "ø.png").samefile(image_folder / "shelf 1" / "ø.png")
    assert not (folder / "shelf 1" / "ø.png").is_symlink()  # supervision refuses one that leads out of the folder
    with Image.open(folder / "turned.jpg") as image:
        assert image.size == (24, 18)
        assert image.getexif().get(274, 1) == 1
        stored = np.asarray(Image.open(image_folder / "turned.jpg")).astype(int)
        assert np.abs(np.asarray(image).astype(int) - np.rot90(stored, -1)).mean() < 8
    formats.export(labels, tmp_path / "out", ["coco"], images="copy")
    assert not (folder / "a.png").samefile(image_folder / "a.png")
    assert (folder / "a.png").read_bytes() == (image_folder / "a.png").read_bytes()
    formats.export(labels, tmp_path / "out", ["coco"], images="none")
    assert not folder.exists()


def test_the_image_of_a_member_of_an_archive_is_written(tmp_path, labels, image_folder):
    """It has no file; its bytes are given, and turned upright where they state a rotation."""
    members = {name: (image_folder / name).read_bytes() for name in labels.names()}
    shutil.rmtree(image_folder)
    images = [replace(image, file="") for image in labels]
    (one,) = formats.export(
        images, tmp_path / "out", ["yolo"], classes=labels.classes, find=lambda image: members[image.name]
    ).formats
    folder = tmp_path / "out" / "yolo" / "images" / "train"
    assert (one.without_file, one.upright, one.copied) == (0, 1, 0)
    assert (folder / "a.png").read_bytes() == members["a.png"]
    with Image.open(folder / "turned.jpg") as image:
        assert image.size == (24, 18)


def test_an_image_that_was_damaged_since_is_counted(tmp_path, labels, image_folder):
    data = (image_folder / "turned.jpg").read_bytes()
    (image_folder / "turned.jpg").write_bytes(data[: len(data) // 2])
    (one,) = formats.export(labels, tmp_path / "out", ["coco"]).formats
    assert (one.without_file, one.upright) == (1, 0)


def test_what_cannot_be_linked_is_copied_and_counted(tmp_path, labels, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    (one,) = formats.export(labels, tmp_path / "out", ["coco"]).formats
    assert (one.copied, one.upright) == (3, 1)
    assert len(list((tmp_path / "out" / "coco" / "images").rglob("*.*g"))) == 4


def test_the_split_goes_by_name_and_seed_alone():
    names = [f"shelf/{number}.jpg" for number in range(2000)]
    parts = {name: _names.part_of(name, 0.8, 0) for name in names}
    assert 0.77 < sum(part == "train" for part in parts.values()) / len(names) < 0.83
    assert parts != {name: _names.part_of(name, 0.8, 1) for name in names}
    wider = {name for name in names if _names.part_of(name, 0.9, 0) == "train"}
    assert wider > {name for name, part in parts.items() if part == "train"}
    assert {_names.part_of(name, None, 0) for name in names} == {"train"}
    assert [_names.part_of(f"{number}.jpg", 0.5, 0) for number in range(6)] == STABLE


def test_names_are_safe_and_unique():
    flat = _names.Names(flat=True, stems=True)
    assert [flat.take(name) for name in ("a.png", "a.jpg", "b/a.png", "A.PNG", "b__a.gif")] == [
        "a.png",
        "a_jpg.jpg",
        "b__a.png",
        "A_PNG.PNG",
        "b__a_gif.gif",
    ]
    nested = _names.Names(flat=False, stems=False)
    assert nested.take("å/ø.png") == "å/ø.png"
    assert nested.take("a.jpg") == "a.jpg"
    assert nested.take("a.png") == "a.png"
    assert _names.safe("../../etc/pass\nwd:1") == "etc/pass_wd_1"
    assert _names.safe("/abs/x.png") == "abs/x.png"
    long = _names.safe(f"{'ø' * 300}.png")
    assert len(long.encode()) <= 200
    assert long.endswith(".png")
    assert long != _names.safe(f"{'ø' * 301}.png")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"formats": ["coko"]}, 'There is no format "coko"; choose one of'),
        ({"formats": []}, "No format is given"),
        ({"split": 1.0}, "The split is 1"),
        ({"images": "move"}, 'cannot be taken by "move"'),
        ({"classes": ["a", "a"]}, "name each class once"),
        ({"classes": ["nut", "a\nb"]}, "is no name of a class"),
        ({"classes": ["nut"]}, "blå krus, which is not among the classes"),
    ],
)
def test_wrong_settings_are_one_message(tmp_path, labels, change, message):
    with pytest.raises(SettingError, match=message):
        formats.export(labels, tmp_path / "out", **{"formats": ["coco"], **change})
    assert not (tmp_path / "out" / "coco").exists()


def test_two_exports_into_one_folder_are_refused(tmp_path, labels):
    def second() -> Iterator[LabelledImage]:
        yield from labels
        with pytest.raises(SettingError, match="Another export"):
            formats.export(labels, tmp_path / "out", ["coco"])

    formats.export(second(), tmp_path / "out", ["coco"], classes=labels.classes)


def test_a_partial_export_of_a_killed_process_is_removed(tmp_path, labels):
    (tmp_path / "out" / ".coco-0123.part" / "images").mkdir(parents=True)
    formats.export(labels, tmp_path / "out", ["coco"])
    assert sorted(os.listdir(tmp_path / "out")) == [".ipseg-export.lock", "coco"]


def test_coco_holds_every_field(tmp_path, labels):
    formats.export(labels, tmp_path / "out", ["coco"])
    data = json.loads((tmp_path / "out" / "coco" / "annotations" / "instances_train.json").read_text("utf-8"))
    assert data["categories"] == [
        {"id": 1, "name": "nut", "supercategory": ""},
        {"id": 2, "name": "blå krus", "supercategory": ""},
    ]
    assert [image["file_name"] for image in data["images"]] == ["a.png", "b.jpg", "shelf 1/ø.png", "turned.jpg"]
    ring = data["annotations"][0]
    assert {key: ring[key] for key in ring if key != "segmentation"} == {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "area": 36,
        "bbox": [2, 3, 7, 6],
        "iscrowd": 0,
        "status": "detected",
        "score": 0.9,
    }


def test_no_label_folder_is_one_message(tmp_path):
    with pytest.raises(LabelsError, match="holds no labels"):
        LabelFolder.open(tmp_path)


def test_the_documentation_lists_every_format_and_its_folder_tree(root):
    page = (root / "docs" / "formats.md").read_text("utf-8")
    for name in EVERY:
        assert f"\n| `{name}` |" in page
        assert f".. automodule:: ipseg.annotations.formats.{name}\n" in page
        assert f"{name}/" in (plugins.docstring("formats", name))
    for name in readers.names():
        assert f"`{name}`" in page.partition("## Reading and converting")[2]


def test_a_name_that_no_system_takes_is_written_under_another(tmp_path):
    mask = np.ones((16, 16), bool)
    image = LabelledImage("a:b/bad\udcff\n.png", (16, 16), (LabelledInstance("a", mask, 0.5),))
    report = formats.export([image], tmp_path, EVERY, classes=["a"])
    assert {one.name: one.renamed for one in report.formats} == dict.fromkeys(EVERY, 1)
    for name in EVERY:
        (line,) = (tmp_path / name / "renamed.jsonl").read_text("utf-8").splitlines()
        assert json.loads(line)["original"] == image.name
    assert (tmp_path / "labelme" / "train" / "a_b__bad__.json").is_file()
    data = json.loads((tmp_path / "coco" / "annotations" / "instances_train.json").read_text("utf-8"))
    assert data["images"][0]["file_name"] == "a_b/bad__.png"
    assert data["images"][0]["original_name"] == image.name
