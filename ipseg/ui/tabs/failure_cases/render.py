"""What the tab "Failure cases" shows."""

from __future__ import annotations

import html

from ipseg.studies.galleries import FailureCase, GalleryResult

BECAUSE = {
    "single": "The rule: a single object.",
    "complete": "The rule: the complete object.",
    "clear": "The rule: the object clearly seen.",
}


def verdict(case: FailureCase, broken: GalleryResult, mended: GalleryResult, engine: str) -> str:
    """What is wrong with the prompt, and how correcting it changes the IoU."""
    gain = mended.iou - broken.iou
    helped = "helps" if gain > 0.02 else ("changes little" if gain > -0.02 else "hurts")
    text = (
        f"<b>{html.escape(case.title)}.</b> {html.escape(case.broken)} {BECAUSE.get(case.rule, '')} "
        f"Correcting it {helped} here: IoU {broken.iou:.2f} before, {mended.iou:.2f} after. "
        f'<span class="aside">Engine {html.escape(engine)}.</span>'
    )
    return f'<div class="waiting" role="status">{text}</div>'
