"""Labels against true ones, and examples cut from annotations."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ipseg.__main__ import main
from ipseg.annotations import formats
from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance
from ipseg.labelling.examples import read

SIZE = (40, 60)


def one(label: str, left: int, right: int, score: float = 0.9) -> LabelledInstance:
    mask = np.zeros(SIZE, bool)
    mask[10:30, left:right] = True
    return LabelledInstance(label, mask, score)


@pytest.fixture
def truth(tmp_path):
    """Two images with true labels as COCO."""
    folder = tmp_path / "images"
    folder.mkdir()
    labels = LabelFolder.create(tmp_path / "true", ["cup", "mug"])
    shown = {"a.png": [one("mug", 5, 25), one("cup", 30, 50)], "b.png": [one("mug", 5, 25)]}
    for name, instances in shown.items():
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)).save(folder / name)
        labels.write(LabelledImage(name, SIZE, tuple(instances), str(folder / name)))
    formats.export(labels, tmp_path, ["coco"], classes=labels.classes)
    return tmp_path / "coco"


@pytest.fixture
def found(tmp_path):
    labels = LabelFolder.create(tmp_path / "found", ["mug", "cup"])
    labels.write(LabelledImage("a.png", SIZE, (one("mug", 5, 25), one("mug", 30, 50, 0.6))))
    labels.write(LabelledImage("b.png", SIZE, (one("mug", 6, 25),)))
    labels.write(LabelledImage("c.png", SIZE, (one("mug", 6, 25),)))  # without a truth: it does not count
    return tmp_path / "found"


def test_labels_are_measured_against_a_coco_file(truth, found, tmp_path, capsys):
    assert main(["measure", str(found), "--truth", str(truth), "--json", str(tmp_path / "m.json")]) == 0
    data = json.loads((tmp_path / "m.json").read_text())
    assert data["images"] == 2
    assert data["classes"]["mug"] == {
        "true": 2,
        "found": 3,
        "matched": 2,
        "precision": pytest.approx(2 / 3),
        "recall": 1,
    }
    assert data["classes"]["cup"] == {"true": 1, "found": 0, "matched": 0, "precision": None, "recall": 0}
    assert {"true": "cup", "found": "mug", "count": 1} in data["confusion"]
    text = capsys.readouterr().out
    assert text.startswith("2 images, mask AP 0.")
    assert "| all | 3 | 3 | 0.667 | 0.667 |" in text


def test_a_threshold_leaves_out_what_scores_less(truth, found, tmp_path):
    arguments = ["measure", str(found), "--truth", str(truth), "--threshold", "0.7", "--json", str(tmp_path / "m.json")]
    assert main(arguments) == 0
    assert json.loads((tmp_path / "m.json").read_text())["classes"]["mug"]["found"] == 2


def test_images_in_folders_of_their_classes(tmp_path, capsys):
    labels = LabelFolder.create(tmp_path, ["cup", "mug"])
    labels.write(LabelledImage("mug/1.png", SIZE, (one("mug", 0, 9),)))
    labels.write(LabelledImage("cup/1.png", SIZE, (one("mug", 0, 9),)))
    assert main(["measure", str(tmp_path), "--by-folder"]) == 0
    assert "in 1 of 2 images (50.0%)" in capsys.readouterr().out


def test_examples_are_cut_where_they_are_annotated(truth, tmp_path, capsys):
    assert main(["examples", str(truth), str(tmp_path / "examples"), "--of", "a.png"]) == 0
    assert "2 examples" in capsys.readouterr().out
    classes = read(tmp_path / "examples")
    assert sorted(each.name for each in classes) == ["cup", "mug"]
    mask = np.asarray(Image.open(tmp_path / "examples" / "mug" / "a_1.mask.png"))
    assert mask.shape == (30, 30)  # 20x20 pixels with a margin of a quarter
    assert (mask > 0).sum() == 400


def test_what_cannot_be_measured_is_one_message(truth, found, tmp_path, capsys):
    assert main(["measure", str(tmp_path / "images"), "--truth", str(truth)]) == 2
    assert "no labels" in capsys.readouterr().err
    empty = LabelFolder.create(tmp_path / "empty", ["mug"])
    assert main(["measure", str(empty.folder), "--truth", str(truth)]) == 2
    assert "same name" in capsys.readouterr().err
    assert main(["measure", str(empty.folder), "--by-folder"]) == 2
    assert "label images first" in capsys.readouterr().err
    assert main(["examples", str(truth), str(tmp_path / "out"), "--of", "a.png", "--of", "z.png"]) == 2
    assert not (tmp_path / "out").exists()
    assert "no image z.png" in capsys.readouterr().err


@pytest.mark.parametrize("threshold", ["nan", "7", "-1"])
def test_a_threshold_is_a_number_from_0_to_1(truth, found, tmp_path, capsys, threshold):
    for command in (
        ["measure", str(found), "--by-folder"],
        ["convert", str(truth), str(tmp_path / "out"), "--to", "png"],
    ):
        assert main([*command, f"--threshold={threshold}"]) == 2
        assert "give a number from 0 to 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
