"""FSS-1000 (Li et al., 2020): the 240 test classes, ten images each, every image an input once.

::

    FSS-1000/data/<class>/{1..10}.jpg, {1..10}.png     the object: grey >= 128
    FSS-1000/splits/test.txt                           one class a line

The folder is ``FSS-1000`` or the one that holds it. The prompt is another of the ten images of the class, drawn with
the seed as the released loader of Matcher draws it: numbers from 1 to 10 until one differs from the input's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ipseg.core.types import InputError
from ipseg.datasets import _folders
from ipseg.datasets._episodes import Annotated, Dataset, Episode, EvaluationProtocol, Greys

TITLE = "FSS-1000"
SOURCE = (
    "images and masks: github.com/HKUSTCV/FSS-1000 links to them; splits/test.txt: in the folder datasets of "
    "github.com/aim-uofa/Matcher"
)
LICENCE = "none is stated with the data; the authors offer it for research"
IMAGES = 10  # of a class
PROTOCOL = EvaluationProtocol(
    "every image of the 240 test classes; pixels summed per class, mean over classes", classes=240
)


@dataclass(frozen=True)
class Settings:
    """Which episodes."""

    data: Path  # the folder
    seed: int = 0  # of the prompts


def build(settings: Settings) -> Dataset:
    """One episode for each image."""
    root = _folders.root(settings.data, "FSS-1000")
    _folders.need(root, ["data", "splits/test.txt"], SOURCE)
    classes = sorted(_folders.read_lines(root / "splits/test.txt"))
    _folders.need(root / "data", classes, SOURCE)
    random, episodes = np.random.RandomState(settings.seed), []
    sides = {name: _images(root, name) for name in classes}
    for name in classes:
        for side in sides[name]:
            prompt = side
            while prompt.image == side.image:
                number = _folders.choose(random, range(1, IMAGES + 1))
                prompt = _side(root, name, number)
            episodes.append(Episode(f"{name}/{side.image.stem}", prompt, side, name))
    return Dataset("fss1000", tuple(episodes), PROTOCOL, {"seed": settings.seed})


def _images(root: Path, name: str) -> tuple[Annotated, ...]:
    """The images of a class, in the order of their names as texts: 1, 10, 2, ..."""
    stems = sorted(path.name for path in (root / "data" / name).glob("*.jpg"))
    found = tuple(_side(root, name, stem.removesuffix(".jpg")) for stem in stems)
    if len(found) != IMAGES:
        raise InputError(f"{root / 'data' / name} has {len(found)} images and not {IMAGES}; {SOURCE}.")
    return found


def _side(root: Path, name: str, number: int | str) -> Annotated:
    folder = root / "data" / name
    return Annotated(f"{name}/{number}.jpg", folder / f"{number}.jpg", Greys(folder / f"{number}.png"))
