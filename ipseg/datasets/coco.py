"""Anyone's COCO file: every image of a category is an input, its prompt another image of the category.

::

    <annotations>.json     images[].{id, file_name}, categories[].{id, name}
                           annotations[].{image_id, category_id, segmentation, iscrowd}
    <images>               below the folder, below images/ or below the folder's name of the split

The file is ``annotations``, or the only JSON file of the folder or of its folder ``annotations``. The mask of a
category is the union of its instances; crowds are void. The prompt of an input is drawn with the seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.core.types import InputError
from ipseg.datasets import _folders
from ipseg.datasets._episodes import Annotated, Dataset, Episode, EvaluationProtocol, Segments

TITLE = "A COCO file"
SOURCE = "give a folder with a COCO file and its images"
LICENCE = "yours"
PROTOCOL = EvaluationProtocol(
    "every image of a category is an input, its prompt another one drawn with the seed; union of instances, crowds "
    "void; original size; pixels summed per category, mean over categories"
)


@dataclass(frozen=True)
class Settings:
    """Which file and which prompts."""

    data: Path  # the folder
    annotations: str = ""  # the COCO file, below the folder; "": the only one there is
    seed: int = 0  # of the prompts


def build(settings: Settings) -> Dataset:
    """One episode for each category and image that shows it."""
    _folders.need(settings.data, [settings.annotations] if settings.annotations else [], SOURCE)
    file = settings.data / settings.annotations if settings.annotations else _only(settings.data)
    read = _folders.read_json(file)
    try:
        sides = _sides(settings.data, read)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file.name} is no COCO file: {error!r} is missing in it; {SOURCE}.") from error
    random, episodes = np.random.RandomState(settings.seed), []
    for category, shown in sides.items():
        for side in shown if len(shown) > 1 else ():
            prompt = side
            while prompt is side:
                prompt = _folders.choose(random, shown)
            episodes.append(Episode(f"{category}/{side.name}", prompt, side, category))
    return Dataset("coco", tuple(episodes), PROTOCOL, {"annotations": settings.annotations, "seed": settings.seed})


def _only(folder: Path) -> Path:
    found = [*sorted(folder.glob("*.json")), *sorted((folder / "annotations").glob("*.json"))]
    if len(found) != 1:
        raise InputError(f"{folder} has {len(found)} JSON files; name the COCO file with --set annotations=FILE.")
    return found[0]


def _sides(folder: Path, read: Mapping[str, Any]) -> dict[str, list[Annotated]]:
    """The images that show each category, by its name, in the order of the file."""
    names = {category["id"]: str(category["name"]) for category in read["categories"]}
    grouped: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for annotation in read["annotations"]:
        if annotation.get("segmentation"):
            grouped.setdefault((annotation["category_id"], annotation["image_id"]), []).append(annotation)
    found: dict[str, list[Annotated]] = {name: [] for name in names.values()}
    for image in read["images"]:
        path = _image(folder, image["file_name"])
        for number, name in names.items():
            parts = grouped.get((number, image["id"]), [])
            single = tuple(part["segmentation"] for part in parts if not part.get("iscrowd"))
            crowds = tuple(part["segmentation"] for part in parts if part.get("iscrowd"))
            if single:
                found[name].append(Annotated(image["file_name"], path, Segments(single, crowds)))
    return found


def _image(folder: Path, name: str) -> Path:
    """Where an image is; the first place where it could be when it is nowhere."""
    places = [
        folder / name,
        folder / "images" / name,
        *(each / name for each in sorted(folder.iterdir()) if each.is_dir()),
    ]
    return next((place for place in places if place.is_file()), places[0])
