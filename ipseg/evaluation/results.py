"""The score of a run that was predicted: masks are read, nothing is predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ipseg.core.types import InputError, SettingError
from ipseg.datasets import Dataset
from ipseg.evaluation.predicting import FAILED
from ipseg.evaluation.runs import Prediction, Run
from ipseg.evaluation.scoring import SAMPLES, Score, Scored, compare, score

NAMES = {
    "miou": "mIoU",
    "fb_iou": "FB-IoU",
    "image_miou": "per-image mean IoU",
    "macc": "mAcc",
    "j": "J",
    "f": "F",
}


def check_scale(scale: int | None) -> None:
    """Raise :class:`SettingError` for a side that no mask is squashed to."""
    if scale is not None and not 1 <= scale <= 8192:
        raise SettingError(f"--scale is {scale}; give 1 to 8192 pixels, or leave it out for the image's own size.")


def scored(run: Run, dataset: Dataset, scale: int | None = None) -> Iterator[tuple[int, Prediction, Scored]]:
    """Every prediction of a run beside its truth, in the order of the episodes, with the number of its episode.

    Raises :class:`InputError` where a mask does not fit its image.
    """
    for number, episode in enumerate(dataset.episodes):
        prediction = run.load(number)
        if prediction is not None:
            try:
                yield number, prediction, compare(episode, prediction.mask, dataset.protocol, scale)
            except ValueError as error:
                raise InputError(f"{run.folder}: {error}; the dataset is not that of the run.") from error


def score_run(
    run: Run,
    *,
    data: Path | None = None,
    scale: int | None = None,
    samples: int = SAMPLES,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> Score:
    """Score a run. Raises :class:`InputError` for a run without a prediction, or whose dataset is not there."""
    check_scale(scale)
    dataset = run.dataset(data)
    rows, failed, total = [], 0, len(dataset.episodes)
    for number, prediction, each in scored(run, dataset, scale):
        rows.append(each)
        failed += prediction.status == FAILED
        report(number + 1, total)
    if not rows:
        raise InputError(f"{run.folder} has no prediction yet; run ipseg predict again.")
    notes: dict[str, Any] = {
        "dataset": dataset.name,
        "of": total,
        "scale": f"{scale} x {scale}" if scale else "the image's own size",
        "failed": failed,
        "lacks": dataset.lacks(),
    }
    return score(rows, dataset.protocol, samples=samples, notes=notes)


def text(found: Score, title: str) -> str:
    """A score as lines for a terminal."""
    notes = found.notes
    part = f" ({notes['lacks']} of the dataset)" if notes["lacks"] else ""
    lines = [
        f"{title} on {notes['dataset']}{part}: {found.episodes} of {notes['of']} episodes, scored at {notes['scale']}",
        found.protocol.text,
        "",
        *(
            f"{NAMES[name]:<20}{100 * metric.value:6.2f}   [{100 * metric.low:.2f}, {100 * metric.high:.2f}]"
            for name, metric in found.metrics.items()
        ),
    ]
    if len(found.folds) > 1:
        lines += [f"{'fold ' + str(fold):<20}{100 * value:6.2f}" for fold, value in found.folds.items()]
    lines += ["", f"{'class':<28}{'episodes':>9}{'IoU':>8}"]
    lines += [f"{each.category:<28}{each.episodes:>9}{100 * each.iou:>8.2f}" for each in found.classes]
    lines += ["", f"Per cent; in brackets the 95 % interval of a bootstrap over {found.protocol.unit}."]
    if notes["failed"]:
        lines.append(f"{notes['failed']} episodes failed and count with an empty mask.")
    return "\n".join(lines)
