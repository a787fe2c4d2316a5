"""labelme: a JSON file beside each image, parsed by supervision.

Needs ``pip install "ipseg[formats]"``. Polygons and rectangles of one label and group are one instance; other shapes
are left out and counted. Folders ``train`` and ``val`` are the parts of a split; ``labels.txt`` gives the order of the
classes, else they are sorted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

from ipseg.annotations.labels import LabelledImage
from ipseg.annotations.readers._source import (
    PARTS,
    DatasetError,
    Source,
    checked,
    distinct,
    instance,
    parsing,
    read_json,
)
from ipseg.core.packages import needed

TITLE = "labelme"
READ = ("polygon", "rectangle")
OTHERS = "shapes that are no polygon, left out"
NAMES = "labels.txt"
SPECIAL = ("__ignore__", "_background_")  # lines that labelme's own examples have


def detect(folder: Path) -> bool:
    """Whether a folder looks like this format."""
    found = next(folder.rglob("*.json"), None) if folder.is_dir() else None
    try:
        return found is not None and "shapes" in read_json(found)
    except (DatasetError, TypeError):
        return False


def read(folder: Path) -> Source:
    """The labels of a folder. Raises :class:`DatasetError`, and SettingError where supervision is not installed."""
    with needed("Reading labelme files", extra="formats"):
        from supervision.dataset.formats.labelme import labelme_shapes_to_detections
    files = sorted(folder.rglob("*.json"))
    labels: dict[str, None] = {}
    for file in files:
        with parsing(file):
            labels.update({str(shape["label"]): None for shape in read_json(file)["shapes"]})
    listed = (folder / NAMES).read_text("utf-8").splitlines() if (folder / NAMES).is_file() else []
    classes = [name for name in listed if name and name not in SPECIAL]
    classes += sorted(set(labels) - set(classes))
    if not classes:
        raise DatasetError(f"{folder.name} has no labelme file with a shape.")
    skipped: Counter[str] = Counter()
    paths = {file: _name(folder, file) for file in files}
    divided = {name.partition("/")[0] for name in paths.values()} <= set(PARTS)
    pairs = {file: name.split("/", 1) if divided else ["", name] for file, name in paths.items()}
    named = distinct((part, name) for part, name in pairs.values())
    names = {file: named[part, name] for file, (part, name) in pairs.items()}
    parts = {name: part for (part, _), name in named.items()}
    images = partial(_images, folder, names, classes, labelme_shapes_to_detections, skipped)
    return Source(tuple(classes), images, parts if set(parts.values()) == set(PARTS) else {}, skipped)


def _name(folder: Path, file: Path) -> str:
    """The name of the image of a JSON file: the name that it states, in the folder of the file."""
    with parsing(file):
        stated = PureWindowsPath(read_json(file)["imagePath"]).name
    return (file.parent / stated).relative_to(folder).as_posix()


def _images(
    folder: Path, names: Mapping[Path, str], classes: Sequence[str], parse: Any, skipped: Counter[str]
) -> Iterator[LabelledImage]:
    numbers = {name: number for number, name in enumerate(classes)}
    for file, name in names.items():
        data = read_json(file)
        with parsing(file):
            size = checked((data["imageHeight"], data["imageWidth"]), name)
            shapes = [shape for shape in data["shapes"] if shape.get("shape_type", "polygon") in READ]
            left_out = len(data["shapes"]) - len(shapes)
            skipped.update({OTHERS: left_out} if left_out else {})
            found = parse(shapes, numbers, size[::-1], with_masks=True)
            labels, masks = (found.class_id, found.mask) if shapes else ((), ())
            instances = [
                instance(classes[number], mask.astype(bool), about)
                for number, mask, about in zip(labels, masks, _firsts(shapes), strict=True)
                if mask.any()
            ]
        image = folder / _name(folder, file)
        yield LabelledImage(name, size, tuple(instances), str(image) if image.is_file() else "")


def _firsts(shapes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first shape of each label and group, as they become instances."""
    firsts: dict[Any, Mapping[str, Any]] = {}
    for number, shape in enumerate(shapes):
        group = shape.get("group_id")
        firsts.setdefault((shape["label"], group) if group is not None else number, shape)
    return list(firsts.values())
