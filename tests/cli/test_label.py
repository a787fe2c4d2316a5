"""``ipseg label``: what it writes, what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from filelock import FileLock

from ipseg.__main__ import main
from ipseg.annotations.labels import LabelFolder
from ipseg.cli import _engine
from ipseg.core import packages
from ipseg.labelling import run as runs
from tests.batch.conftest import film  # noqa: F401 - a fixture
from tests.cli import stubbed
from tests.conftest import label_by_colour

RED, GREEN, BLUE = (200, 30, 40), (40, 170, 60), (50, 90, 210)
CLASSES = ("apple", "leaf")
IMAGES = 6


@pytest.fixture(scope="module", autouse=True)
def _small_engine():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_engine, "built", stubbed.built)
        patch.setattr(runs, "label_image", label_by_colour)
        yield


@pytest.fixture(scope="module")
def given(tmp_path_factory, save, make_scene) -> Path:
    """Examples of two classes with masks, and images of both, which are small."""
    folder = tmp_path_factory.mktemp("given")
    for name, colour in zip(CLASSES, (RED, GREEN), strict=True):
        image, mask = make_scene(40, 50, colour)
        save(folder / "examples" / name / "0.png", image)
        save(folder / "examples" / name / "0.mask.png", (mask * 255).astype("uint8"))
    for number in range(IMAGES):
        colour = (RED, GREEN)[number % 2]
        save(folder / "in" / "some" / f"{number}.png", make_scene(32, 40, colour, seed=number)[0])
    return folder


def asked(given: Path, *more: object, examples: str = "examples", images: str = "in") -> list[str]:
    return ["label", str(given / examples), str(given / images), "--preset", "offline", *map(str, more)]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of labels and exports; images in them are links."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith("lock"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory) -> Path:
    """The folder of one run without stops."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(asked(given, "--output", out, "--format", "coco", "--split", 0.5, "--seed", 3)) == 0
    return out


def test_a_run_says_what_it_found_and_writes_the_format(given, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(asked(given, "--output", out, "--format", "coco", "--json", tmp_path / "counts.json")) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert re.search(rf"^1 of {IMAGES}: some/0\.png: 1 apple; 1 so far$", printed.out, re.M)
    assert re.search(r"^apple +3 +3 +0$", printed.out, re.M)
    assert f"coco -> {out / 'coco'}" in printed.out
    folder = LabelFolder.open(out)
    assert folder.classes == CLASSES
    found = {image.name: [one.label for one in image.instances] for image in folder}
    assert found == {f"some/{number}.png": [CLASSES[number % 2]] for number in range(IMAGES)}
    data = json.loads((out / "coco/annotations/instances_train.json").read_text())
    assert [one["name"] for one in data["categories"]] == list(CLASSES)
    assert len(data["annotations"]) == IMAGES
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["classes"]["leaf"] == {"images": 3, "instances": 3, "uncertain": 0}
    assert (counts["images"], counts["failed"]) == (IMAGES, {})
    assert re.search(
        rf"^{IMAGES} images labelled in [\d.]+ s: [\d.]+ s and [\d.]+ CPU seconds an image$", printed.out, re.M
    )
    assert counts["cost"]["images"] == IMAGES
    assert counts["cost"]["cpu_seconds"] > 0
    assert main(asked(given, "--output", out, "--resume", "--json", tmp_path / "counts.json")) == 0
    assert "CPU seconds" not in capsys.readouterr().out  # nothing was labelled
    assert json.loads((tmp_path / "counts.json").read_text())["cost"]["images"] == 0


def test_the_images_of_a_zip_are_in_the_export(given, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "in"), "zip", given / "in")
    out = tmp_path / "out"
    assert main([*asked(given)[:2], archive, *asked(given)[3:], "--output", str(out), "--format", "yolo"]) == 0
    images = out / "yolo" / "images" / "train"
    assert len(list(images.iterdir())) == IMAGES
    assert (images / "some__0.png").read_bytes() == (given / "in/some/0.png").read_bytes()


def test_a_class_that_is_nowhere_is_said_at_the_end(given, tmp_path, save, make_scene, capsys):
    shutil.copytree(given / "examples", tmp_path / "examples")
    image, mask = make_scene(40, 50, BLUE)
    save(tmp_path / "examples" / "sky" / "0.png", image)
    save(tmp_path / "examples" / "sky" / "0.mask.png", (mask * 255).astype("uint8"))
    arguments = asked(given, "--output", tmp_path / "out", "--threshold", 0.7, "--format", "coco", "--format", "png")
    assert main([arguments[0], str(tmp_path / "examples"), *arguments[2:]]) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        "ipseg: Nothing was found of sky; check the examples of these classes, or give a lower --threshold and "
        "--reject-threshold.\n"
    )
    assert re.search(r"^sky +0 +0 +0$", printed.out, re.M)
    assert "no instance of" not in printed.out, "the message is there once"


def test_an_image_that_cannot_be_used_is_one_message_and_the_rest_goes_on(given, tmp_path, capsys, one_message):
    shutil.copytree(given / "in", tmp_path / "in")
    (tmp_path / "in" / "words.jpg").write_text("words")
    arguments = asked(given, "--output", tmp_path / "out", "--format", "coco", "--json", tmp_path / "counts.json")
    arguments[2] = str(tmp_path / "in")
    assert main(arguments) == 1
    printed = capsys.readouterr()
    one_message(printed.err.strip(), names="words.jpg", folder=tmp_path)
    assert f"{IMAGES} instances in {IMAGES} images; 1 image failed" in printed.out
    assert list(json.loads((tmp_path / "counts.json").read_text())["failed"]) == ["words.jpg"]
    os.remove(tmp_path / "in" / "words.jpg")
    shutil.copy(given / "in/some/0.png", tmp_path / "in/words.jpg")
    assert main([*arguments, "--resume"]) == 0  # it is tried again
    assert "words.jpg: 1 apple; " in capsys.readouterr().out


def test_a_lack_of_memory_is_a_message_that_names_the_image(given, tmp_path, capsys, monkeypatch):
    def label(*given, **named):
        raise MemoryError

    monkeypatch.setattr(runs, "label_image", label)
    assert main(asked(given, "--output", tmp_path / "out")) == 1
    messages = capsys.readouterr().err.splitlines()
    assert messages[0] == "ipseg: some/0.png: There is not enough memory for this; give smaller or fewer images."
    assert len(messages) == IMAGES


def test_labels_of_images_that_are_no_input_now_are_named(given, tmp_path, capsys):
    shutil.copytree(given / "in", tmp_path / "in")
    arguments = asked(given, "--output", tmp_path / "out")
    arguments[2] = str(tmp_path / "in")
    assert main(arguments) == 0
    os.remove(tmp_path / "in/some/0.png")
    capsys.readouterr()
    assert main([*arguments, "--resume"]) == 0
    assert "also holds labels of images that are no input now: some/0.png; " in capsys.readouterr().err


@pytest.mark.parametrize("out", ["in/out", "in/some/out"])
def test_the_output_may_lie_among_the_images(given, tmp_path, out, capsys):
    shutil.copytree(given / "in", tmp_path / "in")
    arguments = asked(given, "--output", tmp_path / out, "--format", "coco", "--images", "copy")
    arguments[2] = str(tmp_path / "in")
    assert main(arguments) == 0
    assert main([*arguments, "--resume"]) == 0
    assert len(LabelFolder.open(tmp_path / out)) == IMAGES
    assert capsys.readouterr().err == ""


def test_two_runs_into_one_folder_are_refused(given, tmp_path, capsys):
    (tmp_path / "out/.ipseg").mkdir(parents=True)
    with FileLock(tmp_path / "out/.ipseg/0-of-1.lock"):
        assert main(asked(given, "--output", tmp_path / "out")) == 2
    assert "Another run is writing into" in capsys.readouterr().err
    assert main(asked(given, "--output", tmp_path / "out")) == 0
    with FileLock(tmp_path / "out/.ipseg/1-of-2.lock"):  # of a shard, whose labels would be removed
        assert main(asked(given, "--output", tmp_path / "out", "--overwrite")) == 2
        assert main(asked(given, "--output", tmp_path / "out", "--resume")) == 0
    assert main(asked(given, "--output", tmp_path / "out", "--overwrite")) == 0


def test_shards_and_a_run_that_finds_them_all_are_one_run(given, tmp_path, whole, capsys):
    out = tmp_path / "out"
    options = ("--output", out, "--format", "coco", "--split", 0.5, "--seed", 3)
    for shard in ("1/3", "0/3", "2/3", "1/3"):  # a job of an array that is run again goes on
        assert main(asked(given, *options, "--shard", shard)) == 0
        printed = capsys.readouterr().out
        assert f"2 instances in 2 images of share {shard.replace('/', '-of-')}" in printed
        assert "without --shard and with --resume" in printed
        assert not (out / "coco").exists()
    assert printed.count("(saved)") == 2
    assert main(asked(given, *options, "--resume")) == 0
    assert capsys.readouterr().out.count("(saved)") == IMAGES
    assert tree(out) == tree(whole)


def environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{root}", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def interrupted(root: Path, number: int, after: int, arguments: list[str]) -> tuple[int, str]:
    """A process that sends itself a signal when the engine is asked for so many times: its exit code and errors."""
    command = [sys.executable, root / "tests/cli/stubbed.py", f"{int(number)}", f"{after}", *arguments]
    done = subprocess.run(command, cwd=root, env=environment(root), capture_output=True, text=True, timeout=600)
    return done.returncode, done.stderr


def test_a_run_that_is_killed_and_resumed_gives_the_same_as_one_run(given, tmp_path, whole, root):
    out = tmp_path / "out"
    arguments = asked(given, "--output", out, "--format", "coco", "--split", 0.5, "--seed", 3)
    code, _ = interrupted(root, signal.SIGKILL, 9, arguments)  # in the fifth image, or the fourth
    assert code == -signal.SIGKILL
    assert 2 <= len(LabelFolder.open(out)) < IMAGES
    assert not (out / "coco").exists()
    assert main([*arguments, "--resume"]) == 0
    assert tree(out) == tree(whole)


def test_sigterm_ends_a_run_with_what_is_done_saved(given, tmp_path, root):
    arguments = asked(given, "--output", tmp_path / "out")
    assert interrupted(root, signal.SIGTERM, 5, arguments) == (143, "ipseg: ended by SIGTERM.\n")
    assert 1 <= len(LabelFolder.open(tmp_path / "out")) <= IMAGES


@pytest.mark.slow
def test_two_processes_of_a_launcher_give_the_same_files(given, tmp_path, root, capsys):
    """With the environment that `accelerate launch` gives them; test_evaluation runs that itself."""
    program = [sys.executable, str(root / "tests/cli/stubbed.py"), "0", "0"]

    def arguments(out):
        return asked(given, "--output", tmp_path / out, "--format", "coco", "--max-images", IMAGES)

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": tmp_path}
    shares = [
        subprocess.Popen(
            [*program, *arguments("out")], env=environment(root) | {"RANK": rank, "WORLD_SIZE": "2"}, **pipes
        )
        for rank in "01"
    ]
    printed = [share.communicate()[0] for share in shares]
    assert [share.returncode for share in shares] == [0, 0], printed
    assert "share 1-of-2" in printed[1]
    assert main(arguments("whole")) == 0
    capsys.readouterr()
    assert main([*arguments("out"), "--resume"]) == 0
    assert capsys.readouterr().out.count("(saved)") == IMAGES
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


WRONG = {
    "no examples": (("none", "in"), (), "do not exist"),
    "an empty class": (("empty", "in"), (), 'The class "leaf" has no example image'),
    "no images": (("examples", "empty/leaf"), (), "leaf holds no images"),
    "a shard that is none": (("examples", "in"), ("--shard", "3/3"), '--shard is "3/3"'),
    "overwriting by shards": (("examples", "in"), ("--shard", "0/2", "--overwrite"), "--overwrite removes what other"),
    "both": (("examples", "in"), ("--resume", "--overwrite"), "give one of the two"),
    "a split above 1": (("examples", "in"), ("--format", "coco", "--split", 1.5), "The split is 1.5"),
    "a threshold above 1": (("examples", "in"), ("--threshold", 7), "threshold is 7"),
    "too many": (("examples", "in"), ("--max-images", 2), "at most 2"),
    "a JSON file nowhere": (("examples", "in"), ("--json", "nowhere/a.json"), "does not exist"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_one_message_before_the_work(given, tmp_path, capsys, monkeypatch, name):
    (examples, images), options, words = WRONG[name]
    shutil.copytree(given, tmp_path / "given")
    (tmp_path / "given/empty/leaf").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    given = tmp_path / "given"
    assert main(asked(given, "--output", tmp_path / "out", *options, examples=examples, images=images)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"ipseg: [^\n]+\.\n", printed.err)
    assert words in printed.err
    assert not (tmp_path / "out").exists() or not LabelFolder.open(tmp_path / "out").names()


def test_a_run_of_other_settings_is_one_message(given, whole, capsys):
    before = tree(whole)
    assert main(asked(given, "--output", whole, "--resume", "--threshold", 0.9)) == 2
    assert "of a run with other settings (parameters.threshold: null, now 0.9); " in capsys.readouterr().err
    assert tree(whole) == before


def test_help_reads_well(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["label", "--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for word in ("EXAMPLES", "INPUT", "--output", "--resume", "--shard", "--format", "--preset", "Exit code: 0"):
        assert word in printed
    assert "default: None" not in printed


# Clips

FRAMES = 6  # of each clip here


@pytest.fixture
def _tracker():
    pytest.importorskip(
        "trackers", reason="needs trackers, whose opencv-python takes the place of opencv-python-headless: ipseg[clips]"
    )


def of_clips(given: Path, out: Path, *paths: object, more: tuple = ()) -> list[str]:
    inputs = [str(path) for path in paths]
    return [*asked(given)[:2], *inputs, *asked(given)[3:], "--output", str(out), "--per-second", "3", *map(str, more)]


def tracks_of(out: Path) -> dict[str, list[int | None]]:
    return {image.name: [one.track for one in image.instances] for image in LabelFolder.open(out)}


@pytest.mark.usefixtures("_tracker")
def test_the_frames_of_a_clip_are_labelled_tracked_and_exported(given, tmp_path, film, capsys):  # noqa: F811
    out = tmp_path / "out"
    assert main(of_clips(given, out, film(2 * FRAMES, 6), more=("--format", "coco"))) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("ipseg: Nothing was found of leaf")
    assert "clip.avi: 1 track\n" in printed.out
    names = [f"clip/{number:05}.png" for number in range(1, 2 * FRAMES, 2)]
    assert tracks_of(out) == {name: [1] for name in names}
    data = json.loads((out / "coco/annotations/instances_train.json").read_text())
    assert [one["file_name"] for one in data["images"]] == names
    assert [one["track_id"] for one in data["annotations"]] == [1] * FRAMES
    for name in names:
        assert (out / "coco/images/train" / name).read_bytes() == (out / "frames" / name).read_bytes()


@pytest.mark.usefixtures("_tracker")
def test_two_objects_that_cross_keep_their_ids(given, tmp_path):
    path, kind = tmp_path / "cross.avi", cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, kind, 3, (80, 48))
    for number in range(9):
        image = np.full((48, 80, 3), 110, np.uint8)
        image[4:24, 4 + 7 * number : 24 + 7 * number] = RED
        image[24:44, 60 - 7 * number : 80 - 7 * number] = GREEN
        writer.write(image[..., ::-1].copy())
    writer.release()
    out = tmp_path / "out"
    assert main(of_clips(given, out, path, more=("--threshold", 0.3, "--reject-threshold", 0.1))) == 0
    found = [{one.label: one.track for one in image.instances} for image in LabelFolder.open(out)]
    assert [sorted(each) for each in found] == [["apple", "leaf"]] * 9
    assert found == [found[0]] * 9
    assert sorted(found[0].values()) == [1, 2]


@pytest.mark.usefixtures("_tracker")
def test_clips_and_images_are_one_run_and_shares_of_it_give_the_same(given, tmp_path, film):  # noqa: F811
    one, other = film(FRAMES, 3), film(3, 3, name="some.avi")
    inputs = (one, given / "in" / "some", other)
    assert main(of_clips(given, tmp_path / "one", *inputs)) == 0
    found = tracks_of(tmp_path / "one")
    assert {name: ids for name, ids in found.items() if name.startswith("clip/")} == {
        f"clip/{number:05}.png": [1] for number in range(1, FRAMES + 1)
    }
    assert sum(name.startswith("some/") for name in found) == 3
    assert all(found[f"{number}.png"] == [None] for number in range(IMAGES))
    for number in (1, 0):
        assert main(of_clips(given, tmp_path / "two", *inputs, more=("--shard", f"{number}/2"))) == 0
    assert not any(any(ids) for ids in tracks_of(tmp_path / "two").values())
    assert main(of_clips(given, tmp_path / "two", *inputs, more=("--resume",))) == 0
    replaced = {name: data.replace(b"/two/", b"/one/") for name, data in tree(tmp_path / "two").items()}
    assert replaced == tree(tmp_path / "one")


@pytest.mark.usefixtures("_tracker")
def test_a_clip_that_is_killed_and_resumed_gives_the_same_as_one_run(given, tmp_path, film, root):  # noqa: F811
    path, out = film(FRAMES, 3), tmp_path / "out"
    code, _ = interrupted(root, signal.SIGKILL, 9, of_clips(given, out, path))
    assert code == -signal.SIGKILL
    assert 2 <= len(LabelFolder.open(out)) < FRAMES
    for _ in range(2):  # and once more, when all is done
        assert main(of_clips(given, out, path, more=("--resume",))) == 0
        resumed = tree(out)
        os.rename(out, tmp_path / "resumed")
        assert main(of_clips(given, out, path)) == 0
        assert tree(out) == resumed
        shutil.rmtree(out)
        os.rename(tmp_path / "resumed", out)


@pytest.mark.usefixtures("_tracker")
def test_a_clip_that_cannot_be_used_is_one_message(given, tmp_path, film, capsys, one_message):  # noqa: F811
    whole, damaged = film(FRAMES, 3), tmp_path / "damaged.mp4"
    damaged.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    assert main(of_clips(given, tmp_path / "none", damaged)) == 2
    one_message(capsys.readouterr().err.strip(), names="damaged.mp4", folder=tmp_path)
    assert not (tmp_path / "none").exists()
    short = tmp_path / "short.avi"
    data = film(12, 6).read_bytes()
    short.write_bytes(data[: len(data) * 2 // 3])
    found = tmp_path / "counts.json"
    inputs = (damaged, film(FRAMES, 3), short, tmp_path / "missing.mp4")
    assert main(of_clips(given, tmp_path / "out", *inputs, more=("--json", found))) == 1
    errors = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in errors[:3]] == ["damaged.mp4", "missing.mp4", "short.avi"]
    for line in errors[:3]:
        one_message(line, folder=tmp_path)
    assert list(json.loads(found.read_text())["failed"]) == ["damaged.mp4", "missing.mp4", "short.avi"]
    labelled = tracks_of(tmp_path / "out")
    assert sum(name.startswith("clip/") for name in labelled) == FRAMES
    assert sum(name.startswith("short/") for name in labelled) >= 1
    assert all(ids == [1] for ids in labelled.values())
    assert whole.exists()


@pytest.mark.usefixtures("_tracker")
def test_wrong_settings_of_clips_are_refused_before_any_work(given, tmp_path, film, capsys):  # noqa: F811
    path = film(12, 6)
    for more, message in (
        (("--per-second", 0), "give a number above 0"),
        (("--max-seconds", 1), "give a clip of at most 1 s"),
    ):
        assert main(of_clips(given, tmp_path / "out", path, more=more)) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
    assert main(of_clips(given, tmp_path / "out", path, more=("--max-images", 3))) == 2
    assert "more than 3 images" in capsys.readouterr().err


def test_a_clip_without_the_tracker_is_one_message(given, tmp_path, film, capsys, monkeypatch):  # noqa: F811
    find = packages.find_spec
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "trackers" else find(name))
    assert main(of_clips(given, tmp_path / "out", film(3, 3))) == 2
    assert capsys.readouterr().err == (
        'ipseg: Labelling a clip needs trackers, which is missing; run pip install "ipseg[clips]".\n'
    )
    assert not (tmp_path / "out").exists()
