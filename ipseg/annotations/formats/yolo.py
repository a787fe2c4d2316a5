"""YOLO segmentation: a text file for each image, one line for each instance, as ultralytics and supervision read it.

::

    yolo/data.yaml               classes and folders; without a split, val is train
    yolo/images/train/NAME       image files; and val with a split
    yolo/labels/train/STEM.txt   CLASS x y x y ...: vertices as shares of width and height; empty without an instance

Lost: score, status and track. A hole is joined by a seam and stays. An instance of several parts is one polygon whose
parts are joined by a straight line, as ultralytics joins them, and the line is one pixel wide where it is drawn.
Names are without folders ("/" becomes "__").

Written here: supervision's writer splits such an instance into several, and copies the masks of all images into memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipseg.annotations import polygons
from ipseg.annotations.formats._target import SCORES_LOST, Target
from ipseg.annotations.labels import LabelledImage
from ipseg.core.serialize import to_json
from ipseg.core.types import Mask

TITLE = "YOLO segmentation"
FLAT, STEMS = True, True
NEEDS_IMAGES = True
JOINED = "instances of several parts, joined by a line"
INSIDE = 0.25  # pixels: readers that round and readers that cut off find the same pixel


def check(classes: Sequence[str]) -> None:
    """Any classes can be held."""


def build(target: Target) -> YoloWriter:
    """The writer of this format into a folder."""
    return YoloWriter(target)


class YoloWriter:
    """Writes ``data.yaml``, ``images`` and ``labels``."""

    def __init__(self, target: Target) -> None:
        self._target = target
        for part in target.parts:  # also of a part without images
            for kind in ("images", "labels"):
                (target.folder / kind / part).mkdir(parents=True)

    def add(self, image: LabelledImage, name: str, part: str) -> None:
        """One image and its instances."""
        self._target.put_image(f"images/{part}/{name}")
        lines = []
        for one in image.instances:
            parts = polygons.centres(one.mask)
            self._target.lost.update([SCORES_LOST, *([JOINED] if len(parts) > 1 else [])])
            lines.append(f"{self._target.number(one.label)} {_vertices(one.mask, polygons.as_one(parts))}\n")
        stem = name.rpartition(".")[0] or name
        self._target.path(f"labels/{part}/{stem}.txt").write_text("".join(lines), encoding="utf-8")

    def close(self) -> None:
        """Write ``data.yaml``."""
        names = "".join(f"  {number}: {to_json(name)}\n" for number, name in enumerate(self._target.classes))
        val = self._target.parts[-1]
        text = f"train: images/{self._target.parts[0]}\nval: images/{val}\nnames:\n{names}"
        self._target.path("data.yaml").write_text(text, encoding="utf-8")


def _vertices(mask: Mask, polygon: polygons.Polygon) -> str:
    height, width = mask.shape
    shares = (polygon + INSIDE) / np.array([width, height])
    return " ".join(f"{share:.7f}" for share in shares.ravel())
