"""PASCAL VOC 2012 (Everingham et al., 2010): the 5 unseen classes of section 4.2 on the validation images.

::

    VOC2012/JPEGImages/<id>.jpg
    VOC2012/SegmentationClassAug/<id>.png        value = class, 255: border; or SegmentationClass
    VOC2012/ImageSets/Segmentation/val.txt       one id a line

The folder is ``VOC2012`` or one that holds it, also as ``VOCdevkit/VOC2012``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ipseg.datasets import _folders, _unseen
from ipseg.datasets._episodes import Dataset

TITLE = "PASCAL VOC 2012"
SOURCE = "VOCtrainval_11-May-2012.tar from host.robots.ox.ac.uk/pascal/VOC/voc2012"
LICENCE = "the images are of Flickr, under the terms that the VOC challenge names"
CLASSES = {"potted plant": 16, "sheep": 17, "sofa": 18, "train": 19, "tv monitor": 20}
VOID = (255,)
PROTOCOL = _unseen.protocol("5 unseen classes, validation images", len(CLASSES))


@dataclass(frozen=True)
class Settings:
    """Which prompts."""

    data: Path  # the folder
    seed: int = 0  # of the prompts


def build(settings: Settings) -> Dataset:
    """One episode for each unseen class and image that shows it."""
    root = _folders.root(settings.data, "VOC2012", "VOCdevkit/VOC2012")
    augmented = (root / "SegmentationClassAug").is_dir()
    folder = "SegmentationClassAug" if augmented else "SegmentationClass"
    _folders.need(root, ["JPEGImages", folder, "ImageSets/Segmentation/val.txt"], SOURCE)
    names = _folders.read_lines(root / "ImageSets/Segmentation/val.txt")
    _folders.need(root / folder, [f"{name}.png" for name in names], SOURCE)
    pairs = [(f"{name}.jpg", root / "JPEGImages" / f"{name}.jpg", root / folder / f"{name}.png") for name in names]
    return _unseen.build("pascal_voc", pairs, CLASSES, VOID, settings.seed, PROTOCOL)
