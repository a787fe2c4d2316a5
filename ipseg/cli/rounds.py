"""Measure what corrections of labels are good for: mIoU over rounds in which images are corrected from the truth.

DATA has the layout of PerSeg, Images/CLASS/NAME.jpg and Annotations/CLASS/NAME.png. The first images of a class are
its examples. Of the others one half is labelled, corrected and turned into examples, those with the lowest scores
first; the other half, which nobody corrects, shows what the further examples change.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipseg.cli import _engine
from ipseg.core.types import SettingError
from ipseg.labelling.review import rounds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg rounds``."""
    parser.add_argument("data", metavar="DATA", type=Path, help="the folder of images and masks")
    parser.add_argument("--rounds", metavar="N", type=int, default=4, help="rounds of corrections (default: 4)")
    parser.add_argument("--per-round", metavar="N", type=int, default=3, help="images corrected in each (default: 3)")
    parser.add_argument("--examples", metavar="N", type=int, default=1, help="example images of a class at first")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the images that are held out")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print a row of the table after each round."""
    for name in ("rounds", "per_round"):
        if getattr(arguments, name) < 1:
            raise SettingError(f"--{name.replace('_', '-')} is {getattr(arguments, name)}; give 1 or more.")
    classes, images = rounds.of_data(arguments.data, arguments.examples)
    with _engine.built(arguments) as engine:
        measured = rounds.measure(
            engine,
            classes,
            images,
            rounds=arguments.rounds,
            per_round=arguments.per_round,
            seed=arguments.seed,
        )
        for line in rounds.table(measured):
            print(line, flush=True)
    return 0
