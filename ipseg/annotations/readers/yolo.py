"""YOLO segmentation as ultralytics has it: ``data.yaml``, ``images/PART`` and ``labels/PART``, parsed by supervision.

Also ``PART/images`` and ``PART/labels``. Needs ``pip install "ipseg[formats]"``. Lines that are boxes are left out and
counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ipseg.annotations.labels import LabelledImage
from ipseg.annotations.readers._source import (
    BOXES,
    ENDINGS,
    PARTS,
    DatasetError,
    Source,
    distinct,
    instance,
    parsing,
    size_of,
)
from ipseg.core.packages import needed

TITLE = "YOLO segmentation"
DATA = "data.yaml"
LINE = 7  # fields of the shortest polygon: a class and three vertices


def detect(folder: Path) -> bool:
    """Whether a folder looks like this format."""
    return (folder / DATA).is_file()


def read(folder: Path) -> Source:
    """The labels of a folder. Raises :class:`DatasetError`, and SettingError where supervision is not installed."""
    with needed("Reading YOLO labels", extra="formats"):
        from supervision.dataset.formats.yolo import yolo_annotations_to_detections
    with parsing(folder / DATA):
        data = _yaml(folder / DATA)
        given = data["names"]
        names = [str(given[key]) for key in sorted(given)] if isinstance(given, Mapping) else list(map(str, given))
        root = folder / str(data.get("path") or "")
        places = {part: [root / each for each in _listed(data.get(part))] for part in PARTS}
    if places["val"] == places["train"]:
        places["val"] = []
    found = {
        (part, path.relative_to(place).as_posix()): path
        for part, each in places.items()
        for place in each
        for path in place.rglob("*")
        if path.suffix.lower() in ENDINGS
    }
    files = {name: (found[key], key[0]) for key, name in distinct(found).items()}
    if not files:
        raise DatasetError(f"{folder.name} has no images where its {DATA} names them.")
    skipped: Counter[str] = Counter()
    parts = {name: part for name, (_, part) in files.items()} if places["val"] else {}
    return Source(tuple(names), partial(_images, files, names, yolo_annotations_to_detections, skipped), parts, skipped)


def _yaml(file: Path) -> Any:
    """Raises OSError, and ValueError for what is no YAML."""
    try:
        return yaml.safe_load(file.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _listed(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(each) for each in value]


def _images(
    files: Mapping[str, tuple[Path, str]], names: Sequence[str], parse: Any, skipped: Counter[str]
) -> Iterator[LabelledImage]:
    for name, (file, _) in sorted(files.items()):
        height, width = size_of(file)
        labels = _labels(file)
        with parsing(labels):
            lines = (
                [line for line in labels.read_text("utf-8").splitlines() if line.strip()] if labels.is_file() else []
            )
            polygons = [line for line in lines if len(line.split()) >= LINE]
            skipped.update({BOXES: len(lines) - len(polygons)} if len(lines) > len(polygons) else {})
            found = parse(polygons, (width, height), with_masks=True)
            classes = found.class_id if polygons else ()
            instances = [
                instance(names[number], mask.astype(bool), {})
                for number, mask in zip(classes, found.mask if polygons else (), strict=True)
                if mask.any()
            ]
        yield LabelledImage(name, (height, width), tuple(instances), str(file))


def _labels(image: Path) -> Path:
    """The label file of an image: the last folder ``images`` of its path becomes ``labels``, as ultralytics has it."""
    before, _, after = str(image.with_suffix(".txt")).rpartition(f"{os.sep}images{os.sep}")
    return Path(f"{before}{os.sep}labels{os.sep}{after}")
