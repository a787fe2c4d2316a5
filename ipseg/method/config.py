"""The numbers of the method, those of one call, and what is recorded about an engine. All are frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from ipseg.core import geometry
from ipseg.core.types import Device, SettingError
from ipseg.method import points


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
    threshold: float = 0.0  # in [0, 1]: detected from this score on
    reject_threshold: float = 0.0  # in [0, threshold]: not detected below this score; between the two: uncertain
    seed: int = 0  # of k-means
    thin: float = geometry.THIN  # longer to shorter side of an image, above which it is segmented in windows

    def __post_init__(self) -> None:
        check_thresholds(self.threshold, self.reject_threshold)

    def numbers(
        self, k: int | None, clusters: int | None, threshold: float | None, reject_threshold: float | None
    ) -> tuple[int, int, tuple[float, float]]:
        """K, c, and the threshold with the reject threshold, of one call, None being this config's own.

        Raises :class:`~ipseg.core.types.SettingError` for numbers out of range; see also :meth:`thresholds`.
        """
        k, clusters = self.k if k is None else k, self.clusters if clusters is None else clusters
        points.check(k, clusters)
        return k, clusters, self.thresholds(threshold, reject_threshold)

    def thresholds(self, threshold: float | None, reject_threshold: float | None) -> tuple[float, float]:
        """The threshold and the reject threshold of one call, None being this config's own.

        This config's reject threshold counts as the threshold where that is lower. With a threshold of 0 every mask is
        an answer, so the reject threshold counts as 0 too. Raises :class:`~ipseg.core.types.SettingError` unless
        0 <= reject_threshold <= threshold <= 1.
        """
        limit = self.threshold if threshold is None else threshold
        check_threshold(limit)
        if reject_threshold is None or threshold == 0:
            reject_threshold = min(self.reject_threshold, limit)
        check_thresholds(limit, reject_threshold)
        return limit, reject_threshold


@dataclass(frozen=True)
class Parameters:
    """The numbers of one call that replace those of the engine's :class:`IPSegConfig`; None is the config's own.

    Raises :class:`~ipseg.core.types.SettingError` for one out of range. Whether it fits the config's own numbers,
    ``engine.segment`` checks.
    """

    k: int | None = None
    clusters: int | None = None
    threshold: float | None = None
    reject_threshold: float | None = None

    def __post_init__(self) -> None:
        points.check(points.MAX_K if self.k is None else self.k, 1 if self.clusters is None else self.clusters)
        for value, name in ((self.threshold, "threshold"), (self.reject_threshold, "reject threshold")):
            if value is not None:
                check_threshold(value, name)

    def unless(
        self, k: int | None, clusters: int | None, threshold: float | None, reject_threshold: float | None
    ) -> tuple[int | None, int | None, float | None, float | None]:
        """The numbers of a call, and in place of each None the one here.

        The reject threshold here counts as the call's threshold where that is lower.
        """
        if reject_threshold is None and threshold is not None and self.reject_threshold is not None:
            check_threshold(threshold)
            reject_threshold = min(self.reject_threshold, threshold)
        return (
            self.k if k is None else k,
            self.clusters if clusters is None else clusters,
            self.threshold if threshold is None else threshold,
            self.reject_threshold if reject_threshold is None else reject_threshold,
        )

    def arguments(self) -> dict[str, Any]:
        """As the arguments of ``engine.segment``, by name."""
        return asdict(self)


@dataclass(frozen=True)
class EngineInfo:
    """What is known of an engine beside its parts; nothing here changes a mask."""

    name: str = "custom"  # of its preset, with what differs
    reason: str = ""  # why this engine was chosen, where the caller named none
    record: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # parts, weights and placement
    placement: Device | None = None  # where its models run; None without any
    about: str = ""  # which networks stand in for the paper's, in a message; "" when none does


def check_threshold(threshold: object, name: str = "threshold") -> None:
    """Raise :class:`SettingError` unless it is a number from 0 to 1; NaN is none."""
    number = isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool)
    if not (number and 0 <= float(threshold) <= 1):  # type: ignore[arg-type]
        raise SettingError(f"The {name} is {threshold}; give a number from 0 to 1.")


def check_thresholds(threshold: float, reject_threshold: float) -> None:
    """Raise :class:`SettingError` unless 0 <= reject_threshold <= threshold <= 1."""
    check_threshold(threshold)
    check_threshold(reject_threshold, "reject threshold")
    if reject_threshold > threshold:
        raise SettingError(
            f"The reject threshold is {reject_threshold}; give at most the threshold, which is {threshold}."
        )
