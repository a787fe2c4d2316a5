"""PASCAL VOC 2012: index images in its palette, and an XML file of boxes for each image.

::

    voc/JPEGImages/NAME               image files
    voc/Annotations/STEM.xml          class, box (1-based, inclusive) and ``difficult`` of each instance
    voc/SegmentationClass/STEM.png    the number of the class at each pixel, from 1
    voc/SegmentationObject/STEM.png   the number of the instance in its XML file, from 1
    voc/ImageSets/Segmentation/train.txt   the stems of the part; and val.txt with a split; likewise in Main
    voc/labelmap.txt                  the class of each colour, as datumaro and CVAT read it

An uncertain instance is ``difficult``; ``score``, ``status`` and ``track`` are ``attributes``, as datumaro and CVAT
have them. 255, which is the border of an object in VOC's own files, is not written: every pixel has a label. At most
254 classes, and 254 instances in one image: further instances are in the XML file alone. Names are without folders.

Written here: datumaro's writer holds the whole dataset and brings pandas, pyarrow and an older OpenCV, supervision's
writes no index images.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from ipseg.annotations import coco
from ipseg.annotations.formats import _maps
from ipseg.annotations.formats._target import Target
from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.status import Status
from ipseg.core.types import SettingError

TITLE = "PASCAL VOC"
FLAT, STEMS = True, True
NEEDS_IMAGES = True
MOST = 254  # 0 is the background and 255 the border
TOO_MANY = f"instances after the {MOST}th of an image, in no index image"
SETS = ("Segmentation", "Main")


def check(classes: Sequence[str]) -> None:
    """Raise SettingError for classes that the format cannot hold."""
    if len(classes) > MOST:
        raise SettingError(f"PASCAL VOC holds at most {MOST} classes, not {len(classes)}; use coco or png.")
    wrong = [name for name in classes if ":" in name or name.casefold() == "background"]
    if wrong:
        raise SettingError(f'PASCAL VOC cannot hold a class named "{wrong[0]}"; rename it, or use coco or png.')


def build(target: Target) -> VocWriter:
    """The writer of this format into a folder."""
    return VocWriter(target)


class VocWriter:
    """Writes the folders of a VOC devkit."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._sets = [{part: target.open(f"ImageSets/{each}/{part}.txt") for part in target.parts} for each in SETS]

    def add(self, image: LabelledImage, name: str, part: str) -> None:
        """One image and its instances."""
        self._target.put_image(f"JPEGImages/{name}")
        stem = name.rpartition(".")[0] or name
        classes, instances = _maps.maps(image, self._target)
        self._target.lost.update({TOO_MANY: len(image.instances) - MOST} if len(image.instances) > MOST else {})
        classes[instances > MOST] = instances[instances > MOST] = 0
        self._target.path(f"SegmentationClass/{stem}.png").write_bytes(_maps.palette_png(classes))
        self._target.path(f"SegmentationObject/{stem}.png").write_bytes(_maps.palette_png(instances))
        self._target.path(f"Annotations/{stem}.xml").write_bytes(_xml(image, name))
        for each in self._sets:
            each[part].write(f"{stem}\n")

    def close(self) -> None:
        """Write ``labelmap.txt``."""
        palette = _maps.voc_palette()
        lines = ["# label:color_rgb:parts:actions"]
        for number, name in enumerate(("background", *self._target.classes)):
            red, green, blue = palette[3 * number : 3 * number + 3]
            lines.append(f"{name}:{red},{green},{blue}::")
        self._target.path("labelmap.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _xml(image: LabelledImage, name: str) -> bytes:
    root = Xml.Element("annotation")
    height, width = image.size
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", name)
    _add(_add(root, "source"), "database", "ipseg")
    size = _add(root, "size")
    for key, value in (("width", width), ("height", height), ("depth", 3)):
        _add(size, key, value)
    _add(root, "segmented", int(bool(image.instances)))
    for one in image.instances:
        _add_object(root, one)
    Xml.indent(root)
    return Xml.tostring(root, encoding="utf-8") + b"\n"


def _add_object(root: Xml.Element, one: LabelledInstance) -> None:
    entry = _add(root, "object")
    left, top, right, bottom = one.box
    uncertain = int(one.status is Status.UNCERTAIN)
    for key, value in (("name", one.label), ("pose", "Unspecified"), ("truncated", 0), ("difficult", uncertain)):
        _add(entry, key, value)
    box = _add(entry, "bndbox")
    for key, value in (("xmin", left + 1), ("ymin", top + 1), ("xmax", right), ("ymax", bottom)):
        _add(box, key, value)
    attributes = _add(entry, "attributes")
    about = coco.scores(one.status, one.score) | ({"track": one.track} if one.track is not None else {})
    for key, value in about.items():
        attribute = _add(attributes, "attribute")
        _add(attribute, "name", key)
        _add(attribute, "value", value)


def _add(parent: Xml.Element, name: str, value: object = None) -> Xml.Element:
    entry = Xml.SubElement(parent, name)
    entry.text = None if value is None else str(value)
    return entry
