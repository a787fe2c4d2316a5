"""Step 4: points become a mask, in one or more passes through the segmenter (section 3.4).

A refinement is a function of a segmenter, its encoding of the image, the points, and how alike each pixel is to the
prompt. It returns one mask, as :class:`~ipseg.core.types.Candidates` with n = 1: in the pixels of the image, with the
logits from which the segmenter can go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import Candidates, Mask, Points, Segmenter

MEET = 0.1  # of the longer side: nearer than this, a click and a chosen point of the other kind contradict each other
NOWHERE = Points(np.empty((0, 2), dtype=np.float32), np.empty((0, 2), dtype=np.float32))
Worth = Callable[[NDArray[np.bool_]], NDArray[np.float32]]
"""What each of (n, h, w) masks over the image is worth beside the segmenter's own score: (n,)."""


def single(
    segmenter: Segmenter, encoding: Any, points: Points, odds: NDArray | None = None, worth: Worth | None = None
) -> Candidates:
    """One pass, the segmenter's own best mask: the paper as written."""
    return only_best(segmenter.predict(encoding, points, several=True))


def cascade(
    segmenter: Segmenter, encoding: Any, points: Points, odds: NDArray | None = None, worth: Worth | None = None
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
    """The two passes after a first one that gave ``logits`` (h, w), and perhaps a box."""
    second = only_best(segmenter.predict(encoding, points, mask=logits, box=box, several=True))
    own = bounding_box(second.masks[0])
    return only_best(segmenter.predict(encoding, points, mask=second.logits[0], box=own, several=True))


def ranked(
    segmenter: Segmenter, encoding: Any, points: Points, odds: NDArray[np.float32], worth: Worth | None = None
) -> Candidates:
    """Two passes: candidates for the points and the similarity as log odds, then the best of them anew.

    ``odds`` (rows, columns) spans the image. The segmenter's scores say how well the inside of a candidate matches
    the odds and how little its outside does; ``worth`` adds how well each looks, as a whole, like the prompt. The
    second pass draws the outline of the best.
    """
    first = segmenter.predict(encoding, points, mask=odds, several=True)
    values = first.scores if worth is None else first.scores + worth(first.logits > 0)
    return only_best(segmenter.predict(encoding, NOWHERE, mask=first.logits[int(np.argmax(values))]))


def corrected(segmenter: Segmenter, encoding: Any, answer: Candidates, points: Points, clicks: Points) -> Candidates:
    """One more pass that goes on from ``answer``, a refinement's, with what a person has clicked.

    Of the ``points`` that led to the answer those take part that it agrees with; where the two kinds of evidence meet,
    the clicks alone speak.
    """
    mask = answer.masks[0]
    positive = _apart(points.positive[_on(mask, points.positive)], clicks.negative, mask.shape)
    negative = _apart(points.negative[~_on(mask, points.negative)], clicks.positive, mask.shape)
    both = Points(np.concatenate([positive, clicks.positive]), np.concatenate([negative, clicks.negative]))
    return only_best(segmenter.predict(encoding, both, mask=answer.logits[0]))


def _on(mask: Mask, points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of (n, 2) points stand on the mask: (n,) bool."""
    height, width = mask.shape
    columns, rows = np.clip(np.floor(points).astype(np.intp), 0, (width - 1, height - 1)).T
    return mask[rows, columns]


def _apart(points: NDArray[np.float32], clicks: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Those of the (n, 2) ``points`` that are farther from each of the ``clicks`` than ``MEET`` of the longer side."""
    steps = np.linalg.norm(points[:, None] - clicks[None], axis=2)
    return points[(steps > MEET * max(size)).all(axis=1)]


def consensus(segmenter: Segmenter, encoding: Any, odds: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the segmenter's candidates for a prior agree on: the share of them that holds each pixel.

    ``odds`` (h, w) spans the image, as does the answer, (h', w') float32 in [0, 1].
    """
    found = segmenter.predict(encoding, NOWHERE, mask=odds, several=True)
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
    if not mask.any():
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1])


REFINEMENTS = {"single": single, "cascade": cascade, "ranked": ranked}
