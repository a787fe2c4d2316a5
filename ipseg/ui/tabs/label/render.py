"""From labels to what the page shows: messages, the gallery, the image that is opened, the archive."""

from __future__ import annotations

import html
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_file_to_cache
from PIL import Image, ImageDraw

from ipseg.annotations import formats
from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance
from ipseg.batch.inputs import Item
from ipseg.core import viz
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, InputError
from ipseg.labelling.review import draw
from ipseg.labelling.review.edits import CONFIRMED
from ipseg.ui.tabs.label.session import SIDE, Clicks, Review
from ipseg.ui.widgets.clicks import as_points
from ipseg.ui.widgets.images import DISPLAY_SIDE, as_jpeg

DOWNLOAD = "Labels (ZIP)"  # the button
TICK = (21, 128, 61)  # green with white on it: a contrast of 5
MOST_SHOWN, LISTED = 60, 20  # images in the gallery, error messages
WAITING = """<div class="waiting start"><b>How it works</b>
<ol><li>Name each <b>class</b>, and drop a few images that show it.</li><li>Drop the <b>images to label</b>.</li>
<li>Press <b>Label</b>: every instance of every class appears here, the least certain first.</li>
<li>Correct what is wrong, and download the labels.</li></ol><p>Or choose an example.</p></div>"""
MISSING = '<div class="waiting">Name the classes, give each an image, and add the images to label.</div>'
QUEUED = '<div class="waiting" role="status">Waiting in the queue.</div>'
STOPPING = '<div class="waiting" role="status">Stopping after this image.</div>'
READING = '<div class="waiting" role="status">Reading the images.</div>'
LOADING = '<div class="waiting" role="status">Reading the example images.</div>'


def summary(review: Review) -> str:
    """What the images of a review hold above its thresholds, as HTML: of the run, and of what a person made of it."""
    images, names, total = list(review.facts.values()), review.request.names, len(review.items)
    good = [image.above(review.thresholds) for image in images if not image.error]
    counts = Counter(one.label for image in good for one in image.instances)
    states = Counter(map(status, good))
    stopped = len(images) < total
    end = f"Stopped after {len(images)} of {total} images" if stopped else "Done"
    each = ", ".join(f"{html.escape(name)} <b>{counts[name]}</b>" for name in names)
    doubt = f", uncertain in {states[Status.UNCERTAIN]}" if states[Status.UNCERTAIN] else ""
    errors = [image.error for image in images if image.error]
    lines = "".join(f"<li>{html.escape(each)}</li>" for each in errors[:LISTED])
    rest = len(errors) - LISTED
    lines += f"<li>and {rest} more</li>" if rest > 0 else ""
    best = next((one for one in Status if states[one]), Status.NOT_DETECTED)
    kind = "stopped" if stopped else best.value.replace("_", "-")
    return (
        f'<div class="{kind}" role="status"><b>{end}.</b> Detected in {states[Status.DETECTED]} of {len(good)} '
        f"image{'s' * (len(good) != 1)}{doubt}: {counts.total()} instance{'s' * (counts.total() != 1)} ({each})."
        f"{_progress(review, len(good))} "
        f'<span class="aside">{review.seconds:.1f} s, engine {html.escape(review.request.spec.name)}.</span>'
        f"{f'<ul>{lines}</ul>' if lines else ''}</div>"
    )


def _progress(review: Review, total: int) -> str:
    """How many of the images are confirmed, and what comes next, as HTML; "" before the first."""
    count = len(review.confirmed)
    if not count:
        return ""
    if review.unconfirmed:
        return f" <b>{count}</b> of {total} confirmed."
    every = f"All {total} images are" if total != 1 else "The image is"
    return f" <b>{every} confirmed.</b> Choose a format and press <b>{DOWNLOAD}</b>."


def status(image: LabelledImage) -> Status:
    """Of the instances of an image, the best."""
    found = {one.status for one in image.instances}
    return next((one for one in Status if one in found), Status.NOT_DETECTED)


def ordered(images: Sequence[LabelledImage], thresholds: Mapping[str, float]) -> tuple[str, ...]:
    """The names of the images, the lowest score first, then those without an instance; without errors."""

    def lowest(image: LabelledImage) -> tuple[float, str]:
        return min((one.score for one in image.above(thresholds).instances), default=2.0), image.name

    return tuple(image.name for image in sorted((one for one in images if not one.error), key=lowest))


def tiled(review: Review, component: gr.Gallery) -> Review:
    """With a file and a text for each image of the gallery; those that it has stay."""
    shown = review.order[:MOST_SHOWN]
    return replace(review, tiles={name: review.tiles.get(name) or tile(review, component, name) for name in shown})


def gallery(review: Review) -> list[tuple[str, str]]:
    """The first images in their order, each with its instances outlined, and a text."""
    return [review.tiles[name] for name in review.order[:MOST_SHOWN]]


def tile(review: Review, component: gr.Gallery, name: str) -> tuple[str, str]:
    """An image of the gallery: the file of the reduced image with its instances outlined, and a text."""
    pixels, labels = review.small(name)
    drawn = draw.drawn(pixels, labels, review.request.names, SIDE, thresholds=review.thresholds)
    confirmed = name in review.confirmed
    shown = _ticked(drawn) if confirmed else drawn
    return as_jpeg(component, shown, f"{Path(name).stem}.jpg"), caption(labels, review.thresholds, confirmed=confirmed)


def _ticked(image: ImageArray) -> ImageArray:
    """The image with a white tick on green in its right upper corner, and a green border."""
    canvas = Image.fromarray(image)
    draw, (width, height) = ImageDraw.Draw(canvas), canvas.size
    side = max(10, min(width, height) // 7)
    draw.rectangle((0, 0, width - 1, height - 1), outline=TICK, width=max(2, side // 8))
    draw.rectangle((width - side, 0, width, side), fill=TICK)
    corners = [(width - side + side * x, side * y) for x, y in ((0.22, 0.52), (0.42, 0.74), (0.8, 0.28))]
    draw.line(corners, fill=viz.WHITE, width=max(2, side // 8), joint="curve")
    return np.asarray(canvas)


def caption(image: LabelledImage, thresholds: Mapping[str, float], *, confirmed: bool = False) -> str:
    """Status first, then what is in an image, the lowest score of it, and its name, in a line."""
    above = image.above(thresholds)
    shown = above.instances
    counts = Counter(one.label for one in shown)
    what = ", ".join(f"{label} {count}" if count > 1 else label for label, count in counts.items())
    state = "confirmed" if confirmed else "corrected" if image.corrected else status(above).words
    score = "" if image.corrected or not shown else f"score {min(one.score for one in shown):.2f}"
    if image.corrected and not shown:
        what = "nothing"
    return f"{state.capitalize()}: {' · '.join(filter(None, [what, score, Path(image.name).name]))}"


def shown_count(review: Review) -> str:
    """How many of the images are shown, as Markdown."""
    count = len(review.order)
    some = f"{MOST_SHOWN} of {count} images" if count > MOST_SHOWN else f"{count} image{'s' * (count != 1)}"
    return f"{some}, the lowest score first. Choose one to correct it."


def so_far(done: int, total: int) -> str:
    """How many images are shown while the others are labelled, as Markdown."""
    some = f"the first {MOST_SHOWN} of {done}" if done > MOST_SHOWN else str(done)
    return f"Labelled so far: {some} of {total}. They can be corrected when all are labelled, or after Stop."


def sliders(
    review: Review, images: Sequence[LabelledImage], rows: int, *, set_values: bool = True
) -> list[dict[str, Any]]:
    """One slider for each class, with how many of its instances are above it; the others are not seen.

    ``set_values``: whether they are moved to the thresholds; not while somebody moves them.
    """
    every = Counter(one.label for image in images for one in image.instances)
    above = Counter(one.label for image in images for one in image.above(review.thresholds).instances)
    names = review.request.names
    shown = []
    for name in names:
        moved = {"value": review.thresholds.get(name, 0.0)} if set_values else {}
        shown.append(gr.update(label=f"Threshold of {name}: {above[name]} of {every[name]}", visible=True, **moved))
    return [*shown, *[gr.update(visible=False)] * (rows - len(names))]


def opened(review: Review, image: LabelledImage, pixels: ImageArray, clicks: Clicks, place: int | None) -> ImageArray:
    """The image that is opened, with its instances, the chosen one tinted, and the clicks on it."""
    drawn = draw.drawn(pixels, image, review.request.names, DISPLAY_SIDE, thresholds=review.thresholds, chosen=place)
    scale = max(1.0, max(image.size) / DISPLAY_SIDE)
    points = as_points(tuple((x / scale, y / scale, sign) for x, y, sign in clicks))
    return drawn if points is None else viz.draw_points(drawn, points, size=1.5)


def choices(review: Review, image: LabelledImage, new: str) -> list[tuple[str, str]]:
    """The instances that are shown, by their numbers, and a new one."""
    named = [
        (f"{number}: {one.label}, {_of_instance(one, image.corrected)}", str(number - 1))
        for number, one in enumerate(image.instances, start=1)
        if review.shows(one)
    ]
    return [*named, ("New instance", new)]


def _of_instance(one: LabelledInstance, corrected: bool) -> str:
    """Its score, and that it is uncertain; of what a person corrected in a ``corrected`` image, that."""
    if corrected and one.score >= CONFIRMED:
        return "by hand"
    return f"{one.score:.2f}" + (f" ({one.status.words})" if one.status is Status.UNCERTAIN else "")


def archive(
    labels: LabelFolder,
    chosen: Sequence[str],
    thresholds: Any,
    folder: Path,
    component: Any,
    items: Mapping[str, Item] | None = None,
) -> str:
    """The export as a zip in the cache of ``component``; ``folder`` is empty. Raises what the export raises.

    ``items``: the images by their names, whose files are in the export too; None: labels alone.
    """
    root, made = folder / "export", folder / "labels.zip"
    images: dict[str, Any] = {"images": formats.LINK, "find": partial(_file, items)} if items else {"images": "none"}
    formats.export(labels, root, chosen, thresholds=thresholds, **images)
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name[0] != ".")  # no locks
    with zipfile.ZipFile(made, "w", strict_timestamps=False) as opened:  # not compressed: JPEG and PNG are already
        for path in files:
            opened.write(path, path.relative_to(root).as_posix())
    return save_file_to_cache(made, component.GRADIO_CACHE)


def _file(items: Mapping[str, Item], image: LabelledImage) -> Path | bytes | None:
    """The file of an image, or its bytes where it lies in an archive; None where it cannot be read any more."""
    try:
        return items[image.name].source() if image.name in items else None
    except InputError:
        return None
