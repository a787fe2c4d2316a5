"""Painting a mask over an image: the canvas, what puts the image on it, and what is read from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ipseg.core.images import open_image
from ipseg.core.masks import GivenMask, read_mask
from ipseg.core.types import ImageError
from ipseg.ui.server.errors import error_messages
from ipseg.ui.widgets.images import as_png

STROKES = """() => {
  const count = event => {
    const field = document.querySelector('#NAME-strokes textarea, #NAME-strokes input');
    if (!field || !event.target.closest?.('#NAME canvas, #NAME .toolbar-wrap button')) return;
    field.value = String(window.ipsegStrokes = (window.ipsegStrokes ?? 0) + 1);
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
  document.addEventListener('pointerup', count, true);
}"""


def canvas(name: str) -> gr.ImageEditor:
    """A canvas with the id ``name``; its value in a handler is the file of the painted layer, unopened, or None."""
    editor = gr.ImageEditor(
        label="Paint the object",
        sources=[],
        type="filepath",
        format="png",
        brush=gr.Brush(default_size=24, colors=["#f59e0b"], color_mode="fixed"),
        layers=False,
        transforms=[],
        elem_id=name,
        min_width=300,
    )
    # On the instance: Gradio writes a stub file beside the source of every subclass of a component.
    editor.preprocess = lambda payload: payload.layers[0].path if payload and payload.layers else None
    return editor


def strokes(editor: gr.ImageEditor, cleared: Sequence[Any]) -> gr.Textbox:
    """A hidden field, created where this is called, whose text changes with every stroke on the canvas.

    The pixels stay in the browser until a request takes them, and the canvas has no event for a stroke. ``cleared``:
    the events that remove what is painted, after which the text is "".
    """
    field = gr.Textbox(visible="hidden", elem_id=f"{editor.elem_id}-strokes", label="Strokes on the canvas")
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    gr.on(list(cleared), None, None, field, js="() => ''", **quiet)
    if gr.context.Context.root_block is not None:
        gr.context.Context.root_block.load(None, js=STROKES.replace("NAME", str(editor.elem_id)), **quiet)
    return field


def onto(editor: gr.ImageEditor) -> Callable[[str | None], Any]:
    """A handler: a prompt image, upright and at its own size, as what is painted on."""

    def put(prompt: str | None) -> Any:
        with error_messages():
            if not prompt:
                raise ImageError("There is no image of the object yet; add one first.")
            image = open_image(prompt)
        return {"background": as_png(editor, image, "prompt.png"), "layers": [], "composite": None}

    return put


def painted(path: str | None, size: tuple[int, int]) -> GivenMask | None:
    """The painted mask, at the ``size`` (height, width) of the image; None where the canvas is empty."""
    if not path:
        return None
    mask = read_mask(path, size, empty=True, name="The painted mask")
    return None if mask.empty else mask
