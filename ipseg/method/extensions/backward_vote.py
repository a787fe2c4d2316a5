"""A backward vote, after INSID3 (arXiv 2603.28480): an input cell counts only if it finds the prompt's object again.

Each cell of the input looks for its nearest cell, by cosine, among all cells of each prompt image; it counts when that
one is of the object in at least half of the prompt images. The similarity of the others becomes its lowest value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import InputFeatures, PromptFeatures, Similarity
from ipseg.method.extensions._scorer import Around, directions, extended, onto
from ipseg.method.pipeline import IPSeg

CHUNK = 2048  # input cells that are compared at once


@dataclass(frozen=True)
class Settings:
    """It has nothing to choose."""


@dataclass(frozen=True)
class BackwardVote(Around):
    """The scorer with the vote, on the first feature layer."""

    def learn(self, images: Sequence[PromptFeatures]) -> list[tuple[NDArray, NDArray]]:
        """Of each prompt image its cells as unit vectors, and which are the object's."""
        return [(directions(each.features[0]), each.cells(each.features[0].frame).ravel()) for each in images]

    def change(self, learnt: Any, image: InputFeatures, similarity: Similarity) -> NDArray[np.float32]:
        """The lowest value where the vote is lost."""
        layer = image.features[0]
        found = onto(votes(directions(layer), learnt), layer, similarity.frame) >= 0.5
        changed = similarity.values.copy()
        if similarity.inside.any():
            changed[~found] = changed[similarity.inside].min()
        return changed


def votes(cells: NDArray, prompts: Sequence[tuple[NDArray, NDArray]]) -> NDArray[np.float32]:
    """The share of the prompt images in which the nearest cell of each of (n, C) ``cells`` is the object's: (n,)."""
    won = np.zeros(len(cells), np.float32)
    for known, inside in prompts:
        for first in range(0, len(cells), CHUNK):
            part = slice(first, first + CHUNK)
            won[part] += inside[np.argmax(cells[part] @ known.T, axis=1)]
    return (won / len(prompts)).astype(np.float32)


def build(settings: Settings) -> Callable[[IPSeg], IPSeg]:
    """The extension."""
    return lambda engine: extended(engine, "backward_vote", settings, scorer=BackwardVote(engine.scorer))
