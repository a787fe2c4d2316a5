"""Image components, and images and masks as files that the page serves."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
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
    component = gr.Image(type="filepath", sources=["upload", "clipboard"], **layout)
    # Set on the instance: Gradio writes a stub file beside the source of every subclass of a component.
    component.preprocess = lambda payload: payload.path if payload else None
    return component


def shown(image: ImageArray) -> ImageArray:
    """The image as the page shows it: at most ``DISPLAY_SIDE`` pixels on its longer side."""
    reduced = Image.fromarray(image)
    reduced.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE))
    return np.asarray(reduced)


def as_file(component: gr.components.Component, pixels: np.ndarray, name: str) -> str:
    """``pixels`` as a PNG in the cache of ``component``, which is served and later deleted."""
    return save_bytes_to_cache(images.encode_png(pixels), name, component.GRADIO_CACHE)


def as_jpeg(component: gr.components.Component, image: ImageArray, name: str) -> str:
    """``image`` at the size that the page shows, as a JPEG in the cache of ``component``."""
    buffer = io.BytesIO()
    Image.fromarray(shown(image)).save(buffer, format="JPEG", quality=90)
    return save_bytes_to_cache(buffer.getvalue(), name, component.GRADIO_CACHE)


def as_png(component: gr.components.Component, pixels: np.ndarray, name: str) -> str:
    """``pixels`` as a PNG in the cache of ``component``."""
    return save_bytes_to_cache(images.encode_png(np.asarray(pixels)), name, component.GRADIO_CACHE)


def distinct(paths: Sequence[str]) -> list[str]:
    """The images' own names, with a number where two are the same."""
    names: list[str] = []
    for path in paths:
        stem = re.sub(r"[^\w .-]+", "_", Path(path).stem)[:60] or "image"
        same = sum(name == stem or name.startswith(f"{stem} (") for name in names)
        names.append(f"{stem} ({same + 1})" if same else stem)
    return names
