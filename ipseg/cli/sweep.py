"""Predict a grid of settings on one dataset: those of Tables 3 to 7 of the paper, or any product of changes.

All settings go through the episodes together, so each image is encoded once for all that share its networks. Every
setting is a run of its own below DIR, which `ipseg score` and `ipseg table` read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ipseg import weights
from ipseg.cli import _dataset, _engine, _run, table
from ipseg.core.types import InputError, SettingError
from ipseg.datasets import Dataset
from ipseg.engine import processes
from ipseg.engine.build import load
from ipseg.engine.spec import FIELDS
from ipseg.evaluation import predicting, prompt_sets, sweeps
from ipseg.evaluation.predicting import Variant
from ipseg.evaluation.runs import Run
from ipseg.evaluation.sweeps import Setting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg sweep``."""
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder of the runs")
    grid = parser.add_mutually_exclusive_group(required=True)
    grid.add_argument("--paper", metavar="N", choices=sweeps.GRIDS, help="the settings of a table of the paper, 3 to 7")
    grid.add_argument(
        "--vary", metavar="KEY=A,B,...", action="append", default=[], help="values of a setting; repeatable: a product"
    )
    parser.add_argument("--prompt-sets", metavar="FILE", type=Path, help="a manifest of `ipseg prompts`, for Table 5")
    _run.add_extensions(parser)
    _run.add_arguments(parser)
    _dataset.add_arguments(parser)
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict every setting, print the table; settings that cannot be built here are named and left out."""
    share, dataset = _run.share_of(arguments), _dataset.build(arguments)
    numbers = _run.numbers_of(dataset, arguments.limit, share)
    predicting.check_files([dataset.episodes[number] for number in numbers])
    processes.choose_device()
    variants: list[Variant] = []
    with _engine.built(arguments) as built, _run.cached(built, arguments, share) as (engine, release):
        for setting in settings_of(arguments):
            try:
                variants.append(_variant(arguments, setting, engine, dataset))
            except (SettingError, weights.WeightError) as error:
                print(f"ipseg: {setting.name} is left out: {error}", file=sys.stderr)
        if not variants:
            raise InputError("None of the settings can be run here; see the messages above.")
        with _run.progress(dataset.name, share) as report:
            failed = predicting.predict(variants, dataset.episodes, numbers, release=release, report=report)
    if share.of == 1:
        measured = [table.measure(Run.open(variant.run.folder)) for variant in variants]
        print(table.table_of(measured, arguments.paper).render("markdown"), end="")
    return int(failed > 0 or len(variants) < len(settings_of(arguments)))


def settings_of(arguments: argparse.Namespace) -> list[Setting]:
    """The settings that the arguments ask for."""
    if arguments.paper:
        sets = prompt_sets.names(arguments.prompt_sets) if arguments.prompt_sets else ()
        return sweeps.of_table(arguments.paper, sets)
    varied: dict[str, list[Any]] = {}
    for text in arguments.vary:
        key, _, values = text.partition("=")
        read = [_dataset.pairs([f"value={value}"], "--vary")["value"] for value in values.split(",") if value]
        if not read:
            raise SettingError(f'--vary is "{text}"; give KEY=A,B,...')
        varied[key] = read
    return sweeps.of_product(varied)


def _variant(arguments: argparse.Namespace, setting: Setting, engine: Any, dataset: Dataset) -> Variant:
    """A setting as a run, on the networks of ``engine`` where they are the same."""
    made = engine
    changes = dict(setting.changes)
    extensions = [*arguments.extension, *filter(None, [changes.pop("extension", "")])]
    if changes:
        own = {name: getattr(arguments, name) for name in FIELDS if name != "preset"}
        other = load(arguments.preset, placement=engine.info.placement, **{**own, **changes})
        made = predicting.on_cache(other, engine.encodings.cache)
    if extensions:
        made = predicting.on_cache(_run.extend(made, extensions), engine.encodings.cache)
    if setting.prompt_set:
        name, prompts = prompt_sets.read(arguments.prompt_sets, setting.prompt_set)
        dataset = prompt_sets.apply(dataset, name, prompts)
    return _run.variant(
        arguments.out / setting.name,
        _run.with_numbers(made, setting.k, setting.clusters),
        dataset,
        arguments.data,
        prompt_mask=setting.prompt_mask,
        overwrite=arguments.overwrite,
    )
