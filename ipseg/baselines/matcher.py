"""Matcher (Liu et al., 2024), training-free: one image with a mask, features of DINOv2, masks of SAM.

Its features are DINOv2 ViT-L/14's, whatever features the engine has; where the engine's segmenter is not a SAM, the
same matching runs on the engine's own features and segmenter, and its label states it. See
:mod:`ipseg.baselines._matcher` for the steps and :mod:`ipseg.baselines._protocols` for the numbers.
"""

from __future__ import annotations

from ipseg.baselines._matcher import Matcher, Settings, make
from ipseg.method.pipeline import IPSeg

__all__ = ["GPU_WORK", "PAPER", "TITLE", "Settings", "build"]

TITLE = "Matcher"
GPU_WORK = (1.0, 12.0)  # of a prompt and of an image, for the seconds of a lent GPU: it predicts masks of 1024 points
PAPER = "Liu et al., Matcher: Segment Anything with One Shot Using All-Purpose Feature Matching, ICLR 2024"


def build(settings: Settings, engine: IPSeg) -> Matcher:
    """Matcher on the parts of an engine.

    Raises :class:`~ipseg.core.types.SettingError` for a protocol or a number that there is not,
    :class:`~ipseg.weights.WeightError` when the engine's segmenter is SAM and DINOv2 ViT-L/14 is missing.
    """
    return make(Matcher, settings, engine)
