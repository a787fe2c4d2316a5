"""Datasets that datumaro reads: its masks are decoded one image after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.annotations.readers._source import BOXES, PARTS, DatasetError, Source, damaged, distinct, instance, parsing
from ipseg.core.packages import needed

BACKGROUND = "background"


def read(folder: Path, kind: str, title: str) -> Source:
    """The labels of a folder that datumaro calls ``kind``. Raises :class:`DatasetError`, SettingError without it."""
    with needed(f"Reading {title}", extra="convert"):
        import datumaro
    try:
        dataset = datumaro.Dataset.import_from(str(folder), kind)
        categories = [one.name for one in dataset.categories()[datumaro.AnnotationType.label]]
        named = distinct((item.subset, _name(item)) for item in dataset)
        parts = {name: part for (part, _), name in named.items()}
    except Exception as error:  # its importers raise errors of many kinds
        raise damaged(folder, error) from error
    if not parts:
        raise DatasetError(f"{folder.name} has no labelled images.")
    split = parts if set(parts.values()) == set(PARTS) else {}
    skipped: Counter[str] = Counter()
    classes = tuple(name for name in categories if name != BACKGROUND)
    return Source(classes, partial(_images, dataset, categories, named, datumaro, skipped), split, skipped)


def _name(item: Any) -> str:
    path = getattr(item.media, "path", "") or ""
    return f"{item.id}{Path(path).suffix}"


def _images(
    dataset: Any,
    categories: Sequence[str],
    named: Mapping[tuple[str, str], str],
    datumaro: Any,
    skipped: Counter[str],
) -> Iterator[LabelledImage]:
    kinds = datumaro.AnnotationType
    for item in dataset:
        with parsing(item.id):
            boxes = [one for one in item.annotations if one.type == kinds.bbox]
            masks = [one for one in item.annotations if one.type == kinds.mask and categories[one.label] != BACKGROUND]
            skipped.update({BOXES: len(boxes) - len(masks)} if len(boxes) > len(masks) else {})
            found = [_instance(one, boxes, categories) for one in masks]
            height, width = item.media.size if item.media is not None else found[0].mask.shape
        path = getattr(item.media, "path", "") or ""
        found.sort(key=lambda one: -one.score)
        name, file = named[item.subset, _name(item)], path if Path(path).is_file() else ""
        yield LabelledImage(name, (int(height), int(width)), tuple(found), file)


def _instance(one: Any, boxes: Sequence[Any], categories: Sequence[str]) -> LabelledInstance:
    """In PASCAL VOC, what is known of an instance is with its box: the one of the same number, from 1."""
    about = dict(one.attributes)
    place = int(one.group) - 1
    if 0 <= place < len(boxes) and boxes[place].label == one.label:
        about = {**boxes[place].attributes, **about}
    return instance(categories[one.label], one.image.astype(bool), about)
