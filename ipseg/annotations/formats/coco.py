"""COCO: one JSON file for each part, an annotation for each instance, masks as compressed run lengths (exact).

::

    coco/annotations/instances_train.json   and instances_val.json with a split
    coco/images/train/NAME                  the image files

Written here rather than by another tool: supervision's and datumaro's writers hold all images of a dataset at once and
have no place for the score and status of an instance. Holes stay. ``track_id`` is there where the instance has one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ipseg.annotations.formats._coco import CocoWriter, Segmentation
from ipseg.annotations.formats._target import Target
from ipseg.core import rle
from ipseg.core.types import Mask

TITLE = "COCO, masks as run lengths"
FLAT, STEMS = False, False
NEEDS_IMAGES = False


def check(classes: Sequence[str]) -> None:
    """Any classes can be held."""


def build(target: Target) -> CocoWriter:
    """The writer of this format into a folder."""
    return CocoWriter(target, run_lengths)


def run_lengths(mask: Mask) -> Segmentation:
    """(H, W) bool as COCO's compressed run lengths."""
    return {"size": list(mask.shape), "counts": rle.compress(rle.encode(mask))}
