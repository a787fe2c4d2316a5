"""What corrections are good for, measured: mIoU over rounds in which a simulated person corrects labels from the truth.

    label --> the images with the lowest scores are corrected from the truth --> they become examples --> label again

Half of the images, drawn by a seed, are held out: nobody corrects them, so their mIoU shows what the further examples
change. A truth need not be complete: an image may be annotated for some classes alone, and counts for these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.images import open_image
from ipseg.core.masks import GivenMask, open_mask
from ipseg.core.types import ImageArray, InputError, Mask, SettingError
from ipseg.datasets import folder as of_folder
from ipseg.engine.protocol import Engine
from ipseg.labelling import examples
from ipseg.labelling.review import edits
from ipseg.labelling.run import Labeller

MOST = 8  # example images of a class
Shown = tuple[ImageArray, GivenMask | None]


@dataclass(frozen=True)
class Annotated:
    """An image and its true masks, which are opened when they are asked for."""

    name: str
    path: Path
    masks: Mapping[str, Path]  # by class; a class that is not here is not annotated in this image

    def image(self) -> ImageArray:
        """(H, W, 3) uint8. Raises ImageError."""
        return open_image(self.path)

    def truth(self) -> dict[str, Mask]:
        """(H, W) bool of each annotated class. Raises MaskError."""
        size = self.image().shape[:2]
        return {label: open_mask(path, size) for label, path in self.masks.items()}


@dataclass(frozen=True)
class Round:
    """The labels before a round of corrections. mIoU is in [0, 1]; None where no image counts."""

    number: int  # from 0: before any correction
    corrected: int  # images so far
    examples: int  # of all classes
    labels: float | None  # mIoU of the images that may be corrected, corrections included
    held_out: float | None  # mIoU of the images that nobody corrects


@dataclass
class IoU:
    """Intersections and unions of each class, summed over images."""

    intersections: dict[str, int] = field(default_factory=dict)
    unions: dict[str, int] = field(default_factory=dict)

    def add(self, image: LabelledImage, truth: Mapping[str, Mask]) -> None:
        """Count the classes that are annotated in an image."""
        for label, mask in truth.items():
            found = found_of(image, label, mask.shape)
            self.intersections[label] = self.intersections.get(label, 0) + int((found & mask).sum())
            self.unions[label] = self.unions.get(label, 0) + int((found | mask).sum())

    @property
    def mean(self) -> float | None:
        """The mean over the classes."""
        ious = [self.intersections[label] / union for label, union in self.unions.items() if union]
        return float(np.mean(ious)) if ious else None


def found_of(image: LabelledImage, label: str, size: tuple[int, ...]) -> Mask:
    """Where a class is in an image: (H, W) bool."""
    masks = [one.mask for one in image.instances if one.label == label]
    return np.logical_or.reduce(masks) if masks else np.zeros(size, bool)


def of_data(data: Path, shown: int = 1) -> tuple[dict[str, list[Shown]], list[Annotated]]:
    """Classes and images of a folder as PerSeg has it, ``Images/CLASS/NAME.jpg`` and ``Annotations/CLASS/NAME.png``.

    The first ``shown`` images of a class are its examples, without their masks, the others are to be labelled, each
    annotated for the class of its folder. Raises InputError where there is no such data or a class has no image left.
    """
    if shown < 1:
        raise SettingError(f"{shown} example images are asked for; give 1 or more.")
    found: dict[str, list[of_folder.Sample]] = {}
    for sample in of_folder.samples(data):
        found.setdefault(sample.object, []).append(sample)
    classes: dict[str, list[Shown]] = {}
    images: list[Annotated] = []
    for label, samples in found.items():
        if len(samples) <= shown:
            raise InputError(f'The class "{label}" has {len(samples)} images; give more than {shown}.')
        classes[label] = [(open_image(one.image), None) for one in samples[:shown]]
        images += [Annotated(f"{label}/{one.image.name}", one.image, {label: one.truth}) for one in samples[shown:]]
    return classes, images


def split(images: Sequence[Annotated], seed: int) -> tuple[list[Annotated], list[Annotated]]:
    """Those that may be corrected and those that are held out: halves, drawn by ``seed``."""
    order = np.random.default_rng(seed).permutation(len(images))
    half = (len(images) + 1) // 2
    return [images[at] for at in sorted(order[:half])], [images[at] for at in sorted(order[half:])]


def measure(
    engine: Engine,
    classes: Mapping[str, Sequence[Shown]],
    images: Sequence[Annotated],
    *,
    rounds: int = 4,
    per_round: int = 3,
    seed: int = 0,
    label: Callable[[Labeller, Annotated], LabelledImage] | None = None,
) -> Iterator[Round]:
    """Label, correct the ``per_round`` images with the lowest scores, use them as examples; ``rounds`` times.

    An image without an instance counts as the lowest. At most ``MOST`` examples of a class are used. Yields the state
    before each round and after the last. ``label``: labels one image; by default ``labeller.label``. Raises InputError.
    """
    label = label or (lambda labeller, one: labeller.label(one.image(), one.name))
    pool, held_out = split(images, seed)
    shown = {name: list(given) for name, given in classes.items()}
    corrected: dict[str, LabelledImage] = {}
    for number in range(rounds + 1):
        labeller = Labeller(examples.read({name: list(given) for name, given in shown.items()}), engine)
        found = {one.name: corrected.get(one.name) or label(labeller, one) for one in pool}
        unseen = ((label(labeller, one), one.truth()) for one in held_out)
        labels = ((found[one.name], one.truth()) for one in pool)
        yield Round(number, len(corrected), sum(map(len, shown.values())), _mean(labels), _mean(unseen))
        todo = sorted((one for one in pool if one.name not in corrected), key=lambda one: _score(found[one.name]))
        if number == rounds or not todo:
            return
        for one in todo[:per_round]:
            made = by_truth(found[one.name], one.truth())
            corrected[one.name] = made
            _use(shown, one.image(), made, one.masks)


def by_truth(image: LabelledImage, truth: Mapping[str, Mask]) -> LabelledImage:
    """The labels as a person makes them: the true masks of the annotated classes, and of others what these leave."""
    covered = np.logical_or.reduce(list(truth.values()))
    rest = ((one, one.mask & ~covered) for one in image.instances if one.label not in truth)
    others = [replace(one, mask=mask) for one, mask in rest if mask.any()]
    own = [LabelledInstance(label, mask, edits.CONFIRMED) for label, mask in truth.items() if mask.any()]
    return replace(image, size=covered.shape, instances=(*own, *others), error="", corrected=True)


def table(rounds: Iterable[Round]) -> Iterator[str]:
    """The rounds as lines of text, the first two are the head."""
    yield "| round | images corrected | example images | mIoU of the labels | mIoU of the images held out |"
    yield "|--:|--:|--:|--:|--:|"
    for one in rounds:
        cells = (one.number, one.corrected, one.examples, _percent(one.labels), _percent(one.held_out))
        yield f"| {' | '.join(map(str, cells))} |"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _mean(pairs: Iterable[tuple[LabelledImage, Mapping[str, Mask]]]) -> float | None:
    found = IoU()
    for image, truth in pairs:
        found.add(image, truth)
    return found.mean


def _score(image: LabelledImage) -> tuple[float, str]:
    return min((one.score for one in image.instances), default=-1.0), image.name


def _use(shown: dict[str, list[Shown]], pixels: ImageArray, image: LabelledImage, annotated: Iterable[str]) -> None:
    """Make examples of the corrected instances of an image."""
    for which, one in enumerate(image.instances):
        if one.label in annotated and len(shown[one.label]) < MOST:
            example = edits.example_of(pixels, image, which)
            shown[one.label].append((example.image, example.given))
