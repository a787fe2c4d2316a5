"""Corrections of one labelled image. Each returns new labels; :meth:`LabelFolder.correct` saves them.

A corrected or added instance has the score 1 and is detected, since a person confirmed it: no threshold leaves it out.
Masks of one image never overlap: a corrected mask takes pixels of another instance only where a positive click is on
that instance; elsewhere the other one keeps its pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.images import Source, encode_png
from ipseg.core.masks import GivenMask, iou
from ipseg.core.status import Status
from ipseg.core.store import atomic_write, writing
from ipseg.core.types import Brief, Candidates, ImageArray, InputError, Mask, Points, Progress, Segmenter, SettingError
from ipseg.engine.protocol import Engine
from ipseg.labelling.examples import check_name
from ipseg.method import points as checks
from ipseg.method import refinement
from ipseg.method.encodings import Named, named
from ipseg.method.pipeline import IPSeg
from ipseg.method.prompt import Prompt, models_with

CONFIRMED = 1.0  # the score of what a person corrected
MARGIN = 0.25  # around the crop of an example, of the longer side of its box
SURE, SIDE = 4.0, 400  # log odds inside a mask that is gone on from, and its longest side in cells
NONE = np.zeros((0, 2), np.float32)
NOTHING_LEFT = "Nothing is left of the mask with these clicks; give other clicks, or leave the instance out."


def deleted(image: LabelledImage, which: int) -> LabelledImage:
    """Without the instance ``which``, counted from 0. Raises :class:`SettingError` where there is none."""
    _check(image, which)
    return _with(image, [one for place, one in enumerate(image.instances) if place != which])


def relabelled(image: LabelledImage, which: int, label: str) -> LabelledImage:
    """With another class for the instance ``which``. Raises :class:`SettingError` where there is none."""
    _check(image, which)
    return _with(image, [_confirmed(one, label) if place == which else one for place, one in _numbered(image)])


def confirmed(image: LabelledImage) -> LabelledImage:
    """With every instance confirmed as it is."""
    return _with(image, [_confirmed(one, one.label) for one in image.instances])


def corrected(
    engine: Engine,
    pixels: Source,
    image: LabelledImage,
    which: int,
    clicks: Points,
    *,
    progress: Progress | None = None,
) -> tuple[LabelledImage, int]:
    """With the mask of the instance ``which`` corrected by clicks, in pixels of the upright image; and its new place.

    One more pass of the segmenter goes on from the mask with the clicks, as when Segment is corrected; SAM, which takes
    no mask from elsewhere, goes on from its prediction for the mask's box that is most like the mask. Raises
    :class:`SettingError` for no click, one outside the image, or no such instance, and :class:`InputError` where
    nothing is left of the mask.
    """
    _check(image, which)
    mask = _segmented(engine, pixels, image, clicks, image.instances[which].mask, progress)
    if not mask.any():
        raise InputError(NOTHING_LEFT)
    return _placed(image, which, replace(_confirmed(image.instances[which]), mask=mask), clicks)


def added(
    engine: Engine,
    pixels: Source,
    image: LabelledImage,
    label: str,
    clicks: Points,
    *,
    prompt: Prompt | None = None,
    progress: Progress | None = None,
) -> tuple[LabelledImage, int]:
    """With another instance of a class, segmented by clicks, of which one at least is positive; and its place.

    ``prompt``: of the class. Its similarity is a prior where the segmenter takes one, as when the class is segmented.
    Raises as :func:`corrected` does.
    """
    if not len(clicks.positive):
        raise SettingError("A new instance has no click on it yet; click on the object, then beside it.")
    mask = _segmented(engine, pixels, image, clicks, prompt, progress)
    return _placed(image, len(image.instances), LabelledInstance(label, mask, CONFIRMED), clicks)


@dataclass(frozen=True, repr=False)
class Example(Brief):
    """An instance as an example of its class: what a prompt takes beside the other example images."""

    label: str
    image: ImageArray  # (h, w, 3) uint8: the instance and a margin around it
    mask: Mask  # (h, w) bool

    @property
    def given(self) -> GivenMask:
        """The mask as a prompt takes it."""
        return GivenMask(self.mask)


def example_of(pixels: ImageArray, image: LabelledImage, which: int) -> Example:
    """The crop of an instance with its mask. Raises :class:`SettingError` where there is none."""
    _check(image, which)
    one = image.instances[which]
    left, top, right, bottom = one.box
    margin = round(MARGIN * max(right - left, bottom - top))
    rows = slice(max(0, top - margin), bottom + margin)
    columns = slice(max(0, left - margin), right + margin)
    return Example(one.label, np.ascontiguousarray(pixels[rows, columns]), one.mask[rows, columns].copy())


def save_example(folder: Path, example: Example, stem: str) -> tuple[Path, Path]:
    """Save an example as ``CLASS/STEM.png`` and ``CLASS/STEM.mask.png``, as ``ipseg label`` reads them.

    ``folder``: of the examples. Returns both paths. Raises :class:`~ipseg.core.store.OutputError` for what cannot be
    written, and :class:`InputError` for a class whose name cannot be that of a folder.
    """
    check_name(example.label)
    place = folder / example.label
    image, mask = place / f"{stem}.png", place / f"{stem}.mask.png"
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
        atomic_write(mask, encode_png(example.mask.astype(np.uint8) * 255))
        atomic_write(image, encode_png(example.image))
    return image, mask


def _segmented(
    engine: Engine,
    pixels: Source,
    image: LabelledImage,
    clicks: Points,
    start: Mask | Prompt | None,
    progress: Progress | None,
) -> Mask:
    opened = named(pixels)
    if opened.pixels.shape[:2] != tuple(image.size):
        raise InputError(f"{image.name} is not the image that was labelled; give that one.")
    if not len(clicks.positive) + len(clicks.negative):
        raise SettingError("There is no click yet; click on the object or beside it.")
    checks.check_inside(clicks, opened.pixels.shape[:2])
    return engine.apply([opened], _by_clicks, opened, clicks, start, progress=progress)


def _by_clicks(
    engine: IPSeg, image: Named, clicks: Points, start: Mask | Prompt | None, progress: Progress | None
) -> Mask:
    """A mask by clicks, (H, W) bool: going on from the mask of an instance, or of a new one of a class."""
    segmenter = engine.segmenter
    if progress:
        progress(0.1, "encoding")
    encoding = engine.encodings.encoding(image)
    if isinstance(start, np.ndarray):
        middle = Points(_middle(start), NONE)
        first = _start(segmenter, encoding, start, middle)
        return _corrected(segmenter, encoding, first, middle, clicks, progress)
    prior = _prior(engine, image, start, progress)
    found = segmenter.predict(encoding, clicks, prior=prior, several=True)
    return _corrected(segmenter, encoding, refinement.only_best(found), clicks, clicks, progress)


def _corrected(
    segmenter: Segmenter,
    encoding: Any,
    first: Candidates,
    points: Points,
    clicks: Points,
    progress: Progress | None,
) -> Mask:
    if progress:
        progress(0.8, "mask")
    return refinement.corrected(segmenter, encoding, first, points, clicks).masks[0]


def _prior(engine: IPSeg, image: Named, prompt: Prompt | None, progress: Progress | None) -> NDArray[np.float32] | None:
    """The similarity to a class as log odds over the image, (rows, columns); None where that cannot be a prior."""
    if prompt is None or prompt.model is None or not (engine.segmenter.accepts_prior and engine.scorer.log_odds):
        return None
    if progress:
        progress(0.4, "similarity")
    negative = prompt.negative if prompt.negative and prompt.negative.model is not None else None
    compared = models_with(engine.scorer, prompt, engine.input_features(image), negative)
    return engine.scorer.similarity(*compared).values


def _start(segmenter: Segmenter, encoding: Any, mask: Mask, middle: Points) -> Candidates:
    """What a pass with clicks goes on from: the mask itself, or the segmenter's prediction that is most like it.

    The logits of a segmenter that takes a prior are over the image; those of another one are in a frame of its own.
    """
    if segmenter.accepts_prior:
        height, width = mask.shape
        scale = min(1.0, SIDE / max(mask.shape))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return Candidates(mask[None], np.ones(1, np.float32), (SURE * (2 * share - 1))[None])
    found = segmenter.predict(encoding, middle, box=refinement.bounding_box(mask), several=True)
    return _only(found, int(np.argmax([iou(each, mask) for each in found.masks])))


def _middle(mask: Mask) -> np.ndarray:
    """The pixel of a mask that is farthest from its outline, (1, 2) float32 of (x, y)."""
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return np.array([[x + 0.5, y + 0.5]], np.float32)


def _only(candidates: Candidates, place: int) -> Candidates:
    one = slice(place, place + 1)
    return Candidates(candidates.masks[one], candidates.scores[one], candidates.logits[one])


def _placed(image: LabelledImage, which: int, instance: LabelledInstance, clicks: Points) -> tuple[LabelledImage, int]:
    """The image with ``instance`` in place of ``which``, the pixels that it and others hold given to one of them."""
    columns, rows = np.clip(np.floor(clicks.positive).astype(np.intp), 0, (image.size[1] - 1, image.size[0] - 1)).T
    mask = instance.mask.copy()
    others: list[LabelledInstance | None] = []
    for place, one in _numbered(image):
        if place == which:
            others.append(None)
        elif one.mask[rows, columns].any():
            rest = one.mask & ~mask
            others += [replace(one, mask=rest)] if rest.any() else []
        else:
            mask &= ~one.mask
            others.append(one)
    if not mask.any():
        raise InputError(NOTHING_LEFT)
    if which == len(image.instances):
        others.append(None)
    placed = replace(instance, mask=mask)
    return _with(image, [placed if one is None else one for one in others]), others.index(None)


def _confirmed(instance: LabelledInstance, label: str | None = None) -> LabelledInstance:
    return replace(
        instance, label=label or instance.label, score=CONFIRMED, status=Status.DETECTED, second="", second_score=0.0
    )


def _with(image: LabelledImage, instances: Sequence[LabelledInstance]) -> LabelledImage:
    """The image with other instances, as corrected; their order stays, so that their numbers do."""
    return replace(image, instances=tuple(instances), error="", corrected=True)


def _numbered(image: LabelledImage) -> list[tuple[int, LabelledInstance]]:
    return list(enumerate(image.instances))


def _check(image: LabelledImage, which: int) -> None:
    if not 0 <= which < len(image.instances):
        raise SettingError(f"{image.name} has no instance {which + 1}; choose one of those that are shown.")
