"""Predict the episodes of a dataset and save a mask for each; `ipseg score` scores them.

A run that is stopped goes on when it is started again. `accelerate launch -m ipseg predict ...` spreads the episodes
over GPUs and machines that share the folder of the run, `--shard` over the jobs of an array.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ipseg.cli import _dataset, _engine, _run
from ipseg.engine import processes
from ipseg.evaluation import predicting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg predict``."""
    parser.add_argument("--out", metavar="RUN", type=Path, required=True, help="the folder of the run")
    _run.add_method(parser)
    _dataset.add_prompt_set(parser)
    _run.add_arguments(parser)
    _dataset.add_arguments(parser)
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict what is not there yet."""
    share = _run.share_of(arguments)
    dataset = _dataset.with_prompt_set(_dataset.build(arguments), arguments.prompt_set)
    numbers = _run.numbers_of(dataset, arguments.limit, share)
    predicting.check_files([dataset.episodes[number] for number in numbers])
    processes.choose_device()
    settings = _dataset.pairs(arguments.method_set, "--method-set")
    with (
        _engine.built(arguments) as built,
        _run.cached(_run.extend(built, arguments.extension), arguments, share) as (engine, release),
    ):
        engine = _run.with_numbers(engine, arguments.k, arguments.clusters)
        variant = _run.variant(
            arguments.out,
            engine,
            dataset,
            arguments.data,
            method=arguments.method,
            settings=settings,
            prompt_mask=arguments.prompt_mask,
            overwrite=arguments.overwrite,
        )
        with _run.progress(dataset.name, share) as report:
            failed = predicting.predict([variant], dataset.episodes, numbers, release=release, report=report)
    part = f" (share {share.label})" if share.of > 1 else ""
    print(f"{len(numbers)} of {len(dataset.episodes)} episodes are in {arguments.out}{part}.")
    if failed:
        print(f"ipseg: {failed} of them failed; each has an empty mask and says why in its file.", file=sys.stderr)
    return int(failed > 0)
