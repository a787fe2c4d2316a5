"""Step 4: points become a mask, in one or more passes through the segmenter (section 3.4).

A refinement is a function of a segmenter, its encoding of the picture, the points, and how alike each pixel is to the
prompt. It returns one mask in the pixels of the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.types import Candidates, Mask, Points, Segmenter

Worth = Callable[[NDArray[np.bool_]], NDArray[np.float32]]
"""What each of (n, h, w) masks over the picture is worth beside the segmenter's own score: (n,)."""


def single(
    segmenter: Segmenter, encoding: Any, points: Points, odds: NDArray | None = None, worth: Worth | None = None
) -> Mask:
    """One pass, the segmenter's own best mask: the paper as written. (H, W) bool."""
    answer = segmenter.predict(encoding, points, several=True)
    return answer.masks[best(answer)]


def cascade(
    segmenter: Segmenter, encoding: Any, points: Points, odds: NDArray | None = None, worth: Worth | None = None
) -> Mask:
    """Three passes, as the released script has them. (H, W) bool.

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
) -> Mask:
    """The two passes after a first one that gave ``logits`` (h, w), and perhaps a box. (H, W) bool."""
    second = segmenter.predict(encoding, points, mask=logits, box=box, several=True)
    chosen = best(second)
    own = bounding_box(second.masks[chosen])
    third = segmenter.predict(encoding, points, mask=second.logits[chosen], box=own, several=True)
    return third.masks[best(third)]


def ranked(
    segmenter: Segmenter, encoding: Any, points: Points, odds: NDArray[np.float32], worth: Worth | None = None
) -> Mask:
    """Two passes: candidates for the points and the similarity as log odds, then the best of them anew. (H, W) bool.

    ``odds`` (rows, columns) spans the picture. The segmenter's scores say how well the inside of a candidate matches
    the odds and how little its outside does; ``worth`` adds how well each looks, as a whole, like the prompt. The
    second pass draws the outline of the best.
    """
    first = segmenter.predict(encoding, points, mask=odds, several=True)
    values = first.scores if worth is None else first.scores + worth(first.logits > 0)
    nothing = np.empty((0, 2), dtype=np.float32)
    second = segmenter.predict(encoding, Points(nothing, nothing), mask=first.logits[int(np.argmax(values))])
    return second.masks[best(second)]


def consensus(segmenter: Segmenter, encoding: Any, odds: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the segmenter's candidates for a prior agree on: the share of them that holds each pixel.

    ``odds`` (h, w) spans the picture, as does the answer, (h', w') float32 in [0, 1].
    """
    nothing = np.empty((0, 2), dtype=np.float32)
    found = segmenter.predict(encoding, Points(nothing, nothing), mask=odds, several=True)
    return (found.logits > 0).mean(axis=0, dtype=np.float32)


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
