"""Label Studio: tasks with predictions as brush masks, to import into a project.

::

    label_studio/tasks.json         a task for each image, one prediction with a result for each instance
    label_studio/config.xml         the labelling interface of the project: an image and its brush labels
    label_studio/images/train/NAME  image files; and val with a split

A task names its image as ``/data/local-files/?d=images/train/NAME``: serve the folder with
``LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=.../label_studio`` and add it as
local storage, with ``copy`` for the images; or replace the prefix by where the images are served. The score of a
prediction is the lowest of its instances', so that tasks can be ordered by it. Masks are exact.

The run lengths are written here (:func:`run_lengths`) and read in the tests by ``label_studio_sdk.converter.brush``:
that package brings some fifty others, holds OpenCV below 4.13, and encodes from an array of four bytes a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from ipseg.annotations import coco
from ipseg.annotations.formats import _maps
from ipseg.annotations.formats._target import Target
from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.serialize import to_json
from ipseg.core.types import Mask
from ipseg.version import __version__

TITLE = "Label Studio"
FLAT, STEMS = False, False
NEEDS_IMAGES = True
FROM, TO = "label", "image"  # names of the two controls of the labelling interface
LOCAL = "/data/local-files/?d="
WORD, SIZES = 8, (3, 4, 8, 16)  # bits of a value, and of the lengths of runs


def check(classes: Sequence[str]) -> None:
    """Any classes can be held."""


def build(target: Target) -> LabelStudioWriter:
    """The writer of this format into a folder."""
    return LabelStudioWriter(target)


class LabelStudioWriter:
    """Writes ``tasks.json``, ``config.xml`` and ``images``."""

    def __init__(self, target: Target) -> None:
        self._target, self._tasks = target, 0
        self._file = target.open("tasks.json")
        self._file.write("[")

    def add(self, image: LabelledImage, name: str, part: str) -> None:
        """One image and its instances."""
        inner = f"images/{part}/{name}"
        self._target.put_image(inner)
        data = {"image": f"{LOCAL}{quote(inner)}", "name": image.name, "part": part}
        self._file.write(f"{',' * bool(self._tasks)}\n{to_json({'data': data, 'predictions': [prediction(image)]})}")
        self._tasks += 1

    def close(self) -> None:
        """Complete the list, and write ``config.xml``."""
        self._file.write("\n]\n")
        self._target.path("config.xml").write_text(config(self._target.classes), encoding="utf-8")


def prediction(image: LabelledImage) -> dict[str, Any]:
    """The prediction for one image, as a task or a machine learning backend of Label Studio holds it."""
    results = [_result(one, number) for number, one in enumerate(image.instances, 1)]
    score = min((one.score for one in image.instances), default=0.0)
    return {"model_version": f"ipseg {__version__}", "score": round(float(score), coco.DIGITS), "result": results}


def config(classes: tuple[str, ...]) -> str:
    """The labelling interface for the classes."""
    palette = _maps.voc_palette()
    lines = [
        f"    <Label value={quoteattr(name)} background={quoteattr('#{:02x}{:02x}{:02x}'.format(*colour))}/>"
        for name, colour in ((name, palette[3 * (number % 255 + 1) :][:3]) for number, name in enumerate(classes))
    ]
    image = f'  <Image name="{TO}" value="$image" zoom="true"/>'
    labels = "\n".join(lines)
    return f'<View>\n{image}\n  <BrushLabels name="{FROM}" toName="{TO}">\n{labels}\n  </BrushLabels>\n</View>\n'


def _result(one: LabelledInstance, number: int) -> dict[str, Any]:
    height, width = one.mask.shape
    meta: dict[str, Any] = {"status": one.status.value} | ({"track": one.track} if one.track is not None else {})
    return {
        "id": f"instance{number}",
        "from_name": FROM,
        "to_name": TO,
        "type": "brushlabels",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": run_lengths(one.mask), "brushlabels": [one.label]},
        "score": round(float(one.score), coco.DIGITS),
        "meta": meta,
    }


def run_lengths(mask: Mask) -> list[int]:
    """(H, W) bool as the bytes of Label Studio's run lengths: of its RGBA image, all four 255 inside and 0 outside.

    The format (github.com/thi-ng/umbrella, rle-pack): 32 bits number of values, 5 bits size of a value less 1, four
    times 4 bits the sizes of a length less 1; then for each run a bit 1, 2 bits which size, the length less 1, the
    value. The last byte is filled with zeros.
    """
    pixels = np.asarray(mask, dtype=bool).ravel()
    turns = np.concatenate([[0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1, [pixels.size]])
    bits = [f"{4 * pixels.size:032b}{WORD - 1:05b}", *(f"{size - 1:04b}" for size in SIZES)]
    for start, end in zip(turns[:-1].tolist(), turns[1:].tolist(), strict=True):
        value = 255 * int(pixels[start])
        left = 4 * (end - start)
        while left:
            length = min(left, 1 << SIZES[-1])
            which = next(place for place, size in enumerate(SIZES) if length <= 1 << size)
            bits.append(f"1{which:02b}{length - 1:0{SIZES[which]}b}{value:0{WORD}b}")
            left -= length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
