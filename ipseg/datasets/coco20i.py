"""COCO-20i (Nguyen and Todorovic, 2019): four folds of 20 classes, 1000 episodes each, on images of COCO val2014.

::

    COCO2014/val2014/COCO_val2014_*.jpg
    COCO2014/annotations/val2014/COCO_val2014_*.png     value = class + 1, 0: no class
    COCO2014/splits/val/fold{0..3}.pkl                  {class: ["val2014/....jpg"]}; for seeds other than 0

The folder is ``COCO2014`` or the one that holds it. The masks are the released PNGs: masks drawn from COCO's instances
differ from them in 6 % of the episodes. With seed 0 the episodes are the released ones of Matcher, which come with this
package; with another seed they are drawn by the same rule: for each episode a class of the fold, an input image, and
prompt images until one differs from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from ipseg.datasets import _folders
from ipseg.datasets._episodes import Annotated, Dataset, Episode, EvaluationProtocol, Labels

TITLE = "COCO-20i"
SOURCE = (
    "images: images.cocodataset.org/zips/val2014.zip; masks and splits: docs/data.md of github.com/visinf/INSID3, or "
    "github.com/juhongm999/hsnet, links to both"
)
LICENCE = "annotations CC BY 4.0; the images are of Flickr, under the terms of their owners"
FOLDS, CLASSES, EPISODES = 4, 80, 1000
PROTOCOL = EvaluationProtocol(
    "4 folds x 1000 episodes; pixels summed per class, mean over the classes of a fold, then over folds",
    classes=20,
)
NAMES = (
    """
person; bicycle; car; motorcycle; airplane; bus; train; truck; boat; traffic light; fire hydrant; stop sign;
parking meter; bench; bird; cat; dog; horse; sheep; cow; elephant; bear; zebra; giraffe; backpack; umbrella; handbag;
tie; suitcase; frisbee; skis; snowboard; sports ball; kite; baseball bat; baseball glove; skateboard; surfboard;
tennis racket; bottle; wine glass; cup; fork; knife; spoon; bowl; banana; apple; sandwich; orange; broccoli; carrot;
hot dog; pizza; donut; cake; chair; couch; potted plant; bed; dining table; toilet; tv; laptop; mouse; remote;
keyboard; cell phone; microwave; oven; toaster; sink; refrigerator; book; clock; vase; scissors; teddy bear;
hair drier; toothbrush
""".replace("\n", " ")
    .strip()
    .split("; ")
)


@dataclass(frozen=True)
class Settings:
    """Which episodes."""

    data: Path  # the folder
    fold: int | None = None  # 0 to 3; None: all four
    seed: int = 0  # 0: the released episodes


def released(fold: int) -> list[tuple[int, str, str]]:
    """The released episodes of a fold with seed 0: (class, input, prompt), names of files in val2014."""
    text = resources.files("ipseg.datasets").joinpath("episodes", f"coco20i_fold{fold}.txt").read_text("ascii")
    numbers = (map(int, line.split()) for line in text.splitlines())
    return [(category, _name(shown), _name(prompt)) for category, shown, prompt in numbers]


def drawn(images: dict[int, list[str]], fold: int, seed: int, count: int = EPISODES) -> Iterator[tuple[int, str, str]]:
    """Episodes by the released rule; ``images`` are the paths of a split file, by class."""
    random = np.random.RandomState(seed)
    classes = [fold + FOLDS * number for number in range(CLASSES // FOLDS)]
    for _ in range(count):
        category = _folders.choose(random, classes)
        shown = _folders.choose(random, images[category])
        prompt = _folders.choose(random, images[category])
        while prompt == shown:
            prompt = _folders.choose(random, images[category])
        yield category, Path(shown).name, Path(prompt).name


def build(settings: Settings) -> Dataset:
    """The episodes of one fold or of all."""
    folds = _folders.check_fold(settings.fold, FOLDS)
    root = _folders.root(settings.data, "COCO2014")
    splits = [f"splits/val/fold{fold}.pkl" for fold in folds if settings.seed]
    _folders.need(root, ["val2014", "annotations/val2014", *splits], SOURCE)
    episodes: list[Episode] = []
    for fold in folds:
        listed = released(fold) if not settings.seed else _drawn(root, fold, settings.seed)
        for number, (category, shown, prompt) in enumerate(listed):
            other, side = (_side(root, name, category) for name in (prompt, shown))
            episodes.append(Episode(f"fold{fold}/{number:04}", other, side, NAMES[category], fold))
    return Dataset("coco20i", tuple(episodes), PROTOCOL, {"fold": settings.fold, "seed": settings.seed})


def _drawn(root: Path, fold: int, seed: int) -> list[tuple[int, str, str]]:
    return list(drawn(_folders.read_pickle(root / f"splits/val/fold{fold}.pkl"), fold, seed))


def _side(root: Path, name: str, category: int) -> Annotated:
    truth = Labels(root / "annotations/val2014" / f"{Path(name).stem}.png", (category + 1,))
    return Annotated(f"val2014/{name}", root / "val2014" / name, truth)


def _name(number: int) -> str:
    return f"COCO_val2014_{number:012}.jpg"
