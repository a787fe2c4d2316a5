"""Track ids: they stay with an instance, and follow from the saved labels alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipseg.annotations import formats
from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance
from ipseg.core import packages
from ipseg.core.types import SettingError
from ipseg.labelling import tracks
from ipseg.labelling.tracks import FrameBoxes

SIDE = 12


@pytest.fixture
def _tracker():
    pytest.importorskip(
        "trackers", reason="needs trackers, whose opencv-python takes the place of opencv-python-headless: ipseg[clips]"
    )


def frame(number: int, *boxes: tuple[str, float, float], rate: float = 3) -> FrameBoxes:
    """Squares of a class at (left, top)."""
    made = tuple((round(x), round(y), round(x) + SIDE, round(y) + SIDE) for _, x, y in boxes)
    return FrameBoxes(number / rate, tuple(label for label, _, _ in boxes), made)


@pytest.mark.usefixtures("_tracker")
@pytest.mark.parametrize("step", [0, 3, SIDE, SIDE * 3 // 2])
def test_an_object_has_one_id_however_far_it_moves_between_frames(step):
    assert tracks.track([frame(n, ("cat", 20 + step * n, 5)) for n in range(8)]) == [(1,)] * 8


@pytest.mark.usefixtures("_tracker")
@pytest.mark.parametrize("labels", [("cat", "dog"), ("cat", "cat")])
def test_objects_that_cross_have_their_own_ids(labels):
    one, other = labels
    given = [frame(n, (one, 10 + 8 * n, 10), (other, 106 - 8 * n, 14)) for n in range(13)]
    assert tracks.track(given) == [(1, 2)] * 13


@pytest.mark.usefixtures("_tracker")
def test_an_id_does_not_pass_to_another_class():
    given = [frame(n, ("cat" if n < 3 else "dog", 10, 10)) for n in range(6)]
    assert tracks.track(given) == [(1,)] * 3 + [(2,)] * 3


@pytest.mark.usefixtures("_tracker")
def test_ids_do_not_depend_on_the_order_of_the_instances():
    given = [frame(n, *sorted([("cat", 10 + n, 10), ("cat", 60 - n, 40)], reverse=n % 2 > 0)) for n in range(6)]
    assert tracks.track(given) == [(1, 2), (2, 1)] * 3


@pytest.mark.usefixtures("_tracker")
def test_every_box_has_an_id_and_a_new_object_a_new_one():
    given = [
        frame(0),
        frame(1, ("cat", 10, 10), ("cat", 90, 10)),
        frame(2, ("cat", 12, 10)),
        frame(3, ("dog", 90, 60), ("cat", 14, 10)),
        frame(4, ("cat", 16, 10), ("dog", 92, 60), ("cat", 150, 100)),
    ]
    assert tracks.track(given) == [(), (1, 2), (1,), (3, 1), (1, 3, 4)]
    assert tracks.track([]) == []
    assert tracks.track(given[:2][1:]) == [(1, 2)]


@pytest.mark.usefixtures("_tracker")
@pytest.mark.parametrize("rate", [0.5, 3, 25])
def test_an_object_that_was_hidden_for_a_second_or_three_frames_has_its_id_again(rate):
    hidden = max(2, int(rate) - 1)
    for frames, expected in ((hidden, 1), (hidden + 3, 2)):
        boxes = [[("cat", 10, 10)]] * 3 + [[]] * frames + [[("cat", 10, 10)]]
        found = tracks.track([frame(n, *each, rate=rate) for n, each in enumerate(boxes)])
        assert found[-1] == (expected,)


@pytest.mark.usefixtures("_tracker")
def test_frames_are_tracked_by_their_times():
    """A fast object is found again after a gap in the frames, since its speed is known."""
    numbers = [0, 1, 2, 3, 4, 7, 8]
    assert tracks.track([frame(n, ("cat", 10 + 10 * n, 5)) for n in numbers]) == [(1,)] * len(numbers)


def labels(folder, count: int = 5) -> LabelFolder:
    """Two squares that move, in frames of which the third could not be labelled, beside another image."""
    made = LabelFolder.create(folder, ("cat", "dog"))
    for number in range(1, count + 1):
        instances = []
        for label, left in (("cat", 4 + 2 * number), ("dog", 40 - 2 * number)):
            mask = np.zeros((48, 64), bool)
            mask[10:20, left : left + 10] = True
            instances.append(LabelledInstance(label, mask, 0.75))
        image = LabelledImage(f"clip/{number:05}.png", (48, 64), tuple(instances))
        made.write(replace(image, instances=(), error="unreadable") if number == 3 else image)
    made.write(LabelledImage("clip/cover.png", (48, 64), made.read("clip/00001.png").instances))
    return made


@pytest.mark.usefixtures("_tracker")
def test_the_saved_labels_of_a_clip_get_tracks_and_are_left_as_they_are_otherwise(tmp_path):
    folder = labels(tmp_path / "labels")
    before = {image.name: image for image in folder}
    assert tracks.save(folder, "clip", 3) == 2
    for image in folder:
        ids = [1, 2] if image.instances and image.name != "clip/cover.png" else [None] * len(image.instances)
        assert [one.track for one in image.instances] == ids
        stripped = [replace(one, track=None) for one in image.instances]
        for one, other in zip(stripped, before[image.name].instances, strict=True):
            np.testing.assert_array_equal(one.mask, other.mask)
            assert (one.label, one.score, one.status) == (other.label, other.score, other.status)
        assert image.error == before[image.name].error
    saved = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "labels").rglob("*.json")}
    assert tracks.save(folder, "clip", 3) == 2
    assert saved == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in saved}
    assert tracks.save(folder, "other", 3) == 0


@pytest.mark.usefixtures("_tracker")
def test_a_correction_stays_and_coco_has_the_ids(tmp_path):
    folder = labels(tmp_path / "labels")
    corrected = folder.read("clip/00002.png")
    folder.correct(replace(corrected, instances=corrected.instances[:1]))
    tracks.save(folder, "clip", 3)
    assert [one.track for one in folder.read("clip/00002.png").instances] == [None]
    assert [one.track for one in folder.read("clip/00002.png", original=True).instances] == [1, 2]
    formats.export(folder, tmp_path / "out", ["coco"], images="none")
    text = (tmp_path / "out/coco/annotations/instances_train.json").read_text()
    assert (text.count('"track_id": 1'), text.count('"track_id": 2')) == (3, 3)


def test_without_the_tracker_there_is_one_message(monkeypatch):
    found = packages.find_spec
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "trackers" else found(name))
    with pytest.raises(SettingError, match=r'pip install "ipseg\[clips\]"') as caught:
        tracks.check()
    assert str(caught.value).startswith("Labelling a clip needs trackers")
