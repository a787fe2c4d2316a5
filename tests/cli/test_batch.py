"""``ipseg batch``: what it writes, what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
import zipfile

import av
import numpy as np
import pytest
from filelock import FileLock

from ipseg.__main__ import main
from ipseg.batch import clips, predictions
from ipseg.core import images, rle
from tests.batch.conftest import encode_clip, film  # noqa: F401 - fixtures
from tests.cli.checks import full_disk, one_error

pytestmark = pytest.mark.usefixtures("shared_offline")

RED = (200, 30, 40)


@pytest.fixture
def files(tmp_path, save, make_scene, monkeypatch):
    """A prompt with its mask, a folder of three images and one file of words, and the same as a zip."""
    monkeypatch.chdir(tmp_path)
    image, mask = make_scene(60, 80, RED)
    save(tmp_path / "prompt.png", image)
    save(tmp_path / "prompt_mask.png", mask.astype(np.uint8) * 255)
    for number in range(3):
        save(tmp_path / "in" / "some" / f"{number}.png", make_scene(48, 64, RED, seed=number)[0])
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in (tmp_path / "in").rglob("*.png"):
            archive.write(path, path.relative_to(tmp_path / "in"))
    (tmp_path / "words.jpg").write_text("words")
    return tmp_path


def run(*arguments: object) -> int:
    return main(["batch", "--preset", "offline", *(str(argument) for argument in arguments)])


def refused(capsys, *arguments: object) -> str:
    return one_error(capsys, run(*arguments))


def test_the_category_has_the_name_that_is_given(files):
    for arguments, name in (((), "object"), (("--name", "Rød krus"), "Rød krus")):
        assert run("prompt.png", "in", "--prompt-mask", "prompt_mask.png", "--output", "out", *arguments) == 0
        assert json.loads((files / "out/coco.json").read_text())["categories"][0]["name"] == name


def test_a_name_that_is_none_is_refused(files, capsys):
    assert "no name of a class" in refused(capsys, "prompt.png", "in", "--output", "out", "--name", " ")
    assert not (files / "out").exists()


def test_every_instance_is_an_annotation_of_its_own(files, save, make_scene):
    """Two images side by side are two instances; the run that goes on reads them from the cache."""
    scene, _ = make_scene(60, 80, RED)
    save(files / "two" / "both.png", np.hstack([scene, scene]))
    command = ("prompt.png", "two", "--prompt-mask", "prompt_mask.png", "--output", "out", "--all-instances")
    assert run(*command) == 0
    text = (files / "out/coco.json").read_text()
    annotations = json.loads(text)["annotations"]
    assert [each["id"] for each in annotations] == list(range(1, len(annotations) + 1))
    assert len(annotations) == 2
    masks = [rle.decode(each["segmentation"]["counts"], (60, 160)) for each in annotations]
    assert not (masks[0] & masks[1]).any()
    assert sorted(each["bbox"][0] // 80 for each in annotations) == [0, 1]
    saved = images.open_image(files / "out/masks/both.png")[..., 0] == 255
    np.testing.assert_array_equal(saved, masks[0] | masks[1])
    assert run(*command, "--resume") == 0
    assert (files / "out/coco.json").read_text() == text


@pytest.mark.parametrize("given", ["in", "in.zip"])
def test_a_folder_and_a_zip_alike(files, make_scene, capsys, given):
    assert run("prompt.png", given, "--prompt-mask", "prompt_mask.png", "--output", "out", "--overlay") == 0
    assert "3 of 3: some/2.png: detected" in capsys.readouterr().out
    data = json.loads((files / "out/coco.json").read_text())
    assert [image["file_name"] for image in data["images"]] == [f"some/{number}.png" for number in range(3)]
    for number, annotation in enumerate(data["annotations"]):
        mask = images.open_image(files / f"out/masks/some/{number}.png")[..., 0] == 255
        truth = make_scene(48, 64, RED, seed=number)[1]
        assert (mask & truth).sum() / (mask | truth).sum() > 0.8
        segmentation = annotation["segmentation"]
        np.testing.assert_array_equal(rle.decode(segmentation["counts"], tuple(segmentation["size"])), mask)
        assert images.open_image(files / f"out/overlays/some/{number}.png").shape == (48, 64, 3)


def test_one_that_cannot_be_used_is_reported_and_the_rest_go_on(files, capsys, one_message):
    assert run("prompt.png", "words.jpg", "in", "--output", "out") == 1
    one_message(capsys.readouterr().err.strip(), names="words.jpg")
    assert len(list((files / "out/masks").rglob("*.png"))) == 3


def test_a_killed_run_goes_on(files, capsys, monkeypatch):
    asked, predict = [], predictions.Predictor.predict

    def killed(self, image):
        asked.append(self.computed)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return predict(self, image)

    monkeypatch.setattr(predictions.Predictor, "predict", killed)
    assert run("prompt.png", "in", "--output", "out") == 130
    monkeypatch.setattr(predictions.Predictor, "predict", predict)
    computed_now, compute = [], predictions.Predictor._compute
    monkeypatch.setattr(
        predictions.Predictor, "_compute", lambda self, image: computed_now.append(1) or compute(self, image)
    )
    assert run("prompt.png", "in", "--output", "out", "--resume") == 0
    assert len(computed_now) == 1
    assert len(json.loads((files / "out/coco.json").read_text())["images"]) == 3
    assert run("prompt.png", "in", "--output", "out") == 0
    assert len(computed_now) == 4  # without --resume all is computed again


def test_an_uncertain_object_has_its_mask_and_a_refused_one_has_none(files, capsys):
    assert run("prompt.png", "in", "--output", "out", "--threshold", 0) == 0
    score = json.loads((files / "out/coco.json").read_text())["images"][0]["score"]
    for high, low, status in (
        (score + 0.001, score - 0.001, "uncertain"),
        (score + 0.002, score + 0.001, "not_detected"),
    ):
        capsys.readouterr()
        options = ("--threshold", high, "--reject-threshold", low)
        assert run("prompt.png", "in/some/0.png", "--output", "out", *options) == 0
        data = json.loads((files / "out/coco.json").read_text())
        assert [image["status"] for image in data["images"]] == [status]
        assert [one["status"] for one in data["annotations"]] == ["uncertain"] * (status == "uncertain")
        assert images.open_image(files / "out/masks/0.png").any() == (status == "uncertain")
        assert f"0.png: {status.replace('_', ' ')}" in capsys.readouterr().out


def test_a_clip(files, film, capsys):  # noqa: F811
    path = film(6, 6)
    assert run("prompt.png", path, "--output", "out", "--per-second", 2) == 0
    assert "6 frames, detected in" in capsys.readouterr().out
    assert len(list((files / "out/masks").iterdir())) == 6
    (made,) = [file for file in (files / "out").iterdir() if file.stem == "clip"]
    assert clips.open_clip(made).size == (48, 64)
    assert len(json.loads((files / "out/coco.json").read_text())["images"]) == 6


def test_the_instances_of_a_clip_are_refused(files, film, capsys):  # noqa: F811
    assert "is for images" in refused(capsys, "prompt.png", film(3), "--output", "out", "--all-instances")


def coco(files) -> dict:
    return json.loads((files / "out/coco.json").read_text())


def test_each_image_is_listed_under_a_path_that_exists_with_its_mask(files, save, make_scene):
    for name in ("a/00.png", "b/00.png", "b/q.png", "b/q.jpg", "b/z.png/x.png", "b/z.jpg"):
        save(files / "more" / name, make_scene(48, 64, RED, seed=1)[0])
    for given, base in ((["more"], "more"), (["more/a", "more/b"], "."), (["more/a/00.png", "more/b"], ".")):
        assert run("prompt.png", *given, "--output", "out") == 0
        listed = coco(files)["images"]
        assert len({image["file_name"] for image in listed}) == len({image["mask_file"] for image in listed}) == 6
        for image in listed:
            assert (files / base / image["file_name"]).is_file()
            assert (files / "out" / image["mask_file"]).is_file()


def test_the_frames_of_a_clip_have_one_convention(files, film):  # noqa: F811
    assert run("prompt.png", film(3, 3), "--output", "out") == 0
    keys = ("file_name", "mask_file", "clip", "frame")
    assert [{key: image[key] for key in keys} for image in coco(files)["images"]] == [
        {"file_name": f"clip/{n:05}.png", "mask_file": f"masks/{n:05}.png", "clip": "clip.avi", "frame": n}
        for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("out", ["in/out", "in"])
def test_the_output_may_lie_in_the_input_folder(files, out, capsys):
    for _ in range(2):  # the second time what the first one made is there
        assert run("prompt.png", "in", "--output", out, "--overlay") == 0
        data = json.loads((files / out / "coco.json").read_text())
        assert [image["file_name"] for image in data["images"]] == [f"some/{number}.png" for number in range(3)]
    assert capsys.readouterr().err == ""


def test_a_mask_that_cannot_be_written_is_one_message_and_the_rest_goes_on(files, monkeypatch, capsys):
    full_disk(monkeypatch, lambda name: name == "1.png")
    assert run("prompt.png", "in", "--output", "out", "--overlay") == 1
    assert re.fullmatch(
        r"ipseg: some/1\.png: 1\.png cannot be written \(No space left on device\); make room [^\n]+\.\n",
        capsys.readouterr().err,
    )
    assert sorted(path.name for path in (files / "out").rglob("*.png")) == ["0.png", "0.png", "2.png", "2.png"]
    assert len(coco(files)["images"]) == len(coco(files)["annotations"]) == 3


def test_a_list_that_cannot_be_written_is_one_message(files, monkeypatch, capsys):
    full_disk(monkeypatch, lambda name: name == "coco.json")
    assert run("prompt.png", "in", "--output", "out") == 1
    assert re.fullmatch(r"ipseg: coco\.json cannot be written \([^\n]+\n", capsys.readouterr().err)
    assert len(list((files / "out/masks").rglob("*.png"))) == 3


def test_masks_of_frames_that_cannot_be_written_are_two_messages(files, film, monkeypatch, capsys):  # noqa: F811
    full_disk(monkeypatch, lambda name: name.startswith("0000"))
    assert run("prompt.png", film(3, 3), "--output", "out") == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("ipseg: 00001.png cannot be written (No space left on device)")
    assert second == "ipseg: The masks of 3 of 3 frames are not written."
    assert len(coco(files)["images"]) == 3
    assert [path.stem for path in (files / "out").iterdir() if path.suffix in (".mp4", ".webm")] == ["clip"]


@pytest.mark.parametrize("where", ["__init__", "write", "__exit__"])
def test_an_overlay_clip_that_cannot_be_written_is_one_message(files, film, monkeypatch, capsys, where):  # noqa: F811
    work = getattr(clips.Writer, where)

    def fail(self, *given, **_):
        if where == "__exit__":  # at the end of its work
            work(self, *given)
        raise clips.ClipError("There is no room; make some.")

    monkeypatch.setattr(clips.Writer, where, fail)
    assert run("prompt.png", film(3, 3), "--output", "out") == 1
    assert capsys.readouterr().err == (
        "ipseg: The clip with the masks over it is not written: There is no room; make some.\n"
    )
    assert len(list((files / "out/masks").iterdir())) == len(coco(files)["images"]) == 3


def test_masks_of_an_earlier_run_are_named(files, film, capsys):  # noqa: F811
    assert run("prompt.png", "in", "--output", "out") == 0
    assert run("prompt.png", "in/some/0.png", "in/some/1.png", "--output", "out") == 0
    printed = capsys.readouterr().err
    assert re.fullmatch(
        r"ipseg: out/masks also holds masks of earlier runs that coco\.json does not list: "
        r"some/0\.png, some/1\.png, some/2\.png; delete them, or choose another --output\.\n",
        printed,
    )
    assert run("prompt.png", film(6, 6), "--output", "clip") == 0
    assert run("prompt.png", film(3, 6), "--output", "clip") == 0
    assert "00004.png, 00005.png, 00006.png;" in capsys.readouterr().err


def test_two_runs_into_one_folder_are_refused(files, capsys):
    (files / "out/.ipseg").mkdir(parents=True)
    with FileLock(files / "out/.ipseg/lock"):
        assert "Another run is writing into out" in refused(capsys, "prompt.png", "in", "--output", "out")
    assert run("prompt.png", "in", "--output", "out") == 0


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(files, capsys):
    (files / "file").write_text("")
    for name in ("masks", ".ipseg"):
        (files / f"has {name}").mkdir()
        (files / f"has {name}" / name).write_text("")
    for out in ("file", "file/below", "has masks", "has .ipseg"):
        assert "cannot be made or written" in refused(capsys, "prompt.png", "in", "--output", out)


def test_the_output_may_be_a_link_to_another_folder(files):
    (files / "elsewhere").mkdir()
    (files / "out").symlink_to(files / "elsewhere")
    assert run("prompt.png", "in", "--output", "out") == 0
    assert len(list((files / "elsewhere/masks").rglob("*.png"))) == 3


WRONG = {
    "a missing input": (("none", "--output", "out"), None),
    "keyframes below zero": (("clip.avi", "--output", "out", "--per-second", -1), "above 0"),
    "a clip that is too long": (("clip.avi", "--output", "out", "--max-seconds", 0.1), "is 1 s long"),
    "a text named as a clip": (("words.mp4", "--output", "out"), "words.mp4 is not a clip"),
    "an empty folder": (("empty", "--output", "out"), "empty holds no images"),
    "too many": (("in", "--output", "out", "--max-images", 2), "at most 2"),
    "a zip that leads out": (("out.zip", "--output", "out"), "leads out of it"),
    "the masks over the images": (("out2/masks", "--output", "out2"), "would be overwritten"),
    "the clip over itself": (("clip.mp4", "--output", "."), "would be overwritten"),
    "K too large": (("in", "--output", "out", "--k", 999), "K is 999"),
    "a threshold of nan": (("in", "--output", "out", "--threshold", "nan"), "threshold is nan"),
    "a threshold above 1": (("in", "--output", "out", "--threshold", 7), "threshold is 7"),
    "a longest clip of nan": (("clip.avi", "--output", "out", "--max-seconds", "nan"), "set to nan s"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_one_message(files, film, save, scene, capsys, name):  # noqa: F811
    arguments, words = WRONG[name]
    film(6, 6)
    film(6, 6, name="clip.mp4")
    (files / "words.mp4").write_text("words")
    (files / "empty").mkdir()
    save(files / "out2" / "masks" / "0.png", scene[0])
    with zipfile.ZipFile(files / "out.zip", "w") as archive:
        archive.writestr("../x.jpg", b"x")
    if words is None:
        assert run("prompt.png", *arguments) == 1
        assert "none does not exist" in capsys.readouterr().err
    else:
        assert words in refused(capsys, "prompt.png", *arguments)


def test_help_reads_well(capsys):
    with pytest.raises(SystemExit) as caught:
        run("--help")
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for word in ("PROMPT", "INPUT", "--output", "--resume", "--per-second", "--preset", "Exit code: 0"):
        assert word in printed
    assert "default: None" not in printed


def test_a_clip_cut_short_is_one_message_and_the_rest_is_there(files, encode_clip, capsys):  # noqa: F811
    path = encode_clip("cut.mp4", [number / 20 for number in range(60)], options={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert run("prompt.png", path, "--output", "out", "--per-second", 1) == 1
    (message,) = capsys.readouterr().err.splitlines()
    made = len(list((files / "out/masks").iterdir()))
    assert re.fullmatch(
        r"ipseg: cut\.mp4 is damaged or cut short, and \d+ of 60 frames were read; save [^.]+\.", message
    )
    assert 10 < made == len(coco(files)["images"]) < 60
    assert len(list(clips.frames(clips.open_clip(files / "out/cut.mp4")))) == made


def test_the_clip_that_is_made_has_its_times_and_its_sound(files, encode_clip):  # noqa: F811
    times = [0, 0.04, 0.08, 1.0, 1.5, 1.54, 3.0]
    assert run("prompt.png", encode_clip("clip.mp4", times, tone="aac"), "--output", "out", "--per-second", 1) == 0
    made = clips.open_clip(files / "out/clip.mp4")
    assert [frame.time for frame in clips.timed_frames(made)] == pytest.approx(times, abs=1e-3)
    with av.open(str(made.path)) as container:
        assert len(container.streams.audio) == 1


def test_a_clip_among_images_is_one_message_and_the_rest_goes_on(files, film, capsys):  # noqa: F811
    assert run("prompt.png", "in/some/0.png", film(3), "--output", "out") == 1
    (message,) = capsys.readouterr().err.splitlines()
    assert "clip.avi is a clip; give one of its frames, or the clip alone under Or a video clip" in message
    assert message.endswith("or to ipseg batch.")
    assert len(list((files / "out/masks").rglob("*.png"))) == 1


def test_what_is_left_out_of_a_folder_is_said(files, capsys):
    (files / "in/gone.jpg").symlink_to("nothing.jpg")
    assert run("prompt.png", "in", "--output", "out") == 1
    (message,) = capsys.readouterr().err.splitlines()
    assert message == "ipseg: gone.jpg is a link to nothing, left out; check the file."
    assert len(coco(files)["images"]) == 3
