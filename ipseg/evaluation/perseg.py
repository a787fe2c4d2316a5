"""Image-prompt segmentation on a folder in PerSeg's layout: every ordered pair, no mask given.

Protocol: the prompt is an image without its mask; the query is another image of the same object; IoU at the query's
own size, without the border of a label image. Pairs of different objects measure presence
detection. An image whose truth is empty does not show its object: it is no prompt, has no IoU, and as a query it counts
as a pair without the object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from skimage.filters import threshold_otsu

from ipseg.core import images
from ipseg.core.masks import GivenMask, iou, read_mask
from ipseg.core.status import Status
from ipseg.core.types import InputError
from ipseg.datasets import folder
from ipseg.engine.protocol import Engine
from ipseg.evaluation import predict
from ipseg.evaluation.metrics import area_under_curve
from ipseg.method.encodings import named

NAMED = 8  # images with an empty truth that are named

Truth = Callable[[folder.Sample], GivenMask]
"""Reads the truth of an image."""


@dataclass(frozen=True)
class States:
    """The shares of pairs in each state, in [0, 1]; they sum to 1."""

    pairs: int
    detected: float
    uncertain: float
    not_detected: float  # these pairs are refused: their mask is not written


@dataclass(frozen=True)
class Row:
    """One object, or the mean over all pairs."""

    object: str
    pairs: int
    miou: float  # of the best guess, whether or not the pair was refused
    written: float  # mIoU of the mask that the command line writes: a refused pair counts 0, an uncertain one as it is
    saliency: float  # mIoU of the query image's own saliency, cut by Otsu's threshold
    worst: float  # the lowest IoU of a pair
    states: States


@dataclass(frozen=True)
class Presence:
    """How well the presence score separates the pairs that show the object from those that do not."""

    threshold: float
    reject_threshold: float
    present: States  # of the pairs of one object
    absent: States  # of the pairs without the object
    auc: float  # area under the ROC curve of the score
    empty_truths: int = 0  # of the absent pairs, those of one object whose query has an empty truth


@dataclass(frozen=True)
class Evaluation:
    """What :func:`evaluate` found."""

    rows: list[Row]
    presence: Presence | None
    notices: tuple[str, ...] = ()  # about the ground truths, one message each


def evaluate(
    engine: Engine,
    data: Path,
    runs: Path,
    *,
    absent: int = 200,
    mask_value: int | None = None,
    report: Callable[[int, int], None] = lambda a, b: None,
) -> Evaluation:
    """Predict and score ``data``. Of the pairs of different objects at most ``absent`` are predicted, evenly spread.

    ``mask_value`` chooses one of several values of the truths, as :func:`ipseg.core.masks.read_mask` does. All truths
    are read before the first prediction. Raises :class:`InputError` for data that cannot be evaluated.
    """
    truth = partial(_truth, mask_value=mask_value)
    found = folder.samples(data)
    empty: list[str] = []
    assumed: list[str] = []
    for sample in found:  # read again when it is scored: all masks together may not fit into memory
        known = truth(sample)
        empty += [sample.name] if known.empty else []
        assumed += known.notices
    shown = [sample for sample in found if sample.name not in empty]
    present = list(folder.pairs(shown))
    if not present:
        raise InputError(f"{data} has no object with two images that show it; add a second one.")
    hidden = [episode for episode in folder.pairs(found) if _query_is_empty(episode, empty)]
    others = [episode for episode in folder.pairs(found, absent=True) if episode.prompt.name not in empty]
    apart = hidden + _spread(others, absent)
    target = predict.folder(runs, engine, data)
    answers = list(predict.predict(engine, present + apart, target, report))
    alone = {sample.name: _saliency_alone(engine, sample, truth) for sample in shown}
    scored = [(episode, record, _iou(target, episode, record, truth)) for episode, record in answers[: len(present)]]
    rows = [_row(name, [s for s in scored if s[0].query.object == name], alone) for name in _objects(shown)]
    rows.append(_row("mean of pairs", scored, alone))
    refusals = [record for _, record in answers[len(present) :]]
    presence = _presence(engine, [record for _, record, _ in scored], refusals, len(hidden))
    return Evaluation(rows, presence, (*_empty_truth_notice(empty), *assumed))


def table(found: Evaluation) -> str:
    """The rows as a Markdown table, one message about presence, and the notices."""
    rows, presence = found.rows, found.presence
    lines = [
        "| object | pairs | IPSeg mIoU | CLI mIoU | saliency alone | worst pair | detected | uncertain |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {row.object} | {row.pairs} | {row.miou:.3f} | {row.written:.3f} | {row.saliency:.3f} | "
            f"{row.worst:.3f} | {row.states.detected:.0%} | {row.states.uncertain:.0%} |"
            for row in rows
        ),
    ]
    if presence:
        without = "of different objects"
        if presence.empty_truths:
            without = f"without the object ({presence.empty_truths} of them by an empty truth)"
        lines += [
            "",
            f"Presence, threshold {presence.threshold:.2f}, reject threshold {presence.reject_threshold:.2f} "
            f"(area under the curve {presence.auc:.2f}):",
            "",
            "| pairs | number | detected | uncertain | not detected |",
            "|---|---:|---:|---:|---:|",
            _states_line("of one object", presence.present),
            _states_line(without, presence.absent),
        ]
    for notice in found.notices:
        lines += ["", notice]
    return "\n".join(lines)


def _states_line(pairs: str, states: States) -> str:
    shares = (states.detected, states.uncertain, states.not_detected)
    return f"| {pairs} | {states.pairs} | {' | '.join(f'{share:.0%}' for share in shares)} |"


def _empty_truth_notice(names: list[str]) -> list[str]:
    """The notice about images whose truth is empty: one message, or none."""
    if not names:
        return []
    several = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return [
        f"Empty truth: {several}; not in the mIoU and no prompt, and as a query counted as a pair without the object."
    ]


def _query_is_empty(episode: folder.Pair, empty: list[str]) -> bool:
    """Whether the query of a pair of one object has an empty truth, and its prompt has not."""
    return episode.query.name in empty and episode.prompt.name not in empty


def _row(name: str, scored: list, alone: dict[str, float]) -> Row:
    ious = [value for _, _, value in scored]
    states = _states([record for _, record, _ in scored])
    written = [value * Status(record["status"]).has_mask for _, record, value in scored]
    saliency = np.mean([alone[episode.query.name] for episode, _, _ in scored])
    return Row(name, len(scored), float(np.mean(ious)), float(np.mean(written)), float(saliency), min(ious), states)


def _states(records: list[dict]) -> States:
    """The shares of the states in predictions, of which there is one at least."""
    counts = Counter(record["status"] for record in records)
    return States(len(records), *(counts[status] / len(records) for status in Status))


def _presence(engine: Engine, present: list[dict], absent: list[dict], empty_truths: int) -> Presence | None:
    if not absent:
        return None
    return Presence(
        engine.config.threshold,
        engine.config.reject_threshold,
        _states(present),
        _states(absent),
        area_under_curve([record["score"] for record in present], [record["score"] for record in absent]),
        empty_truths,
    )


def _saliency_alone(engine: Engine, sample: folder.Sample, truth: Truth) -> float:
    values = engine.encodings.saliency(named(sample.image))
    flat = values.min() == values.max()
    mask = np.zeros(values.shape, bool) if flat else values > threshold_otsu(values)
    known = truth(sample)
    return iou(mask, known.mask, known.ignored)


def _truth(sample: folder.Sample, mask_value: int | None) -> GivenMask:
    size = images.open_image(sample.image).shape[:2]
    return read_mask(
        sample.truth,
        size,
        mask_value=mask_value,
        orientation=images.orientation(sample.image),
        empty=True,
        name=f"{sample.truth.name} of {sample.object}",
    )


def _iou(target: Path, episode: folder.Pair, record: dict, truth: Truth) -> float:
    known = truth(episode.query)
    return iou(predict.read_mask(target, record), known.mask, known.ignored)


def _objects(found: list[folder.Sample]) -> list[str]:
    names = [sample.object for sample in found]
    return [name for name in sorted(set(names)) if names.count(name) > 1]


def _spread(episodes: list, at_most: int) -> list:
    if len(episodes) <= at_most:
        return episodes
    return [episodes[int(i * len(episodes) / at_most)] for i in range(at_most)]
