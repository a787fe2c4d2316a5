"""Image components, and images and masks as files that the page serves."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from ipseg.core import images
from ipseg.core.names import first_free
from ipseg.core.types import ImageArray, ImageError
from ipseg.method.saved_prompt import is_saved
from ipseg.ui.server.redaction import without_folders

DISPLAY_SIDE = 1600  # pixels: larger images are shown reduced, and downloaded whole


def image_input(**layout: Any) -> gr.Image:
    """An image component that passes on the uploaded file unopened: only ``core/images.py`` opens images."""
    named = {"elem_classes": ["image-input", "one"], **layout}
    component = gr.Image(type="filepath", sources=["upload", "clipboard"], **named)
    # Set on the instance: Gradio writes a stub file beside the source of every subclass of a component.
    component.preprocess = lambda payload: payload.path if payload else None
    refuse_unreadable(component)
    return component


def refuse_unreadable(component: gr.Image | gr.Gallery) -> None:
    """Name what is no image as soon as it is uploaded, and take it out: else a broken preview stands there."""
    if gr.context.Context.root_block is not None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
        component.upload(_readable, component, component, **quiet)


def _readable(given: Any) -> Any:
    """The files among those of a field whose headers are those of images, with a message for each other one."""
    files = [given] if isinstance(given, str) else [path for path, _ in given or ()]
    good = []
    for path in files:
        try:
            if not is_saved(path):  # which is another form of a prompt
                images.size_of(path)
            good.append(path)
        except ImageError as error:
            gr.Warning(html.escape(without_folders(str(error)), quote=False), title="Please check")
    if len(good) == len(files):
        return gr.skip()
    return None if isinstance(given, str) else good or None


def shown(image: ImageArray, side: int = DISPLAY_SIDE) -> ImageArray:
    """The image as the page shows it: at most ``side`` pixels on its longer side."""
    reduced = Image.fromarray(image)
    reduced.thumbnail((side, side))
    return np.asarray(reduced)


def to_image(place: Sequence[float], size: tuple[int, int], side: int = DISPLAY_SIDE) -> tuple[float, float]:
    """A pixel of an image as the page shows it, in the image's own pixels.

    ``size``: (height, width) of the image; ``side``: the most pixels of its longer side on the page.
    """
    scale = max(1.0, max(size) / side)
    return (place[0] + 0.5) * scale, (place[1] + 0.5) * scale


def as_jpeg(component: gr.components.Component, image: ImageArray, name: str) -> str:
    """``image`` at the size that the page shows, as a JPEG in the cache of ``component``."""
    return save_bytes_to_cache(encode_jpeg(shown(image), quality=90), name, component.GRADIO_CACHE)


def encode_jpeg(image: ImageArray, *, quality: int) -> bytes:
    """The bytes of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def as_png(component: gr.components.Component, pixels: np.ndarray, name: str) -> str:
    """``pixels`` as a PNG in the cache of ``component``, which is served and later deleted."""
    return save_bytes_to_cache(images.encode_png(np.asarray(pixels)), name, component.GRADIO_CACHE)


def as_zip(component: gr.components.Component, files: Iterable[tuple[str, str | Path | bytes]], name: str) -> str:
    """Files or their contents, each with its name inside, as a zip in the cache of ``component``.

    They are not compressed: PNG and JPEG are already.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for inner, file in files:
            archive.writestr(inner, file if isinstance(file, bytes) else Path(file).read_bytes())
    return save_bytes_to_cache(buffer.getvalue(), name, component.GRADIO_CACHE)


def distinct(paths: Sequence[str]) -> list[str]:
    """The images' own names, with a number where two are the same."""
    taken: set[str] = set()
    stems = (re.sub(r"[^\w .-]+", "_", Path(path).stem)[:60] or "image" for path in paths)
    return [first_free(chain([stem], (f"{stem} ({number})" for number in count(2))), taken) for stem in stems]
