"""What the commands that predict share: the method of a run, its record, the progress, the share of this process."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ipseg import weights
from ipseg.baselines import ON_PARTS, PROTOCOLS
from ipseg.cli import _dataset
from ipseg.core import plugins
from ipseg.core.result import SegmentationMethod
from ipseg.core.types import SettingError
from ipseg.datasets import Dataset, spread
from ipseg.engine import processes
from ipseg.engine.processes import Share
from ipseg.evaluation import predicting, published, runs
from ipseg.evaluation.predicting import Variant
from ipseg.evaluation.runs import Run
from ipseg.method import points
from ipseg.method.pipeline import IPSeg

MASKS = ("auto", "given", "none")
ENCODINGS = ".encodings"  # the folder below a run's for the disk tier


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a method is given, and how the work is divided and stored."""
    parser.add_argument("--limit", metavar="N", type=int, help="only N episodes, evenly spread over all")
    parser.add_argument("--shard", metavar="i/n", default="0/1", help="only every n-th episode from i on, i from 0")
    parser.add_argument("--overwrite", action="store_true", help="remove a run of other settings that is there")
    parser.add_argument(
        "--prompt-mask",
        choices=MASKS,
        default="auto",
        help="whether the method sees the mask of the prompt; auto: as in the paper's tables",
    )
    parser.add_argument(
        "--cache-memory", metavar="GB", type=float, default=predicting.MEMORY, help="of encodings in memory"
    )
    parser.add_argument("--cache-disk", metavar="GB", type=float, default=predicting.DISK, help="of encodings on disk")


def add_method(parser: argparse.ArgumentParser) -> None:
    """``--method`` and what it is set to."""
    parser.add_argument("--method", choices=plugins.names("baselines"), default="ipseg", help="which method predicts")
    parser.add_argument(
        "--method-set", metavar="KEY=VALUE", action="append", default=[], help="a setting of the method; repeatable"
    )
    add_extensions(parser)
    parser.add_argument("--k", metavar="K", type=int, help="most and least similar cells (default: the preset's)")
    parser.add_argument("--clusters", metavar="C", type=int, help="of k-means (default: the preset's)")


def add_extensions(parser: argparse.ArgumentParser) -> None:
    """``--extension``."""
    parser.add_argument(
        "--extension",
        metavar="NAME[,KEY=VALUE...]",
        action="append",
        default=[],
        help=f"an idea from after the paper, off by default; repeatable: {', '.join(plugins.names('extensions'))}",
    )


def extend(engine: IPSeg, given: Sequence[str]) -> IPSeg:
    """The engine with extensions, each ``NAME[,KEY=VALUE...]``. Raises SettingError for one that it cannot take."""
    for text in given:
        name, *settings = text.split(",")
        engine = plugins.build("extensions", name, **_dataset.pairs(settings, "--extension"))(engine)
    return engine


def sees_mask(method: str, choice: str) -> bool:
    """Whether a method is given the mask of the prompt: as the paper's tables have it for ``"auto"``."""
    if choice != "auto":
        return choice == "given"
    return published.sees_mask(method)


def with_numbers(engine: IPSeg, k: int | None, clusters: int | None) -> IPSeg:
    """The engine with another K or c. Raises SettingError for numbers out of range."""
    config = engine.config
    k, clusters = config.k if k is None else k, config.clusters if clusters is None else clusters
    points.check(k, clusters)
    return replace(engine, config=replace(config, k=k, clusters=clusters))


def method_settings(method: str, dataset: Dataset, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a method for a dataset: Matcher has numbers for each dataset, GroupViT goes by the classes."""
    known, chosen = _dataset.settings_of("baselines", method), dict(given)
    if "protocol" in known and dataset.name in PROTOCOLS:
        chosen.setdefault("protocol", dataset.name)
    if "names" in known:
        chosen.setdefault("names", tuple(dict.fromkeys(episode.category for episode in dataset.episodes)))
    return chosen


def method_for(method: str, engine: IPSeg, settings: Mapping[str, Any]) -> Callable[[str], SegmentationMethod]:
    """The method for each class, each made once."""
    if "target" not in _dataset.settings_of("baselines", method):
        made = plugins.method(method, engine, **settings)
        return lambda category: made
    return cache(lambda category: plugins.method(method, engine, **settings, target=category))


def weights_of(method: str) -> dict[str, Any]:
    """What is known of the weights that a method needs beside the engine's."""
    return {} if method == "ipseg" else weights.describe(published.weights_of(method))


def variant(
    folder: Path,
    engine: IPSeg,
    dataset: Dataset,
    data: Path,
    *,
    method: str = "ipseg",
    settings: Mapping[str, Any] | None = None,
    prompt_mask: str = "auto",
    overwrite: bool = False,
) -> Variant:
    """A run in ``folder``, made or continued, and its method on the episodes of ``dataset``."""
    chosen, given = method_settings(method, dataset, settings or {}), sees_mask(method, prompt_mask)
    own = weights_of(method) if engine.segmenter.is_sam else {}
    methods = method_for(method, engine, chosen)
    label = methods(dataset.episodes[0].category).label
    record = runs.describe(
        engine,
        dataset,
        data,
        method=method,
        title=label if ON_PARTS in label else plugins.module("baselines", method).TITLE,
        method_settings=chosen,
        given=given,
        weights=own,
    )
    made = Run.create(folder, record, dataset, overwrite=overwrite)
    return Variant(made, methods, given, dataset.episodes)


def share_of(arguments: argparse.Namespace) -> Share:
    """The share of this process. Raises SettingError for --overwrite where several processes write one run."""
    runs.check_limit(arguments.limit)
    share = processes.launched(processes.parse(arguments.shard))
    if share.of > 1 and arguments.overwrite:
        raise SettingError("--overwrite removes what other processes write; remove the folder first, and leave it out.")
    return share


def numbers_of(dataset: Dataset, limit: int | None, share: Share) -> list[int]:
    """The numbers of the episodes of this process."""
    return share.select(spread(range(len(dataset.episodes)), limit))


@contextmanager
def cached(engine: IPSeg, arguments: argparse.Namespace, share: Share, name: str = "") -> Iterator[tuple[IPSeg, Any]]:
    """The engine with a disk tier below the run, and a function that drops the encodings of an image."""
    folder = arguments.out / ENCODINGS / f"{share.label}{name}"
    try:
        with predicting.with_cache(engine, folder, arguments.cache_memory, arguments.cache_disk) as (made, tier):
            yield made, lambda image: tier.discard(lambda key: key[-1] == image)
    finally:
        if share.of == 1 or ((arguments.out / ENCODINGS).is_dir() and not any((arguments.out / ENCODINGS).iterdir())):
            shutil.rmtree(arguments.out / ENCODINGS, ignore_errors=True)


@contextmanager
def progress(what: str, share: Share) -> Iterator[predicting.Report]:
    """A bar with the mIoU so far on standard error, where that is a terminal; of several processes, the first's."""
    off = None if share.number == 0 else True
    with tqdm(desc=what, unit="episode", disable=off, file=sys.stderr) as bar:

        def report(done: int, of: int, miou: float | None) -> None:
            bar.total = of
            if miou is not None:
                bar.set_postfix(mIoU=f"{100 * miou:.1f}", refresh=False)
            bar.update(done - bar.n)

        yield report
