"""Step 4: points become a mask, in one or more passes through the segmenter (section 3.4).

A refinement is a function of a segmenter, its encoding of the image, the points, the similarity of each cell, and a
function that scores whole masks. It returns one mask, as :class:`~ipseg.core.types.Candidates` with n = 1: in the
pixels of the image, with the logits from which the segmenter can go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.choices import check_choice
from ipseg.core.types import Candidates, Mask, Points, Segmenter

MEET = 0.1  # of the longer side: nearer than this, a click and a chosen point of the other kind contradict each other
LARGEST = 0.5  # of the image, or of a mask: the most that one click adds, or takes away
DISC = 0.01  # of the longer side: the radius of what obeys a click where no candidate does
NOWHERE = Points(np.empty((0, 2), dtype=np.float32), np.empty((0, 2), dtype=np.float32))
MaskScores = Callable[[NDArray[np.bool_]], NDArray[np.float32] | None]
"""Scores of (n, h, w) masks over the image, (n,), to add to the segmenter's own; or None."""


@dataclass(frozen=True)
class Refinement:
    """One way from points to a mask."""

    run: Callable[..., Candidates]  # (segmenter, encoding, points, similarity, mask_scores)
    needs_prior: bool = False  # whether the segmenter must accept a prior, and the similarity must be log odds


def single(
    segmenter: Segmenter,
    encoding: Any,
    points: Points,
    similarity: NDArray[np.float32] | None = None,
    mask_scores: MaskScores | None = None,
) -> Candidates:
    """One pass, the segmenter's own best mask: Eq. 2, the paper as written."""
    return only_best(segmenter.predict(encoding, points, several=True))


def cascade(
    segmenter: Segmenter,
    encoding: Any,
    points: Points,
    similarity: NDArray[np.float32] | None = None,
    mask_scores: MaskScores | None = None,
) -> Candidates:
    """Three passes, as the released script has them.

    Points alone; then points and the logits of the first pass, the best of several; then points, those logits, and the
    box of that mask, the best of several.
    """
    first = segmenter.predict(encoding, points)
    return after(segmenter, encoding, points, first.logits[0])


def after(
    segmenter: Segmenter,
    encoding: Any,
    points: Points,
    logits: NDArray[np.float32],
    box: tuple[float, float, float, float] | None = None,
) -> Candidates:
    """The two passes of :func:`cascade` after a first one that gave ``logits`` (h, w).

    ``box``: (left, top, right, bottom) in image pixels, for the first of them; the second takes that of its mask.
    """
    second = only_best(segmenter.predict(encoding, points, mask_logits=logits, box=box, several=True))
    own = bounding_box(second.masks[0])
    return only_best(segmenter.predict(encoding, points, mask_logits=second.logits[0], box=own, several=True))


def ranked(
    segmenter: Segmenter,
    encoding: Any,
    points: Points,
    similarity: NDArray[np.float32],
    mask_scores: MaskScores | None = None,
) -> Candidates:
    """Two passes: candidates for the points and the similarity as a prior, then the best of them anew.

    ``similarity`` (rows, columns) are log odds over the image. The segmenter's scores state how well the inside of a
    candidate matches them and how little its outside does; ``mask_scores`` adds how similar each candidate is, as a
    whole, to the prompt. The second pass draws the outline of the best.
    """
    first = segmenter.predict(encoding, points, prior=similarity, several=True)
    extra = mask_scores(first.logits > 0) if mask_scores else None
    values = first.scores if extra is None else first.scores + extra
    return only_best(segmenter.predict(encoding, NOWHERE, mask_logits=first.logits[int(np.argmax(values))]))


REFINEMENTS = {"single": Refinement(single), "cascade": Refinement(cascade), "ranked": Refinement(ranked, True)}


def named(name: str) -> Refinement:
    """The refinement of that name. Raises :class:`SettingError` that lists what there is."""
    check_choice(name, REFINEMENTS, 'There is no refinement "{}"')
    return REFINEMENTS[name]


def corrected(
    segmenter: Segmenter, encoding: Any, refined: Candidates, points: Points, clicks: Points | None
) -> Candidates:
    """One more pass that goes on from ``refined``, the result of a refinement, with a user's clicks.

    Of the ``points`` that led to ``refined``, those take part that agree with its mask and are not close to a click of
    the other kind. The mask contains every positive click and no negative one (:func:`obeying`). Without a click it is
    ``refined``.
    """
    if clicks is None or not len(clicks.positive) + len(clicks.negative):
        return refined
    mask = refined.masks[0]
    positive = _apart(points.positive[_on(mask, points.positive)], clicks.negative, mask.shape)
    negative = _apart(points.negative[~_on(mask, points.negative)], clicks.positive, mask.shape)
    both = Points(np.concatenate([positive, clicks.positive]), np.concatenate([negative, clicks.negative]))
    made = only_best(segmenter.predict(encoding, both, mask_logits=refined.logits[0]))
    return replace(made, masks=obeying(segmenter, encoding, made.masks[0], clicks)[None])


def obeying(segmenter: Segmenter, encoding: Any, mask: Mask, clicks: Points) -> Mask:
    """A mask (H, W) bool that contains the positive ``clicks`` and none of the negative ones, (x, y) in its pixels.

    For a click that ``mask`` contradicts, the region around it is added, or taken away: the segmenter's best candidate
    for that click alone that agrees with all clicks of the other kind and adds no more than :data:`LARGEST` of the
    image, or takes away no more than that of the mask; where there is none, a disc with a radius of :data:`DISC` of the
    longer side, at most half the way to the nearest click of the other kind. Of two clicks on one pixel the positive
    one counts. A mask that agrees with all clicks stays as it is, and the segmenter is not asked. Not in the paper.
    """
    made = mask.copy()
    for own, other, wanted in ((clicks.negative, clicks.positive, False), (clicks.positive, clicks.negative, True)):
        for click in own:
            (row,), (column,) = _pixels(click[None], mask.shape)
            if made[row, column] != wanted:
                made[_region(segmenter, encoding, made, click, other, wanted)] = wanted
                made[row, column] = wanted
    return made


def _region(segmenter: Segmenter, encoding: Any, mask: Mask, click: NDArray, other: NDArray, wanted: bool) -> Mask:
    """What :func:`obeying` adds around one (2,) click or takes away; ``other``: the (n, 2) clicks of the other kind."""
    found = segmenter.predict(encoding, Points(click[None], other), several=True)
    most = LARGEST * (mask.size if wanted else mask.sum())
    for place in np.argsort(-found.scores, kind="stable"):
        region = found.masks[place]
        agrees = _on(region, click[None]).all() and not _on(region, other).any()
        if agrees and (region & (mask != wanted)).sum() <= most:
            return region
    radius = min([DISC * max(mask.shape), *(np.linalg.norm(other - click, axis=1) / 2)])
    rows, columns = (np.arange(length) + 0.5 for length in mask.shape)
    return (columns[None] - click[0]) ** 2 + (rows[:, None] - click[1]) ** 2 <= radius**2


def _pixels(points: NDArray, size: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows and the columns of the pixels on which (n, 2) points stand, in an image of ``size``."""
    columns, rows = np.clip(np.floor(points).astype(np.intp), 0, (size[1] - 1, size[0] - 1)).T
    return rows, columns


def _on(mask: Mask, points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of (n, 2) points stand on the mask: (n,) bool."""
    rows, columns = _pixels(points, mask.shape)
    return mask[rows, columns]


def _apart(points: NDArray[np.float32], clicks: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Those of the (n, 2) ``points`` that are farther from each of the ``clicks`` than ``MEET`` of the longer side."""
    steps = np.linalg.norm(points[:, None] - clicks[None], axis=2)
    return points[(steps > MEET * max(size)).all(axis=1)]


def consensus(segmenter: Segmenter, encoding: Any, prior: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of the segmenter's candidates for a prior that hold each pixel: (h', w') float32 in [0, 1].

    ``prior`` (h, w) are log odds; it spans the image, as does what is returned.
    """
    found = segmenter.predict(encoding, NOWHERE, prior=prior, several=True)
    return (found.logits > 0).mean(axis=0, dtype=np.float32)


def only_best(candidates: Candidates) -> Candidates:
    """The candidate with the highest score, alone."""
    one = slice(best(candidates), best(candidates) + 1)
    return Candidates(candidates.masks[one], candidates.scores[one], candidates.logits[one])


def best(candidates: Candidates) -> int:
    """Index of the highest score; the first of equals."""
    return int(np.argmax(candidates.scores))


def bounding_box(mask: NDArray[np.bool_]) -> tuple[float, float, float, float] | None:
    """(left, top, right, bottom) of a mask: the indices of its outermost pixels; None when empty."""
    box = geometry.bounding_box(mask)
    return box and (float(box[0]), float(box[1]), float(box[2] - 1), float(box[3] - 1))
