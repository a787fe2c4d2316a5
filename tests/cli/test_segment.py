"""``ipseg segment``: what it writes, what it prints, and its exit codes."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from ipseg.__main__ import main
from ipseg.cli import segment
from ipseg.core import images
from tests.cli.checks import full_disk, one_error

RED, BLUE = (200, 30, 40), (50, 90, 210)


@pytest.fixture
def files(tmp_path: Path, save, make_scene, monkeypatch, engine):
    """A folder with a prompt, three images that show its object and one that does not; the engine is a small one."""
    monkeypatch.setattr(segment._engine, "load", lambda *_, **__: engine)
    monkeypatch.chdir(tmp_path)
    image, mask = make_scene(40, 50, RED)
    save(tmp_path / "prompt.png", image)
    save(tmp_path / "prompt_mask.png", mask.astype(np.uint8) * 255)
    for number, size in enumerate([(40, 50), (61, 33), (30, 90)]):
        save(tmp_path / f"{number}.v1.png", make_scene(*size, RED, seed=number)[0])
    save(tmp_path / "other.png", make_scene(40, 50, BLUE)[0])
    (tmp_path / "broken.jpg").write_text("words")
    return tmp_path


def run(*arguments: object) -> int:
    return main(["segment", *(str(argument) for argument in arguments)])


def refused(capsys, *arguments: object) -> str:
    """The one message on standard error of a call that exits with 2; nothing else may have been written."""
    return one_error(capsys, run(*arguments))


def truth(make_scene, size, seed) -> np.ndarray:
    return make_scene(*size, RED, seed=seed)[1]


def test_one_image_gives_one_png(files, make_scene, capsys):
    assert run("prompt.png", "1.v1.png", "--output", "mask.png") == 0
    pixels = images.open_image(files / "mask.png")
    assert pixels.shape == (61, 33, 3)
    np.testing.assert_array_equal(pixels[..., 0] == 255, truth(make_scene, (61, 33), 1))
    assert set(np.unique(pixels)) == {0, 255}
    printed = capsys.readouterr().out
    assert re.search(r"1\.v1\.png: detected, \d+\.\d% of the image \(score \d\.\d\d, \d\.\d\d s\)", printed)


def test_several_images_give_a_folder(files, make_scene):
    assert run("prompt.png", "0.v1.png", "1.v1.png", "2.v1.png", "--output", "out/masks") == 0
    assert sorted(path.name for path in (files / "out/masks").iterdir()) == ["0.v1.png", "1.v1.png", "2.v1.png"]
    for number, size in enumerate([(40, 50), (61, 33), (30, 90)]):
        mask = images.open_image(files / f"out/masks/{number}.v1.png")[..., 0] > 127
        np.testing.assert_array_equal(mask, truth(make_scene, size, number))


def test_one_image_into_a_folder(files):
    assert run("prompt.png", "1.v1.png", "--output", "out") == 0
    assert (files / "out/1.v1.png").is_file()
    (files / "run.2").mkdir()
    assert run("prompt.png", "1.v1.png", "--output", "run.2") == 0
    assert (files / "run.2/1.v1.png").is_file()


def test_the_object_is_not_there(files, capsys):
    assert run("prompt.png", "other.png", "--output", "mask.png") == 0
    assert not images.open_image(files / "mask.png").any()
    assert "not detected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (("--threshold", 0.19), "detected"),
        (("--threshold", 0.21, "--reject-threshold", 0.19), "uncertain"),
        (("--threshold", 0.21, "--reject-threshold", 0.21), "not_detected"),
        (("--threshold", 0.21), "not_detected"),  # the engine's own reject threshold of 0.25 counts as 0.21
        (("--threshold", 0, "--reject-threshold", 0.21), "detected"),
        (("--reject-threshold", 0.2), "uncertain"),  # the score itself
    ],
)
def test_the_two_thresholds_decide(files, save, capsys, limits, status):
    pixels = np.full((40, 50, 3), 100, np.uint8)
    pixels[5:10, 5:15] = RED  # 1/40 of the image: a score of 0.2
    save(files / "small.png", pixels)
    assert run("prompt.png", "small.png", "--output", "mask.png", "--json", "out.json", *limits) == 0
    (record,) = json.loads((files / "out.json").read_text())
    assert (record["status"], record["score"]) == (status, 0.2)
    written = images.open_image(files / "mask.png")[..., 0] > 127
    assert written.sum() == (0 if status == "not_detected" else 50)
    words = "not detected" if status == "not_detected" else f"{status}, 2.5% of the image"
    assert f"small.png: {words} (score 0.20" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (("--reject-threshold", 0.51), "the threshold, which is 0.5"),
        (("--threshold", 0.2, "--reject-threshold", 0.3), "the threshold, which is 0.2"),
        (("--reject-threshold", "nan"), "reject threshold is nan"),
    ],
)
def test_a_reject_threshold_above_the_threshold_is_wrong_usage(files, capsys, limits, words):
    assert words in refused(capsys, "prompt.png", "1.v1.png", "--output", "mask.png", *limits)
    assert not (files / "mask.png").exists()


def test_instances_say_how_many_are_uncertain(files, capsys):
    arguments = ("prompt.png", "1.v1.png", "--output", "mask.png", "--all-instances")
    assert run(*arguments) == 0
    assert "1.v1.png: 1 instance (score" in capsys.readouterr().out


def test_overlay_and_json(files):
    names = ("0.v1.png", "other.png")
    assert run("prompt.png", *names, "--output", "out", "--overlay", "--json", "out.json") == 0
    assert images.open_image(files / "out/0.v1.overlay.png").shape == (40, 50, 3)
    assert images.open_image(files / "out/other.overlay.png").shape == (40, 50, 3)
    detected, missing = json.loads((files / "out.json").read_text())
    assert [detected["image"], missing["image"]] == list(names)
    assert (detected["status"], missing["status"]) == ("detected", "not_detected")
    assert (
        detected["score"] > detected["threshold"] == 0.5 > detected["reject_threshold"] == 0.25 > missing["score"] == 0
    )
    assert detected["positive_points"] == [[10.25, 20.5]]
    assert detected["negative_points"] == [[1, 2], [3.13, 4]]
    assert detected["seconds"] == {"features": 0.01, "mask": 0.02}


def test_one_bad_image_among_three(files, capsys, one_message):
    code = run("prompt.png", "0.v1.png", "broken.jpg", "1.v1.png", "--output", "out", "--json", "out.json")
    printed = capsys.readouterr()
    assert code == 1
    assert sorted(path.name for path in (files / "out").iterdir()) == ["0.v1.png", "1.v1.png"]
    assert len(printed.err.splitlines()) == 1
    one_message(printed.err.strip(), names="broken.jpg")
    records = json.loads((files / "out.json").read_text())
    assert [set(record) == {"image", "error"} for record in records] == [False, True, False]


@pytest.mark.parametrize("name", ["broken.jpg", "missing.png", "."])
def test_a_bad_prompt_stops_the_run(files, capsys, name):
    refused(capsys, name, "0.v1.png", "--output", "mask.png")
    assert not (files / "mask.png").exists()


def test_a_prompt_of_several_images_with_a_mask(files, engine):
    extra = ("--prompt-mask", "prompt_mask.png", "--also", "0.v1.png", "--also", "2.v1.png")
    assert run("prompt.png", "1.v1.png", "--output", "mask.png", *extra) == 0
    ((shown, masks),) = engine.prompts
    for pixels, name in zip(shown, ("prompt.png", "0.v1.png", "2.v1.png"), strict=True):
        np.testing.assert_array_equal(pixels, images.open_image(files / name))
    np.testing.assert_array_equal(masks[0].mask, images.open_image(files / "prompt_mask.png")[..., 0] == 255)
    assert masks[1:] == [None, None]


def test_a_mask_of_the_wrong_size(files, capsys, save):
    save(files / "small.png", np.full((20, 20), 255, np.uint8))
    printed = refused(capsys, "prompt.png", "1.v1.png", "--output", "m.png", "--prompt-mask", "small.png")
    assert "small.png is 20x20 pixels but its image is 50x40" in printed


WRONG = {
    "a mask that is no PNG": (("0.v1.png", "--output", "mask.jpg"), "ends in .png"),
    "several images into one PNG": (("0.v1.png", "1.v1.png", "--output", "mask.png"), "2 images; give a folder"),
    "a file where the folder should be": (("0.v1.png", "1.v1.png", "--output", "broken.jpg"), "give a folder"),
    "a folder below a file": (("0.v1.png", "1.v1.png", "--output", "broken.jpg/out"), "cannot be made"),
    "a PNG below a file": (("0.v1.png", "--output", "broken.jpg/mask.png"), "cannot be made"),
    "a folder where the PNG should be": (("0.v1.png", "--output", "folder.png"), "folder.png"),
    "equal names": (("0.v1.png", "sub/0.v1.jpg", "--output", "out"), 'named "0.v1"'),
    "no folder for the JSON": (("0.v1.png", "--output", "m.png", "--json", "none/out.json"), "does not exist"),
    "a folder as the JSON": (("0.v1.png", "--output", "m.png", "--json", "folder.png"), "folder.png"),
    "more clusters than K": (("0.v1.png", "--output", "m.png", "--k", 3, "--clusters", 4), "c is 4 but K is 3"),
    "K too large": (("0.v1.png", "--output", "m.png", "--k", 257), "K is 257"),
    "a threshold of nan": (("0.v1.png", "--output", "m.png", "--threshold", "nan"), "threshold is nan"),
    "a threshold of inf": (("0.v1.png", "--output", "m.png", "--threshold", "inf"), "threshold is inf"),
    "a threshold above 1": (("0.v1.png", "--output", "m.png", "--threshold", "7"), "threshold is 7"),
    "a mask value that is not there": (
        ("0.v1.png", "--output", "m.png", "--prompt-mask", "prompt_mask.png", "--mask-value", "3"),
        "prompt_mask.png has no pixel of the value 3; choose one of 0 and 255",
    ),
    "K zero": (("0.v1.png", "--output", "m.png", "--k", 0), "K is 0"),
    "the image itself as output": (("0.v1.png", "--output", "0.v1.png"), "0.v1.png"),
    "the prompt as output": (("0.v1.png", "--output", "prompt.png"), "prompt.png"),
    "the images' own folder": (("0.v1.png", "1.v1.png", "--output", "."), "0.v1.png"),
    "a mask over the JSON": (("0.v1.png", "--output", "m.png", "--json", "m.png"), "m.png"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_refused_and_nothing_is_lost(name, files, capsys):
    (files / "folder.png").mkdir()
    before = {path: path.read_bytes() for path in files.iterdir() if path.is_file()}
    arguments, words = WRONG[name]
    assert words in refused(capsys, "prompt.png", *arguments)
    assert {path: path.read_bytes() for path in files.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("prompt.png",),
        ("prompt.png", "0.v1.png"),
        ("prompt.png", "0.v1.png", "--output", "m.png", "--preset", "magic"),
        ("prompt.png", "0.v1.png", "--output", "m.png", "--k", "many"),
        ("prompt.png", "0.v1.png", "--output", "m.png", "--colour", "red"),
    ],
    ids=str,
)
def test_usage_that_argparse_refuses(arguments, files, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "usage: ipseg" in capsys.readouterr().err


def test_resume_leaves_out_what_is_there(files, engine):
    given = ("prompt.png", "0.v1.png", "1.v1.png", "2.v1.png", "--output", "out", "--resume")
    assert run(*given[:3], *given[4:]) == 0
    assert engine.calls == 2
    (files / "out/1.v1.png").unlink()
    assert run(*given) == 0
    assert engine.calls == 4
    for _ in range(2):  # their records are asked for now, and then they are there
        assert run(*given, "--json", "out.json") == 0
        assert engine.calls == 7
    assert [record["image"] for record in json.loads((files / "out.json").read_text())] == list(given[1:4])


IMAGES = ("0.v1.png", "1.v1.png", "2.v1.png")


@pytest.mark.parametrize(
    "change",
    [("--k", "16"), ("--threshold", "0.3"), ("--also", "0.v1.png"), ("--negative", "other.png"), ("--overlay",)],
    ids=lambda change: change[0],
)
def test_resume_takes_no_mask_of_other_settings(files, engine, change):
    given = ("prompt.png", *IMAGES, "--output", "out")
    assert run(*given) == 0
    assert run(*given, "--resume", *change) == 0
    assert engine.calls == 6
    assert run(*given, "--resume", *change) == 0
    assert engine.calls == 6


def test_resume_takes_no_mask_of_another_prompt_or_of_a_changed_image(files, engine, save, make_scene):
    given = ("prompt.png", *IMAGES, "--output", "out", "--resume")
    assert run(*given) == 0
    save(files / "1.v1.png", make_scene(20, 30, RED)[0])
    assert run(*given) == 0
    assert engine.calls == 4
    assert images.open_image(files / "out/1.v1.png").shape == (20, 30, 3)
    assert run("other.png", *given[1:]) == 0
    assert engine.calls == 7
    assert not images.open_image(files / "out/0.v1.png").any()


def stop_at(number: int, engine, monkeypatch, error: BaseException) -> None:
    """Let ``segment`` raise ``error`` at a call."""
    segment, calls = engine.segment, []

    def stopping(*arguments, **options):
        calls.append(1)
        if len(calls) == number:
            raise error
        return segment(*arguments, **options)

    monkeypatch.setattr(engine, "segment", stopping)


def without_seconds(path: Path) -> list[dict]:
    records = json.loads(path.read_text())
    for record in records:
        record.pop("seconds", None)
    return records


def test_a_run_that_is_stopped_lists_what_is_done_and_a_resumed_one_gives_the_same(files, engine, monkeypatch, capsys):
    given = ("prompt.png", *IMAGES, "--json", "out.json", "--output", "out")
    assert run(*given) == 0
    once = without_seconds(files / "out.json"), {path.name: path.read_bytes() for path in (files / "out").iterdir()}
    for path in [files / "out.json", *(files / "out").iterdir()]:
        path.unlink()
    with monkeypatch.context() as patch:
        stop_at(3, engine, patch, KeyboardInterrupt())
        assert run(*given) == 130
    assert [record["image"] for record in without_seconds(files / "out.json")] == list(IMAGES[:2])
    calls = engine.calls
    assert run(*given, "--resume") == 0
    assert engine.calls == calls + 1
    assert without_seconds(files / "out.json") == once[0]
    assert {path.name: path.read_bytes() for path in (files / "out").iterdir()} == once[1]


def test_a_mask_without_its_record_is_done_again(files, engine):
    """A process was killed after it wrote a mask, and before its list."""
    given = ("prompt.png", *IMAGES, "--json", "out.json", "--output", "out")
    assert run(*given) == 0
    (files / "out.json").write_text(json.dumps(json.loads((files / "out.json").read_text())[:1]))
    assert run(*given, "--resume") == 0
    assert engine.calls == 5
    assert [record["image"] for record in without_seconds(files / "out.json")] == list(IMAGES)


def test_a_resumed_run_with_other_images_saves_the_records_of_the_earlier_ones(files):
    assert run("prompt.png", *IMAGES[:2], "broken.jpg", "--json", "out.json", "--output", "out") == 1
    (files / "out/1.v1.png").unlink()
    assert run("prompt.png", IMAGES[2], "other.png", "--json", "out.json", "--output", "out", "--resume") == 0
    assert [record["image"] for record in without_seconds(files / "out.json")] == [IMAGES[2], "other.png", IMAGES[0]]


def test_a_wrong_setting_leaves_the_list_of_an_earlier_run(files, capsys):
    given = ("prompt.png", *IMAGES, "--json", "out.json", "--output", "out")
    assert run(*given) == 0
    before = (files / "out.json").read_text()
    capsys.readouterr()
    refused(capsys, *given, "--k", "999")
    assert (files / "out.json").read_text() == before


@pytest.mark.parametrize("name", ["1.v1.png", "1.v1.overlay.png"])
def test_a_file_that_cannot_be_written_is_one_message_and_the_rest_goes_on(files, monkeypatch, capsys, name, engine):
    given = ("prompt.png", *IMAGES, "--json", "out.json", "--output", "out", "--overlay")
    with monkeypatch.context() as patch:
        full_disk(patch, lambda each: each == name)
        assert run(*given) == 1
    printed = capsys.readouterr()
    assert printed.err == (
        f"ipseg: {name} cannot be written (No space left on device); make room on the disk and run it again.\n"
    )
    made = {path.name for path in (files / "out").iterdir()}
    assert made == {f"{Path(image).stem}{end}" for image in IMAGES for end in (".png", ".overlay.png")} - {name}
    records = json.loads((files / "out.json").read_text())
    assert ["error" in record for record in records] == [False, True, False]
    assert records[1]["positive_points"]  # what was computed is not lost
    assert run(*given, "--resume") == 0
    assert engine.calls == 4
    assert not any("error" in record for record in json.loads((files / "out.json").read_text()))


def test_a_list_that_cannot_be_written_is_one_message(files, monkeypatch, capsys):
    full_disk(monkeypatch, lambda name: name == "out.json")
    assert run("prompt.png", *IMAGES, "--json", "out.json", "--output", "out") == 1
    assert re.fullmatch(r"ipseg: out\.json cannot be written \(No space[^\n]+\n", capsys.readouterr().err)
    assert len(list((files / "out").iterdir())) == 3


@pytest.mark.parametrize("stem", ["x" * 251, "写" * 83])
def test_a_name_near_the_limit_of_the_file_system(files, save, make_scene, capsys, stem):
    save(files / f"{stem}.png", make_scene(40, 50, RED)[0])
    assert run("prompt.png", f"{stem}.png", "0.v1.png", "--output", "out") == 0
    assert (files / "out" / f"{stem}.png").is_file()
    assert run("prompt.png", f"{stem}.png", "0.v1.png", "--output", "out", "--overlay", "--json", "out.json") == 1
    assert re.fullmatch(
        r"ipseg: [^\n]{,80} cannot be written \(File name too long\); give its image a shorter name\.\n",
        capsys.readouterr().err,
    )
    assert (files / "out/0.v1.overlay.png").is_file()
    assert len(json.loads((files / "out.json").read_text())) == 2


@pytest.mark.parametrize("option", ["--output", "--json", "--prompt-mask"])
def test_a_path_that_no_system_takes_is_one_message(files, capsys, option):
    given = {"--output": "m.png", option: f"{'x' * 300}.png"}
    assert run("prompt.png", "0.v1.png", *(each for pair in given.items() for each in pair)) == 2
    assert re.fullmatch(r"ipseg: [^\n]+File name too long[^\n]+\.\n", capsys.readouterr().err)


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(files, monkeypatch, capsys, engine):
    create = os.open

    def refuse(path, flags, *mode, **options):
        if flags & os.O_CREAT and Path(path).parent.name == "locked":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return create(path, flags, *mode, **options)

    monkeypatch.setattr(os, "open", refuse)
    (files / "locked").mkdir()
    for given in (
        ("--output", "locked"),
        ("--output", "locked/m.png"),
        ("--output", "m.png", "--json", "locked/r.json"),
    ):
        assert "cannot be made or written (Read-only file system)" in refused(capsys, "prompt.png", "0.v1.png", *given)
    assert engine.prompts == []


def test_masks_of_earlier_runs_that_the_list_lacks_are_named(files, save, scene, capsys):
    save(files / "out" / "photograph.png", scene[0])  # not made by this program
    given = ("--json", "out.json", "--output", "out")
    assert run("prompt.png", *IMAGES, *given) == 0
    assert capsys.readouterr().err == ""
    assert run("prompt.png", *IMAGES[:2], *given) == 0
    printed = capsys.readouterr().err
    assert re.fullmatch(
        r"ipseg: out also holds masks of earlier runs [^\n]*: 2\.v1\.png; delete them, [^\n]*\n", printed
    )


def test_the_json_may_be_a_pipe(files):
    """/dev/stdout, or a device: it is written to, and stays what it is."""
    assert run("prompt.png", "0.v1.png", "--output", "m.png", "--json", os.devnull) == 0
    assert not Path(os.devnull).is_file()


def test_help_reads_well(capsys):
    with pytest.raises(SystemExit) as caught:
        run("--help")
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for option in (
        *("PROMPT", "IMAGE", "--output", "--preset", "--prompt-mask", "--also", "--k", "--clusters"),
        *("--threshold", "--reject-threshold", "--overlay", "--json", "--resume", "Exit code: 0"),
    ):
        assert option in printed
    for noise in ("default: None", "default: []", "default: False", "%("):
        assert noise not in printed


def test_without_weights_one_line_says_which_engine_answers(tmp_path, save, make_scene, hub_home, capsys):
    hub_home(tmp_path / "home")
    prompt, image = save(tmp_path / "prompt.png", make_scene()[0]), save(tmp_path / "input.png", make_scene(seed=1)[0])
    assert run(prompt, image, "--output", tmp_path / "m.png") == 0
    assert capsys.readouterr().err.splitlines() == [
        'ipseg: "offline" answers instead of "compact": weights of EfficientNet-Lite0, U2-Net-p missing (23 MB); '
        "run `python -m ipseg weights fetch compact`."
    ]
    assert not (tmp_path / "home").exists()  # nothing was downloaded
    assert run(prompt, image, "--output", tmp_path / "n.png", "--preset", "compact") == 2
    assert "run `python -m ipseg weights fetch efficientnet_lite0 u2netp`" in capsys.readouterr().err


def test_the_offline_engine_end_to_end(tmp_path, save, make_scene):
    prompt, _ = make_scene(120, 160, RED)
    image, mask = make_scene(131, 175, RED, seed=5)
    save(tmp_path / "prompt.png", prompt)
    save(tmp_path / "input.png", image)
    code = run(
        *(tmp_path / "prompt.png", tmp_path / "input.png", "--preset", "offline"),
        *("--output", tmp_path / "m.png", "--json", tmp_path / "m.json"),
    )
    assert code == 0
    found = images.open_image(tmp_path / "m.png")[..., 0] > 127
    assert (found & mask).sum() / (found | mask).sum() > 0.8
    (record,) = json.loads((tmp_path / "m.json").read_text())
    assert record["status"] == "detected"
    x, y = np.floor(record["positive_points"]).astype(int).T
    assert mask[y, x].mean() >= 0.75


def test_every_instance_gets_its_number(files, make_scene):
    assert run("prompt.png", "0.v1.png", "--output", "m.png", "--all-instances", "--overlay", "--json", "m.json") == 0
    inside = truth(make_scene, (40, 50), 0)
    numbers = images.open_image(files / "m.numbers.png")[..., 0]
    assert np.array_equal(numbers, inside.astype(np.uint8))
    assert np.array_equal(images.open_image(files / "m.png")[..., 0] > 0, inside)
    (record,) = json.loads((files / "m.json").read_text())
    rows, columns = np.nonzero(inside)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert record["instances"] == [{"status": "detected", "score": record["score"], "pixels": inside.sum(), "box": box}]
    assert (files / "m.overlay.png").exists()


def test_clicks_and_negative_prompts_reach_the_engine(files, engine):
    clicks = ["--click", "3,4", "--negative-click", "5,6", "--click", "7,8"]
    assert run("prompt.png", "0.v1.png", "--output", "m.png", *clicks, "--negative", "other.png") == 0
    assert engine.asked["clicks"].positive.tolist() == [[3.5, 4.5], [7.5, 8.5]]
    assert engine.asked["clicks"].negative.tolist() == [[5.5, 6.5]]
    assert engine.asked["negative_prompt"] is not None
    np.testing.assert_array_equal(engine.prompts[-1][0][0], images.open_image(files / "other.png"))


def test_clicks_are_for_one_image(files, capsys):
    assert "clicks but 2 images" in refused(
        capsys, "prompt.png", "0.v1.png", "1.v1.png", "--output", "o", "--click", "1,1"
    )


def test_a_negative_prompt_is_never_written_over(files, capsys):
    refused(capsys, "prompt.png", "0.v1.png", "--output", "other.png", "--negative", "other.png")
