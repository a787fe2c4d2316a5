"""labelme: a JSON file beside each image, polygons that its editor opens.

::

    labelme/train/NAME, labelme/train/STEM.json   and val with a split
    labelme/labels.txt                            the classes, for ``labelme --labels``

The parts of an instance are polygons of one ``group_id``, which is distinct in its image; a hole is joined by a seam
and stays. Each shape also has ``score``, ``status`` and, in a clip, ``track``, which labelme passes on when it saves.
Names are without folders ("/" becomes "__").

Written here: supervision's writer copies the masks of all images into memory and drops the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipseg.annotations import coco, polygons
from ipseg.annotations.formats._target import Target
from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.serialize import to_json

TITLE = "labelme"
FLAT, STEMS = True, True
NEEDS_IMAGES = True
VERSION = "5.5.0"  # of the format


def check(classes: Sequence[str]) -> None:
    """Any classes can be held."""


def build(target: Target) -> LabelmeWriter:
    """The writer of this format into a folder."""
    return LabelmeWriter(target)


class LabelmeWriter:
    """Writes the images and a JSON file beside each."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def add(self, image: LabelledImage, name: str, part: str) -> None:
        """One image and its instances."""
        self._target.put_image(f"{part}/{name}")
        height, width = image.size
        content: dict[str, Any] = {
            "version": VERSION,
            "flags": {},
            "shapes": [shape for number, one in enumerate(image.instances, 1) for shape in _shapes(one, number)],
            "imagePath": name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        stem = name.rpartition(".")[0] or name
        self._target.path(f"{part}/{stem}.json").write_text(to_json(content) + "\n", encoding="utf-8")

    def close(self) -> None:
        """Write ``labels.txt``."""
        self._target.path("labels.txt").write_text("".join(f"{name}\n" for name in self._target.classes), "utf-8")


def _shapes(one: LabelledInstance, number: int) -> list[dict[str, Any]]:
    about: dict[str, Any] = coco.scores(one.status, one.score)
    about |= {"track": one.track} if one.track is not None else {}
    return [
        {
            "label": one.label,
            "points": polygon.astype(float).tolist(),
            "group_id": number,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            **about,
        }
        for polygon in polygons.centres(one.mask)
    ]
