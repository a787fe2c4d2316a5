"""``ipseg compare``: what it writes, what it prints, and its exit codes."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipseg import open_image
from ipseg.__main__ import main

pytestmark = pytest.mark.usefixtures("shared_offline")


@pytest.fixture
def files(tmp_path, save, make_scene, monkeypatch):
    """A folder with a prompt, its mask, two images and their masks."""
    monkeypatch.chdir(tmp_path)
    for name, seed in (("prompt", 0), ("one", 1), ("two", 2)):
        image, mask = make_scene(80, 100, (200, 30, 40), seed=seed)
        save(tmp_path / f"{name}.png", image)
        save(tmp_path / f"{name}_mask.png", mask.astype(np.uint8) * 255)
    return tmp_path


def run(*arguments: object) -> int:
    return main(["compare", "--preset", "offline", *(str(argument) for argument in arguments)])


def test_masks_images_and_a_record(files, capsys):
    code = run(
        "prompt.png", "one.png", "two.png", "--methods", "ipseg,persam", "--prompt-mask", "prompt_mask.png",
        "--truth", "one_mask.png", "two_mask.png", "--output", "out", "--json", "out.json",
    )  # fmt: skip
    assert code == 0
    printed = capsys.readouterr().out
    assert "PerSAM (on the engine's parts)" in printed
    assert printed.count("IoU ") == 4
    for stem in ("one", "two"):
        for ending in ("ipseg", "persam"):
            mask = open_image(files / "out" / f"{stem}.{ending}.png")
            assert mask.shape == (80, 100, 3)
            assert set(np.unique(mask)) <= {0, 255}
        assert open_image(files / "out" / f"{stem}.png").shape[1] > 4 * 100
        assert open_image(files / "out" / f"{stem}.difference.png").shape == (80, 100, 3)
    record = json.loads((files / "out.json").read_text())
    assert record["engine"] == "offline"
    assert [each["image"] for each in record["images"]] == ["one.png", "two.png"]
    methods = record["images"][0]["methods"]
    assert [entry["prompt_mask"] for entry in methods] == ["given", "given"]
    assert all(0 <= entry["iou"] <= 1 for entry in methods)
    assert list(record["images"][0]["agreement_iou"]) == ["ipseg and persam"]


def test_who_cannot_answer_is_named_and_the_others_go_on(files, capsys):
    (files / "broken.jpg").write_text("words")
    code = run("prompt.png", "one.png", "broken.jpg", "--methods", "ipseg,persam_f", "--output", "out", "--json", "j")
    errors = capsys.readouterr().err
    assert code == 1
    assert "PerSAM-F: PerSAM-F weighs the three masks of Segment Anything" in errors
    assert "broken.jpg is not an image" in errors
    assert (files / "out" / "one.ipseg.png").is_file()
    assert not (files / "out" / "one.persam_f.png").exists()
    assert "error" in json.loads((files / "j").read_text())["images"][1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "ipseg"), "two or more different methods"),
        (("--methods", "ipseg,magic"), 'no method "magic"'),
        (("--truth", "one_mask.png", "two_mask.png"), "2 true masks for 1 images"),
        (("--set", "matcher.draws=4"), "give METHOD.NAME=VALUE"),
        (("--set", "persam"), "give METHOD.NAME=VALUE"),
        (("--prompt-mask", "small.png"), "same size as the image"),
        (("--json", "one.png"), "one.png would be overwritten"),
        (("--json", "nowhere/j"), "does not exist"),
        (("--features", "magic"), 'no "magic" among the features'),
    ],
)
def test_wrong_usage_is_refused_and_nothing_is_lost(files, save, capsys, arguments, message):
    save(files / "small.png", np.full((20, 20), 255, np.uint8))
    before = (files / "one.png").read_bytes()
    assert run("prompt.png", "one.png", "--output", "out", *arguments) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert len(errors.strip().splitlines()) == 1
    assert (files / "one.png").read_bytes() == before


def test_what_was_given_is_never_overwritten(files, capsys):
    assert run("prompt.png", "one.png", "--output", ".") == 2
    assert "one.png would be overwritten" in capsys.readouterr().err


def test_a_method_takes_its_settings(files, capsys):
    assert (
        run("prompt.png", "one.png", "--methods", "ipseg,matcher", "--set", "matcher.protocol=x", "--output", "o") == 1
    )
    assert "protocol" in capsys.readouterr().err


def test_an_empty_truth_says_that_the_object_is_absent(files, save, capsys):
    save(files / "empty.png", np.zeros((80, 100), np.uint8))
    given = ("prompt.png", "one.png", "two.png", "--truth", "one_mask.png", "empty.png", "--output", "o", "--json", "j")
    assert run(*given) == 0
    printed = capsys.readouterr().out
    assert printed.count("IoU ") == printed.count("absent by the truth") == 2
    known, absent = json.loads((files / "j").read_text())["images"]
    assert all(entry["iou"] > 0 and "truth" not in entry for entry in known["methods"])
    assert all(entry["iou"] is None and entry["truth"] == "absent" for entry in absent["methods"])


def test_values_are_chosen_for_the_mask_and_for_the_truths(files, save, make_scene, capsys):
    mask = make_scene(80, 100, (200, 30, 40), seed=1)[1]
    values = mask.astype(np.uint8) * 5
    values[:6, :6] = 9
    save(files / "labels.png", values)
    given = ("prompt.png", "one.png", "--output", "o", "--json", "j", "--prompt-mask", "prompt_mask.png", "--truth")
    assert run(*given, "labels.png") == 1
    assert "labels.png has several objects, with the values 5 and 9" in capsys.readouterr().err
    assert run(*given, "labels.png", "--mask-value", "255", "--truth-value", "5") == 0
    chosen = json.loads((files / "j").read_text())["images"]
    assert run(*given, "one_mask.png") == 0
    plain = json.loads((files / "j").read_text())["images"]
    scores = [[entry["iou"] for entry in images[0]["methods"]] for images in (chosen, plain)]
    assert scores[0] == scores[1]


def test_what_was_assumed_of_a_mask_is_said(files, capsys):
    exif = Image.Exif()
    exif[274] = 3
    for name in ("prompt", "one"):
        Image.open(files / f"{name}.png").transpose(Image.Transpose.ROTATE_180).save(files / f"{name}.png", exif=exif)
    given = ("prompt.png", "one.png", "--prompt-mask", "prompt_mask.png", "--truth", "one_mask.png", "--output", "o")
    assert run(*given) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" fits ")[0] for line in said] == ["ipseg: prompt_mask.png", "ipseg: one_mask.png"]
    assert all("taken as drawn on the upright image" in line for line in said)


@pytest.mark.parametrize("value", ["-1", "red", "1.5", "0xred"])
def test_a_mask_value_that_is_no_number(value, files, capsys):
    with pytest.raises(SystemExit) as caught:
        run("prompt.png", "one.png", "--output", "o", f"--mask-value={value}")
    assert caught.value.code == 2
    assert "is no value of a mask" in capsys.readouterr().err


def test_a_mask_that_cannot_be_written_is_one_message_and_the_rest_goes_on(files, monkeypatch, capsys):
    rename = os.replace

    def replace(partial, target):
        if Path(target).name == "one.persam.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(partial, target)

    monkeypatch.setattr(os, "replace", replace)
    assert run("prompt.png", "one.png", "two.png", "--methods", "ipseg,persam", "--output", "o", "--json", "j") == 1
    assert re.fullmatch(r"ipseg: one\.persam\.png cannot be written \(No space [^\n]+\n", capsys.readouterr().err)
    ends = (".ipseg.png", ".persam.png", ".png", ".difference.png")
    made = {f"{stem}{end}" for stem in ("one", "two") for end in ends} - {"one.persam.png"}
    assert {path.name for path in (files / "o").iterdir()} == made
    records = json.loads((files / "j").read_text())["images"]
    assert ["error" in record for record in records] == [True, False]
    assert all(record["methods"] for record in records)
