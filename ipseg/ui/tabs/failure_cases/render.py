"""What the tab "Failure cases" shows."""

from __future__ import annotations

import html

from ipseg.core.images import open_image
from ipseg.core.status import Status
from ipseg.core.types import ImageArray
from ipseg.studies.galleries import CORRECTED, NEGATIVE, SECOND, FailureCase, GalleryResult
from ipseg.ui.widgets.gallery_views import spotlight

BECAUSE = {
    "single": "The rule: a single object.",
    "complete": "The rule: the complete object.",
    "clear": "The rule: the object clearly seen.",
    "": "The prompt is good, the image is hard.",
}
WHAT = {CORRECTED: "The corrected prompt", SECOND: "A second prompt image", NEGATIVE: "A negative prompt"}
LEFT = "Clicks on the result, in Segment, are left."
SAME = 0.02  # of IoU: what differs by less is no difference
WRONG, RIGHT = 0.5, 0.9  # IoU below which a result is wrong, and from which on it is right


def verdict(case: FailureCase, before: GalleryResult, after: GalleryResult, engine: str) -> str:
    """What is wrong, and what the remedy changes, with the IoU and the status before and after."""
    text = (
        f"<b>{html.escape(case.title)}.</b> {html.escape(case.broken)} {BECAUSE.get(case.rule, '')} "
        f"{_finding(case, before, after)} IoU with the ground truth: before {_state(before)}, "
        f'after {_state(after)}. <span class="aside">Engine {html.escape(engine)}.</span>'
    )
    return f'<div class="waiting finding" role="status">{text}</div>'


def _finding(case: FailureCase, before: GalleryResult, after: GalleryResult) -> str:
    gain, what = (after.iou or 0.0) - (before.iou or 0.0), WHAT[case.remedy]
    wrong = (after.iou or 0.0) < WRONG
    if gain >= SAME:
        return f"<b>{what} helps a little;</b> the mask is still wrong. {LEFT}" if wrong else f"<b>{what} helps.</b>"
    found = after.status is not before.status and after.status is Status.DETECTED
    if gain > -SAME and found and not wrong:
        return f"<b>{what} helps:</b> the mask is the same, and the object is detected."
    if abs(gain) < SAME and before.status is Status.DETECTED and (before.iou or 0.0) >= RIGHT:
        return "<b>With this engine, on this image, nothing goes wrong.</b>"
    same = "makes no difference to the mask" if gain > -SAME else "does not help"
    return f"<b>{what} {same}</b> with this engine, on this image. {LEFT}"


def _state(result: GalleryResult) -> str:
    status = "" if result.status is Status.DETECTED else f" ({result.status.words})"
    return f"{result.iou or 0.0:.2f}{status}"


def labels(case: FailureCase) -> tuple[str, str, str, str]:
    """Of the images of the result."""
    return ("The prompt, bright: the object", "Its result", f"{WHAT[case.remedy]}", "The result with it")


def remedy(case: FailureCase, after: GalleryResult) -> ImageArray:
    """The prompt image that may help, bright where it was taken as the object."""
    return open_image(case.mended.image) if case.remedy == NEGATIVE else spotlight(case.mended, after)
