"""The similarity as SAM's mask input, as several training-free methods of 2025 and 2026 use it.

The similarity is scaled to mean 0 and deviation 1 over the image, times a gain, and enters the first pass as the logits
of an earlier mask, beside the points; then the two passes of the released cascade follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.types import Candidates, Frame, Points, SettingError
from ipseg.method import refinement
from ipseg.method.extensions._scorer import extended
from ipseg.method.pipeline import IPSeg

OUTSIDE = -10.0  # logits beside the image, where SAM pads its square


@dataclass(frozen=True)
class Settings:
    """How strong."""

    gain: float = 3.0  # logits for each standard deviation


def standardised(similarity: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    """(rows, columns) with mean 0 and deviation ``gain``; zeros where the similarity is constant."""
    deviation = float(similarity.std())
    if deviation < 1e-9:
        return np.zeros_like(similarity)
    return (gain * (similarity - similarity.mean()) / deviation).astype(np.float32)


def as_logits(values: NDArray[np.float32], encoding: Any, side: tuple[int, int], square: int) -> NDArray[np.float32]:
    """Values over the image, (rows, columns), on the low resolution of SAM's square, (h, w).

    ``encoding`` has the ``original_size`` of the image and its ``input_size`` in the square of ``square`` pixels.
    """
    (height, width), (inner_height, inner_width) = encoding.original_size, encoding.input_size
    box = (0.0, 0.0, width * square / inner_width, height * square / inner_height)
    target = Frame((height, width), side, box)
    source = Frame((height, width), (values.shape[0], values.shape[1]), (0.0, 0.0, float(width), float(height)))
    logits = geometry.resample(values, source, target)
    return np.where(geometry.cells_inside(target), logits, OUTSIDE).astype(np.float32)


def refine(
    segmenter: Any,
    encoding: Any,
    points: Points,
    similarity: NDArray[np.float32],
    mask_scores: Any = None,
    *,
    gain: float = 3.0,
) -> Candidates:
    """Three passes, the first with the similarity as its mask input; see :mod:`ipseg.method.refinement`."""
    sam = segmenter.sam
    values = standardised(np.asarray(similarity, np.float32), gain)
    logits = as_logits(values, encoding, sam.prompt_encoder.mask_input_size, sam.image_encoder.img_size)
    first = segmenter.predict(encoding, points, mask_logits=logits)
    return refinement.after(segmenter, encoding, points, first.logits[0])


def build(settings: Settings) -> Callable[[IPSeg], IPSeg]:
    """The extension. Raises SettingError for an engine without SAM."""

    def extend(engine: IPSeg) -> IPSeg:
        if not engine.segmenter.is_sam:
            raise SettingError("similarity_prior is an input of SAM, which this engine has not; choose another preset.")
        return extended(engine, "similarity_prior", settings, refine=partial(refine, gain=settings.gain))

    return extend
