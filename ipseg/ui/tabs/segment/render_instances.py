"""All instances of an image: what the page shows of them, what a session saves, and what the download holds."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg.core import geometry, viz
from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, InputError, Mask
from ipseg.ui.tabs.segment import render
from ipseg.ui.tabs.segment.instances import Edit, ShownInstance, labels, without
from ipseg.ui.tabs.segment.state import SavedInstance, SavedResult, SavedResults
from ipseg.ui.widgets.clicks import Clicks, as_points
from ipseg.ui.widgets.images import as_jpeg, as_png, shown

GONE = "The result is no longer saved; press Segment to compute it again."


def save(
    name: str,
    result: Result,
    found: Sequence[ShownInstance],
    cache: gr.components.Component,
    off: Sequence[int] = (),
    edits: Sequence[Edit] = (),
    count: int | None = None,
    accepted: bool = False,
) -> SavedResult:
    """What a session saves of the instances of a result, at least one.

    ``off``: the numbers of those that are switched off. ``edits``: the clicks that made them of the ``count`` instances
    that were there before; None: all were. ``accepted``: as of :func:`ipseg.ui.tabs.segment.instances.found_in`.
    """
    entries = tuple(
        SavedInstance(one.number, one.score, one.status, one.by_hand, _points_of(result, one.number)) for one in found
    )
    numbers = labels(found, result.mask.shape)
    start = SavedResult(
        name, result.image.shape[:2], record=result.record(), instances=entries, edits=tuple(edits),
        numbers=as_png(cache, numbers, f"{name}_numbers.png"), found=len(found) if count is None else count,
        off=tuple(number for number in off if number in {one.number for one in entries}), accepted=accepted,
    )  # fmt: skip
    return drawn(start, result.image, numbers, cache)


def _points_of(result: Result, number: int) -> Clicks:
    """The points of the method that led to the instance with this number; () where a person added it."""
    of_each = [one.points for one in result.instances] or [result.points]
    if number > len(of_each):
        return ()
    points = of_each[number - 1]
    signs = ((points.positive, True), (points.negative, False))
    return tuple((float(x), float(y), sign) for places, sign in signs for x, y in places)


def switched(one: SavedResult, off: Sequence[int], cache: gr.components.Component) -> SavedResult:
    """The same instances with others switched off. Raises InputError where the files are no longer there."""
    image, numbers = reopened(one)
    return drawn(replace(one, off=tuple(sorted(off))), image, numbers, cache)


def drawn(
    one: SavedResult, image: ImageArray, numbers: NDArray[np.uint8], cache: gr.components.Component
) -> SavedResult:
    """The files, the caption, the status and the record of the instances that are on.

    The archive holds the union of them as ``NAME.png``, their numbers as ``NAME.numbers.png`` (0 elsewhere), and each
    as ``NAME.N.png``.
    """
    on, name = one.on, one.name
    seen = without(numbers, one.off)
    masks = {each.number: seen == each.number for each in on}
    pixels = {
        f"{name}.png": (seen > 0).astype(np.uint8) * 255,
        f"{name}.numbers.png": seen,
        **{f"{name}.{number}.png": mask.astype(np.uint8) * 255 for number, mask in masks.items()},
    }
    statuses = {each.status for each in on}
    status = next((each for each in (Status.DETECTED, Status.UNCERTAIN) if each in statuses), Status.NOT_DETECTED)
    said = counted(one)
    return replace(
        one,
        caption=f"{name}: {said}",
        words=said,
        status=status,
        area=float((seen > 0).mean()),
        overlay=as_jpeg(cache, viz.numbered(image, list(masks.values()), list(masks)), f"{name}.jpg"),
        cut_out=as_png(cache, viz.cut_out(image, seen > 0), f"{name}_cut_out.png"),
        files=tuple((place, as_png(cache, each, place)) for place, each in pixels.items()),
        record=_record(one, status, masks),
    )


def _record(one: SavedResult, status: Status, masks: Mapping[int, Mask]) -> dict[str, Any]:
    """The instances that are on as data, in place of what the record says of a single mask."""
    single = ("positive_points", "negative_points", "instances", "status", "score")
    listed = [
        {
            "number": each.number,
            "status": each.status.value,
            "score": round(each.score, 4),
            "by_hand": each.by_hand,
            "pixels": int(masks[each.number].sum()),
            "box": list(geometry.bounding_box(masks[each.number]) or ()),
        }
        for each in one.on
    ]
    best = max((each.score for each in one.on), default=0.0)
    rest = {name: value for name, value in one.record.items() if name not in single}
    return {"status": status.value, "score": round(best, 4), **rest, "instances": listed, "found": len(one.instances)}


def counted(one: SavedResult) -> str:
    """How many instances there are, and how many of them are on: "3 instances", "2 of 3 instances"."""
    count, on = len(one.instances), len(one.on)
    of_them = f"{on} of " if on < count else ""
    return f"{of_them}{count} instance{'s' * (count != 1)}"


def verdict(saved: SavedResults) -> str:
    """How many instances were found, their scores and their area, as HTML, for the image that is shown."""
    one = saved.results[saved.which]
    kind = one.status.value.replace("_", "-") if one.on else "waiting"
    count = len(one.instances)
    found = f"<b>{count} instance{'s' * (count != 1)} found</b>"
    if not one.on:
        text = f"{found}, all switched off. The mask is empty."
    else:
        off = f", {len(one.on)} of them on" if one.off else ""
        text = f"{found}{off}. {_area(one)}{_doubt(one)}"
    rest = "".join(f'<br><span class="aside">{html.escape(notice)}</span>' for notice in render.notices(saved))
    took = f"{saved.seconds:.1f} s, engine {html.escape(saved.engine)}"
    return (
        f'<div class="{kind}" role="status">{_of_several(saved)}{text} '
        f'<span class="aside">{_scores(one)}{took}.</span>{_scale(one)}{rest}</div>'
    )


def _area(one: SavedResult) -> str:
    subject = "It fills" if len(one.on) == 1 else "Together they fill"
    return f"{subject} {render.percent(one.area)} of the image."


def _doubt(one: SavedResult) -> str:
    doubtful = [str(each.number) for each in one.on if each.status is Status.UNCERTAIN]
    if not doubtful:
        return ""
    return f" Uncertain: {', '.join(doubtful)}; check {'it' if len(doubtful) == 1 else 'them'}."


def _scores(one: SavedResult) -> str:
    """The range of the scores of the instances that are on and were not made by hand, with the thresholds."""
    scores = [each.score for each in one.on if not each.by_hand]
    limits = render.limits(one.record["threshold"], one.record["reject_threshold"])
    if not scores:
        return ""
    ends = list(dict.fromkeys(f"{each:.2f}" for each in (max(scores), min(scores))))
    named = f"Score{'s' * (len(scores) > 1)} {' to '.join(ends)}"
    return f"{named}; {limits}; "


def _scale(one: SavedResult) -> str:
    scores = [each.score for each in one.on if not each.by_hand]
    return render.scale(scores, one.record["threshold"], one.record["reject_threshold"]) if scores else ""


def _of_several(saved: SavedResults) -> str:
    """The instances of all images, where there are several, as HTML."""
    if len(saved.results) < 2:
        return ""
    on = [len(each.on) for each in saved.results]
    total, images = sum(on), sum(number > 0 for number in on)
    name = html.escape(saved.results[saved.which].name)
    return f"<b>{total} instance{'s' * (total != 1)}</b> in <b>{images} of {len(on)}</b> images. Shown, {name}: "


def numbered(one: SavedResult, image: ImageArray, numbers: NDArray[np.uint8]) -> gr.AnnotatedImage:
    """The instances that are on, each with its number and, where the pointer is on its name, in its colour."""
    masks = {each.number: numbers == each.number for each in one.on}
    pixels = viz.numbered(image, list(masks.values()), list(masks))
    points = as_points(clicks_of(one))
    view = shown(pixels if points is None else viz.draw_points(pixels, points, size=1.5))
    areas = [(_resized(masks[each.number], view.shape[:2]), each.name) for each in one.on]
    colours = {each.name: "#{:02x}{:02x}{:02x}".format(*viz.instance_colour(each.number)) for each in one.on}
    return gr.AnnotatedImage(value=(view, areas), color_map=colours, visible=True)


def marked(one: SavedResult, image: ImageArray, numbers: NDArray[np.uint8]) -> ImageArray:
    """The instances that are on with the points that led to them and, larger, the clicks on them."""
    points = as_points(tuple(point for each in one.on for point in each.points))
    status = one.status if one.on else Status.DETECTED
    overlay, own = viz.overlay_of(image, without(numbers, one.off) > 0, status, points), as_points(clicks_of(one))
    return shown(overlay if own is None else viz.draw_points(overlay, own, size=1.5))


def clicks_of(one: SavedResult) -> Clicks:
    """The clicks on the instances that are on."""
    return tuple((each.x, each.y, each.positive) for each in one.edits if each.number not in one.off)


def _resized(mask: Mask, size: tuple[int, int]) -> NDArray[np.float32]:
    """A mask at another size, (height, width), as 0 and 1."""
    return np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST), dtype=np.float32)


def choice(one: SavedResult | None) -> gr.CheckboxGroup:
    """The instances by their numbers, those that are on chosen; hidden without any."""
    if one is None or not one.instances:
        return gr.CheckboxGroup(choices=[], value=[], visible=False)
    return gr.CheckboxGroup(
        choices=[(each.name, each.number) for each in one.instances],
        value=[each.number for each in one.on],
        label=f"Instances on: {len(one.on)} of {len(one.instances)}",
        visible=True,
    )


def views(
    one: SavedResult, image: ImageArray, numbers: NDArray[np.uint8], background: tuple[str, str], cache: Any
) -> tuple[Any, ...]:
    """The components that show the mask (``Layout.views``) for the instances that are on."""
    mask = without(numbers, one.off) > 0
    return (
        *render.views(image, mask, one.status if one.on else Status.DETECTED, background, one.name, cache),
        numbered(one, image, numbers),
    )


def reopened(one: SavedResult) -> tuple[ImageArray, NDArray[np.uint8]]:
    """The image and the number of the instance that holds each pixel, from the files of the session.

    Raises InputError where the files are no longer there.
    """
    try:
        with Image.open(one.cut_out) as file:
            cut = np.asarray(file)
        with Image.open(one.numbers) as file:
            return cut[..., :3], np.asarray(file)
    except OSError:
        raise InputError(GONE) from None


def number_at(one: SavedResult, place: tuple[float, float]) -> int:
    """The number of the instance at a place, (x, y) in pixels of the image, on or off; 0 where there is none."""
    _, numbers = reopened(one)
    height, width = numbers.shape
    return int(numbers[min(int(place[1]), height - 1), min(int(place[0]), width - 1)])
