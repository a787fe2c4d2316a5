"""What the tab "Prompt sets" shows."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.core import viz
from ipseg.core.types import ImageArray
from ipseg.studies import galleries
from ipseg.studies.galleries import GalleryImage, GalleryResult, ObjectKind
from ipseg.ui.widgets import gallery_views
from ipseg.ui.widgets.images import shown

SAME = 0.02  # of IoU: what differs by less is no difference


def before(kind: ObjectKind) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The prompts and the images to search of a kind of object, before a run."""
    prompts = [(str(one.image), f"set {name}: {one.caption}") for name, each in kind.sets.items() for one in each]
    return prompts, [(str(one.image), f"image {number}: {one.caption}") for number, one in enumerate(kind.inputs, 1)]


def verdict(
    found: Mapping[str, Sequence[GalleryResult]], inputs: Sequence[GalleryImage], title: str, engine: str
) -> str:
    """What the prompt changes, in one message, and the tables of IoU, as HTML."""
    known = all(each.mask is not None for each in inputs)
    text = (
        f"<b>{html.escape(title)}.</b> {_finding(found) if known else _most_reliable(found)} "
        f'<span class="aside">Engine {html.escape(engine)}.</span>'
    )
    return f'<div class="waiting" role="status">{text}</div>{gallery_views.matrix(found, inputs)}'


def _finding(found: Mapping[str, Sequence[GalleryResult]]) -> str:
    """Whether the prompt matters on images whose truth is known."""
    means = {name: galleries.mean_iou(each) for name, each in found.items()}
    best, worst = _extremes(means)
    if means[best] - means[worst] < SAME:
        return (
            f"The prompt makes no difference here (below {SAME}): the mean IoU with the ground truth is "
            f"{means[best]:.2f} with each of them."
        )
    return (
        f"The prompt matters here: the best is {html.escape(best)} (mean IoU with the ground truth {means[best]:.2f}), "
        f"the worst is {html.escape(worst)} ({means[worst]:.2f})."
    )


def _extremes(values: Mapping[str, float]) -> tuple[str, str]:
    """The names of the highest and of the lowest value."""
    return max(values, key=values.__getitem__), min(values, key=values.__getitem__)


def _most_reliable(found: Mapping[str, Sequence[GalleryResult]]) -> str:
    """Which prompt agrees most with the others, where no truth is known."""
    values = galleries.reliability(found)
    best, worst = _extremes(values)
    if values[best] - values[worst] < SAME:
        return f"All prompts are equally reliable: their masks agree with a mean IoU of {values[best]:.2f}."
    return (
        f"The most reliable prompt is {html.escape(best)}: its masks agree with those of the others with a mean IoU of "
        f"{values[best]:.2f}. The least reliable is {html.escape(worst)} ({values[worst]:.2f})."
    )


def prompts(sets: Mapping[str, Sequence[Path]], found: Mapping[str, Sequence[GalleryResult]]) -> list[tuple[Any, str]]:
    """The prompts, bright where each was taken as the object."""
    return [(gallery_views.spotlight(paths[0], found[name][0]), name) for name, paths in sets.items()]


def answers(found: Mapping[str, Sequence[GalleryResult]]) -> list[tuple[Any, str]]:
    """The results: for each input one image of each set, and the share of the prompts that agree on each pixel."""
    shares, rows = galleries.consensus(found), []
    for place, share in enumerate(shares):
        rows += [
            (gallery_views.overlay(each[place]), gallery_views.caption(name, each[place]))
            for name, each in found.items()
        ]
        agreed = next(iter(found.values()))[place]
        rows.append(
            (_agreed(agreed.image, share), f"{_overlap(share):.0%} of the pixels are in all {len(found)} masks")
        )
    return rows


def _agreed(image: ImageArray, share: np.ndarray) -> ImageArray:
    """The image, the brighter the more prompts took a pixel, with an outline around what all of them took."""
    return shown(viz.overlay(viz.spotlight(image, share), share == 1, opacity=0.0))


def _overlap(share: np.ndarray) -> float:
    """Pixels that all prompts took, as a share of those that any prompt took; 1 where none took any."""
    taken = np.count_nonzero(share)
    return float(np.count_nonzero(share == 1) / taken) if taken else 1.0
