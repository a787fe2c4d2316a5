"""The numbers of the method, and what is recorded about an engine. Both are frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from ipseg.core.types import Device, SettingError


@dataclass(frozen=True)
class IPSegConfig:
    """The numbers of the method beside those of its parts. The defaults are the paper's; presets say where they differ.

    Numbers of the comparison itself, such as the weights of feature layers, are settings of the scorer.
    """

    k: int = 32  # TopK of Eq. 6, most and least similar alike
    clusters: int = 4  # c of section 3.4, positive and negative alike
    cell_threshold: float = 0.5  # a cell belongs to the prompt's object above this saliency
    erosion: int = 1  # rounds of 3x3 erosion of those cells
    smallest: int = 4  # erosion stops before fewer cells than this are left
    sampling: str = "area"  # how a cell gets its saliency: "area" or, as released, "nearest"
    consensus: bool = False  # the saliency map made into the share of the segmenter's candidates that hold a pixel
    refinement: str = "cascade"  # how points become a mask: a name in refinement.REFINEMENTS
    threshold: float = 0.0  # lowest score at which the object counts as detected
    seed: int = 0  # of k-means

    def __post_init__(self) -> None:
        check_threshold(self.threshold)


@dataclass(frozen=True)
class EngineInfo:
    """What is known of an engine beside its parts; nothing here changes a mask."""

    name: str = "custom"  # of its preset, with what differs
    reason: str = ""  # why this engine was chosen, where the caller named none
    record: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # parts, weights and placement
    placement: Device | None = None  # where its models run; None without any


def check_threshold(threshold: object) -> None:
    """Raise :class:`SettingError` unless it is a number from 0 to 1; NaN is none."""
    number = isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool)
    if not (number and 0 <= float(threshold) <= 1):  # type: ignore[arg-type]
        raise SettingError(f"The threshold is {threshold}; give a number from 0 to 1.")
