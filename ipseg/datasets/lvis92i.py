"""LVIS-92i (Liu et al., 2024): ten folds of the LVIS validation categories, 2300 episodes each.

::

    LVIS/coco/{train2017,val2017}/*.jpg
    LVIS/lvis_val.pkl     {category: {"val2017/....jpg": {"annotations": [{"segmentation"}]}}}

The folder is ``LVIS`` or the one that holds it. Categories with two or more images count, in the order of the file;
the fold has every tenth of them from its number on. The mask is the union of the category's instances. No list of
pairs was published; these are drawn with the seed by the rule of the released loader, a new generator for each fold:
the categories in turn, for each an input image, and prompt images until one differs from it. The images of a category
are drawn from in the order of their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.datasets import _folders
from ipseg.datasets._episodes import Annotated, Dataset, Episode, EvaluationProtocol, Segments

TITLE = "LVIS-92i"
SOURCE = (
    "images: images.cocodataset.org/zips/{train2017,val2017}.zip; lvis_val.pkl: datasets/README.md of "
    "github.com/aim-uofa/Matcher links to lvis.zip"
)
LICENCE = "annotations CC BY 4.0; the images are of Flickr, under the terms of their owners"
FOLDS, EPISODES = 10, 2300
PROTOCOL = EvaluationProtocol(
    "10 folds x 2300 episodes; union of instances; pixels summed per class, mean over a fold's classes, then folds",
    classes=92,
)


@dataclass(frozen=True)
class Settings:
    """Which episodes."""

    data: Path  # the folder
    fold: int | None = None  # 0 to 9; None: all ten
    seed: int = 0  # of the pairs
    episodes: int = EPISODES  # of a fold


def build(settings: Settings) -> Dataset:
    """The episodes of one fold or of all."""
    folds = _folders.check_fold(settings.fold, FOLDS)
    root = _folders.root(settings.data, "LVIS")
    _folders.need(root, ["coco", "lvis_val.pkl"], SOURCE)
    annotated: dict[Any, dict[str, Any]] = _folders.read_pickle(root / "lvis_val.pkl")
    known = [category for category, images in annotated.items() if len(images) >= 2]
    episodes = []
    for fold in folds:
        random = np.random.RandomState(settings.seed)
        classes = [known[fold + FOLDS * number] for number in range(len(known) // FOLDS)]
        for number in range(settings.episodes if classes else 0):
            category = classes[number % len(classes)]
            names = sorted(annotated[category])
            shown = _folders.choose(random, names)
            prompt = _folders.choose(random, names)
            while prompt == shown:
                prompt = _folders.choose(random, names)
            other, side = (_side(root, name, annotated[category][name]) for name in (prompt, shown))
            episodes.append(Episode(f"fold{fold}/{number:04}", other, side, str(category), fold))
    chosen = {"fold": settings.fold, "seed": settings.seed, "episodes": settings.episodes}
    return Dataset("lvis92i", tuple(episodes), PROTOCOL, chosen, (root / "lvis_val.pkl",))


def _side(root: Path, name: str, entry: dict[str, Any]) -> Annotated:
    truth = Segments(tuple(annotation["segmentation"] for annotation in entry["annotations"]))
    return Annotated(name, root / "coco" / name, truth)
