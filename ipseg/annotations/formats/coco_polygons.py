"""COCO with masks as polygons, for readers that take no run lengths where ``iscrowd`` is 0.

::

    coco_polygons/annotations/instances_train.json   and instances_val.json with a split
    coco_polygons/images/train/NAME                  the image files

Vertices are on the corners of pixels, as COCO defines coordinates, and holes are joined by seams of no width, so
pycocotools draws exactly the mask. Readers that draw borders with OpenCV, as supervision, get one pixel more at the
right and lower borders; the format ``coco`` is exact there too.
"""

from __future__ import annotations

from collections.abc import Sequence

from ipseg.annotations import polygons
from ipseg.annotations.formats._coco import CocoWriter, Segmentation
from ipseg.annotations.formats._target import Target
from ipseg.core.types import Mask

TITLE = "COCO, masks as polygons"
FLAT, STEMS = False, False
NEEDS_IMAGES = False


def check(classes: Sequence[str]) -> None:
    """Any classes can be held."""


def build(target: Target) -> CocoWriter:
    """The writer of this format into a folder."""
    return CocoWriter(target, segmentation)


def segmentation(mask: Mask) -> Segmentation:
    """(H, W) bool as COCO's list of polygons, each x, y, x, y, ..."""
    return [each.ravel().astype(float).tolist() for each in polygons.corners(mask)]
