"""Print the table of a folder in PerSeg's layout: every ordered pair, no mask given.

A run that is stopped continues where it was; a change of engine, settings, data or code starts a new one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ipseg.cli import _engine, _masks
from ipseg.core.types import InputError
from ipseg.evaluation import perseg


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg evaluate``."""
    parser.add_argument(
        "data", metavar="FOLDER", type=Path, help="holds Images/<object>/NN.jpg, Annotations/<object>/NN.png"
    )
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where predictions are saved")
    parser.add_argument(
        "--absent", metavar="N", type=int, default=200, help="pairs of different objects, evenly spread"
    )
    _masks.add_arguments(parser, "the annotations")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict, score, print."""
    if arguments.absent < 0:
        raise InputError(f"--absent is {arguments.absent}; give 0 or more.")
    with _engine.built(arguments) as engine:
        found = perseg.evaluate(
            engine,
            arguments.data,
            arguments.runs,
            absent=arguments.absent,
            mask_value=arguments.mask_value,
            report=_report,
        )
    print(perseg.table(found))
    return 0


def _report(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\r" if done + 1 < total else "\n"
        print(f"{done + 1} of {total} pairs", end=end, file=sys.stderr, flush=True)
