"""Print on how many pairs a precision chooses the same points as float32, or some features the same as others.

FOLDER is in PerSeg's layout; every ordered pair of images of one object counts. A pair agrees when every point of one
has a point of the other within a cell of it, positive and negative alike.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipseg.cli import _engine
from ipseg.core.types import InputError, Points, SettingError
from ipseg.datasets import folder
from ipseg.method import stages

EXACT = "float32"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg agree``."""
    parser.add_argument("data", metavar="FOLDER", type=Path, help="holds Images/<object>/NN.jpg")
    parser.add_argument("--pairs", metavar="N", type=int, default=0, help="use N pairs, evenly spread; 0: all")
    parser.add_argument(
        "--against", metavar="F", default="", help="compare --features with these, in one --dtype, not with float32"
    )
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Choose points in both precisions, or of both features, one after the other, and count."""
    if not arguments.against and arguments.dtype in ("auto", EXACT):
        raise SettingError(f"--dtype is {arguments.dtype}; choose float16 or bfloat16, which is compared with {EXACT}.")
    if arguments.pairs < 0:
        raise InputError(f"--pairs is {arguments.pairs}; give 0 or more.")
    episodes = list(folder.pairs(folder.samples(arguments.data)))
    if not episodes:
        raise InputError(f"{arguments.data} has no object with two images; add a second one.")
    if arguments.pairs:
        chosen = np.linspace(0, len(episodes) - 1, min(arguments.pairs, len(episodes))).round().astype(int)
        episodes = [episodes[index] for index in np.unique(chosen)]
    one, other = ("dtype", arguments.dtype), ("dtype", EXACT)
    if arguments.against:
        one, other = ("features", arguments.features), ("features", arguments.against)
    found, cells = _points(arguments, *one, episodes)
    expected, _ = _points(arguments, *other, episodes)
    same = [agree(points, others, cell) for points, others, cell in zip(found, expected, cells, strict=True)]
    both = f"{one[1] or 'the default features'} and {other[1]}"
    print(f"{sum(same)} of {len(same)} pairs ({np.mean(same):.1%}): the same points in {both}")
    return 0


def agree(one: Points, other: Points, cell: tuple[float, float]) -> bool:
    """Whether two sets of points are the same to a cell, (width, height) in pixels."""
    return all(_close(getattr(one, sign), getattr(other, sign), cell) for sign in ("positive", "negative"))


def _points(
    arguments: argparse.Namespace, setting: str, value: str, episodes: list[folder.Pair]
) -> tuple[list[Points], list[tuple[float, float]]]:
    """The points of every episode and the size of a cell there; the engine is released afterwards."""
    own = argparse.Namespace(**{**vars(arguments), setting: value})
    found, cells = [], []
    with _engine.built(own) as engine:
        for number, episode in enumerate(episodes):
            _report(value, number, len(episodes))
            prompt, parts = engine.prompt(episode.prompt.image), (engine.encodings, engine.scorer, engine.config)
            points, similarity = stages.choose_points(*parts, prompt, episode.query.image)
            found.append(points)
            cells.append(similarity.frame.cell)
    return found, cells


def _close(one: NDArray, other: NDArray, cell: tuple[float, float]) -> bool:
    if len(one) != len(other):
        return False
    apart = np.abs(one[:, None] - other[None]) / np.array(cell)
    near = (apart.max(axis=-1, initial=0) <= 1) if len(one) else np.ones((0, 0), bool)
    return bool(near.any(axis=0).all() and near.any(axis=1).all())


def _report(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(
            f"{name}: {done + 1} of {total} pairs", end="\r" if done + 1 < total else "\n", file=sys.stderr, flush=True
        )
