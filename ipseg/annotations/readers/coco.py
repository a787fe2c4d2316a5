"""COCO: ``annotations/instances_train.json`` and ``..._val.json``, or one JSON file; images beside them.

Run lengths are exact. Polygons are drawn by pycocotools (``pip install "ipseg[formats]"``). Crowds and boxes without a
mask are left out and counted. The text of a file is in memory while it is read, no mask of another image is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.annotations.labels import LabelledImage
from ipseg.annotations.readers._source import (
    BOXES,
    PARTS,
    DatasetError,
    Source,
    checked,
    distinct,
    inside,
    instance,
    parsing,
    read_json,
)
from ipseg.core import rle
from ipseg.core.packages import needed
from ipseg.core.types import Mask

TITLE = "COCO"
CROWDS = "crowds, left out"


def detect(folder: Path) -> bool:
    """Whether a folder or file looks like this format."""
    return folder.suffix.lower() == ".json" if folder.is_file() else any((folder / "annotations").glob("*.json"))


def read(folder: Path) -> Source:
    """The labels of a folder or a JSON file. Raises :class:`DatasetError`."""
    found = [folder] if folder.is_file() else sorted((folder / "annotations").glob("*.json"))
    files = {file: data for file in found if _is_instances(data := read_json(file))}
    if not files:
        raise DatasetError(f"{folder.name} has no COCO file of instances in its folder annotations.")
    classes = list(dict.fromkeys(name for file, data in files.items() for name in _names(file, data).values()))
    named = distinct((_part(file), name) for file, data in files.items() for name in _file_names(file, data))
    parts = {name: part for (part, _), name in named.items()}
    split = parts if set(parts.values()) == set(PARTS) else {}
    skipped: Counter[str] = Counter()
    root = folder.parent if folder.is_file() else folder
    return Source(tuple(classes), partial(_images, files, root, named, skipped), split, skipped)


def _is_instances(data: Any) -> bool:
    return isinstance(data, dict) and all(isinstance(data.get(key), list) for key in ("images", "annotations"))


def _names(file: Path, data: Mapping[str, Any]) -> dict[int, str]:
    with parsing(file):
        return {each["id"]: str(each["name"]) for each in sorted(data["categories"], key=lambda each: each["id"])}


def _file_names(file: Path, data: Mapping[str, Any]) -> list[str]:
    with parsing(file):
        return [str(image["file_name"]) for image in data["images"]]


def _part(file: Path) -> str:
    return next((part for part in PARTS if part in file.stem), "")


def _images(
    files: Mapping[Path, Any], root: Path, named: Mapping[tuple[str, str], str], skipped: Counter[str]
) -> Iterator[LabelledImage]:
    for file, data in files.items():
        names, of_image = _names(file, data), defaultdict(list)
        for annotation in data["annotations"]:
            of_image[annotation.get("image_id")].append(annotation)
        for image in data["images"]:
            with parsing(file):
                made = _image(image, of_image[image["id"]], names, _folders(root, file), skipped)
                made = replace(made, name=named[_part(file), made.name])
            yield made


def _folders(root: Path, file: Path) -> list[Path]:
    part = _part(file)
    inner = [f"images/{part}", f"images/{part}2017", f"{part}2017", f"images/{part}2014", f"{part}2014", part]
    return [root / each for each in (*(inner if part else ()), "images", "")]


def _image(
    image: Mapping[str, Any],
    annotations: Sequence[Mapping[str, Any]],
    names: Mapping[int, str],
    folders: Sequence[Path],
    skipped: Counter[str],
) -> LabelledImage:
    size, found = checked((image["height"], image["width"]), str(image["file_name"])), []
    for each in annotations:
        segmentation = each.get("segmentation")
        if each.get("iscrowd") or not segmentation:
            skipped[CROWDS if each.get("iscrowd") else BOXES] += 1
            continue
        mask = _mask(segmentation, size)
        if mask.any():
            found.append(instance(names[each["category_id"]], mask, each))
        else:
            skipped["empty masks, left out"] += 1
    file = next((str(path) for folder in folders if (path := inside(folder, image["file_name"]))), "")
    found.sort(key=lambda one: -one.score)
    return LabelledImage(image["file_name"], size, tuple(found), file, corrected=bool(image.get("corrected")))


def _mask(segmentation: Any, size: tuple[int, int]) -> Mask:
    """Raises ValueError for run lengths or polygons that are none."""
    if isinstance(segmentation, Mapping):
        counts = segmentation["counts"]
        return rle.decode(rle.decompress(counts) if isinstance(counts, str) else counts, size)
    with needed("Reading COCO's polygons", extra="formats"):
        from pycocotools import mask as drawing
    flat = segmentation if isinstance(segmentation[0], list) else [segmentation]
    parts = [part for part in flat if len(part) >= 6]
    if not parts:
        return np.zeros(size, bool)
    return drawing.decode(drawing.merge(drawing.frPyObjects(parts, *size))).astype(bool)
