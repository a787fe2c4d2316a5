"""Stages of the method as functions: prompt images to views, and a prompt with an input image to points.

The pipeline runs the first; studies of a single stage call any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, images
from ipseg.core.images import Source
from ipseg.core.masks import with_masks
from ipseg.core.types import InputFeatures, Mask, MaskError, Points, Scorer, Similarity, View
from ipseg.method import points, prototype, strips
from ipseg.method.config import IPSegConfig
from ipseg.method.encodings import Encodings, Named, named
from ipseg.method.marks import Marks, check, mask_of
from ipseg.method.prompt import Prompt, models_with


def view(
    encodings: Encodings, config: IPSegConfig, image: Named, saliency: NDArray[np.float32], given: bool = False
) -> View:
    """A prompt image whose saliency map is known: MS of Eq. 5, on the grid of the first feature layer.

    ``saliency`` (H, W) float32 in [0, 1], in the pixels of ``image``: a saliency map or, where ``given``, a mask as 0
    and 1. Raises ValueError when it has another shape, and :class:`~ipseg.core.types.SettingError` for a sampling that
    does not exist.
    """
    frame = encodings.features(image)[0].frame
    return View(image.pixels, saliency, given, prototype.prompt_cells(saliency, frame, config), frame)


def open_views(
    encodings: Encodings,
    config: IPSegConfig,
    prompt_images: Source | Sequence[Source],
    masks: Any,
    mask_value: int | None,
    report: Callable[[], None],
    marked: Sequence[Marks] = (),
) -> tuple[list[View], tuple[str, ...]]:
    """Open prompt images and their masks, and compute the saliency map of each image without a mask.

    ``marked``: the marks of each image, which make its mask, or () for none. Returns the views and what was assumed
    about the masks, one message each. ``report`` is called before each image and mask is opened and before each view
    is computed. Arguments and errors as of :func:`ipseg.core.masks.with_masks` and
    :func:`ipseg.method.marks.mask_of`; :class:`~ipseg.core.types.MaskError` for an image with a mask and marks.
    """
    listed = prompt_images if isinstance(prompt_images, list | tuple) else [prompt_images]
    pairs = with_masks(prompt_images, masks, mask_value=mask_value, report=report)
    views = []
    for number, (pixels, mask) in enumerate(pairs):
        report()
        image, marks = named(pixels), marked[number] if marked else Marks()
        label = images.label_of(listed[number], f"Prompt image {number + 1}")
        if mask is not None and not marks.empty:
            raise MaskError(f"{label} has a mask and a box or points; give one of the two.")
        shown = None if mask is None else mask.mask
        views += _views(encodings, config, image, shown, marks, label)
    return views, tuple(notice for _, mask in pairs if mask for notice in mask.notices)


def _views(
    encodings: Encodings, config: IPSegConfig, image: Named, mask: Mask | None, marks: Marks, label: str
) -> list[View]:
    """The view of one prompt image, with its mask, its marks, or neither; of a thin one, of the parts that show it."""
    if geometry.is_thin(image.pixels.shape[:2], config.thin):
        return [
            view(encodings, config, part, shown.astype(np.float32), given)
            for part, shown, given in _of_thin(encodings, image, mask, marks, label)
        ]
    if mask is None and marks.empty:
        return [view(encodings, config, image, encodings.foreground(image))]
    shown = mask_of(encodings, image, marks, label) if mask is None else mask
    return [view(encodings, config, image, shown.astype(np.float32), given=True)]


def _of_thin(
    encodings: Encodings, image: Named, mask: Mask | None, marks: Marks, label: str
) -> Iterator[tuple[Named, NDArray, bool]]:
    """Parts of a thin prompt image, each with its saliency map or mask, and whether that was given."""
    size = image.pixels.shape[:2]
    if mask is None and marks.empty:
        box = strips.most_salient(image.pixels, lambda part: encodings.foreground(named(part)))
        part = named(strips.cut(image.pixels, box))
        yield part, encodings.foreground(part), False
        return
    if mask is None:
        check(marks, size, label)
        box = geometry.window_around(size, marks.around)
        part = named(strips.cut(image.pixels, box))
        mask = strips.place(mask_of(encodings, part, marks.within(box), label), box, size)
    for box in strips.parts_shown(size, mask):
        yield named(strips.cut(image.pixels, box)), strips.cut(mask, box), True


def choose_points(
    encodings: Encodings, scorer: Scorer, config: IPSegConfig, prompt: Prompt, image: Source
) -> tuple[Points, Similarity]:
    """The points and the similarity (Eq. 6) of an input image, without the segmenter.

    Points are (x, y) in the pixels of the upright image. Raises as :func:`ipseg.core.images.open_image` and
    :func:`ipseg.method.points.choose` do.
    """
    input_image = named(image)
    features = InputFeatures(
        encodings.features(input_image), partial(encodings.foreground, input_image), input_image.pixels
    )
    similarity = scorer.similarity(*models_with(scorer, prompt, features, None))
    return points.choose(similarity, k=config.k, clusters=config.clusters, seed=config.seed), similarity
