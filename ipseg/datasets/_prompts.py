"""Drawing one prompt image per class (section 4.5.3 of the paper: one single, complete target object).

The rule: the images of a class, sorted by name, are shuffled with the seed and read in that order. An image meets three
conditions or fewer: the largest connected part has 95 % of the mask (single), the mask does not touch the border of the
image (complete), and it covers 5 % to 60 % of the image (clear). The first images that meet all three are taken; where
there are too few among the first 100, those that meet most, in order. Set k of several has image k of these as its
prompt, and the next one for the episode whose input is that prompt itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from ipseg.core.types import Mask
from ipseg.datasets._episodes import Annotated

SINGLE, CLEAR = 0.95, (0.05, 0.6)  # share of the largest part; shares of the image
TRIED = 100  # images of a class that are read, at most

RULE = " ".join((__doc__ or "").split("\n\n", 1)[-1].split())
"""The rule above as one line: a manifest of prompt sets states it."""

Pair = tuple[Annotated, Annotated]
"""A prompt, and the one that takes its place where it is the input itself."""


def draw(candidates: Mapping[str, Sequence[Annotated]], seed: int, sets: int = 1) -> list[dict[str, Pair]]:
    """So many prompt sets, each with a prompt for each class; a class with fewer than two images has none."""
    drawn: list[dict[str, Pair]] = [{} for _ in range(sets)]
    for category in sorted(candidates):
        usable = _best(candidates[category], seed, sets + 1)
        for number in range(sets if len(usable) > 1 else 0):
            drawn[number][category] = usable[number % len(usable)], usable[(number + 1) % len(usable)]
    return drawn


def conditions(mask: Mask) -> int:
    """How many of the three conditions an (H, W) bool mask meets; an empty one -1."""
    if not mask.any():
        return -1
    parts, _ = ndimage.label(mask, np.ones((3, 3), bool))
    single = np.bincount(parts.ravel())[1:].max() >= SINGLE * np.count_nonzero(mask)
    complete = not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
    return int(single) + int(complete) + int(CLEAR[0] <= mask.mean() <= CLEAR[1])


def _best(sides: Sequence[Annotated], seed: int, count: int) -> list[Annotated]:
    """At most so many images that show the class, the best first; each image once, whatever its crop."""
    ordered = sorted({side.name: side for side in sorted(sides, key=lambda side: side.key)}.items())
    ranked: list[tuple[int, int, Annotated]] = []
    for place in np.random.RandomState(seed).permutation(len(ordered))[:TRIED]:
        side = ordered[place][1]
        ranked.append((-conditions(side.mask().mask), len(ranked), side))
        if sum(met == -3 for met, _, _ in ranked) == count:
            break
    return [side for met, _, side in sorted(ranked, key=lambda each: each[:2]) if met <= 0][:count]
