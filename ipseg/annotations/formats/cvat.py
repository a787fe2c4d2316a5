"""CVAT for images 1.1: one XML file of masks, to upload as annotations of a task.

::

    cvat/annotations.xml         an image element for each image, a mask element for each instance
    cvat/labels.json             the classes and their attributes, for the task's constructor or cvat-cli
    cvat/images/NAME             image files, to make the task of; names are unique over both parts

``source`` is ``auto``, and ``manual`` for images that a person corrected. ``score``, ``status`` and ``track`` are
attributes of a mask; the part of a split is the ``subset`` of an image. Masks are exact.

Written here: datumaro's writer holds the whole dataset and brings pandas, pyarrow and an older OpenCV.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from ipseg.annotations import coco
from ipseg.annotations.formats import _maps
from ipseg.annotations.formats._target import Target
from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core import rle
from ipseg.core.serialize import to_json
from ipseg.core.status import Status

TITLE = "CVAT for images 1.1"
FLAT, STEMS = False, False
NEEDS_IMAGES = False
ATTRIBUTES = (
    {"name": "score", "mutable": False, "input_type": "text", "default_value": "", "values": [""]},
    {
        "name": "status",
        "mutable": False,
        "input_type": "select",
        "default_value": Status.DETECTED.value,
        "values": [Status.DETECTED.value, Status.UNCERTAIN.value],
    },
    {"name": "track", "mutable": False, "input_type": "text", "default_value": "", "values": [""]},
)


def check(classes: Sequence[str]) -> None:
    """Any classes can be held."""


def build(target: Target) -> CvatWriter:
    """The writer of this format into a folder."""
    return CvatWriter(target)


class CvatWriter:
    """Writes ``annotations.xml``, ``labels.json`` and ``images``."""

    def __init__(self, target: Target) -> None:
        self._target, self._images = target, 0
        self._file, self._body = target.open("annotations.xml"), target.scratch()

    def add(self, image: LabelledImage, name: str, part: str) -> None:
        """One image and its instances."""
        self._target.put_image(f"images/{name}")
        height, width = image.size
        entry = {"id": self._images, "name": name, "subset": part, "width": width, "height": height}
        self._images += 1
        self._body.write(f"  <image{_attributes(entry)}>\n")
        for order, one in enumerate(image.instances):
            self._body.write(_mask(one, order, "manual" if image.corrected else "auto"))
        self._body.write("  </image>\n")

    def close(self) -> None:
        """Join the file, with the number of images in its head."""
        palette = _maps.voc_palette()
        colours = [palette[3 * (number % 255 + 1) :][:3] for number in range(len(self._target.classes))]
        labels = [
            {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*colour), "type": "mask", "attributes": ATTRIBUTES}
            for name, colour in zip(self._target.classes, colours, strict=True)
        ]
        self._target.path("labels.json").write_text(to_json(labels, indent=1) + "\n", encoding="utf-8")
        subsets = "".join(f"      <subset>{part}</subset>\n" for part in self._target.parts)
        self._file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        self._file.write(f"  <meta>\n    <project>\n      <size>{self._images}</size>\n      <mode>annotation</mode>\n")
        self._file.write(f"{subsets}      <labels>\n{''.join(map(_label, labels))}      </labels>\n")
        self._file.write("    </project>\n  </meta>\n")
        self._body.seek(0)
        shutil.copyfileobj(self._body, self._file)
        self._file.write("</annotations>\n")


def _label(label: dict) -> str:
    attributes = "".join(
        f"            <attribute><name>{each['name']}</name><mutable>{each['mutable']}</mutable>"
        f"<input_type>{each['input_type']}</input_type><default_value>{each['default_value']}</default_value>"
        f"<values>{chr(10).join(each['values'])}</values></attribute>\n"
        for each in label["attributes"]
    )
    return (
        f"        <label>\n          <name>{escape(label['name'])}</name><color>{label['color']}</color>"
        f"<type>{label['type']}</type>\n          <attributes>\n{attributes}          </attributes>\n        </label>\n"
    )


def _mask(one: LabelledInstance, order: int, source: str) -> str:
    left, top, right, bottom = one.box
    counts = rle.encode(one.mask[top:bottom, left:right].T)  # of columns: transposed, of rows
    entry = {
        "label": one.label,
        "source": source,
        "occluded": 0,
        "rle": ", ".join(map(str, counts)),
        "left": left,
        "top": top,
        "width": right - left,
        "height": bottom - top,
        "z_order": 0,
    }
    about = coco.scores(one.status, one.score) | ({"track": one.track} if one.track is not None else {})
    lines = "".join(f"      <attribute name={quoteattr(key)}>{value}</attribute>\n" for key, value in about.items())
    return f"    <mask{_attributes(entry)}>\n{lines}    </mask>\n"


def _attributes(entry: dict) -> str:
    return "".join(f" {key}={quoteattr(str(value))}" for key, value in entry.items())
