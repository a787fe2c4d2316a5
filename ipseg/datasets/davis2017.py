"""DAVIS 2017 (Pont-Tuset et al., 2017): the 30 validation sequences at 480p, one object at a time.

::

    DAVIS/JPEGImages/480p/<sequence>/NNNNN.jpg
    DAVIS/Annotations/480p/<sequence>/NNNNN.png     value = number of the object, 0: background
    DAVIS/ImageSets/2017/val.txt                    one sequence a line

The folder is ``DAVIS`` or the one that holds it. The prompt of an object is the first frame, with its mask for methods
that may see it. Every other frame is an input but the last: the released evaluation leaves out the first and the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ipseg.core.masks import read_values
from ipseg.core.types import InputError
from ipseg.datasets import _folders
from ipseg.datasets._episodes import Annotated, Dataset, Episode, EvaluationProtocol, Labels

TITLE = "DAVIS 2017"
SOURCE = "DAVIS-2017-trainval-480p.zip from davischallenge.org/davis2017/code.html"
LICENCE = "that of the DAVIS challenge, for research: see davischallenge.org"
PROTOCOL = EvaluationProtocol(
    "30 validation sequences at 480p, first and last frame left out; J and F (0.008) per frame, mean over the frames "
    "of an object, then over objects",
    frames=True,
    boundary=True,
    unit="sequences",
    classes=61,
)


@dataclass(frozen=True)
class Settings:
    """Which episodes."""

    data: Path  # the folder


def build(settings: Settings) -> Dataset:
    """One episode for each frame and object."""
    root = _folders.root(settings.data, "DAVIS")
    folders = ["JPEGImages/480p", "Annotations/480p"]
    _folders.need(root, [*folders, "ImageSets/2017/val.txt"], SOURCE)
    episodes = []
    for sequence in _folders.read_lines(root / "ImageSets/2017/val.txt"):
        _folders.need(root, [f"{folder}/{sequence}" for folder in folders], SOURCE)
        frames = sorted((root / folders[0] / sequence).glob("*.jpg"))
        if len(frames) < 3:
            raise InputError(f"{root / folders[0] / sequence} has fewer than three frames; {SOURCE}.")
        first = root / folders[1] / sequence / f"{frames[0].stem}.png"
        _folders.need(first.parent, [first.name], SOURCE)
        for number in range(1, int(read_values(first).max()) + 1):
            sides = [_side(root, sequence, frame, number) for frame in frames]
            for side in sides[1:-1]:
                name = f"{sequence}/{number}"
                episodes.append(Episode(f"{name}/{side.image.stem}", sides[0], side, name, unit=sequence))
    return Dataset("davis2017", tuple(episodes), PROTOCOL)


def _side(root: Path, sequence: str, frame: Path, number: int) -> Annotated:
    truth = Labels(root / "Annotations/480p" / sequence / f"{frame.stem}.png", (number,))
    return Annotated(f"{sequence}/{frame.name}", frame, truth)
