"""PASCAL-Context (Mottaghi et al., 2014): the 4 unseen classes of section 4.2 on the validation images of VOC 2010.

::

    VOC2010/JPEGImages/<id>.jpg
    VOC2010/SegmentationClassContext/<id>.png        value = class, 1 to 59; 0: none of the 59
    VOC2010/ImageSets/SegmentationContext/val.txt    one id a line

The folder is ``VOC2010`` or one that holds it, also as ``VOCdevkit/VOC2010``. The label images are those that the tools
of MMSegmentation make of the released annotations; their classes are in the order of the alphabet.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ipseg.datasets import _folders, _unseen
from ipseg.datasets._episodes import Dataset

TITLE = "PASCAL-Context"
SOURCE = (
    "images: VOCtrainval_03-May-2010.tar from host.robots.ox.ac.uk/pascal/VOC/voc2010; label images: made by "
    "tools/dataset_converters/pascal_context.py of github.com/open-mmlab/mmsegmentation from trainval_merged.json"
)
LICENCE = "the images are of Flickr, under the terms that the VOC challenge names; for the labels none is stated"
CLASSES = {"cow": 20, "motorbike": 34, "sofa": 49, "cat": 15}
VOID = (0, 255)
PROTOCOL = _unseen.protocol("4 unseen classes of 59, validation images", len(CLASSES))


@dataclass(frozen=True)
class Settings:
    """Which prompts."""

    data: Path  # the folder
    seed: int = 0  # of the prompts


def build(settings: Settings) -> Dataset:
    """One episode for each unseen class and image that shows it."""
    root = _folders.root(settings.data, "VOC2010", "VOCdevkit/VOC2010")
    folder = "SegmentationClassContext"
    _folders.need(root, ["JPEGImages", folder, "ImageSets/SegmentationContext/val.txt"], SOURCE)
    names = _folders.read_lines(root / "ImageSets/SegmentationContext/val.txt")
    _folders.need(root / folder, [f"{name}.png" for name in names], SOURCE)
    pairs = [(f"{name}.jpg", root / "JPEGImages" / f"{name}.jpg", root / folder / f"{name}.png") for name in names]
    return _unseen.build("pascal_context", pairs, CLASSES, VOID, settings.seed, PROTOCOL)
