"""What the tabs share: the engine, which loads on first use, and how sentences and files reach the visitor."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from ipseg import images
from ipseg.pipeline import IPSeg, Method
from ipseg.presets import PRESETS, load
from ipseg.types import InputError, Picture

JOBS = {"concurrency_id": "engine", "concurrency_limit": 2}  # questions answered at once, over all tabs
DISPLAY_SIDE = 1600  # pixels: larger pictures are shown reduced, and downloaded whole


def picture_input(**layout: Any) -> gr.Image:
    """A picture component that hands over the uploaded file unopened, so that ``images.py`` alone opens pictures."""
    component = gr.Image(type="filepath", sources=["upload", "clipboard"], **layout)
    # Set on the instance: Gradio writes a stub file beside the source of every subclass of a component.
    component.preprocess = lambda payload: payload.path if payload else None
    return component


class Studio:
    """One engine for all tabs and visitors; it keeps pictures by their content, never answers by their asker."""

    def __init__(self, preset: str) -> None:
        self.preset = preset
        self._lock = threading.Lock()
        self._engine: IPSeg | None = None

    @property
    def engine(self) -> IPSeg:
        """The engine, built at the first question."""
        with self._lock:
            if self._engine is None:
                self._engine = load(self.preset)
            return self._engine

    @property
    def method(self) -> Method:
        """The preset's numbers, known before the engine is built."""
        return PRESETS[self.preset].method

    @property
    def badge(self) -> str:
        """Which engine answers, in one line of Markdown."""
        return f"Engine: **{self.preset}**. {PRESETS[self.preset].summary}"


@contextmanager
def sentences() -> Iterator[None]:
    """What cannot be used becomes one sentence in the page and the API; its text is shown as text, never as HTML."""
    try:
        yield
    except InputError as error:
        raise gr.Error(html.escape(str(error), quote=False), title="Please check", print_exception=False) from None


def shown(picture: Picture) -> Picture:
    """The picture as the page shows it: at most ``DISPLAY_SIDE`` pixels on its longer side."""
    image = Image.fromarray(picture)
    image.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE))
    return np.asarray(image)


def as_file(component: gr.components.Component, pixels: np.ndarray, name: str) -> str:
    """``pixels`` as a PNG in the cache of ``component``, where it is served from and cleaned away after a while."""
    return save_bytes_to_cache(images.encode_png(pixels), name, component.GRADIO_CACHE)


def reporter(progress: gr.Progress) -> Callable[[float, str], None]:
    """The engine's progress as the page's bar."""
    return lambda share, step: progress(share, desc=STEPS.get(step, step))


STEPS = {
    "prompt": "Reading the prompt",
    "features": "Describing the picture",
    "saliency": "Looking for what stands out",
    "similarity": "Comparing",
    "points": "Choosing points",
    "encoding": "Preparing the cut",
    "mask": "Cutting",
}


def examples_folder() -> Path | None:
    """The example pictures beside the package, where the repository is; None in an installed package."""
    folder = Path(__file__).resolve().parents[2] / "examples_media"
    return folder if (folder / "Images").is_dir() else None
