"""Image-prompt segmentation on a folder in PerSeg's layout: every ordered pair, no mask given.

Protocol: the prompt is an image without its mask; the query is another image of the same object; IoU at the query's
own size, without the border of a label image. Pairs of different objects ask the other question, whether the object is
there at all. An image whose truth is empty does not show its object: it is no prompt, has no IoU, and as a query it
asks that other question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from skimage.filters import threshold_otsu

from ipseg.core import images
from ipseg.core.masks import GivenMask, read_mask
from ipseg.core.types import InputError
from ipseg.datasets import perseg
from ipseg.engine.protocol import Engine
from ipseg.evaluation import predict
from ipseg.evaluation.metrics import area_under_curve, iou
from ipseg.method.encodings import named

NAMED = 8  # images with an empty truth that are named

Truth = Callable[[perseg.Picture], GivenMask]
"""Reads the truth of an image."""


@dataclass(frozen=True)
class Row:
    """One object, or the mean over all pairs."""

    object: str
    pairs: int
    miou: float  # of the best guess, whether or not the pair was refused
    saliency: float  # mIoU of the query image's own saliency, cut by Otsu's threshold
    worst: float  # the lowest IoU of a pair
    kept: float  # share of pairs that were found


@dataclass(frozen=True)
class Presence:
    """How well the score separates the pairs that show the object from those that do not."""

    threshold: float
    kept: float  # share of the pairs of one object that were found
    refused: float  # share of the pairs without the object that were not
    absent_pairs: int
    auc: float  # area under the ROC curve of the score
    empty_truths: int = 0  # of ``absent_pairs``, those of one object whose query has an empty truth


@dataclass(frozen=True)
class Evaluation:
    """What :func:`evaluate` found."""

    rows: list[Row]
    presence: Presence | None
    notices: tuple[str, ...] = ()  # what a person should know about the truths, one message each


def evaluate(
    engine: Engine,
    data: Path,
    runs: Path,
    *,
    absent: int = 200,
    mask_value: int | None = None,
    report: Callable[[int, int], None] = lambda a, b: None,
) -> Evaluation:
    """Predict and score ``data``. Of the pairs of different objects at most ``absent`` are asked, evenly spread.

    ``mask_value`` chooses one of several values of the truths, as :func:`ipseg.core.masks.read_mask` does. All truths
    are read before the first prediction. Raises :class:`InputError` for data that cannot be evaluated.
    """
    truth = partial(_truth, mask_value=mask_value)
    found = perseg.pictures(data)
    empty: list[str] = []
    assumed: list[str] = []
    for picture in found:  # each truth is read again when it is scored: the masks of all would fill the memory
        known = truth(picture)
        empty += [picture.name] if known.empty else []
        assumed += known.notices
    shown = [picture for picture in found if picture.name not in empty]
    present = list(perseg.episodes(shown))
    if not present:
        raise InputError(f"{data} has no object with two images that show it; add a second one to ask about.")
    hidden = [episode for episode in perseg.episodes(found) if _asks(episode, empty)]
    others = [episode for episode in perseg.episodes(found, absent=True) if episode.prompt.name not in empty]
    apart = hidden + _spread(others, absent)
    target = predict.folder(runs, engine, data)
    answers = list(predict.predict(engine, present + apart, target, report))
    alone = {picture.name: _saliency_alone(engine, picture, truth) for picture in shown}
    scored = [(episode, record, _iou(target, episode, record, truth)) for episode, record in answers[: len(present)]]
    rows = [_row(name, [s for s in scored if s[0].query.object == name], alone) for name in _objects(shown)]
    rows.append(_row("mean of pairs", scored, alone))
    refusals = [record for _, record in answers[len(present) :]]
    presence = _presence(engine, [record for _, record, _ in scored], refusals, len(hidden))
    return Evaluation(rows, presence, (*_about_empty(empty), *assumed))


def table(found: Evaluation) -> str:
    """The rows as a Markdown table, one message about presence, and the notices."""
    rows, presence = found.rows, found.presence
    lines = [
        "| object | pairs | IPSeg mIoU | saliency alone | worst pair | found |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {row.object} | {row.pairs} | {row.miou:.3f} | {row.saliency:.3f} | {row.worst:.3f} | {row.kept:.0%} |"
            for row in rows
        ),
    ]
    if presence:
        without = "of different objects"
        if presence.empty_truths:
            without = f"without the object ({presence.empty_truths} of them by an empty truth)"
        lines += [
            "",
            f"Presence, threshold {presence.threshold:.2f}: {presence.kept:.0%} of the pairs of one object are found, "
            f"{presence.refused:.0%} of {presence.absent_pairs} pairs {without} are refused "
            f"(area under the curve {presence.auc:.2f}).",
        ]
    for notice in found.notices:
        lines += ["", notice]
    return "\n".join(lines)


def _about_empty(names: list[str]) -> list[str]:
    """What the evaluation says of images whose truth is empty."""
    if not names:
        return []
    several = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return [
        f"Empty truth: {several}; not in the mIoU and no prompt, and as a query counted as a pair without the object."
    ]


def _asks(episode: perseg.Episode, empty: list[str]) -> bool:
    """Whether the pair of one object asks about an image that does not show it."""
    return episode.query.name in empty and episode.prompt.name not in empty


def _row(name: str, scored: list, alone: dict[str, float]) -> Row:
    ious = [value for _, _, value in scored]
    kept = np.mean([record["found"] for _, record, _ in scored])
    saliency = np.mean([alone[episode.query.name] for episode, _, _ in scored])
    return Row(name, len(scored), float(np.mean(ious)), float(saliency), min(ious), float(kept))


def _presence(engine: Engine, present: list[dict], absent: list[dict], empty_truths: int) -> Presence | None:
    if not absent:
        return None
    return Presence(
        engine.config.threshold,
        float(np.mean([record["found"] for record in present])),
        float(np.mean([not record["found"] for record in absent])),
        len(absent),
        area_under_curve([record["score"] for record in present], [record["score"] for record in absent]),
        empty_truths,
    )


def _saliency_alone(engine: Engine, picture: perseg.Picture, truth: Truth) -> float:
    values = engine.encodings.saliency(named(picture.image))
    flat = values.min() == values.max()
    mask = np.zeros(values.shape, bool) if flat else values > threshold_otsu(values)
    known = truth(picture)
    return iou(mask, known.mask, known.ignored)


def _truth(picture: perseg.Picture, mask_value: int | None) -> GivenMask:
    size = images.open_image(picture.image).shape[:2]
    return read_mask(
        picture.truth,
        size,
        mask_value=mask_value,
        orientation=images.orientation(picture.image),
        empty=True,
        name=f"{picture.truth.name} of {picture.object}",
    )


def _iou(target: Path, episode: perseg.Episode, record: dict, truth: Truth) -> float:
    known = truth(episode.query)
    return iou(predict.read_mask(target, record), known.mask, known.ignored)


def _objects(found: list[perseg.Picture]) -> list[str]:
    names = [picture.object for picture in found]
    return [name for name in sorted(set(names)) if names.count(name) > 1]


def _spread(episodes: list, at_most: int) -> list:
    if len(episodes) <= at_most:
        return episodes
    return [episodes[int(i * len(episodes) / at_most)] for i in range(at_most)]
