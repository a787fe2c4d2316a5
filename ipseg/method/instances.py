"""Every instance of the object, not only the best: groups of points where the similarity has a hill, a mask for each.

TopK gathers the most similar cells of the whole image, so one pass gives a mask of what is most similar to the prompt.
Here every hill of the similarity that is separated from the others by a clear dip is a group; its cells alone may
become positive points, those of the other groups take no part, and the paper's steps follow. Groups whose masks turn
out to be of one object are merged.

Objects that touch, or lie close together, make one hill. A segmenter that proposes what stands out, whatever the
prompt, tells them apart: the proposals that are similar enough and score enough are instances too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.classical import crops, outlines
from ipseg.classical.outlines import Outline
from ipseg.core import geometry
from ipseg.core.masks import iou
from ipseg.core.result import Instance
from ipseg.core.status import Status
from ipseg.core.types import Candidates, Mask, Points, Proposal, Similarity
from ipseg.method import presence
from ipseg.method.prompt import Prompt

MOST = 24  # instances of one image
HEIGHT = 0.6  # a hill begins here, the mean of the K most similar cells being 1 and of the K least similar 0
PEAK = 0.7  # and reaches this at least
DIP = 0.12  # between two hills
SMALLEST = 0.15  # of the largest hill or mask: what covers less is a fragment
AS_SURE = 0.4  # of the best instance's score: what scores less is something else
SIMILAR = 0.3  # mean height of a proposed object, at least
TOP = 0.8  # of the way from the lowest to the highest similarity: from here on the cells of a group are its best
HALF = 0.5  # share of a mask in another one, from which on they are related
LOW = 320  # longer side of the masks whose outlines are compared
NO_POINTS = Points(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32))
SAME = 0.6  # masks whose intersection over union is more than this show one object


@dataclass(frozen=True)
class Proposed:
    """What the segmenter proposes without a prompt, and what it takes to judge it."""

    proposals: Sequence[Proposal] = ()
    outlines: Sequence[Outline] = ()  # of the object in the prompt images
    draw: Callable[[NDArray[np.float32]], Mask] | None = None  # logits (h, w) to a mask (H, W) in image pixels


def find(
    similarity: Similarity,
    k: int,
    choose: Callable[[Similarity], Points],
    refined: Callable[[Points, NDArray[np.float32]], Candidates],
    score: Callable[[Mask], float],
    threshold: float,
    reject_threshold: float,
    proposed: Proposed = Proposed(),
    whole: Instance | None = None,
) -> tuple[Instance, ...]:
    """All instances, the best score first: those that score ``reject_threshold`` or more. Not in the paper.

    Each has its own status, detected from ``threshold`` on, else uncertain, and a mask (H, W) bool in image pixels that
    no other one overlaps. Scores and thresholds are in [0, 1]; ``k`` is K of Eq. 6, by which hills are measured.

    The steps of the method are passed in: ``choose`` makes points of a similarity, ``refined`` a mask of points and the
    similarity's values, and ``score`` is the presence score of a mask. ``whole``: the single mask of the paper with its
    points and score, which are those of the group where there is only one. A group whose cells lie in proposed objects
    gets no mask of its own.
    """
    objects = [
        one
        for one in (replace(one, score=score(one.mask)) for one in _objects(similarity, k, choose, proposed))
        if one.score >= reject_threshold
    ]
    alone = list(groups(similarity, k))
    if whole is not None and len(alone) == 1:
        grouped = [whole]
    else:
        seen = []
        for each in alone:
            if not _is_held(each, objects):
                points = choose(each)
                seen.append(_unscored(refined(points, each.values).masks[0], points))
        grouped = [replace(one, score=score(one.mask)) for one in _merged(seen)]
    return tuple(_above_threshold(combined(grouped, objects), threshold, reject_threshold))


def apart(found: Sequence[Instance], threshold: float, reject_threshold: float) -> tuple[Instance, ...]:
    """Instances whose masks may overlap, by :func:`find`'s rules of pixels, scores and sizes: the best score first."""
    disjoint = _disjoint(sorted(found, key=lambda one: -one.mask.sum()))
    return tuple(_above_threshold(disjoint, threshold, reject_threshold))


def _is_held(alone: Similarity, objects: Sequence[Instance]) -> bool:
    """Whether most of the best cells of a group alone lie in proposed objects."""
    if not objects:
        return False
    values = np.where(alone.inside, alone.values, alone.values.min())
    best = values >= values.min() + TOP * (values.max() - values.min())
    held = geometry.to_cells(np.logical_or.reduce([one.mask for one in objects]), alone.frame) >= HALF
    return bool(held[best].mean() > HALF)


def outlines_of(prompt: Prompt) -> tuple[Outline, ...]:
    """The outline of the object in each prompt image, at the size of the proposals; () where no image has a mask."""
    found = []
    for view in prompt.views:
        inside = view.saliency > 0.5
        low = crops.low_size(inside.shape, LOW)
        found.append(outlines.outline(crops.resize(inside.astype(np.float32), low) > 0.5))
    return tuple(each for each in found if each is not None)


def reduced(prompt: Prompt) -> Prompt:
    """A prompt that segments as ``prompt`` does, instances included, in less memory: for many of them at once.

    Its images and masks are at the size at which outlines are compared, and it does not have the file it was read from;
    so it is not one to be shown, saved, or given to another engine. ``prompt`` itself where no engine made its model.
    """
    if prompt.model is None:
        return prompt
    views = []
    for view in prompt.views:
        low = crops.low_size(view.saliency.shape, LOW)
        inside = crops.resize((view.saliency > 0.5).astype(np.float32), low)  # as outlines_of takes it
        image = cv2.resize(view.image, low[::-1], interpolation=cv2.INTER_AREA)
        views.append(replace(view, image=image, saliency=inside))
    return replace(prompt, views=tuple(views), negative=prompt.negative and reduced(prompt.negative), saved=None)


def combined(grouped: Sequence[Instance], objects: Sequence[Instance]) -> list[Instance]:
    """Instances of groups of points and proposed ones as one list; what shows the same object is in it once.

    A group whose mask holds several proposed objects merged them, and is left out. Of a group and a single object that
    mostly hold one another, the group's mask is taken where both are alike, else the one with the better score.
    """
    dropped: set[int] = set()
    taken = []
    for group in grouped:
        shared = [int((group.mask & other.mask).sum()) for other in objects]
        within = [place for place, both in enumerate(shared) if both > HALF * objects[place].mask.sum()]
        around = [place for place, both in enumerate(shared) if both > HALF * group.mask.sum()]
        if len(within) > 1:
            continue
        related = set(within) | set(around)
        same = [place for place in related if iou(group.mask, objects[place].mask) > SAME]
        if same or all(group.score > objects[place].score for place in related):
            dropped |= related
            taken.append(group)
    left = [one for place, one in enumerate(objects) if place not in dropped]
    return _disjoint(sorted([*taken, *left], key=lambda one: -one.mask.sum())) if left else taken


def _objects(
    similarity: Similarity, k: int, choose: Callable[[Similarity], Points], proposed: Proposed
) -> Iterator[Instance]:
    """The proposed objects that are similar enough, without their scores; masks do not overlap."""
    if not proposed.proposals or proposed.draw is None:
        return
    height = heights(similarity, k)
    drawn = [proposed.draw(one) for each in proposed.proposals for one in _single(each, proposed.outlines)]
    found = _disjoint([_unscored(mask, NO_POINTS) for mask in sorted(drawn, key=lambda mask: -mask.sum())])
    for one in found:
        if not one.mask.any():
            continue
        share = geometry.to_cells(one.mask, similarity.frame)
        cells = similarity.inside & (share >= HALF * share.max())
        if cells.any() and height[cells].mean() >= SIMILAR:
            values = np.where(cells, similarity.values, similarity.values.min())
            yield replace(one, points=choose(replace(similarity, values=values)))


def _single(proposal: Proposal, known: Sequence[Outline]) -> tuple[NDArray[np.float32], ...]:
    """The logits of single objects: the parts of a proposal where they are like the prompt's object, else the whole."""
    pieces = [part > 0 for part in proposal.parts]
    return proposal.parts if outlines.is_several(proposal.logits > 0, pieces, known) else (proposal.logits,)


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
    height = heights(similarity, k)
    return crops.hills(crops.smoothed(height), HEIGHT, PEAK, DIP) if height.any() else np.zeros(height.shape, np.int32)


def heights(similarity: Similarity, k: int) -> NDArray[np.floating[Any]]:
    """The similarity with the mean of the K most similar cells at 1, of the K least similar at 0: (rows, columns).

    0 off the image, and everywhere where all cells are alike.
    """
    inside = np.sort(similarity.values[similarity.inside])
    n = max(1, min(k, len(inside) // 2))
    low, high = float(inside[:n].mean()), float(inside[-n:].mean())
    if high - low <= 1e-6 * max(1.0, abs(high)):
        return np.zeros(similarity.values.shape)
    return np.where(similarity.inside, (similarity.values - low) / (high - low), 0)


def _merged(seen: list[Instance]) -> list[Instance]:
    """Masks of one object together, in one; of two objects that overlap, the smaller gets the pixels of both."""
    merged: list[Instance] = []
    for one in sorted(seen, key=lambda one: -one.mask.sum()):
        for place, other in enumerate(merged):
            if iou(one.mask, other.mask) > SAME:
                positive = np.concatenate([other.points.positive, one.points.positive])
                merged[place] = _unscored(other.mask | one.mask, Points(positive, other.points.negative))
                break
        else:
            merged.append(one)
    return _disjoint(merged)


def _disjoint(ordered: Sequence[Instance]) -> list[Instance]:
    """Each without the pixels of those after it."""
    later = [np.logical_or.reduce([one.mask for one in ordered[place + 1 :]]) for place in range(len(ordered))]
    return [replace(one, mask=one.mask & ~claimed) for one, claimed in zip(ordered, later, strict=True)]


def _unscored(mask: Mask, points: Points) -> Instance:
    """An instance before its score is known."""
    return Instance(mask, points, 0.0, Status.NOT_DETECTED)


def _above_threshold(found: Sequence[Instance], threshold: float, reject_threshold: float) -> Iterator[Instance]:
    scored = sorted(found, key=lambda one: -one.score)
    largest = max((one.mask.sum() for one in scored), default=0)
    for one in scored:
        status = presence.status(one.score, one.mask, threshold, reject_threshold)
        if status.has_mask and one.score >= AS_SURE * scored[0].score and one.mask.sum() >= SMALLEST * largest:
            yield replace(one, status=status)
