"""Track ids for the labels of a clip, by the ByteTrack of the package trackers (Zhang et al., 2022, arXiv:2110.06864).

The ids follow from the saved labels of the frames alone: boxes, classes, and the numbers of the frames. So they are the
same after a run that was killed and went on, and may be computed any number of times.

Every class is tracked by itself, so an id never passes from one class to another. Boxes are compared by their buffered
overlap (Yang et al., 2023, arXiv:2211.14317), as an object moves by more than its size between frames that are sampled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from ipseg.annotations.labels import LABELS, LabelFolder
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
        found = folder.read(name, original=True).instances
        frames.append(FrameBoxes(number / fps, tuple(one.label for one in found), tuple(one.box for one in found)))
    tracks = track(frames)
    for name, ids in zip(names, tracks, strict=True):
        image = folder.read(name, original=True)
        if ids != tuple(one.track for one in image.instances):
            tracked = (replace(one, track=number) for one, number in zip(image.instances, ids, strict=True))
            folder.write(replace(image, instances=tuple(tracked)))
    return len({number for ids in tracks for number in ids})


def track(frames: Sequence[FrameBoxes]) -> list[tuple[int, ...]]:
    """The track id of each box of each frame, in their order.

    Ids count from 1 in the order in which the tracks begin; a box that no other frame has a match for is a track of
    its own. Raises :class:`~ipseg.core.types.SettingError` without the tracker.
    """
    rate = 1 / median(np.diff([frame.time for frame in frames])) if len(frames) > 1 else 1.0
    keys: dict[tuple[int, int], Any] = {}  # the tracklet of a frame and its box
    for label in sorted({label for frame in frames for label in frame.labels}):
        places = [[n for n, each in enumerate(frame.labels) if each == label] for frame in frames]
        found = _of_class(
            [frame.time for frame in frames],
            [[frame.boxes[n] for n in chosen] for frame, chosen in zip(frames, places, strict=True)],
            float(rate),
        )
        for number, (chosen, tracklets) in enumerate(zip(places, found, strict=True)):
            keys.update({(number, n): tracklet for n, tracklet in zip(chosen, tracklets, strict=True)})
    known: dict[Any, int] = {}
    return [
        tuple(known.setdefault(keys[number, n], len(known) + 1) for n in range(len(frame.labels)))
        for number, frame in enumerate(frames)
    ]


def _of_class(times: Sequence[float], boxes: Sequence[Sequence[Box]], rate: float) -> list[list[Any]]:
    """The tracklet of each box of each frame: the same object where the track is the same. ``rate``: frames per second.

    Every box is taken for certain, so that uncertain instances have tracks too, and each either continues a tracklet or
    begins one. ByteTrack gives a tracklet its id with the second box only; until then its box tells which it is.
    """
    with needed(TITLE, extra=EXTRA):
        import supervision
        from trackers import BIoU, ByteTrackTracker
    lost = max(LOST_SECONDS, LOST_FRAMES / rate) + 0.5 / rate
    tracker = ByteTrackTracker(
        lost_track_buffer=round(30 * lost),  # it counts in 30ths of a second, whatever the rate
        frame_rate=rate,
        minimum_consecutive_frames=1,
        minimum_iou_threshold=OVERLAP,
        iou=BIoU(BUFFER),
    )
    found: list[list[Any]] = []
    for time, given in zip(times, boxes, strict=True):
        place = np.arange(len(given))  # in the frame: the tracker returns the boxes in an order of its own
        detections = supervision.Detections(xyxy=np.array(given, float).reshape(-1, 4), data={"place": place})
        seen = tracker.update(detections, timestamp=time)
        known = {one.tracker_id: one for one in tracker.tracks}
        begun = [one for one in tracker.tracks if one.tracker_id == -1]
        keys: list[Any] = [None] * len(given)
        for number, its_id in zip(seen.data["place"] if len(seen) else (), seen.tracker_id, strict=True):
            keys[number] = known[its_id] if its_id != -1 else _take(begun, given[number])
        found.append(keys)
    return found


def _take(begun: list[Any], box: Box) -> Any:
    """Remove the tracklet that has begun with a box, and return it."""
    distances = [np.abs(one.get_state_bbox() - box).max() for one in begun]
    return begun.pop(int(np.argmin(distances)))
