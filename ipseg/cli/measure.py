"""How right the labels of `ipseg label` are, against true ones.

With --truth: precision and recall at an intersection over union above 0.5 with the right class, COCO's mask AP and
AP50, and which classes are confused. With --by-folder, for images that are sorted into one folder for each class: in
how many the best instance has that class, and in how many any has. Corrections count as labels.
Exit code: 0 all went well, 2 wrong usage, or labels that cannot be read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ipseg.annotations import readers
from ipseg.annotations.labels import LabelFolder, LabelledImage, decode, encode
from ipseg.annotations.readers import Source
from ipseg.cli import _files
from ipseg.core.serialize import to_json
from ipseg.core.types import InputError
from ipseg.labelling import measure
from ipseg.method.config import check_threshold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg measure``."""
    parser.add_argument("labels", metavar="DIR", type=Path, help="the folder that `ipseg label` wrote")
    truth = parser.add_mutually_exclusive_group(required=True)
    truth.add_argument("--truth", metavar="DATASET", type=Path, help="true labels: a COCO file, or what convert reads")
    truth.add_argument("--by-folder", action="store_true", help="the class of an image is the name of its folder")
    parser.add_argument("--from", dest="source", choices=readers.names(), help="the format of DATASET")
    parser.add_argument("--threshold", metavar="T", type=float, default=0.0, help="leave out instances scored lower")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the numbers as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the numbers; with --json also write them."""
    check_threshold(arguments.threshold)
    labels = LabelFolder.open(arguments.labels)
    found = (image.above(arguments.threshold) for image in labels)
    if arguments.by_folder:
        text, data = _by_folder(found)
    else:
        text, data = _against(found, labels.classes, readers.read(arguments.truth, arguments.source))
    print(text)
    if arguments.json:
        _files.write(arguments.json, to_json(data, indent=1) + "\n", _files.OTHER_JSON)
    return 0


def _by_folder(images: Iterable[LabelledImage]) -> tuple[str, dict[str, Any]]:
    folders = measure.Folders()
    for image in images:
        folders.add(image)
    total = folders.images
    if not total:
        raise InputError("There are no labels to measure; label images first.")
    lines = [
        f"The best instance has the class of the folder in {folders.right} of {total} images "
        f"({folders.right / total:.1%}).",
        f"The class of the folder is among those found in {folders.among} of {total} ({folders.among / total:.1%}).",
        "",
        measure.matrix(folders.best),
    ]
    counts = {"images": total, "right": folders.right, "among": folders.among}
    return "\n".join(lines), {**counts, "confusion": _plain(folders.best)}


def _against(found: Iterable[LabelledImage], classes: Sequence[str], truth: Source) -> tuple[str, dict[str, Any]]:
    names = [*classes, *(name for name in truth.classes if name not in classes)]
    matches, precision, images = measure.Matches(), measure.AveragePrecision(names), 0
    for labelled, true in _paired(found, truth.images()):
        matches.add(labelled.instances, true.instances)
        precision.add(labelled, true)
        images += 1
    if not images:
        raise InputError("No image of the labels has true labels of the same name; give the truth of these images.")
    ap, ap50 = precision.values()
    rows = [(name, matches.counts(name)) for name in names] + [("all", matches.counts())]
    lines = [f"{images} images, mask AP {ap:.3f}, AP50 {ap50:.3f}", "", "| class | true | found | precision | recall |"]
    lines.append("|---|---:|---:|---:|---:|")
    for name, counts in rows:
        lines.append(
            f"| {name} | {counts.true} | {counts.found} | {_share(counts.precision)} | {_share(counts.recall)} |"
        )
    data = {
        "images": images,
        "ap": ap,
        "ap50": ap50,
        "classes": {name: _counts(counts) for name, counts in rows},
        "confusion": _plain(matches.confusion),
    }
    return "\n".join([*lines, "", measure.matrix(matches.confusion)]), data


def _paired(
    found: Iterable[LabelledImage], true: Iterable[LabelledImage]
) -> Iterator[tuple[LabelledImage, LabelledImage]]:
    """The labels of each image of which there are true ones; the true ones are held as run lengths until then."""
    known = {image.name: encode(image) for image in true}
    return ((image, decode(known[image.name])) for image in found if image.name in known and not image.error)


def _counts(counts: measure.Counts) -> dict[str, Any]:
    numbers = {"true": counts.true, "found": counts.found, "matched": counts.matched}
    return {**numbers, "precision": counts.precision, "recall": counts.recall}


def _plain(confusion: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [{"true": true, "found": found, "count": count} for (true, found), count in sorted(confusion.items())]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
