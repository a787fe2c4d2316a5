"""Why an object is not detected: the presence score of a mask without each part that may have lowered it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ipseg.core import geometry
from ipseg.core.images import Source
from ipseg.core.types import Mask, Progress
from ipseg.method.encodings import Named, named
from ipseg.method.pipeline import IPSeg
from ipseg.method.prompt import Prompt

NEGATIVE = "negative prompt"


def scores_without(
    engine: Any, prompt: Prompt, image: Source, mask: Mask, *, negative_prompt: Prompt | None = None
) -> Mapping[str, float] | None:
    """The presence score of a mask (H, W) bool, in [0, 1], without each part that may have lowered it.

    By name: the terms of the scorer (:attr:`ipseg.core.types.Scorer.presence_without`), and ``NEGATIVE`` where there
    is a negative prompt. What is left of a score without all of them is about the features. ``engine``: an
    :class:`ipseg.engine.protocol.Engine`. None for a thin image, whose score is of one of its windows.
    """
    opened = named(image)
    if geometry.is_thin(opened.pixels.shape[:2], engine.config.thin):
        return None
    return engine.apply([opened], _scores_without, prompt, negative_prompt, opened, mask)


def _scores_without(
    engine: IPSeg, prompt: Prompt, negative: Prompt | None, image: Named, mask: Mask, progress: Progress | None
) -> Mapping[str, float]:
    found = {
        name: replace(engine, scorer=scorer).mask_score(prompt, image, mask, negative_prompt=negative)
        for name, scorer in engine.scorer.presence_without.items()
    }
    if negative is not None:
        found[NEGATIVE] = engine.mask_score(prompt, image, mask)
    return found
