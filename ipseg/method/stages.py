"""Stages of the method as functions: prompt images to views, and a prompt with an input image to points.

The pipeline runs the first; studies of a single stage call any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.images import Source
from ipseg.core.masks import with_masks
from ipseg.core.types import InputFeatures, Points, Scorer, Similarity, View
from ipseg.method import points, prototype
from ipseg.method.config import IPSegConfig
from ipseg.method.encodings import Encodings, Named, named
from ipseg.method.prompt import Prompt


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
) -> tuple[list[View], tuple[str, ...]]:
    """Open prompt images and their masks, and compute the saliency map of each image without a mask.

    Returns the views and what was assumed about the masks, one message each. ``report`` is called before each image
    and mask is opened and before each view is computed. Arguments and errors as of
    :func:`ipseg.core.masks.with_masks`.
    """
    pairs = with_masks(prompt_images, masks, mask_value=mask_value, report=report)
    views = []
    for pixels, mask in pairs:
        report()
        image = named(pixels)
        saliency = encodings.foreground(image) if mask is None else mask.mask.astype(np.float32)
        views.append(view(encodings, config, image, saliency, given=mask is not None))
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
    similarity = scorer.similarity(prompt.model, features, None)
    return points.choose(similarity, k=config.k, clusters=config.clusters, seed=config.seed), similarity
