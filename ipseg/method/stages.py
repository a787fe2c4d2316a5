"""Stages of the method as functions: prompt images to views, and a prompt with an input image to points.

The pipeline runs the first; studies of a single stage call any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import images
from ipseg.core.images import Source
from ipseg.core.masks import with_masks
from ipseg.core.types import InputFeatures, MaskError, Points, Scorer, Similarity, View
from ipseg.method import points, prototype
from ipseg.method.config import IPSegConfig
from ipseg.method.encodings import Encodings, Named, named
from ipseg.method.marks import Marks, mask_of
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
        if mask is None and marks.empty:
            views.append(view(encodings, config, image, encodings.foreground(image)))
            continue
        if mask is not None and not marks.empty:
            raise MaskError(f"{label} has a mask and a box or points; give one of the two.")
        shown = mask_of(encodings, image, marks, label) if mask is None else mask.mask
        views.append(view(encodings, config, image, shown.astype(np.float32), given=True))
    return views, tuple(notice for _, mask in pairs if mask for notice in mask.notices)


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
