"""``ipseg.label`` on clips: their frames come with track ids, as the command saves them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

import ipseg
from ipseg.annotations.labels import LabelFolder
from ipseg.batch.clips import ClipError
from ipseg.core import packages
from ipseg.core.types import ImageError, SettingError
from ipseg.labelling import run as runs
from ipseg.labelling.dataset import open_inputs
from tests.batch.conftest import film  # noqa: F401 - a fixture
from tests.conftest import label_by_colour

FRAMES = [f"clip/{number:05}.png" for number in range(1, 5)]


@pytest.fixture(autouse=True)
def _matching(monkeypatch):
    monkeypatch.setattr(runs, "label_image", label_by_colour)


@pytest.fixture
def tracker():
    pytest.importorskip(
        "trackers", reason="needs trackers, whose opencv-python takes the place of opencv-python-headless: ipseg[clips]"
    )


@pytest.fixture
def examples(make_scene) -> dict[str, np.ndarray]:
    return {"square": make_scene(colour=(200, 30, 40))[0], "leaf": make_scene(colour=(40, 170, 60))[0]}


@pytest.mark.usefixtures("tracker")
def test_frames_have_track_ids_as_they_come_and_are_saved_with_them(film, tmp_path, examples, engine, save):  # noqa: F811
    given = [film(4, 3), tmp_path / "still.png"]
    save(given[1], examples["leaf"])
    out = tmp_path / "out"
    found = list(ipseg.label(examples, given, out, engine=engine))
    assert [image.name for image in found] == ["still.png", *FRAMES]
    assert [[(one.label, one.track) for one in image.instances] for image in found] == [
        [("leaf", None)],
        *[[("square", 1)]] * 4,
    ]
    saved = LabelFolder.open(out)
    assert [one.track for name in FRAMES for one in saved.read(name).instances] == [1] * 4
    assert all(Path(image.file) == out / "frames" / image.name for image in found[1:])


@pytest.mark.usefixtures("tracker")
def test_without_an_output_no_frame_stays(film, tmp_path, examples, engine, monkeypatch):  # noqa: F811
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    clip = film(8, 6)
    found = ipseg.label(examples, clip, engine=engine, per_second=3, workers=1)
    first = next(found)
    assert (first.name, first.file, first.instances[0].track) == (FRAMES[0], "", 1)
    assert len(list((tmp_path / "temporary").rglob("*.png"))) == 4
    assert [image.name for image in found] == [f"clip/{number:05}.png" for number in (3, 5, 7)]
    assert list((tmp_path / "temporary").iterdir()) == []
    next(ipseg.label(examples, clip, engine=engine, workers=1))
    assert list((tmp_path / "temporary").iterdir()) == [], "also of a run that is given up"


@pytest.mark.usefixtures("tracker")
def test_a_corrected_frame_stays_and_the_tracks_are_those_of_the_labels_before(film, tmp_path, examples, engine):  # noqa: F811
    clip, out = film(4, 3), tmp_path / "out"
    list(ipseg.label(examples, clip, out, engine=engine))
    folder = LabelFolder.open(out)
    image = folder.read(FRAMES[1])
    folder.correct(type(image)(image.name, image.size))
    found = list(ipseg.label(examples, clip, out, engine=engine, resume=True))
    assert [[one.track for one in image.instances] for image in found] == [[1], [], [1], [1]]


@pytest.mark.usefixtures("tracker")
def test_a_clip_that_cannot_be_used_is_an_error_of_its_name_and_the_rest_goes_on(film, tmp_path, examples, engine):  # noqa: F811
    damaged, short = tmp_path / "damaged.mp4", tmp_path / "short.avi"
    damaged.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    data = film(12, 6).read_bytes()
    short.write_bytes(data[: len(data) * 2 // 3])
    found = list(ipseg.label(examples, [damaged, short, film(4, 3)], engine=engine))
    good = [image.name for image in found if not image.error]
    assert good[-4:] == FRAMES
    assert good[0] == "short/00001.png"
    assert [image.name for image in found if image.error] == ["damaged.mp4", "short.avi"]
    with pytest.raises(ClipError, match=r"damaged\.mp4"):
        ipseg.label(examples, damaged, engine=engine)
    with pytest.raises(ImageError, match="more than 3 images"):
        list(ipseg.label(examples, film(4, 3), engine=engine, most=3))
    with pytest.raises(SettingError, match="give a number above 0"):
        ipseg.label(examples, film(4, 3), engine=engine, per_second=0)


def test_a_clip_without_the_tracker_is_one_message_before_any_work(film, examples, engine, monkeypatch):  # noqa: F811
    find = packages.find_spec
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "trackers" else find(name))
    with pytest.raises(
        SettingError, match=r'Labelling a clip needs trackers, which is missing; run pip install "ipseg'
    ):
        ipseg.label(examples, film(4, 3), engine=engine)
    assert engine.prompts == []


def test_arrays_are_no_clips(examples):
    inputs = open_inputs(list(examples.values()))
    assert (len(inputs.items), inputs.clips, inputs.errors) == (2, {}, {})
