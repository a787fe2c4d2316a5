"""Similarity of a patch: a click in one image of the pair shows its similarity in the other one; and the endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import gradio as gr
import numpy as np

from ipseg.core.images import open_image
from ipseg.core.masks import with_masks
from ipseg.core.types import ImageArray, ImageError, Progress, SettingError
from ipseg.engine.protocol import Engine
from ipseg.engine.spec import EngineSpec
from ipseg.method.encodings import named
from ipseg.studies.ablation import PatchSimilarity, patch_similarity
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.tabs.ablation import figures, render
from ipseg.ui.tabs.ablation.layout import Layout
from ipseg.ui.widgets.arguments import engine_of
from ipseg.ui.widgets.controls import Controls, chosen
from ipseg.ui.widgets.images import as_jpeg, to_image
from ipseg.ui.widgets.inputs import whole

SIDE = 960  # pixels of the longer side of the images that are pressed
WORDS = ("the prompt", "the searched image")


@dataclass(frozen=True)
class PatchPair:
    """What a session saves of the pair that is shown: the files and the engine, no pixels."""

    files: tuple[str, str]  # the prompt, the searched image
    spec: EngineSpec


def wire(pool: EnginePool, controls: Controls, page: Layout, events: list[Any]) -> None:
    """Show the pair after each of ``events`` that succeeds, with the object as the patch; then after each click."""
    tab = page.patch
    outputs = [tab.verdict, tab.prompt, tab.image]
    common: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal", **JOBS}

    def first(prompt: str | None, image: str | None, mask: str | None, value: float | None, *engine: Any) -> Any:
        if not (prompt and image):
            return [gr.skip()] * 4
        shown = PatchPair((prompt, image), chosen(engine))
        with error_messages():
            images = open_image(prompt), open_image(image)
            made = pool.engine(shown.spec)
            place = _object_of(made, images[0], _mask(prompt, mask, value))
            found = patch_similarity(made, *images, place)
        return *_drawn(images, found, 0, tab.prompt), shown

    def pressed(number: int) -> Callable[..., Any]:
        def press(shown: PatchPair | None, place: gr.SelectData) -> Any:
            if shown is None:
                return [gr.skip()] * 3
            with error_messages():
                images = open_image(shown.files[0]), open_image(shown.files[1])
                at = to_image(place.index, images[number].shape[:2], SIDE)
                found = patch_similarity(pool.engine(shown.spec), images[number], images[1 - number], at)
            return _drawn(images, found, number, tab.prompt)

        return press

    inputs = [*page.inputs[:3], page.mask_value, *controls.engine]
    for event in events:
        event.success(first, inputs, [*outputs, tab.shown], **common)
    for number, image in enumerate((tab.prompt, tab.image)):
        image.select(pressed(number), tab.shown, outputs, trigger_mode="always_last", **common)
    _endpoint(pool, controls, page)


def _drawn(
    images: tuple[ImageArray, ImageArray], found: PatchSimilarity, number: int, cache: gr.Image
) -> tuple[str, str, str]:
    """The message, the prompt and the searched image, after a click in the image of a ``number``."""
    here, there = images[number], images[1 - number]
    drawn = [figures.with_patch(here, found, SIDE), figures.with_matches(there, found, SIDE)]
    files = [as_jpeg(cache, each, "patch.jpg") for each in (drawn if number == 0 else drawn[::-1])]
    said = render.patch(found, WORDS[number], WORDS[1 - number], figures.range_of(there, found, SIDE))
    return said, files[0], files[1]


def _mask(prompt: str, mask: str | None, value: float | None) -> np.ndarray | None:
    """The true mask of the prompt, (H, W) bool, where one is given."""
    ((_, given),) = with_masks(prompt, mask or None, mask_value=whole(value))
    return None if given is None else given.mask


def _object_of(engine: Engine, prompt: ImageArray, mask: np.ndarray | None) -> tuple[float, float]:
    """The pixel of the object that is farthest from its outline, (x, y); of no object, the centre of the image."""
    inside = engine.encodings.foreground(named(prompt)) > 0.5 if mask is None else mask
    depth = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    if not inside.any():
        return prompt.shape[1] / 2, prompt.shape[0] / 2
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column) + 0.5, float(row) + 0.5


def _endpoint(pool: EnginePool, controls: Controls, page: Layout) -> None:
    """The same for programs, with the page's inputs and a few hidden components."""
    x, y = (gr.Number(label=label, visible=False) for label in ("x, in pixels", "y, in pixels"))
    searched = gr.Checkbox(False, label="Whether the patch is in the searched image", visible=False)
    facts, heat = gr.JSON(label="The matches", visible=False), gr.Image(label="Similarity", visible=False)
    run = gr.Button(visible=False)
    run.click(
        _handler(pool, heat),
        [*page.inputs[:2], x, y],
        [facts, heat],
        inputs_kwargs={**controls.engine_by_name, "searched": searched},
        api_name="patch_similarity",
        **JOBS,
    )


def _handler(pool: EnginePool, cache: gr.Image) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    def patch(
        prompt: str | None,
        image: str | None,
        x: float | None,
        y: float | None,
        searched: bool = False,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Compare one patch of an image with every patch of another one, by the features alone.

        The first output is the patch, [left, top, right, bottom], and the most similar patches of the other image, each
        with its centre, (x, y), and its cosine, all in pixels of the upright images; the second a heat map.

        Args:
            prompt: image of the object
            image: the image to search
            x: column of the patch, in pixels
            y: row of the patch, in pixels
            searched: whether the patch is in the image to search, and not in the prompt
        """
        report: Progress = reporter(progress, pool.limits.one)
        with error_messages():
            spec = engine_of(settings)
            if not prompt or not image:
                raise ImageError("There are no two images yet; add the object and the image to search first.")
            images = open_image(prompt), open_image(image)
            here, there = images[::-1] if searched else images
            place = _place(x, y, here)
            found = patch_similarity(pool.engine(spec, report), here, there, place)
        matches = [
            {"x": round(float(column), 2), "y": round(float(row), 2), "cosine": round(float(score), 4)}
            for (column, row), score in zip(found.matches, found.scores, strict=True)
        ]
        facts = {"patch": [round(each, 2) for each in found.box], "matches": matches, "engine": spec.name}
        return facts, as_jpeg(cache, figures.with_matches(there, found, SIDE), "similarity.jpg")

    return patch


def _place(x: float | None, y: float | None, image: ImageArray) -> tuple[float, float]:
    """A pixel of ``image``, (x, y). Raises SettingError for one that is not on it."""
    height, width = image.shape[:2]
    if x is None or y is None or not (0 <= x < width and 0 <= y < height):
        raise SettingError(f"The pixel ({x}, {y}) is not on the image; give x below {width} and y below {height}.")
    return float(x), float(y)
