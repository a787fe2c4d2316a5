"""How right labels are, against true ones: precision and recall, average precision, and which classes are confused.

Precision and recall are at an intersection over union above :data:`MATCH`, with the class right. Average precision is
that of COCO (pycocotools), over the labels as they are saved: instances below the reject threshold are not among them.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core import rle
from ipseg.core.masks import iou
from ipseg.core.packages import needed
from ipseg.core.types import InputError

MATCH = 0.5  # intersection over union above which two masks show one object
NOTHING = ""  # in a confusion matrix: no instance


@dataclass(frozen=True)
class Counts:
    """Of one class, or of all: numbers of instances."""

    matched: int  # found instances with a true one of their class
    found: int
    true: int

    @property
    def precision(self) -> float | None:
        """In [0, 1]; None where nothing was found."""
        return self.matched / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """In [0, 1]; None where nothing is true."""
        return self.matched / self.true if self.true else None


@dataclass
class Matches:
    """Counts of matched, found and true instances by class, and of the classes of masks that show one object."""

    matched: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    true: Counter[str] = field(default_factory=Counter)
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)  # (true class, found class)

    def add(self, found: Sequence[LabelledInstance], true: Sequence[LabelledInstance]) -> None:
        """Count the instances of one image."""
        self.found.update(one.label for one in found)
        self.true.update(one.label for one in true)
        for label in {one.label for one in found}:
            same = [[one for one in each if one.label == label] for each in (found, true)]
            self.matched[label] += len(pairs(*same))
        alike = pairs(found, true)
        self.confusion.update((true[of].label, found[one].label) for one, of in alike.items())
        self.confusion.update((NOTHING, one.label) for place, one in enumerate(found) if place not in alike)
        self.confusion.update((one.label, NOTHING) for place, one in enumerate(true) if place not in alike.values())

    def counts(self, label: str | None = None) -> Counts:
        """Of one class; of all for None."""
        chosen = [self.matched, self.found, self.true]
        return Counts(*(sum(each.values()) if label is None else each[label] for each in chosen))


def pairs(found: Sequence[LabelledInstance], true: Sequence[LabelledInstance]) -> dict[int, int]:
    """Which true instance each found one shows, whatever their classes: places in ``found`` to places in ``true``.

    The found ones take turns, the best score first; each takes the true one, not yet taken, with the largest
    intersection over union above :data:`MATCH`.
    """
    taken: dict[int, int] = {}
    for place in sorted(range(len(found)), key=lambda one: -found[one].score):
        ious = [(iou(found[place].mask, one.mask), of) for of, one in enumerate(true) if of not in taken.values()]
        best, of = max(ious, default=(0.0, -1), key=lambda entry: entry[0])
        if best > MATCH:
            taken[place] = of
    return taken


@dataclass
class Folders:
    """What the labels say of images that are sorted into one folder for each class; other classes may be in them too.

    ``best``: (the name of an image's folder, the class of its best instance or :data:`NOTHING`), counted. ``among``: in
    how many images the class of the folder is among those found.
    """

    best: Counter[tuple[str, str]] = field(default_factory=Counter)
    among: int = 0

    def add(self, image: LabelledImage) -> None:
        """Count an image."""
        true = PurePosixPath(image.name).parent.name
        self.best[true, image.instances[0].label if image.instances else NOTHING] += 1
        self.among += any(one.label == true for one in image.instances)

    @property
    def images(self) -> int:
        """How many were counted."""
        return self.best.total()

    @property
    def right(self) -> int:
        """In how many the best instance has the class of the folder."""
        return sum(count for (true, found), count in self.best.items() if true == found)


@dataclass
class AveragePrecision:
    """COCO's mask AP over images, one added after the other; holds run lengths alone, as no boxes are compared."""

    classes: Sequence[str]
    images: list[dict[str, Any]] = field(default_factory=list)
    true: list[dict[str, Any]] = field(default_factory=list)
    found: list[dict[str, Any]] = field(default_factory=list)

    def add(self, found: LabelledImage, true: LabelledImage) -> None:
        """Add an image of which the true labels are ``true``. Raises InputError where their sizes differ."""
        if found.instances and true.instances and found.size != true.size:
            raise InputError(f"{found.name} is {found.size} pixels in the labels and {true.size} in the truth.")
        number = len(self.images) + 1
        height, width = true.size if true.instances else found.size
        self.images.append({"id": number, "height": height, "width": width})
        for one in true.instances:
            self.true.append({"id": len(self.true) + 1, "iscrowd": 0, **self._entry(number, one)})
        self.found += [{"score": one.score, **self._entry(number, one)} for one in found.instances]

    def values(self) -> tuple[float, float]:
        """AP (IoU 0.50 to 0.95) and AP50 over all classes with true instances, in [0, 1].

        Raises :class:`~ipseg.core.types.SettingError` where pycocotools is not installed.
        """
        with needed("Average precision", extra="evaluation"):
            from pycocotools.coco import COCO
            from pycocotools.cocoeval import COCOeval
        if not self.found or not self.true:
            return 0.0, 0.0
        with contextlib.redirect_stdout(io.StringIO()):  # it prints tables
            truth = COCO()
            categories = [{"id": number, "name": name} for number, name in enumerate(self.classes, 1)]
            truth.dataset = {"info": {}, "images": self.images, "annotations": self.true, "categories": categories}
            truth.createIndex()
            found = truth.loadRes([dict(one) for one in self.found])  # which it adds to
            evaluation = COCOeval(truth, found, "segm")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return float(evaluation.stats[0]), float(evaluation.stats[1])

    def _entry(self, image: int, one: LabelledInstance) -> dict[str, Any]:
        counts = rle.compress(rle.encode(one.mask))
        return {
            "image_id": image,
            "category_id": self.classes.index(one.label) + 1,
            "segmentation": {"size": list(one.mask.shape), "counts": counts},
            "area": one.area,
        }


def matrix(confusion: Mapping[tuple[str, str], int]) -> str:
    """A confusion matrix as a Markdown table: true classes in rows, found ones in columns."""
    rows = sorted({true for true, _ in confusion}, key=lambda name: (name == NOTHING, name))
    columns = sorted({found for _, found in confusion}, key=lambda name: (name == NOTHING, name))
    lines = [["true \\ found", *(name or "nothing" for name in columns)], ["---", *["---:"] * len(columns)]]
    for row in rows:
        lines.append([row or "nothing", *(str(confusion.get((row, column), 0) or "") for column in columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
