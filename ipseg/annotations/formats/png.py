"""Index images: PNG files whose pixels are numbers, for tools that read masks alone.

::

    png/classes.json            {"0": "background", "1": NAME, ...}
    png/images/train/NAME       image files; and val with a split
    png/classes/train/STEM.png  the number of the class at each pixel, in a palette (of more than 255 classes: 16 bits)
    png/instances/train/STEM.png  the number of the instance in its image, from 1, 16 bits
    png/train.jsonl             a line for each image: its files, and class, score and status of each instance

Exact but for instances that overlap, as after corrections: the better scored one takes the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipseg.annotations import coco
from ipseg.annotations.formats import _maps
from ipseg.annotations.formats._target import Target
from ipseg.annotations.labels import LabelledImage
from ipseg.core.serialize import to_json

TITLE = "index images (PNG)"
FLAT, STEMS = False, True
NEEDS_IMAGES = False
PALETTE = 255  # the most classes that fit a palette beside the background


def check(classes: Sequence[str]) -> None:
    """Any classes can be held."""


def build(target: Target) -> PngWriter:
    """The writer of this format into a folder."""
    return PngWriter(target)


class PngWriter:
    """Writes ``classes.json``, both kinds of index images, and a list of each part."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lists = {part: target.open(f"{part}.jsonl") for part in target.parts}
        self._encode = _maps.palette_png if len(target.classes) <= PALETTE else _maps.deep_png

    def add(self, image: LabelledImage, name: str, part: str) -> None:
        """One image and its instances."""
        self._target.put_image(f"images/{part}/{name}")
        classes, instances = _maps.maps(image, self._target)
        stem = name.rpartition(".")[0] or name
        files = {"classes": f"classes/{part}/{stem}.png", "instances": f"instances/{part}/{stem}.png"}
        self._target.path(files["classes"]).write_bytes(self._encode(classes))
        self._target.path(files["instances"]).write_bytes(_maps.deep_png(instances))
        listed: list[dict[str, Any]] = []
        for number, one in enumerate(image.instances, 1):
            entry = {"number": number, "label": one.label, **coco.scores(one.status, one.score)}
            listed.append(entry | ({"track": one.track} if one.track is not None else {}))
        entry = {"image": image.name, "file": f"images/{part}/{name}", **files, "listed": listed}
        self._lists[part].write(to_json(entry) + "\n")

    def close(self) -> None:
        """Write ``classes.json``."""
        numbered = {str(number): name for number, name in enumerate(("background", *self._target.classes))}
        self._target.path("classes.json").write_text(to_json(numbered, indent=1) + "\n", encoding="utf-8")
