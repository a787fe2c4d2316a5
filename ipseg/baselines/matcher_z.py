"""Matcher-Z: Matcher with the saliency mask that IPSeg itself uses for the prompt's, as in Table 1 of the paper.

A mask that is given is not used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ipseg.baselines._baseline import Reference
from ipseg.baselines._matcher import Matcher, Settings, make
from ipseg.baselines._protocols import Protocol
from ipseg.method.encodings import Named
from ipseg.method.pipeline import IPSeg

__all__ = ["GPU_WORK", "PAPER", "TITLE", "Settings", "build"]

TITLE = "Matcher-Z"
GPU_WORK = (1.0, 12.0)  # as of Matcher
PAPER = "Matcher (Liu et al., ICLR 2024) with the saliency map of the prompt for its mask, as Tang et al. report it"
SALIENT = "with the saliency mask that IPSeg uses"
UNUSED = "Matcher-Z takes the saliency mask of the prompt whatever mask is given, so the given one was not used."


class MatcherZ(Matcher):
    """Matcher without a mask."""

    title = TITLE

    def __init__(self, engine: IPSeg, protocol: Protocol, seed: int) -> None:
        super().__init__(engine, protocol, seed)
        self.variant = f"{SALIENT}, {self.variant}" if self.variant else SALIENT

    def _reference(self, image: Named, mask: Any) -> Reference:
        reference = super()._reference(image, None)
        return reference if mask is None else replace(reference, notices=(*reference.notices, UNUSED))


def build(settings: Settings, engine: IPSeg) -> Matcher:
    """Matcher-Z on the parts of an engine. Raises as Matcher does."""
    return make(MatcherZ, settings, engine)
