"""Runs over a set of images: what they save, and that neither workers, shares nor a kill change it."""

from __future__ import annotations

import gc
import json
import os
import shutil
import threading
import weakref
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import ipseg
from ipseg.annotations.labels import LabelFolder, encode
from ipseg.core import images
from ipseg.core.status import Status
from ipseg.core.types import ImageError, InputError, MaskError, SettingError
from ipseg.engine.processes import Share
from ipseg.labelling import run as runs
from ipseg.labelling.run import Labeller, Summary, items_of, prepare, run
from tests.conftest import label_by_colour

RED, GREEN, BLUE = (200, 30, 40), (40, 170, 60), (50, 90, 210)
CLASSES = ("apple", "leaf", "sky")


@pytest.fixture(autouse=True)
def _matching(monkeypatch):
    """A stand-in, whose scores have more digits than are saved."""

    def label_image(*given, **named):
        return tuple(replace(one, score=one.score * 0.7654321) for one in label_by_colour(*given, **named))

    monkeypatch.setattr(runs, "label_image", label_image)


@pytest.fixture(scope="module")
def given(tmp_path_factory, save, make_scene) -> Path:
    """Examples of three classes, and images: five of apples, two of leaves, none of the sky, one of words."""
    folder = tmp_path_factory.mktemp("given")
    for name, colour in zip(CLASSES, (RED, GREEN, BLUE), strict=True):
        save(folder / "examples" / name / "0.png", make_scene(40, 50, colour)[0])
    for number in range(5):
        save(folder / "in" / "red" / f"{number}.png", make_scene(32, 40 + number, RED, seed=number)[0])
    for number in range(2):
        save(folder / "in" / f"green{number}.png", make_scene(32, 40, GREEN, seed=number)[0])
    (folder / "in" / "words.jpg").write_text("words")
    return folder


NAMES = ["green0.png", "green1.png", *(f"red/{number}.png" for number in range(5)), "words.jpg"]


def label(given, out=None, engine=None, **options):
    return list(ipseg.label(given / "examples", given / "in", out, engine=engine, **options))


def tree(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_each_image_has_its_labels(given, engine, make_scene):
    found = {image.name: image for image in label(given, engine=engine)}
    assert list(found) == NAMES
    assert {name: [one.label for one in image.instances] for name, image in found.items()} == {
        name: {"g": ["leaf"], "r": ["apple"], "w": []}[name[0]] for name in NAMES
    }
    red = found["red/3.png"]
    np.testing.assert_array_equal(red.instances[0].mask, make_scene(32, 43, RED, seed=3)[1])
    assert (red.size, red.file) == ((32, 43), str(given / "in/red/3.png"))
    assert red.content == images.fingerprint(images.open_image(given / "in/red/3.png"))
    assert found["words.jpg"].size == (0, 0)
    assert found["words.jpg"].error.startswith("words.jpg is not an image")


def test_a_zip_has_the_labels_of_its_folder(given, engine, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in (given / "in").rglob("*.*"):
            archive.write(path, path.relative_to(given / "in"))
    found = list(ipseg.label(given / "examples", tmp_path / "in.zip", engine=engine))
    expected = [replace(image, file="") for image in label(given, engine=engine)]
    assert [encode(image) for image in found] == [encode(image) for image in expected]


def test_labels_are_saved_at_once_and_those_that_are_read_are_the_same(given, engine, tmp_path):
    made = []
    for number, image in enumerate(ipseg.label(given / "examples", given / "in", tmp_path, engine=engine), 1):
        made.append(encode(image))
        assert len(LabelFolder.open(tmp_path)) >= number
    folder = LabelFolder.open(tmp_path)
    assert folder.classes == CLASSES
    assert [encode(image) for image in folder] == made
    calls = engine.calls
    again = label(given, tmp_path, engine, resume=True)
    assert [encode(image) for image in again] == made
    scores = [one.score for image in label(given, engine=engine) for one in image.instances]
    assert scores == [one.score for image in again for one in image.instances]
    calls += len(NAMES[:-1]) * len(CLASSES)
    assert engine.calls == calls  # the image of words alone was tried again


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_labels_do_not_depend_on_the_number_of_workers(given, engine, tmp_path, workers):
    label(given, tmp_path / "one", engine, workers=1)
    label(given, tmp_path / "other", engine, workers=workers)
    assert tree(tmp_path / "other") == tree(tmp_path / "one")


def test_shares_into_one_folder_and_into_several_are_one_run(given, engine, tmp_path):
    label(given, tmp_path / "one", engine)
    items = items_of(given / "in")
    for number in (2, 0, 1):
        labeller = Labeller(given / "examples", engine)
        for out in (tmp_path / "shared", tmp_path / f"own{number}"):
            assert list(run(labeller, Share(number, 3).select(items), prepare(out, labeller, resume=True)))
    assert tree(tmp_path / "shared") == tree(tmp_path / "one")
    for number in range(3):
        shutil.copytree(tmp_path / f"own{number}", tmp_path / "merged", dirs_exist_ok=True)
    assert tree(tmp_path / "merged") == tree(tmp_path / "one")


def test_shares_that_begin_at_once_are_one_run(given, engine, tmp_path):
    labeller, items = Labeller(given / "examples", engine), items_of(given / "in")

    def share(out: Path, number: int) -> int:
        begun.wait()
        return len(list(run(labeller, Share(number, 6).select(items), prepare(out, labeller, resume=True), workers=1)))

    label(given, tmp_path / "one", engine)
    for attempt in range(5):
        begun, out = threading.Barrier(6), tmp_path / f"{attempt}"
        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(partial(share, out), range(6))) == len(NAMES)
        assert tree(out) == tree(tmp_path / "one")


def test_a_run_that_is_stopped_goes_on(given, engine, tmp_path):
    label(given, tmp_path / "one", engine)
    labeller = Labeller(given / "examples", engine)
    stopped = []
    folder = prepare(tmp_path / "other", labeller)
    found = run(labeller, items_of(given / "in"), folder, workers=1, stop=lambda: len(stopped) == 3)
    for outcome in found:
        stopped.append(outcome.image.name)
    assert stopped == NAMES[:3]
    calls = engine.calls
    again = list(run(labeller, items_of(given / "in"), prepare(tmp_path / "other", labeller, resume=True)))
    assert [outcome.saved for outcome in again] == [True] * 3 + [False] * 5
    assert engine.calls == calls + 4 * len(CLASSES)
    assert tree(tmp_path / "other") == tree(tmp_path / "one")


def test_a_corrected_image_stays_as_it_was_corrected(given, engine, tmp_path):
    before = label(given, tmp_path, engine)
    folder = LabelFolder.open(tmp_path)
    corrected = replace(
        folder.read("red/1.png"), instances=(replace(before[0].instances[0], mask=np.ones((32, 41), bool)),)
    )
    folder.correct(corrected)
    for options in ({"resume": True}, {"overwrite": True}, {"overwrite": True, "threshold": 0.4}):
        found = {image.name: image for image in label(given, tmp_path, engine, **options)}
        assert found["red/1.png"].corrected
        assert [one.label for one in found["red/1.png"].instances] == ["leaf"]
        assert sum(image.corrected for image in found.values()) == 1
        assert [one.label for one in LabelFolder.open(tmp_path).read("red/1.png", original=True).instances] == ["apple"]


def test_corrections_with_a_class_that_a_new_run_lacks_are_refused(given, engine, tmp_path, one_message):
    label(given, tmp_path, engine)
    folder = LabelFolder.open(tmp_path)
    folder.correct(replace(folder.read("red/1.png")))
    with pytest.raises(InputError) as caught:
        list(ipseg.label({"leaf": given / "examples/leaf"}, given / "in", tmp_path, engine=engine, overwrite=True))
    assert 'red/1.png was corrected with the class "apple"' in str(caught.value)
    assert len(LabelFolder.open(tmp_path)) == len(NAMES)  # nothing was removed


@pytest.mark.parametrize("change", ["threshold", "example", "class", "order", "engine"])
def test_a_run_of_other_settings_is_refused_and_names_them(given, engine, tmp_path, change, save, make_scene):
    shutil.copytree(given / "examples", tmp_path / "examples")
    label(given, tmp_path / "out", engine)
    options, examples = {}, tmp_path / "examples"
    if change == "threshold":
        options["threshold"] = 0.6
    elif change == "example":
        save(examples / "leaf" / "1.png", make_scene(40, 50, GREEN, seed=5)[0])
    elif change == "class":
        shutil.rmtree(examples / "sky")
    elif change == "order":
        examples = {name: examples / name for name in reversed(CLASSES)}
    else:
        engine.config = replace(engine.config, threshold=0.7)
    named = {"example": "classes.leaf: ", "class": "classes.sky: ", "order": "the order", "engine": "config.threshold"}
    for resume in (False, True):
        with pytest.raises(InputError, match=named.get(change, "parameters.threshold: null, now 0.6")) as caught:
            ipseg.label(examples, given / "in", tmp_path / "out", engine=engine, resume=resume, **options)
        assert "settings (" in str(caught.value)
    made = list(ipseg.label(examples, given / "in", tmp_path / "out", engine=engine, overwrite=True, **options))
    assert len(made) == len(NAMES) == len(LabelFolder.open(tmp_path / "out"))


def test_a_run_that_is_there_goes_on_only_where_that_is_asked(given, engine, tmp_path):
    label(given, tmp_path / "out", engine)
    with pytest.raises(InputError, match="holds labels of an earlier run; go on with --resume"):
        label(given, tmp_path / "out", engine)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"full is not empty and holds no labels \(notes\.txt\)"):
        label(given, tmp_path / "full", engine)
    os.rename(tmp_path / "out" / "labels.json", tmp_path / "labels.json")
    with pytest.raises(InputError, match=r"out is not empty and holds no labels \(labels\)"):  # of whatever run
        label(given, tmp_path / "out", engine, resume=True)
    (tmp_path / "out" / "labels.json").write_text("{")
    with pytest.raises(InputError, match="holds no labels that can be read"):
        label(given, tmp_path / "out", engine, resume=True)


def test_labels_of_an_image_that_has_changed_are_made_again(given, engine, tmp_path, save, make_scene):
    shutil.copytree(given / "in", tmp_path / "in")
    again = {"engine": engine, "resume": True}

    def outcomes():
        labeller = Labeller(given / "examples", engine)
        return list(run(labeller, items_of(tmp_path / "in"), prepare(tmp_path / "out", labeller, resume=True)))

    outcomes()
    save(tmp_path / "in/red/0.png", make_scene(32, 40, GREEN, seed=9)[0])
    (tmp_path / "out/labels/red/1.png.json").write_text("{")
    os.utime(tmp_path / "in/red/2.png")  # written again, with the same pixels
    found = {outcome.image.name: outcome for outcome in outcomes()}
    assert [name for name, outcome in found.items() if not outcome.saved] == ["red/0.png", "red/1.png", "words.jpg"]
    assert [one.label for one in found["red/0.png"].image.instances] == ["leaf"]
    # the images of another folder: where the pixels are the same the labels are too, under the name of the new file
    shutil.move(tmp_path / "in", tmp_path / "moved")
    moved = list(ipseg.label(given / "examples", tmp_path / "moved", tmp_path / "out", **again))
    assert (
        moved[2].file == str(tmp_path / "moved/red/0.png") == LabelFolder.open(tmp_path / "out").read("red/0.png").file
    )
    shutil.copy(given / "in/red/4.png", tmp_path / "moved/red/3.png")
    calls = engine.calls
    list(ipseg.label(given / "examples", tmp_path / "moved", tmp_path / "out", **again))
    assert engine.calls == calls + len(CLASSES)


def test_it_is_lazy_and_memory_is_flat(given, engine, tmp_path, monkeypatch, save, make_scene):
    for number in range(12):
        save(tmp_path / "in" / f"{number:02}.png", make_scene(32, 40, RED, seed=number)[0])
    opened, lock, open_image = [], threading.Lock(), images.open_image

    def record(source, **named):
        image = open_image(source, **named)
        if isinstance(source, Path) and source.parent.name == "in":
            with lock:
                opened.append(weakref.ref(image))
        return image

    monkeypatch.setattr(images, "open_image", record)
    found = ipseg.label(given / "examples", tmp_path / "in", engine=engine, workers=3)
    assert opened == []
    assert engine.prompts == []
    for number in range(1, 13):
        next(found)
        gc.collect()
        assert len(opened) <= number + 3
        assert sum(each() is not None for each in opened) <= 3
    assert len(opened) == 12
    assert len(engine.prompts) == len(CLASSES)  # encoded once


def test_an_image_of_which_labels_cannot_be_written_is_one_error_and_the_rest_goes_on(given, engine, tmp_path):
    labeller = Labeller(given / "examples", engine)
    folder = prepare(tmp_path, labeller)
    (tmp_path / "labels" / "red").write_text("in the way of a folder")
    found = [outcome.image for outcome in run(labeller, items_of(given / "in"), folder)]
    assert len(found) == len(NAMES)
    failed = [image for image in found if image.error]
    assert [image.name for image in failed] == [name for name in NAMES if name[0] in "rw"]
    assert all(image.error.startswith(f"{image.name}: {image.name[4:]}.json cannot be written") for image in failed[:5])
    assert not any(image.instances for image in failed)


def test_examples_that_cannot_be_encoded_end_the_run(given, engine, monkeypatch):
    def fail(*_, **__):
        raise MaskError("The mask is empty; paint it.")

    monkeypatch.setattr(engine, "prompt", fail, raising=False)
    with pytest.raises(MaskError):
        label(given, engine=engine)


def test_wrong_settings_are_refused_at_once(given, engine):
    for options in ({"threshold": 2}, {"k": 0}, {"threshold": 0.2, "reject_threshold": 0.4}):
        with pytest.raises(SettingError):
            ipseg.label(given / "examples", given / "in", engine=engine, **options)


def test_the_numbers_reach_the_matching(given, engine, monkeypatch):
    asked = {"k": 16, "clusters": 2, "threshold": 0.75, "reject_threshold": 0.5}
    matched = []
    monkeypatch.setattr(runs, "label_image", lambda *_, progress, **parameters: matched.append(parameters) or ())
    assert list(ipseg.label(given / "examples", given / "in/green0.png", engine=engine, **asked))
    assert matched == [asked]


def test_arrays_are_named_by_their_number(given, engine, make_scene):
    arrays = [make_scene(32, 40, RED)[0], make_scene(32, 40, GREEN)[0], np.zeros((2, 2, 3), np.uint8)]
    found = list(ipseg.label(given / "examples", arrays, engine=engine))
    assert [(image.name, image.file, len(image.instances)) for image in found] == [
        ("000001", "", 1),
        ("000002", "", 1),
        ("000003", "", 0),
    ]
    assert "000003 is 2x2 pixels" in found[2].error
    with pytest.raises(ImageError, match="mixed"):
        items_of([arrays[0], "a.png"])
    with pytest.raises(ImageError, match="at most 2"):
        items_of(arrays, most=2)


def test_names_are_paths_below_what_is_given(given, tmp_path, monkeypatch, save, scene):
    def names(*paths):
        return [item.name for item in items_of([str(path) for path in paths])]

    for name in ("a/0.png", "a/b/0.png", "c/0.png"):
        save(tmp_path / name, scene[0])
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(tmp_path / "a/0.png", "d/0.png")
    monkeypatch.chdir(tmp_path / "a")
    for base in ("..", tmp_path):
        assert names(f"{base}/a") == ["0.png", "b/0.png"]
        assert names(f"{base}/a/0.png") == ["0.png"]
        assert names(f"{base}/a", f"{base}/c") == ["a/0.png", "a/b/0.png", "c/0.png"]
        assert names(f"{base}/a/0.png", f"{base}/c/0.png") == ["a/0.png", "c/0.png"]
        assert names(f"{base}/z.zip") == ["d/0.png"]
        assert names(f"{base}/z.zip", f"{base}/c") == ["z.zip/d/0.png", "c/0.png"]
        assert names(f"{base}/a", f"{base}/a/b") == ["0.png", "b/0.png"]  # a file that is given twice is one image
    assert names(".", "../c") == ["a/0.png", "a/b/0.png", "c/0.png"]


def test_names_that_cannot_be_files_get_one_that_can(tmp_path, encode, scene, engine, given):
    png = encode(scene[0], "PNG")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in ("a\x01.png", "a\x02.png", "b/..", "c" * 250 + ".png"):
            archive.writestr(name, png)
    found = {
        image.name: image
        for image in ipseg.label(given / "examples", tmp_path / "z.zip", tmp_path / "out", engine=engine)
    }
    assert list(found) == ["a?.png", "a?.png-2", "without a name 1", "c" * 196 + ".png"]
    assert found["without a name 1"].error
    assert len(LabelFolder.open(tmp_path / "out")) == 4


def test_a_labeller_labels_one_image_after_another(given, engine):
    notices = []
    labeller = Labeller(given / "examples", engine, notify=notices.append)
    assert labeller.classes == CLASSES
    assert [one.label for one in labeller.label(given / "in/green0.png").instances] == ["leaf"]
    assert labeller.label(given / "in/green0.png").name == "green0.png"
    assert labeller.label(given / "in/green0.png", "g").name == "g"
    assert labeller.label(b"words", "w").error.startswith("w is not an image")
    assert len(engine.prompts) == len(CLASSES)
    assert json.loads(json.dumps(labeller.settings)) == labeller.settings


def test_notices_about_examples_name_the_class(given, engine):
    notices, made = [], engine.prompt

    def noticed(*given, **named):
        prompt = made(*given, **named)
        prompt.notices = ("the object is small.",)
        return prompt

    engine.prompt = noticed
    Labeller(given / "examples", engine, notify=notices.append).prompts()
    assert notices == [f"{name}: the object is small." for name in CLASSES]


def test_a_summary_counts(given, engine):
    summary = Summary.of(CLASSES)
    for image in label(given, engine=engine):
        summary.add(image)
    assert summary.absent == ["sky"]
    assert (summary.images, summary.instances, list(summary.failed)) == (7, 7, ["words.jpg"])
    uncertain = summary.classes["apple"].uncertain + summary.classes["leaf"].uncertain
    assert uncertain == sum(
        one.status is Status.UNCERTAIN for image in label(given, engine=engine) for one in image.instances
    )
    assert summary.table().splitlines()[2].split() == ["leaf", "2", "2", f"{summary.classes['leaf'].uncertain}"]
