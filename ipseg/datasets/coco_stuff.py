"""COCO-Stuff (Caesar et al., 2018): the 15 unseen classes of section 4.2 on COCO val2017.

::

    val2017/*.jpg                   or images/val2017/*.jpg
    stuffthingmaps/val2017/*.png    or annotations/val2017/*.png    value = label - 1, 255: unlabeled

"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ipseg.datasets import _folders, _unseen
from ipseg.datasets._episodes import Dataset

TITLE = "COCO-Stuff"
SOURCE = (
    "images: images.cocodataset.org/zips/val2017.zip; masks: stuffthingmaps_trainval2017.zip from "
    "github.com/nightrome/cocostuff"
)
LICENCE = "annotations CC BY 4.0; the images are of Flickr, under the terms of their owners"
CLASSES = {  # values of the released maps: the numbers of labels.txt less 1
    "frisbee": 33,
    "skateboard": 40,
    "cardboard": 99,
    "carrot": 56,
    "scissors": 86,
    "suitcase": 32,
    "giraffe": 24,
    "cow": 20,
    "road": 148,
    "wall-concrete": 171,
    "tree": 168,
    "grass": 123,
    "river": 147,
    "clouds": 105,
    "playingfield": 144,
}
VOID = (255,)
PROTOCOL = _unseen.protocol("15 unseen classes", len(CLASSES))


@dataclass(frozen=True)
class Settings:
    """Which prompts."""

    data: Path  # the folder
    seed: int = 0  # of the prompts


def build(settings: Settings) -> Dataset:
    """One episode for each unseen class and image that shows it."""
    root = _folders.root(settings.data, "COCO2017", "dataset")
    flat = (root / "val2017").is_dir() or not (root / "images").is_dir()
    folders = ("val2017", "stuffthingmaps/val2017") if flat else ("images/val2017", "annotations/val2017")
    _folders.need(root, folders, SOURCE)
    truths = sorted((root / folders[1]).glob("*.png"))
    images = [root / folders[0] / f"{truth.stem}.jpg" for truth in truths]
    pairs = [(f"val2017/{image.name}", image, truth) for image, truth in zip(images, truths, strict=True)]
    return _unseen.build("coco_stuff", pairs, CLASSES, VOID, settings.seed, PROTOCOL)
