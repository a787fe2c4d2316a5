"""Image components, and images and masks as files that the page serves."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from ipseg.core import images
from ipseg.core.types import ImageArray

DISPLAY_SIDE = 1600  # pixels: larger images are shown reduced, and downloaded whole


def image_input(**layout: Any) -> gr.Image:
    """An image component that passes on the uploaded file unopened: only ``core/images.py`` opens images."""
    named = {"elem_classes": ["image-input", "one"], **layout}
    component = gr.Image(type="filepath", sources=["upload", "clipboard"], **named)
    # Set on the instance: Gradio writes a stub file beside the source of every subclass of a component.
    component.preprocess = lambda payload: payload.path if payload else None
    return component


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
    names: list[str] = []
    for path in paths:
        stem = re.sub(r"[^\w .-]+", "_", Path(path).stem)[:60] or "image"
        same = sum(name == stem or name.startswith(f"{stem} (") for name in names)
        names.append(f"{stem} ({same + 1})" if same else stem)
    return names
