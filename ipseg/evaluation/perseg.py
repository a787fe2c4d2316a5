"""Image-prompt segmentation on a folder in PerSeg's layout: every ordered pair, no mask given.

Protocol: the prompt is an image without its mask; the query is another image of the same object; IoU at the query's
own size. Pairs of different objects ask the other question, whether the object is there at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage.filters import threshold_otsu

from ipseg.core import images
from ipseg.core.types import InputError
from ipseg.datasets import perseg
from ipseg.evaluation import predict
from ipseg.evaluation.metrics import area_under_curve, iou
from ipseg.method.encodings import named
from ipseg.method.pipeline import IPSeg


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
    """How well the score tells the pairs where the object is there from those where it is not."""

    threshold: float
    kept: float  # share of the pairs of one object that were found
    refused: float  # share of the pairs of different objects that were not
    absent_pairs: int
    auc: float  # area under the ROC curve of the score


def evaluate(
    engine: IPSeg, data: Path, runs: Path, *, absent: int = 200, report: Callable[[int, int], None] = lambda a, b: None
) -> tuple[list[Row], Presence | None]:
    """Predict and score ``data``. Of the pairs of different objects at most ``absent`` are asked, evenly spread."""
    found = perseg.pictures(data)
    present = list(perseg.episodes(found))
    if not present:
        raise InputError(f"{data} has no object with two images; add a second one to ask about.")
    apart = _spread(list(perseg.episodes(found, absent=True)), absent)
    target = predict.folder(runs, engine, data)
    answers = list(predict.predict(engine, present + apart, target, report))
    alone = {picture.name: _saliency_alone(engine, picture) for picture in found}
    scored = [(episode, record, _iou(target, episode, record)) for episode, record in answers[: len(present)]]
    rows = [_row(name, [s for s in scored if s[0].query.object == name], alone) for name in _objects(found)]
    rows.append(_row("mean of pairs", scored, alone))
    refusals = [record for _, record in answers[len(present) :]]
    return rows, _presence(engine, [record for _, record, _ in scored], refusals)


def table(rows: list[Row], presence: Presence | None) -> str:
    """The rows as a Markdown table, and one message about presence."""
    lines = [
        "| object | pairs | IPSeg mIoU | saliency alone | worst pair | found |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {row.object} | {row.pairs} | {row.miou:.3f} | {row.saliency:.3f} | {row.worst:.3f} | {row.kept:.0%} |"
            for row in rows
        ),
    ]
    if presence:
        lines += [
            "",
            f"Presence, threshold {presence.threshold:.2f}: {presence.kept:.0%} of the pairs of one object are found, "
            f"{presence.refused:.0%} of {presence.absent_pairs} pairs of different objects are refused "
            f"(area under the curve {presence.auc:.2f}).",
        ]
    return "\n".join(lines)


def _row(name: str, scored: list, alone: dict[str, float]) -> Row:
    ious = [value for _, _, value in scored]
    kept = np.mean([record["found"] for _, record, _ in scored])
    saliency = np.mean([alone[episode.query.name] for episode, _, _ in scored])
    return Row(name, len(scored), float(np.mean(ious)), float(saliency), min(ious), float(kept))


def _presence(engine: IPSeg, present: list[dict], absent: list[dict]) -> Presence | None:
    if not absent:
        return None
    return Presence(
        engine.config.threshold,
        float(np.mean([record["found"] for record in present])),
        float(np.mean([not record["found"] for record in absent])),
        len(absent),
        area_under_curve([record["score"] for record in present], [record["score"] for record in absent]),
    )


def _saliency_alone(engine: IPSeg, picture: perseg.Picture) -> float:
    values = engine.encodings.saliency(named(picture.image))
    flat = values.min() == values.max()
    mask = np.zeros(values.shape, bool) if flat else values > threshold_otsu(values)
    return iou(mask, _truth(picture, mask.shape))


def _truth(picture: perseg.Picture, size: tuple[int, ...]) -> np.ndarray:
    truth = images.open_image(picture.truth).max(axis=-1) > 127
    if truth.shape != size:
        raise InputError(f"{picture.truth.name} of {picture.object} has not the size of its image; make them equal.")
    return truth


def _iou(target: Path, episode: perseg.Episode, record: dict) -> float:
    mask = predict.read_mask(target, record)
    return iou(mask, _truth(episode.query, mask.shape))


def _objects(found: list[perseg.Picture]) -> list[str]:
    names = [picture.object for picture in found]
    return [name for name in sorted(set(names)) if names.count(name) > 1]


def _spread(episodes: list, at_most: int) -> list:
    if len(episodes) <= at_most:
        return episodes
    return [episodes[int(i * len(episodes) / at_most)] for i in range(at_most)]
