"""Scores of a set of predictions by the protocol of their dataset, each with a bootstrap confidence interval.

Pixels are summed over the episodes of a class, as the released few-shot and PerSeg evaluators do, or, where the
protocol says so, IoU is measured on each frame (DAVIS). Means are over the classes of a fold, then over folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import Mask
from ipseg.datasets import Episode, EvaluationProtocol
from ipseg.evaluation.metrics import Pixels, boundary_f, count, resized

SAMPLES, LEVEL = 1000, 0.95  # resamples of the bootstrap, and the share that an interval holds
CHUNK = 100  # resamples that are computed at once


@dataclass(frozen=True)
class Scored:
    """One prediction beside its truth."""

    episode: Episode
    pixels: Pixels
    boundary: float | None = None  # boundary F, where the protocol has it


@dataclass(frozen=True)
class Interval:
    """A metric, in [0, 1], and the interval of its bootstrap."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """One class of one fold."""

    category: str
    fold: int
    episodes: int
    iou: float


@dataclass(frozen=True)
class Score:
    """All metrics of a set of predictions."""

    protocol: EvaluationProtocol
    episodes: int
    metrics: Mapping[str, Interval]  # "miou", "fb_iou", "image_miou", and as the protocol has them "macc", "j", "f"
    folds: Mapping[int, float]  # mIoU of each fold
    classes: tuple[ClassScore, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)  # what else a reader needs: scale, episodes that are absent

    def record(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "protocol": self.protocol.text,
            "bootstrap": f"{SAMPLES} resamples of {self.protocol.unit}, {LEVEL:.0%} interval",
            "episodes": self.episodes,
            **self.notes,
            "metrics": {name: vars(metric) for name, metric in self.metrics.items()},
            "folds": {str(fold): value for fold, value in self.folds.items()},
            "classes": [vars(each) for each in self.classes],
        }


def compare(episode: Episode, predicted: Mask, protocol: EvaluationProtocol, scale: int | None = None) -> Scored:
    """A predicted (H, W) mask beside its truth, both squashed to a square of ``scale`` pixels where there is one.

    Raises ValueError when the sizes differ.
    """
    known = episode.input.mask()
    truth, ignored = known.mask, known.ignored
    if predicted.shape != truth.shape:
        raise ValueError(f"expected a mask of {truth.shape} for {episode.name}, got {predicted.shape}")
    if scale is not None:
        predicted, truth = resized(predicted, scale), resized(truth, scale)
        ignored = None if ignored is None else resized(ignored, scale)
    return Scored(
        episode,
        count(predicted, truth, ignored),
        boundary_f(predicted, truth) if protocol.boundary else None,
    )


def score(
    scored: Sequence[Scored],
    protocol: EvaluationProtocol,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    notes: Mapping[str, Any] | None = None,
) -> Score:
    """Score predictions, at least one. ``samples`` of the bootstrap are drawn with ``seed``.

    Raises ValueError without a prediction.
    """
    if not scored:
        raise ValueError("expected at least one prediction to score")
    table = _Table.of(scored, protocol)
    measures = _measures(protocol)
    drawn = _resample(table, measures, samples, np.random.default_rng(seed))
    single = np.ones((1, len(table.values)))
    metrics = {
        name: Interval(float(measure(table, single)[0]), *_bounds(drawn[name])) for name, measure in measures.items()
    }
    ious = _class_iou(table, single)[0]
    classes = tuple(
        ClassScore(category, fold, int(episodes), float(iou))
        for (fold, category), episodes, iou in zip(table.classes, _drawn(table, single)[0], ious, strict=True)
    )
    by_fold = _over_folds(table, ious[None], keep_folds=True)[0]
    folds = {fold: float(value) for fold, value in zip(table.folds, by_fold, strict=True)}
    return Score(protocol, len(scored), metrics, folds, classes, notes or {})


@dataclass(frozen=True)
class _Table:
    """Predictions as arrays: n rows of ``values`` in c classes."""

    values: NDArray[np.float64]  # (n, 7): the five of Pixels, IoU, boundary F or nan
    classes: list[tuple[int, str]]  # (fold, category) of each of the c
    starts: NDArray[np.intp]  # (c,) first row of each class; rows are in the order of classes
    fold_of: NDArray[np.intp]  # (n,) the fold of each row
    folds: list[int]
    units: list[str]  # of each row
    protocol: EvaluationProtocol

    @classmethod
    def of(cls, scored: Sequence[Scored], protocol: EvaluationProtocol) -> _Table:
        scored = sorted(scored, key=lambda each: (each.episode.fold, each.episode.category))
        rows = [
            [*vars(each.pixels).values(), each.pixels.iou, np.nan if each.boundary is None else each.boundary]
            for each in scored
        ]
        names = [(each.episode.fold, each.episode.category) for each in scored]
        classes = sorted(set(names))
        starts = np.array([names.index(name) for name in classes])
        units = [each.episode.unit or each.episode.name for each in scored]
        folds = sorted({fold for fold, _ in classes})
        fold_of = np.array([fold for fold, _ in names])
        return cls(np.array(rows, float), classes, starts, fold_of, folds, units, protocol)


Measure = Callable[[_Table, NDArray[np.float64]], NDArray[np.float64]]
"""A metric for each of b weightings of the n rows: (b, n) to (b,)."""


def _measures(protocol: EvaluationProtocol) -> dict[str, Measure]:
    known: dict[str, Measure] = {"miou": _miou, "fb_iou": _fb_iou, "image_miou": _image_miou}
    if protocol.accuracy:
        known["macc"] = _macc
    if protocol.boundary:
        known |= {"j": _miou, "f": _f}
    return known


def _class_iou(table: _Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(b, c): IoU of each class, nan for one that a resample lacks."""
    if table.protocol.frames:
        return _class_mean(table, weights, 5)
    intersection, union = (_sums(table, weights, column) for column in (0, 1))
    return np.where(_drawn(table, weights) > 0, intersection / np.maximum(union, 1), np.nan)


def _class_mean(table: _Table, weights: NDArray[np.float64], column: int) -> NDArray[np.float64]:
    """(b, c): the mean of a column over the rows of each class."""
    drawn = _drawn(table, weights)
    return np.where(drawn > 0, _sums(table, weights, column) / np.maximum(drawn, 1), np.nan)


def _sums(table: _Table, weights: NDArray[np.float64], column: int) -> NDArray[np.float64]:
    """(b, c): a column summed over each class."""
    return np.add.reduceat(weights * table.values[:, column], table.starts, axis=1)


def _drawn(table: _Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(b, c): how often rows of each class are drawn."""
    return np.add.reduceat(weights, table.starts, axis=1)


def _over_folds(table: _Table, values: NDArray[np.float64], keep_folds: bool = False) -> NDArray[np.float64]:
    """(b, c) to (b,): the mean over the classes of each fold, then over folds; (b, folds) with ``keep_folds``."""
    of_class = np.array([fold for fold, _ in table.classes])
    means = np.column_stack([_nanmean(values[:, of_class == fold]) for fold in table.folds])
    return means if keep_folds else _nanmean(means)


def _nanmean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each row without nan; nan for a row of nothing else."""
    known = ~np.isnan(values)
    number = known.sum(1)
    return np.where(number > 0, np.where(known, values, 0).sum(1) / np.maximum(number, 1), np.nan)


def _miou(table: _Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return _over_folds(table, _class_iou(table, weights))


def _fb_iou(table: _Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of foreground and background IoU, each of sums over all classes of a fold; then over folds."""
    of_class = np.array([fold for fold, _ in table.classes])
    sums = [_sums(table, weights, column) for column in (0, 1, 3, 4)]
    means = []
    for fold in table.folds:
        inside, either, outside, any_outside = (each[:, of_class == fold].sum(1) for each in sums)
        means.append((inside / np.maximum(either, 1) + outside / np.maximum(any_outside, 1)) / 2)
    return np.mean(means, axis=0)


def _image_miou(table: _Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return weights @ table.values[:, 5] / weights.sum(1)


def _macc(table: _Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean accuracy: the share of the true pixels of a class that is predicted, over classes."""
    found, truth = (_sums(table, weights, column) for column in (0, 2))
    shares = np.where(_drawn(table, weights) > 0, found / np.maximum(truth, 1), np.nan)
    return _over_folds(table, shares)


def _f(table: _Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return _over_folds(table, _class_mean(table, weights, 6))


def _resample(
    table: _Table, measures: Mapping[str, Measure], samples: int, random: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Each metric on ``samples`` resamples: episodes within their fold, or whole units."""
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in measures}
    groups = _groups(table)
    for first in range(0, samples, CHUNK):
        weights = np.zeros((min(CHUNK, samples - first), len(table.values)))
        for units in groups:
            times = random.multinomial(len(units), np.full(len(units), 1 / len(units)), len(weights))
            for number, rows in enumerate(units):
                weights[:, rows] = times[:, [number]]
        for name, measure in measures.items():
            found[name].append(_of_units(table, measure, weights))
    return {name: np.concatenate(values) if values else np.empty(0) for name, values in found.items()}


def _groups(table: _Table) -> list[list[NDArray[np.intp]]]:
    """Groups of units that are resampled on their own; a unit is the rows that stay together."""
    if table.protocol.unit.startswith("episodes"):
        return [[np.array([row]) for row in np.flatnonzero(table.fold_of == fold)] for fold in table.folds]
    names = np.array(table.units)
    return [[np.flatnonzero(names == name) for name in dict.fromkeys(table.units)]]


def _of_units(table: _Table, measure: Measure, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """A metric for each weighting. A class that is drawn twice as a whole counts twice in the mean over classes."""
    if table.protocol.unit.startswith("episodes") or measure in (_image_miou, _fb_iou):
        return measure(table, weights)
    single = np.ones((1, len(table.values)))
    if measure is _macc:
        per_class = _sums(table, single, 0)[0] / np.maximum(_sums(table, single, 2)[0], 1)
    else:
        per_class = (_class_mean(table, single, 6) if measure is _f else _class_iou(table, single))[0]
    times = _drawn(table, weights) / _drawn(table, single)  # (b, c): how often each class was drawn
    return times @ per_class / times.sum(1)


def _bounds(drawn: NDArray[np.float64]) -> tuple[float, float]:
    known = drawn[~np.isnan(drawn)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def running_miou(pixels: Iterable[tuple[Episode, Pixels]]) -> Callable[[Episode, Pixels], float]:
    """A function that adds one prediction to those before and returns the mIoU of all, by sums over classes."""
    sums: dict[tuple[int, str], list[int]] = {}

    def add(episode: Episode, found: Pixels) -> float:
        entry = sums.setdefault((episode.fold, episode.category), [0, 0])
        entry[0] += found.intersection
        entry[1] += found.union
        return current()

    def current() -> float:
        folds: dict[int, list[float]] = {}
        for (fold, _), (intersection, union) in sums.items():
            folds.setdefault(fold, []).append(intersection / max(union, 1))
        return float(np.mean([np.mean(values) for values in folds.values()]))

    for episode, found in pixels:
        add(episode, found)
    return add
