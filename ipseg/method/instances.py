"""Every instance of the object, not only the best: groups of points where the similarity has a hill, a mask for each.

TopK gathers the most similar cells of the whole image, so one pass gives a mask of what is most similar to the prompt.
Here every hill of the similarity that is separated from the others by a clear dip is a group; its cells alone may
become positive points, those of the other groups take no part, and the paper's steps follow. Groups whose masks turn
out to be of one object are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ipseg.classical import crops
from ipseg.core.result import Instance
from ipseg.core.status import Status
from ipseg.core.types import Candidates, Mask, Points, Similarity
from ipseg.method import presence

MOST = 24  # instances of one image
HEIGHT = 0.6  # a hill begins here, the mean of the K most similar cells being 1 and of the K least similar 0
PEAK = 0.7  # and reaches this at least
DIP = 0.12  # between two hills
SMALLEST = 0.15  # of the largest hill or mask: what covers less is a fragment
AS_SURE = 0.4  # of the best instance's score: what scores less is something else
SAME = 0.6  # masks whose intersection over union is more than this show one object


def find(
    similarity: Similarity,
    k: int,
    choose: Callable[[Similarity], Points],
    refined: Callable[[Points, NDArray[np.float32]], Candidates],
    score: Callable[[Mask], float],
    threshold: float,
    reject_threshold: float,
) -> tuple[Instance, ...]:
    """All instances, the best score first: those that score ``reject_threshold`` or more.

    Each has its own status: detected from ``threshold`` on, else uncertain.

    The steps of the method come in: ``choose`` makes points of a similarity, ``refined`` a mask of points and the
    similarity's values, and ``score`` is the presence score of a mask.
    """
    seen = []
    for alone in groups(similarity, k):
        points = choose(alone)
        seen.append(_unscored(refined(points, alone.values).masks[0], points))
    return tuple(_above_threshold(_merged(seen), score, threshold, reject_threshold))


def groups(similarity: Similarity, k: int) -> Iterator[Similarity]:
    """The similarity of each group, the largest first: cells of other groups are as low as the lowest."""
    hills = hills_of(similarity, k)
    sizes = np.bincount(hills.ravel())[1:]
    for number in np.argsort(-sizes, kind="stable")[:MOST] + 1:
        if sizes[number - 1] < SMALLEST * sizes.max():
            break
        others = (hills > 0) & (hills != number)
        values = np.where(others, similarity.values.min(), similarity.values)
        yield replace(similarity, values=values)


def hills_of(similarity: Similarity, k: int) -> NDArray[np.int32]:
    """The number of the hill that each cell belongs to, from 1, and 0 elsewhere: (rows, columns)."""
    inside = np.sort(similarity.values[similarity.inside])
    n = max(1, min(k, len(inside) // 2))
    low, high = float(inside[:n].mean()), float(inside[-n:].mean())
    if high - low <= 1e-6 * max(1.0, abs(high)):
        return np.zeros(similarity.values.shape, dtype=np.int32)
    height = np.where(similarity.inside, (similarity.values - low) / (high - low), 0)
    return crops.hills(crops.smoothed(height), HEIGHT, PEAK, DIP)


def _merged(seen: list[Instance]) -> list[Instance]:
    """Masks of one object together, in one; of two objects that overlap, the smaller gets the pixels of both."""
    merged: list[Instance] = []
    for one in sorted(seen, key=lambda one: -one.mask.sum()):
        for place, other in enumerate(merged):
            if (one.mask & other.mask).sum() > SAME * (one.mask | other.mask).sum():
                positive = np.concatenate([other.points.positive, one.points.positive])
                merged[place] = _unscored(other.mask | one.mask, Points(positive, other.points.negative))
                break
        else:
            merged.append(one)
    smaller = [np.logical_or.reduce([one.mask for one in merged[place + 1 :]]) for place in range(len(merged))]
    return [replace(one, mask=one.mask & ~claimed) for one, claimed in zip(merged, smaller, strict=True)]


def _unscored(mask: Mask, points: Points) -> Instance:
    """An instance before its score is known."""
    return Instance(mask, points, 0.0, Status.NOT_DETECTED)


def _above_threshold(
    seen: list[Instance], score: Callable[[Mask], float], threshold: float, reject_threshold: float
) -> Iterator[Instance]:
    scored = sorted((replace(one, score=score(one.mask)) for one in seen), key=lambda one: -one.score)
    largest = max((one.mask.sum() for one in scored), default=0)
    for one in scored:
        status = presence.status(one.score, one.mask, threshold, reject_threshold)
        if status.has_mask and one.score >= AS_SURE * scored[0].score and one.mask.sum() >= SMALLEST * largest:
            yield replace(one, status=status)
