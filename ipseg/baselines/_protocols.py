"""Matcher's numbers for each dataset, as its released scripts have them, and the choice among what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.choices import check_choice
from ipseg.core.types import SettingError

FEWER = 4  # draws of each size, at most, from a segmenter that takes one group at a time
LEAST = {"draws": 1, "dense": 0}  # least value of the numbers that can be chosen
NEAR, NEAR_THE_BEST = 0.33, 0.1  # largest distances of a mask that is merged: its own, and beyond that of the best


@dataclass(frozen=True)
class Protocol:
    """The numbers for one dataset."""

    sizes: tuple[int, int]  # fewest and most matched points that prompt together
    draws: int  # groups of each size; with up to 8 points, every group there is
    centres: int = 0  # the points are gathered into so many k-means centres first; 0: they are taken as they are
    box: bool = False  # whether the box of all matched points goes with each group
    dense: int = 0  # points along a side of a grid over the whole image, each a prompt of its own
    several: bool = False  # whether the segmenter is asked for three masks for each group, or for one
    nms: float = (
        1.0  # of two masks whose boxes overlap more than this, the one with the higher score of the segmenter stays
    )
    iou: float = 0.0  # masks whose quality SAM itself puts at this or below are dropped
    stability: float = 0.0  # and masks less stable than this
    dense_iou: float = 0.88  # the same two for the masks of the grid
    dense_stability: float = 0.95
    alpha: float = 1.0  # score = alpha emd + beta purity coverage^exponent
    beta: float = 0.0
    exponent: float = 0.0
    coverage: float = 0.0  # masks below are dropped, but never the highest
    purity: float = 0.0
    near: bool = False  # which masks are merged: those near the best score, or those above ``share`` of it
    share: float = 0.7
    merged: int = 10  # masks that are merged, at most


_SEVERAL_OBJECTS = Protocol(
    sizes=(1, 6),
    draws=64,
    dense=64,
    several=True,
    nms=0.65,
    iou=0.85,
    stability=0.9,
    purity=0.02,
    near=True,
    merged=9,
)
_PARTS = Protocol(sizes=(3, 6), draws=128, box=True, alpha=0.5, beta=0.5, coverage=0.3, merged=5)

PROTOCOLS: Mapping[str, Protocol] = {
    "coco20i": _SEVERAL_OBJECTS,
    "lvis92i": _SEVERAL_OBJECTS,
    "fss1000": Protocol(sizes=(4, 6), draws=30, centres=8, alpha=0.8, beta=0.2, exponent=1.0, merged=10),
    "paco_part": _PARTS,
    "pascal_part": _PARTS,
}


def protocol_of(name: str, numbers: Mapping[str, int | None], *, published: bool) -> Protocol:
    """The protocol of that name, with those of ``numbers`` (``draws``, ``dense``) that are not None in their places.

    Away from SAM (not ``published``) there is no grid, no filter on what SAM thinks of its own masks, and there are
    fewer draws, since the groups are asked for one at a time. Raises :class:`~ipseg.core.types.SettingError`.
    """
    check_choice(name, PROTOCOLS, 'There is no protocol "{}"')
    protocol = PROTOCOLS[name]
    if not published:
        protocol = replace(protocol, draws=min(FEWER, protocol.draws), dense=0, iou=0.0, stability=0.0)
    for field, value in numbers.items():
        least = LEAST[field]
        if value is not None and not (isinstance(value, int) and value >= least):
            raise SettingError(f"{field} is {value}; give a whole number from {least}.")
    chosen: dict[str, Any] = {field: value for field, value in numbers.items() if value is not None}
    return replace(protocol, **chosen)


def select(
    purity: NDArray[np.float64],
    coverage: NDArray[np.float64],
    emd: Callable[[int], float],
    protocol: Protocol,
) -> tuple[NDArray[np.intp], float]:
    """Which of n masks are merged, best first, and the score of the best.

    ``purity`` and ``coverage`` are (n,), n > 0; ``emd`` is asked for a mask's emd score only when both let it through.
    """
    chosen = np.arange(len(purity))
    for values, limit in ((coverage, protocol.coverage), (purity, protocol.purity)):
        if limit > 0:
            chosen = chosen[values[chosen] >= min(limit, values[chosen].max())]
    local = purity[chosen] * coverage[chosen] ** protocol.exponent
    scores = protocol.alpha * np.array([emd(int(each)) for each in chosen]) + protocol.beta * local
    order = np.argsort(-scores, kind="stable")
    selected = _near_the_best(scores[order]) if protocol.near else _above_a_share(scores[order], protocol)
    return chosen[order][selected][: protocol.merged], float(scores[order[0]])


def _near_the_best(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool for sorted scores; the best need not be near."""
    distances = 1 - scores
    near = distances < NEAR
    near[0] = True
    return near & ((distances - distances[0]) / (distances[-1] + 1e-6) < NEAR_THE_BEST)


def _above_a_share(scores: NDArray[np.float64], protocol: Protocol) -> NDArray[np.bool_]:
    selected = scores > protocol.share * scores[0]
    selected[0] = True
    return selected
