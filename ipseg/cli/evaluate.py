"""Predict, score and print the table of a dataset, or of a folder in PerSeg's layout with the detection of presence.

`ipseg evaluate --dataset NAME --data DIR` is `ipseg predict`, `ipseg score` and `ipseg table` in one. `ipseg evaluate
FOLDER` predicts every ordered pair of images of one object, no mask given, and pairs of different objects. A run that
is stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ipseg.cli import _dataset, _engine, _options, _run, predict, table
from ipseg.core.types import InputError, SettingError
from ipseg.evaluation import perseg
from ipseg.evaluation.runs import Run

OF_DATASETS = (  # what a FOLDER does not take
    *("method", "method_set", "extension", "k", "clusters", "prompt_set", "limit", "shard", "overwrite", "prompt_mask"),
    *("scale", "out", "data", "fold", "seed", "set"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg evaluate``."""
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="?", help="Images/<object>/NN.jpg, Annotations/<object>/NN.png"
    )
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where predictions are saved")
    parser.add_argument("--out", metavar="RUN", type=Path, help="the folder of the run (default: below --runs)")
    parser.add_argument(
        "--absent", metavar="N", type=int, default=200, help="of FOLDER: pairs of different objects, evenly spread"
    )
    parser.add_argument("--scale", metavar="PIXELS", type=int, help="score on squares of this side")
    _options.add_arguments(parser, "the annotations of FOLDER")
    _run.add_method(parser)
    _dataset.add_prompt_set(parser)
    _run.add_arguments(parser)
    _dataset.add_arguments(parser, required=False)
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict, score, print."""
    if (arguments.folder is None) == (arguments.dataset is None):
        raise SettingError("Give either a FOLDER, or --dataset with --data.")
    return _folder(arguments) if arguments.folder else _dataset_run(arguments)


def _folder(arguments: argparse.Namespace) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = [name for name in OF_DATASETS if getattr(arguments, name) != parser.get_default(name)]
    if given:
        option = given[0].replace("_", "-")
        raise SettingError(f"--{option} goes with --dataset; give --dataset folder --data {arguments.folder}.")
    if arguments.absent < 0:
        raise InputError(f"--absent is {arguments.absent}; give 0 or more.")
    with _engine.built(arguments) as engine:
        found = perseg.evaluate(
            engine,
            arguments.folder,
            arguments.runs,
            absent=arguments.absent,
            mask_value=arguments.mask_value,
            report=_report,
        )
    print(perseg.table(found))
    return 0


def _dataset_run(arguments: argparse.Namespace) -> int:
    if arguments.data is None:
        raise SettingError("--dataset needs the folder of its files; give --data.")
    fold = "" if arguments.fold is None else f"-fold{arguments.fold}"
    name = f"{arguments.dataset}{fold}-{arguments.method}-{arguments.preset or 'default'}"
    arguments.out = arguments.out or arguments.runs / name
    code = predict.run(arguments)
    measured = table.measure(Run.open(arguments.out), None, arguments.scale)
    print(table.table_of([measured], None).render("markdown"), end="")
    return code


def _report(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\r" if done + 1 < total else "\n"
        print(f"{done + 1} of {total} pairs", end=end, file=sys.stderr, flush=True)
