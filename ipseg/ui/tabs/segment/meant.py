"""Which object of the first prompt image is meant: points and boxes that are clicked there, or a mask of it."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from ipseg.core import viz
from ipseg.core.images import open_image
from ipseg.core.types import ImageArray, ImageError, InputError, Mask
from ipseg.engine.session import SegmentSession
from ipseg.engine.spec import EngineSpec
from ipseg.method.marks import Marks
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.segment.request import paths
from ipseg.ui.widgets import painting
from ipseg.ui.widgets.clicks import MOST_CLICKS, Clicks, as_points
from ipseg.ui.widgets.controls import Controls, chosen
from ipseg.ui.widgets.images import as_jpeg, image_input, to_image
from ipseg.ui.widgets.inputs import mask_value_input

OBJECT, BACKGROUND, BOX = MODES = ("+ object", "− background", "Box")
CAPTIONS = {
    OBJECT: "Click on the object",
    BACKGROUND: "Click beside the object",
    BOX: "Box: click one corner, then the opposite one",
}
SECOND = "Now click the opposite corner"  # in place of the caption while a box has one corner
MARKED = "Outlined: what is taken as the object, from your marks."
UNMARKED = "Outlined: what is taken as the object without marks (saliency)."
Click = tuple[float, float, bool]
"""(x, y) in pixels of the upright image, and whether it is the object."""
Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels of the upright image."""
SIDE = 960  # pixels of the longer side of the image that is marked
IN_ORDER: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_id": "marks", "concurrency_limit": 1}
"""Of clicks that make marks: each counts, also one that comes before the last one is drawn."""


@dataclass(frozen=True)
class Meant:
    """What is marked on one prompt image; no pixels."""

    file: str = ""  # the prompt image
    size: tuple[int, int] = (1, 1)  # (height, width)
    made: tuple[Click | Box, ...] = ()  # in the order in which they were made
    corner: tuple[float, float] | None = None  # of a box whose other corner is not clicked yet

    def clicked(self, place: tuple[float, float], mode: str) -> Meant:
        """After a click at ``place``, (x, y) in pixels of the image. Two clicks make a box, unless it has no area."""
        if mode != BOX:
            return self._with((*place, mode == OBJECT))
        if self.corner is None:
            return replace(self, corner=place)
        height, width = self.size
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(self.corner, place, strict=True))
        box = (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
        drawn = min(box[2] - box[0], box[3] - box[1]) >= 2
        return self._with(box) if drawn else replace(self, corner=None)

    def undone(self) -> Meant:
        """Without the last mark, or without the one corner of a box that is not done."""
        return replace(self, corner=None, made=self.made if self.corner else self.made[:-1])

    def _with(self, mark: Click | Box) -> Meant:
        return replace(self, corner=None, made=(*self.made, mark)[-MOST_CLICKS:])

    @property
    def empty(self) -> bool:
        """Whether there is nothing to undo."""
        return not self.made and self.corner is None

    @property
    def clicks(self) -> Clicks:
        """The points, without the boxes."""
        return tuple(mark for mark in self.made if len(mark) == 3)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes, without the points."""
        return tuple(mark for mark in self.made if len(mark) == 4)

    @property
    def marks(self) -> Marks:
        """As the engine takes it."""
        points = as_points(self.clicks)
        return Marks(self.boxes) if points is None else Marks(self.boxes, points)


@dataclass(frozen=True)
class Fields:
    """The components of the panel."""

    image: gr.Image
    note: gr.HTML  # about what is outlined on it
    mode: gr.Radio
    mark: gr.Button  # shows the prompt image
    undo: gr.Button  # of the last mark
    clear: gr.Button
    state: gr.State  # Meant
    marks: gr.Textbox  # what the state holds, as JSON, for the browser to compare
    strokes: gr.Textbox  # on the canvas, likewise
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
    with gr.Row(elem_id="meant-row"):
        mode = gr.Radio(
            MODES,
            value=OBJECT,
            label="A click marks",
            show_label=False,
            container=False,
            visible=False,
            elem_id="meant-mode",
            min_width=220,
        )
        undo = gr.Button("Undo", size="sm", visible=False, elem_id="meant-undo", scale=0, min_width=60)
    image = gr.Image(
        label=CAPTIONS[OBJECT],
        alt_text="The first image of the object; clicks on it say which object is meant",
        elem_id="meant-image",
        elem_classes=["pressed"],
        interactive=False,
        visible=False,
        buttons=["fullscreen"],
    )
    note = gr.HTML("", visible=False, elem_id="meant-note", container=False, padding=False)
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
    marks = gr.Textbox(visible="hidden", elem_id="meant-marks", label="Marks on the image of the object")
    strokes = painting.strokes(paint, [clear.click, mark.click, onto.click, give.click])
    return Fields(
        image, note, mode, mark, undo, clear, state, marks, strokes, onto, paint, give, file, mask, mask_value
    )


def wire(panel: Fields, prompts: gr.Gallery, pool: EnginePool, controls: Controls) -> None:
    """Show the prompt image, take clicks on it, outline what they select, and remove them with another prompt image."""
    marking = _Marking(panel, pool)
    outputs, marked, now = marking.outputs, marking.marked, [panel.state, panel.mode]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    begun = panel.mark.click(marking.begin, prompts, outputs, **quiet, **JOBS)
    panel.onto.click(marking.paint, prompts, outputs, **quiet, **JOBS)
    clicked = panel.image.select(marking.click, now, marked, **quiet, **IN_ORDER)
    undone = panel.undo.click(marking.undo, now, marked, **quiet, **IN_ORDER)
    for event in (begun, clicked, undone):
        event.success(
            marking.preview, [panel.state, *controls.engine], [panel.image, panel.note], trigger_mode="always_last",
            show_progress="minimal", show_progress_on=[panel.note], api_visibility="private", **JOBS,
        )  # fmt: skip
    panel.mode.input(marking.captioned, now, panel.image, queue=False, **quiet)
    panel.give.click(marking.give, None, outputs, queue=False, **quiet)
    panel.clear.click(marking.clear, None, outputs, queue=False, **quiet)
    prompts.change(marking.changed, [prompts, panel.state], outputs, **quiet, concurrency_limit=None)


class _Marking:
    """The event handlers of the panel. They hold components; the marks of a visitor are in the panel's state."""

    def __init__(self, panel: Fields, pool: EnginePool) -> None:
        self.panel, self.pool = panel, pool
        self.outputs = [
            panel.state, panel.marks, panel.image, panel.mode, panel.undo, panel.note, panel.paint, panel.file,
            panel.mask, panel.mask_value,
        ]  # fmt: skip
        self.marked = [panel.state, panel.marks, panel.image, panel.undo]

    def begin(self, prompts: Any) -> tuple[Any, ...]:
        """Show the first prompt image, without marks."""
        with error_messages():
            file = _first(prompts)
            image = open_image(file)
        meant = Meant(file, image.shape[:2])
        drawn = gr.Image(value=_drawn(self.panel.image, image, meant), label=CAPTIONS[OBJECT], visible=True)
        mode, undo = gr.Radio(value=OBJECT, visible=True), gr.Button(visible=True, interactive=False)
        return meant, "", drawn, mode, undo, gr.HTML("", visible=True), _no_canvas(), *_no_mask()

    def paint(self, prompts: Any) -> tuple[Any, ...]:
        """Show the canvas with the first prompt image, in place of the marks."""
        with error_messages():
            value = painting.onto(self.panel.paint)(_first(prompts))
        return *_no_marks(), gr.ImageEditor(value, visible=True), *_no_mask()

    def give(self) -> tuple[Any, ...]:
        """Show the fields of a mask, in place of the marks and the canvas."""
        return *_no_marks(), _no_canvas(), gr.Column(visible=True), gr.skip(), gr.skip()

    def clear(self) -> tuple[Any, ...]:
        """Remove marks, canvas and mask."""
        return *_no_marks(), _no_canvas(), *_no_mask()

    def changed(self, prompts: Any, meant: Meant) -> Any:
        """Remove marks and canvas where the first prompt image is another one; the mask stays."""
        if meant.file in paths(prompts)[:1]:
            return gr.skip()
        return *_no_marks(), _no_canvas(), gr.skip(), gr.skip(), gr.skip()

    def click(self, meant: Meant, mode: str, place: gr.SelectData) -> Any:
        """The marks with a click on the image, drawn."""
        if not meant.file:
            return (gr.skip(),) * len(self.marked)
        return self._shown(meant.clicked(to_image(place.index, meant.size, SIDE), mode), mode)

    def undo(self, meant: Meant, mode: str) -> Any:
        """The marks without the last one, drawn."""
        if not meant.file:
            return (gr.skip(),) * len(self.marked)
        return self._shown(meant.undone(), mode)

    def _shown(self, meant: Meant, mode: str) -> tuple[Any, ...]:
        with error_messages():
            drawn = _drawn(self.panel.image, open_image(meant.file), meant)
        text = json.dumps(meant.made) if meant.made else ""
        return meant, text, gr.Image(drawn, label=caption(meant, mode)), gr.Button(interactive=not meant.empty)

    def captioned(self, meant: Meant, mode: str) -> gr.Image:
        """The image that is marked, with the caption of another mode."""
        return gr.Image(label=caption(meant, mode))

    def preview(self, meant: Meant, *engine: Any) -> Any:
        """What the marks select, outlined, and a message about it."""
        if not meant.file:
            return gr.skip(), gr.skip()
        with error_messages():
            mask, text = selected(self.pool, chosen(engine), meant)
            image = open_image(meant.file)
        return _drawn(self.panel.image, image, meant, mask), f'<span role="status">{html.escape(text)}</span>'


def _first(prompts: Any) -> str:
    """The file of the first prompt image. Raises ImageError where there is none."""
    files = paths(prompts)
    if not files:
        raise ImageError("There is no image of the object yet; add one first.")
    return files[0]


def _no_marks() -> tuple[Any, ...]:
    """No marks, as state and as JSON, and the components of marks hidden: image, mode, undo and note."""
    hidden = gr.Image(value=None, visible=False), gr.Radio(visible=False), gr.Button(visible=False)
    return Meant(), "", *hidden, gr.HTML(visible=False)


def _no_canvas() -> gr.ImageEditor:
    """The canvas, empty and hidden."""
    return gr.ImageEditor(value=None, visible=False)


def _no_mask() -> tuple[Any, ...]:
    """The fields of a mask, empty and hidden."""
    return gr.Column(visible=False), None, None


def caption(meant: Meant, mode: str) -> str:
    """What the next click on the image does."""
    return SECOND if mode == BOX and meant.corner else CAPTIONS[mode]


def selected(pool: EnginePool, spec: EngineSpec, meant: Meant) -> tuple[Mask | None, str]:
    """What is taken as the object with these marks, (H, W) bool, and a message about it.

    What the engine computes of the image is in its cache afterwards. None where nothing can be said, and why.
    """
    try:
        if pool.lacks(spec):
            return None, ""
        engine, image = pool.engine(spec), open_image(meant.file)
        view = SegmentSession.of(engine, [image], [None], marks=meant.marks).prompt.views[0]
    except InputError as error:
        return None, without_folders(str(error))
    if view.saliency.shape != image.shape[:2]:  # of a thin image, of which the views are parts
        return None, ""
    return view.saliency > 0.5, MARKED if view.given else UNMARKED


def _drawn(cache: gr.Image, image: ImageArray, meant: Meant, mask: Mask | None = None) -> str:
    """The file of the image with its marks, and a mask (H, W) outlined."""
    points = as_points(meant.clicks)
    base = image if mask is None else viz.overlay(image, mask)
    canvas = Image.fromarray(base if points is None else viz.draw_points(base, points, size=1.5))
    draw, width = ImageDraw.Draw(canvas), max(2, round(max(image.shape[:2]) / 200))
    for box in meant.boxes:
        draw.rectangle(box, outline=viz.WHITE, width=2 * width)
        draw.rectangle(box, outline=viz.MASK, width=width)
    if meant.corner is not None:
        x, y = meant.corner
        draw.ellipse((x - 3 * width, y - 3 * width, x + 3 * width, y + 3 * width), fill=viz.MASK, outline=viz.WHITE)
    canvas.thumbnail((SIDE, SIDE))
    return as_jpeg(cache, np.asarray(canvas), "marks.jpg")
