"""Track ids for the labels of a clip, by the ByteTrack of the package trackers (Zhang et al., 2022, arXiv:2110.06864).

The ids follow from the saved labels of the frames alone: boxes, classes, and the numbers of the frames. So they are the
same after a run that was killed and went on, and may be computed any number of times.

Every class is tracked by itself, so an id never passes from one class to another. Boxes are compared by their buffered
overlap (Yang et al., 2023, arXiv:2211.14317), as an object moves by more than its size between frames that are sampled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from ipseg.annotations.labels import LABELS, LabelFolder, LabelledImage
from ipseg.core.packages import need, needed

TITLE, EXTRA, PACKAGES = "Labelling a clip", "clips", ("supervision", "trackers")
BUFFER = 0.5  # of a box's sides, by which it is enlarged on each before overlaps are measured
OVERLAP = 0.1  # of enlarged boxes, from which on they may be one object: ByteTrack's own default
LOST_SECONDS = 1.0  # for which an object may be hidden and have the same id again
LOST_FRAMES = 3  # likewise, in frames, where these are far apart
FRAME = re.compile(r"\d{5,}\.png\.json")  # the labels of a frame, as frames.sample names it

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class FrameBoxes:
    """The boxes of one frame."""

    time: float  # seconds, more than that of the frame before
    labels: tuple[str, ...]  # the class of each box
    boxes: tuple[Box, ...]  # (left, top, right, bottom) in pixels, right and bottom exclusive

    @classmethod
    def of(cls, image: LabelledImage, time: float) -> FrameBoxes:
        """Of the labels of a frame."""
        found = image.instances
        return cls(time, tuple(one.label for one in found), tuple(one.box for one in found))


def check() -> None:
    """Raise :class:`~ipseg.core.types.SettingError` where the tracker is not installed: before any work."""
    need(TITLE, *PACKAGES, extra=EXTRA)


def save(folder: LabelFolder, stem: str, fps: float) -> int:
    """Give every saved instance of a clip's frames its track id; returns the number of tracks.

    ``stem``: the folder name of the frames. ``fps``: frames per second of the clip. One image is in memory at a time.
    Corrections are left as they are. Raises :class:`~ipseg.annotations.labels.LabelsError` for damaged labels,
    :class:`~ipseg.core.store.OutputError`, and :class:`~ipseg.core.types.SettingError` without the tracker.
    """
    root = folder.folder / LABELS / stem
    files = sorted(path.name for path in root.iterdir() if FRAME.fullmatch(path.name)) if root.is_dir() else []
    numbers = sorted(int(name.partition(".")[0]) for name in files)
    names = [f"{stem}/{number:05}.png" for number in numbers]
    frames = []
    for name, number in zip(names, numbers, strict=True):
        frames.append(FrameBoxes.of(folder.read(name, original=True), number / fps))
    tracks = track(frames)
    for name, ids in zip(names, tracks, strict=True):
        image = folder.read(name, original=True)
        if ids != tuple(one.track for one in image.instances):
            folder.write(tracked(image, ids))
    return len({number for ids in tracks for number in ids})


def tracked(image: LabelledImage, ids: Sequence[int]) -> LabelledImage:
    """The labels of a frame with the track id of each instance."""
    given = zip(image.instances, ids, strict=True)
    return replace(image, instances=tuple(replace(one, track=number) for one, number in given))


def track(frames: Sequence[FrameBoxes]) -> list[tuple[int, ...]]:
    """The track id of each box of each frame, in their order: see :class:`Tracker`."""
    tracker = Tracker([frame.time for frame in frames], {label for frame in frames for label in frame.labels})
    return [tracker.add(frame) for frame in frames]


class Tracker:
    """Gives the boxes of the frames of a clip their track ids, one frame after another.

    Ids count from 1 in the order in which the tracks begin; a box that no other frame has a match for is a track of
    its own. ``times``: of all frames, in seconds, each more than the one before; ``labels``: the classes that boxes may
    have. Raises :class:`~ipseg.core.types.SettingError` without the tracker.
    """

    def __init__(self, times: Sequence[float], labels: Iterable[str]) -> None:
        rate = float(1 / median(np.diff(times))) if len(times) > 1 else 1.0
        self._classes = {label: _ClassTracker(rate) for label in sorted(set(labels))}
        self._known: dict[Any, int] = {}  # the id of each tracklet

    def add(self, frame: FrameBoxes) -> tuple[int, ...]:
        """The track id of each box of the next frame."""
        keys: list[Any] = [None] * len(frame.labels)
        for label, tracker in self._classes.items():
            places = [place for place, each in enumerate(frame.labels) if each == label]
            tracklets = tracker.add(frame.time, [frame.boxes[place] for place in places])
            for place, tracklet in zip(places, tracklets, strict=True):
                keys[place] = tracklet
        return tuple(self._known.setdefault(key, len(self._known) + 1) for key in keys)


class _ClassTracker:
    """The tracklets of one class. ``rate``: frames per second.

    Every box is taken for certain, so that uncertain instances have tracks too, and each either continues a tracklet or
    begins one. ByteTrack gives a tracklet its id with the second box only; until then its box tells which it is.
    """

    def __init__(self, rate: float) -> None:
        with needed(TITLE, extra=EXTRA):
            from trackers import BIoU, ByteTrackTracker
        lost = max(LOST_SECONDS, LOST_FRAMES / rate) + 0.5 / rate
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(30 * lost),  # it counts in 30ths of a second, whatever the rate
            frame_rate=rate,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=OVERLAP,
            iou=BIoU(BUFFER),
        )

    def add(self, time: float, given: Sequence[Box]) -> list[Any]:
        """The tracklet of each box of a frame: the same object where the track is the same."""
        with needed(TITLE, extra=EXTRA):
            import supervision
        place = np.arange(len(given))  # in the frame: the tracker returns the boxes in an order of its own
        detections = supervision.Detections(xyxy=np.array(given, float).reshape(-1, 4), data={"place": place})
        seen = self._tracker.update(detections, timestamp=time)
        known = {one.tracker_id: one for one in self._tracker.tracks}
        begun = [one for one in self._tracker.tracks if one.tracker_id == -1]
        keys: list[Any] = [None] * len(given)
        for number, its_id in zip(seen.data["place"] if len(seen) else (), seen.tracker_id, strict=True):
            keys[number] = known[its_id] if its_id != -1 else _take(begun, given[number])
        return keys


def _take(begun: list[Any], box: Box) -> Any:
    """Remove the tracklet that has begun with a box, and return it."""
    distances = [np.abs(one.get_state_bbox() - box).max() for one in begun]
    return begun.pop(int(np.argmin(distances)))
