"""The zero-shot sets: label images, a few classes, one prompt image per class for all the images that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ipseg.core.masks import read_values
from ipseg.datasets import _prompts
from ipseg.datasets._episodes import Annotated, Dataset, Episode, EvaluationProtocol, Labels

RULE = (
    "one prompt image per class, drawn with the seed among those in which the class is single, complete and clear; "
    "every other image that shows the class is an input"
)


def protocol(title: str, classes: int) -> EvaluationProtocol:
    """The protocol of a zero-shot set of so many classes."""
    return EvaluationProtocol(
        f"{title}: {RULE}; original size, void left out; pixels summed per class over the set, mean over classes",
        classes=classes,
    )


def build(
    name: str,
    pairs: Sequence[tuple[str, Path, Path]],
    classes: Mapping[str, int],
    void: tuple[int, ...],
    seed: int,
    text: EvaluationProtocol,
) -> Dataset:
    """The episodes of (name, image, label image) triples; ``classes`` are values of the label images, by name."""
    shown: dict[str, list[Annotated]] = {category: [] for category in classes}
    for label, image, truth in pairs:
        values = np.unique(read_values(truth))
        for category, value in classes.items():
            if value in values:
                shown[category].append(Annotated(label, image, Labels(truth, (value,), void)))
    candidates = {category: tuple(sides) for category, sides in shown.items()}
    chosen = _prompts.draw(candidates, seed)[0]
    episodes = [
        Episode(f"{category}/{side.name}", chosen[category][0], side, category)
        for category, sides in candidates.items()
        for side in sides
        if category in chosen and side.name != chosen[category][0].name
    ]
    return Dataset(name, tuple(episodes), text, {"seed": seed})
