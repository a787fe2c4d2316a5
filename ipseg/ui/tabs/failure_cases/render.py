"""What the tab "Failure cases" shows."""

from __future__ import annotations

import html

from ipseg.core.status import Status
from ipseg.studies.galleries import FailureCase, GalleryResult

BECAUSE = {
    "single": "The rule: a single object.",
    "complete": "The rule: the complete object.",
    "clear": "The rule: the object clearly seen.",
}


SAME = 0.02  # of IoU: what differs by less is no difference


def verdict(case: FailureCase, broken: GalleryResult, mended: GalleryResult, engine: str) -> str:
    """What is wrong with the prompt, and what correcting it changes, with the IoU and the status before and after."""
    text = (
        f"<b>{html.escape(case.title)}.</b> {html.escape(case.broken)} {BECAUSE.get(case.rule, '')} "
        f"{_finding(broken, mended)} {_state('Before', broken)}, {_state('after', mended)}. "
        f'<span class="aside">Engine {html.escape(engine)}.</span>'
    )
    return f'<div class="waiting" role="status">{text}</div>'


def _finding(broken: GalleryResult, mended: GalleryResult) -> str:
    gain = (mended.iou or 0.0) - (broken.iou or 0.0)
    if gain >= SAME:
        return "Correcting it helps."
    if gain > -SAME:
        return "Correcting it makes no difference with this engine, on this image."
    return "With this engine, on this image, the corrected prompt is not better."


def _state(when: str, result: GalleryResult) -> str:
    status = "" if result.status is Status.DETECTED else f" ({result.status.words})"
    return f"{when}: IoU {result.iou or 0.0:.2f}{status}"
