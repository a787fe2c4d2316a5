"""Which object of the first prompt image is meant: points and boxes that are clicked there, or a mask of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from ipseg.core import viz
from ipseg.core.images import open_image
from ipseg.core.types import ImageArray, ImageError
from ipseg.method.marks import Marks
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS
from ipseg.ui.tabs.segment.request import paths
from ipseg.ui.widgets import painting
from ipseg.ui.widgets.clicks import MOST_CLICKS, Clicks, as_points
from ipseg.ui.widgets.images import as_jpeg, image_input, to_image
from ipseg.ui.widgets.inputs import mask_value_input

OBJECT, BACKGROUND, BOX = MODES = ("+ object", "− background", "Box")
CAPTIONS = {OBJECT: "Click on the object", BACKGROUND: "Click beside the object", BOX: "Click two opposite corners"}
SIDE = 960  # pixels of the longer side of the image that is marked


@dataclass(frozen=True)
class Meant:
    """What is marked on one prompt image; no pixels."""

    file: str = ""  # the prompt image
    size: tuple[int, int] = (1, 1)  # (height, width)
    clicks: Clicks = ()
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    corner: tuple[float, float] | None = None  # of a box whose other corner is not clicked yet

    def clicked(self, place: tuple[float, float], mode: str) -> Meant:
        """After a click at ``place``, (x, y) in pixels of the image. Two clicks make a box, unless it has no area."""
        if mode != BOX:
            return replace(self, clicks=(*self.clicks, (*place, mode == OBJECT))[-MOST_CLICKS:], corner=None)
        if self.corner is None:
            return replace(self, corner=place)
        height, width = self.size
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(self.corner, place, strict=True))
        box = (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
        drawn = min(box[2] - box[0], box[3] - box[1]) >= 2
        return replace(self, corner=None, boxes=(*self.boxes, box)[-MOST_CLICKS:] if drawn else self.boxes)

    @property
    def marks(self) -> Marks:
        """As the engine takes it."""
        points = as_points(self.clicks)
        return Marks(self.boxes) if points is None else Marks(self.boxes, points)


@dataclass(frozen=True)
class Fields:
    """The components of the panel."""

    image: gr.Image
    mode: gr.Radio
    mark: gr.Button  # shows the prompt image
    clear: gr.Button
    state: gr.State  # Meant
    onto: gr.Button
    paint: gr.ImageEditor
    give: gr.Button  # shows the fields of a mask
    file: gr.Column  # around these fields
    mask: gr.Image
    mask_value: gr.Number


def fields() -> Fields:
    """Lay the panel out where it is called: marks by clicks, then the canvas."""
    with gr.Row(elem_classes=["pair"]):
        mark = gr.Button("Click or box", size="sm", elem_id="meant-mark", min_width=90)
        onto = gr.Button("Paint", size="sm", elem_id="meant-onto", min_width=60)
        give = gr.Button("Give a mask", size="sm", elem_id="meant-give", min_width=90)
        clear = gr.Button("Clear", size="sm", elem_id="meant-clear", min_width=60)
    mode = gr.Radio(
        MODES,
        value=OBJECT,
        label="A click marks",
        show_label=False,
        container=False,
        visible=False,
        elem_id="meant-mode",
    )
    image = gr.Image(
        label=CAPTIONS[OBJECT],
        alt_text="The first image of the object; clicks on it say which object is meant",
        elem_id="meant-image",
        elem_classes=["pressed"],
        interactive=False,
        visible=False,
        buttons=["fullscreen"],
    )
    paint = painting.canvas("meant-paint")
    paint.visible = False
    with gr.Column(visible=False, elem_id="meant-file") as file:
        mask = image_input(
            label="White on black, the size of the first image",
            height=170,
            elem_id="prompt-mask",
            alt_text="Mask of the first image of the object",
        )
        mask_value = mask_value_input(elem_id="prompt-mask-value")
    state = gr.State(Meant(), time_to_live=3600)
    return Fields(image, mode, mark, clear, state, onto, paint, give, file, mask, mask_value)


def wire(panel: Fields, prompts: gr.Gallery) -> None:
    """Show the prompt image, take clicks on it, and forget them with another prompt image."""
    outputs = [
        panel.state, panel.image, panel.mode, panel.paint, panel.file, panel.mask, panel.mask_value,
    ]  # fmt: skip
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

    no_mask = (gr.Column(visible=False), None, None)

    def first(given: Any) -> str:
        files = paths(given)
        if not files:
            raise ImageError("There is no image of the object yet; add one first.")
        return files[0]

    def begin(given: Any) -> tuple[Any, ...]:
        with error_messages():
            file = first(given)
            image = open_image(file)
        meant = Meant(file, image.shape[:2])
        shown = gr.Image(value=_drawn(panel.image, image, meant), label=CAPTIONS[OBJECT], visible=True)
        return meant, shown, gr.Radio(value=OBJECT, visible=True), gr.ImageEditor(value=None, visible=False), *no_mask

    def paint(given: Any) -> tuple[Any, ...]:
        with error_messages():
            value = painting.onto(panel.paint)(first(given))
        return (
            Meant(),
            gr.Image(value=None, visible=False),
            gr.Radio(visible=False),
            gr.ImageEditor(value, visible=True),
            *no_mask,
        )

    def give() -> tuple[Any, ...]:
        return *clear()[:4], gr.Column(visible=True), gr.skip(), gr.skip()

    def click(meant: Meant, mode: str, place: gr.SelectData) -> Any:
        if not meant.file:
            return gr.skip(), gr.skip()
        with error_messages():
            image = open_image(meant.file)
        meant = meant.clicked(to_image(place.index, meant.size, SIDE), mode)
        return meant, _drawn(panel.image, image, meant)

    def clear() -> tuple[Any, ...]:
        hidden = gr.Image(value=None, visible=False)
        return Meant(), hidden, gr.Radio(visible=False), gr.ImageEditor(value=None, visible=False), *no_mask

    panel.mark.click(begin, prompts, outputs, **quiet, **JOBS)
    panel.onto.click(paint, prompts, outputs, **quiet, **JOBS)
    panel.image.select(click, [panel.state, panel.mode], [panel.state, panel.image], **quiet, **JOBS)
    panel.mode.input(caption, panel.mode, panel.image, queue=False, **quiet)
    panel.give.click(give, None, outputs, queue=False, **quiet)
    panel.clear.click(clear, None, outputs, queue=False, **quiet)
    prompts.change(
        lambda given, meant: gr.skip() if meant.file in paths(given)[:1] else (*clear()[:4], *[gr.skip()] * 3),
        [prompts, panel.state], outputs, **quiet, concurrency_limit=None,
    )  # fmt: skip


def caption(mode: str) -> Any:
    """The image that is marked, with the caption of the mode."""
    return gr.Image(label=CAPTIONS[mode])


def _drawn(cache: gr.Image, image: ImageArray, meant: Meant) -> str:
    """The file of the image with its marks."""
    points = as_points(meant.clicks)
    canvas = Image.fromarray(image if points is None else viz.draw_points(image, points, size=1.5))
    draw, width = ImageDraw.Draw(canvas), max(2, round(max(image.shape[:2]) / 200))
    for box in meant.boxes:
        draw.rectangle(box, outline=viz.WHITE, width=2 * width)
        draw.rectangle(box, outline=viz.MASK, width=width)
    if meant.corner is not None:
        x, y = meant.corner
        draw.ellipse((x - 3 * width, y - 3 * width, x + 3 * width, y + 3 * width), fill=viz.MASK, outline=viz.WHITE)
    canvas.thumbnail((SIDE, SIDE))
    return as_jpeg(cache, np.asarray(canvas), "marks.jpg")
