"""``ipseg prompt``: what it saves and shows, and that every command that takes a prompt image takes such a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ipseg
from ipseg.__main__ import main
from ipseg.cli import bench
from ipseg.core import images
from ipseg.method import saved_prompt
from ipseg.method.prompt import Prompt
from tests.cli.checks import one_error

pytestmark = pytest.mark.usefixtures("small_offline")

RED, BLUE = (200, 30, 40), (50, 90, 210)


@pytest.fixture
def files(tmp_path: Path, save, make_scene, monkeypatch, offline):
    """A folder with two prompt images, the mask of the first, two inputs and another object; the engine is offline."""
    monkeypatch.setattr("ipseg.cli._engine.load", lambda *_, **__: offline)
    monkeypatch.chdir(tmp_path)
    for name, seed in (("a.png", 1), ("b.png", 2), ("c.png", 3), ("d.png", 4)):
        save(tmp_path / name, make_scene(colour=RED, seed=seed)[0])
    save(tmp_path / "a_mask.png", make_scene(seed=1)[1].astype(np.uint8) * 255)
    save(tmp_path / "other.png", make_scene(colour=BLUE, seed=5)[0])
    return tmp_path


@pytest.fixture
def saved(files, offline):
    """A file with the prompt of a.png."""
    offline.prompt("a.png").save("mug.npz")
    return files / "mug.npz"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def refused(capsys, *arguments: object) -> str:
    """The one message on standard error of a call that exits with 2."""
    return one_error(capsys, run(*arguments))


def box_of(mask: str) -> str:
    shown = np.asarray(Image.open(mask)) > 127
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    return f"{columns[0]},{rows[0]},{columns[-1] + 1},{rows[-1] + 1}"


def test_all_that_is_said_is_saved(files, offline, capsys):
    point = "--point", "b.png:32,24", "--negative-point", "b.png:1,2"
    against = "--negative", "other.png", "--box", "other.png:8,6,56,42"
    numbers = "--threshold", "0.75", "--k", "8", "--clusters", "2"
    assert run("prompt", "create", "out/mug.npz", "a.png", "b.png", "--mask", "a.png:a_mask.png",
               *point, *against, *numbers, "--name", "red mug") == 0  # fmt: skip
    printed = capsys.readouterr().out
    loaded = Prompt.load("out/mug.npz")
    assert loaded.name == "red mug"
    assert [view.given for view in loaded.views] == [True, True]
    assert loaded.negative.views[0].given
    assert np.array_equal(loaded.views[0].saliency > 0.5, images.open_image("a_mask.png")[..., 0] > 127)
    assert (loaded.parameters.threshold, loaded.parameters.k) == (0.75, 8)
    assert [made.made_by.engine for made in loaded.saved.models] == ["offline"]
    for part in (
        "red mug, 2 images",
        "image 1: 64x48, its mask given",
        "not meant 1",
        "engine offline",
        "threshold 0.75",
    ):
        assert part in printed
    both = ipseg.Points(np.float32([[32.5, 24.5]]), np.float32([[1.5, 2.5]]))
    expected = offline.prompt(["a.png", "b.png"], ["a_mask.png", None], points=[None, both])
    assert np.array_equal(loaded.views[1].saliency, expected.views[1].saliency)


def test_a_box_on_the_command_line_is_that_of_the_package(files, offline):
    box = box_of("a_mask.png")
    assert run("prompt", "create", "mug.npz", "a.png", "--box", f"a.png:{box}") == 0
    loaded = Prompt.load("mug.npz")
    expected = offline.prompt("a.png", boxes=tuple(map(int, box.split(","))))
    assert loaded.name == "mug"
    assert np.array_equal(loaded.views[0].saliency, expected.views[0].saliency)


def test_names_of_files_may_have_colons(files, save, make_scene, capsys):
    image, mask = make_scene(seed=6)
    for name in ("x:1.png", "x", "deep:er/x:1.png"):
        path = save(files / "tmp.png", image)
        (files / name).parent.mkdir(exist_ok=True)
        path.rename(files / name)
    save(files / "tmp.png", mask.astype(np.uint8) * 255).rename(files / "m:1.png")
    assert run("prompt", "create", "one.npz", "x:1.png", "x", "--mask", "x:1.png:m:1.png") == 0
    assert [view.given for view in Prompt.load("one.npz").views] == [True, False]  # the longest that fits
    assert run("prompt", "create", "two.npz", "deep:er/x:1.png", "--mask", "x:1.png:m:1.png") == 0
    assert Prompt.load("two.npz").views[0].given
    capsys.readouterr()
    error = refused(capsys, "prompt", "create", "3.npz", "./x:1.png", "deep:er/x:1.png", "--point", "x:1.png:5,5")
    assert "names 2 images" in error
    assert run("prompt", "create", "4.npz", "x:1.png", "deep:er/x:1.png", "--point", "x:1.png:30,20") == 0
    assert [view.given for view in Prompt.load("4.npz").views] == [True, False]  # a path goes before a name


WRONG = {
    "no image": (("--box", "z.png:1,2,3,4"), "names no image"),
    "no colon": (("--box", "a.png"), "names no image"),
    "nothing behind it": (("--box", "a.png:"), "nothing behind the colon"),
    "no box": (("--box", "a.png:1,2,3"), "no box in pixels"),
    "no numbers": (("--point", "a.png:1,two"), "no point in pixels"),
    "off the image": (("--point", "a.png:64,10"), "not on its image"),
    "a box off the image": (("--box", "a.png:0,0,65,48"), "not on its image"),
    "an empty box": (("--box", "a.png:5,5,5,9"), "not on its image"),
    "two masks": (("--mask", "a.png:a_mask.png", "--mask", "a.png:a_mask.png"), "2 masks"),
    "mask and box": (("--mask", "a.png:a_mask.png", "--box", "a.png:1,1,9,9"), "give one of the two"),
    "a missing mask": (("--mask", "a.png:missing.png"), "missing.png does not exist"),
    "negative alone": (("--negative-point", "a.png:5,5"), "marked as the object"),
    "no name": (("--name", " "), "is no name"),
    "a long name": (("--name", "m" * 201), "is no name"),
    "threshold": (("--threshold", "2"), "number from 0 to 1"),
    "thresholds": (("--threshold", "0.2", "--reject-threshold", "0.9"), "at most the threshold"),
    "a missing negative": (("--negative", "missing.png"), "missing.png does not exist"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_one_message_and_writes_nothing(name, files, capsys):
    given, part = WRONG[name]
    assert part in refused(capsys, "prompt", "create", "mug.npz", "a.png", *given)
    assert not (files / "mug.npz").exists()


def test_an_empty_mask_is_one_message(files, save, capsys):
    save(files / "empty.png", np.zeros((48, 64), np.uint8))
    assert "empty.png is empty" in refused(capsys, "prompt", "create", "m.npz", "a.png", "--mask", "a.png:empty.png")


def test_the_output_is_checked_first_and_another_prompt_is_not_replaced(saved, capsys, monkeypatch):
    before = saved.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("ipseg.cli._engine.load", lambda *_, **__: pytest.fail("the engine was built"))
        assert "mug.npz exists" in refused(capsys, "prompt", "create", "mug.npz", "b.png")
        assert "ends in .npz" in refused(capsys, "prompt", "create", "mug.png", "b.png")
        Path("folder.npz").mkdir()
        assert "is a folder" in refused(capsys, "prompt", "create", "folder.npz", "b.png")
    assert saved.read_bytes() == before
    assert run("prompt", "create", "mug.npz", "b.png", "--overwrite") == 0
    assert saved.read_bytes() != before


def test_the_model_of_another_engine_is_added(saved, monkeypatch, capsys):
    other = ipseg.load("offline", refinement="single")
    monkeypatch.setattr("ipseg.cli._engine.load", lambda *_, **__: other)
    assert run("prompt", "create", "mug.npz", "mug.npz") == 0
    assert "made anew" in capsys.readouterr().err
    assert [made.made_by.engine for made in Prompt.load(saved).saved.models] == ["offline", other.info.name]
    assert other.prompt(saved).notices == ()


def test_show_lists_what_is_in_a_file(saved, capsys):
    assert run("prompt", "show", "mug.npz") == 0
    assert "image 1: 64x48, its mask from saliency" in capsys.readouterr().out
    assert run("prompt", "show", "mug.npz", "--json") == 0
    assert json.loads(capsys.readouterr().out) == saved_prompt.describe(saved_prompt.read("mug.npz"))


def test_the_sheet_shows_every_image(files, offline, capsys):
    assert run("prompt", "create", "mug.npz", *["a.png", "b.png", "c.png"] * 2, "--negative", "other.png") == 0
    assert run("prompt", "show", "mug.npz", "--output", "sheet/all.png") == 0
    sheet = np.asarray(Image.open("sheet/all.png"))
    one = sheet.shape[1] // 4
    filled = [(sheet[row : row + 360, at * one : (at + 1) * one] < 128).mean() for row in (12, 436) for at in range(4)]
    assert [share > 0.3 for share in filled] == [True] * 7 + [False]
    capsys.readouterr()
    assert "ends in .png" in refused(capsys, "prompt", "show", "mug.npz", "--output", "sheet.jpg")


@pytest.mark.parametrize("name", ["a.png", "missing.npz", "text.npz"])
def test_show_of_something_else_is_one_message(name, files, capsys):
    (files / "text.npz").write_text("not a prompt")
    assert name in refused(capsys, "prompt", "show", name)


# The other commands


def segmented(*arguments: object) -> np.ndarray:
    assert run("segment", *arguments, "--output", "mask.png", "--threshold", "0") == 0
    return np.asarray(Image.open("mask.png"))


def test_segment_takes_it_as_the_image(saved, capsys):
    expected = segmented("a.png", "c.png")
    assert np.array_equal(segmented("mug.npz", "c.png"), expected)
    assert capsys.readouterr().err == ""
    assert np.array_equal(
        segmented("mug.npz", "c.png", "--also", "b.png"), segmented("a.png", "c.png", "--also", "b.png")
    )
    assert np.array_equal(
        segmented("a.png", "c.png", "--negative", "mug.npz"), segmented("a.png", "c.png", "--negative", "a.png")
    )
    capsys.readouterr()
    error = refused(capsys, "segment", "mug.npz", "c.png", "--output", "x.png", "--prompt-mask", "a_mask.png")
    assert "mug.npz is a saved prompt" in error
    (saved.parent / "broken.npz").write_bytes(saved.read_bytes()[:-100])
    assert "broken.npz is damaged" in refused(capsys, "segment", "broken.npz", "c.png", "--output", "x.png")


def test_segment_uses_its_negative_prompt_and_its_thresholds(files, offline, capsys):
    create = "prompt", "create", "mug.npz", "a.png", "--negative", "other.png", "--threshold", "0.95"
    assert run(*create, "--reject-threshold", "0.9") == 0
    result = offline.segment(offline.prompt("a.png"), "c.png", negative_prompt=offline.prompt("other.png"))
    assert run("segment", "mug.npz", "c.png", "--output", "mask.png", "--json", "mask.json") == 0
    (record,) = json.loads(Path("mask.json").read_text())
    assert (record["threshold"], record["reject_threshold"]) == (0.95, 0.9)
    assert record["score"] == round(result.score, 4)


def test_a_resumed_run_knows_the_saved_prompt(files, offline, monkeypatch):
    run("prompt", "create", "mug.npz", "a.png")
    run("segment", "mug.npz", "c.png", "d.png", "--output", "out", "--json", "out.json")
    asked = []
    monkeypatch.setattr(type(offline), "segment", lambda *_, **__: asked.append(1) or pytest.fail("segmented again"))
    assert run("segment", "mug.npz", "c.png", "d.png", "--output", "out", "--json", "out.json", "--resume") == 0
    assert not asked


def test_another_saved_prompt_is_another_run(files, offline):
    for name, given in (("one.npz", ()), ("two.npz", ("--negative", "other.png")), ("three.npz", ("--k", "4"))):
        run("prompt", "create", name, "a.png", *given)
    notes = set()
    for name in ("one.npz", "two.npz", "three.npz"):
        run("segment", name, "c.png", "--output", "mask.png")
        notes.add(images.png_note("mask.png"))
    assert len(notes) == 3


def test_batch_takes_it_and_its_name(saved, capsys):
    assert run("prompt", "create", "cup.npz", "mug.npz", "--name", "cup") == 0
    assert run("batch", "cup.npz", "c.png", "d.png", "--output", "one", "--threshold", "0") == 0
    assert run("batch", "a.png", "c.png", "d.png", "--output", "two", "--threshold", "0") == 0
    for name in ("c.png", "d.png"):
        assert (Path("one/masks") / name).exists()
        first, second = (np.asarray(Image.open(Path(out, "masks", name))) for out in ("one", "two"))
        assert np.array_equal(first, second)
    found = [json.loads(Path(out, "coco.json").read_text())["categories"][0]["name"] for out in ("one", "two")]
    assert found == ["cup", "object"]
    assert run("batch", "cup.npz", "c.png", "--output", "three", "--name", "beaker") == 0
    assert json.loads(Path("three/coco.json").read_text())["categories"][0]["name"] == "beaker"


def test_compare_gives_the_other_methods_the_image_and_its_mask(files, capsys):
    assert run("prompt", "create", "mug.npz", "a.png", "--mask", "a.png:a_mask.png") == 0
    assert run("compare", "mug.npz", "c.png", "--output", "one") == 0
    assert run("compare", "a.png", "c.png", "--prompt-mask", "a_mask.png", "--output", "two") == 0
    for name in ("c.ipseg.png", "c.persam.png"):
        first, second = (np.asarray(Image.open(Path(out, name))) for out in ("one", "two"))
        assert np.array_equal(first, second)


def test_compare_with_several_images_names_what_a_method_cannot_take(files, capsys):
    assert run("prompt", "create", "mug.npz", "a.png", "b.png") == 0
    capsys.readouterr()
    assert run("compare", "mug.npz", "c.png", "--output", "one") == 1
    assert "PerSAM takes one prompt image, and 2 were given" in capsys.readouterr().err
    assert Path("one/c.ipseg.png").exists()


def test_bench_measures_with_its_image(saved):
    assert np.array_equal(bench._prompt_image(saved), images.open_image("a.png"))
    assert np.array_equal(bench._prompt_image(Path("a.png")), images.open_image("a.png"))
