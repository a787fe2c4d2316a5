"""What the tab "Prompt sets" shows."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipseg.studies import galleries
from ipseg.studies.galleries import GalleryResult, ObjectKind
from ipseg.ui.widgets import gallery_views


def verdict(found: Mapping[str, Sequence[GalleryResult]], kind: ObjectKind, engine: str) -> str:
    """The best and the worst prompt, and the tables of IoU, as HTML."""
    means = {name: galleries.mean_iou(each) for name, each in found.items()}
    best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    text = (
        f"<b>{html.escape(kind.title)}.</b> The best prompt is {best} (mean IoU {means[best]:.2f}), the worst is "
        f'{worst} ({means[worst]:.2f}). <span class="aside">Engine {html.escape(engine)}.</span>'
    )
    return f'<div class="waiting" role="status">{text}</div>{gallery_views.matrix(found, kind.inputs)}'


def prompts(sets: Mapping[str, Sequence[Path]], found: Mapping[str, Sequence[GalleryResult]]) -> list[tuple[Any, str]]:
    """The prompts, bright where each was taken as the object."""
    return [(gallery_views.spotlight(paths[0], found[name][0]), name) for name, paths in sets.items()]


def answers(found: Mapping[str, Sequence[GalleryResult]]) -> list[tuple[Any, str]]:
    """The results: one row for each input, one column for each set."""
    count = len(next(iter(found.values())))
    return [
        (gallery_views.overlay(each[place]), f"{name}, IoU {each[place].iou:.2f}")
        for place in range(count)
        for name, each in found.items()
    ]
