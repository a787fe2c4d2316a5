"""IPSeg itself as a method to compare: the engine, unchanged."""

from __future__ import annotations

from dataclasses import dataclass

from ipseg.method.pipeline import IPSeg

TITLE = "IPSeg"
PAPER = "Tang et al., Towards Training-free Open-world Segmentation via Image Prompt Foundation Models"


@dataclass(frozen=True)
class Settings:
    """The engine has all of them."""


def build(settings: Settings, engine: IPSeg) -> IPSeg:
    """The engine."""
    return engine
