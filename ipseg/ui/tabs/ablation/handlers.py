"""The intermediate results of the method (Fig. 4, 5 and 8; Tables 3, 4 and 6) for one prompt image and one image."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import gradio as gr

from ipseg.core import images, store
from ipseg.core.examples import examples_folder
from ipseg.core.masks import read_mask, with_masks
from ipseg.core.types import ImageError, Progress
from ipseg.engine.spec import EngineSpec
from ipseg.method import refinement
from ipseg.studies import ablation
from ipseg.studies.ablation import Ablation, Pair
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.tabs.ablation import patch
from ipseg.ui.tabs.ablation import render as sections
from ipseg.ui.tabs.ablation.layout import EXAMPLES, example_file, layout
from ipseg.ui.widgets import earlier, running
from ipseg.ui.widgets.arguments import engine_of
from ipseg.ui.widgets.controls import Controls
from ipseg.ui.widgets.inputs import whole as whole_number


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    page = layout()
    handler = _handler(pool)
    common: dict[str, Any] = {
        "inputs": page.inputs,
        "inputs_kwargs": {**controls.engine_by_name, "mask_value": page.mask_value},
        "outputs": [page.verdict, page.steps, *page.sections, page.record],
        "show_progress_on": [page.verdict],
        **JOBS,
    }
    now = earlier.Inputs("tab-ablation", "#ablation-results", [*page.inputs, page.mask_value, *controls.engine])
    now.asked([page.run.click])
    pressed = [page.run.click(handler, api_name="ablation", **common)]
    if page.examples:
        chosen = page.examples.load_input_event
        running.announce(chosen.then, page.run, page.stop, "ablation-verdict")
        now.asked_after(chosen)
        pressed.append(chosen.then(handler, api_visibility="private", **common))
    given: list[Any] = page.inputs
    for image, its_mask in zip(given[:2], given[2:], strict=True):
        image.clear(lambda: None, None, its_mask, queue=False, show_progress="hidden", api_visibility="private")
    running.wire(page.run, page.stop, pressed, "ablation-verdict")
    now.mark(pressed)
    patch.wire(pool, controls, page, pressed)
    for event in pressed:
        event.success(
            lambda: gr.Column(visible=True),
            None,
            page.results,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )


def _handler(pool: EnginePool) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    def ablation(
        prompt: str | None,
        image: str | None,
        mask: str | None = None,
        truth: str | None = None,
        mask_value: float | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Show the features, the similarity, the saliency and a grid over K and c for one pair of images.

        Args:
            prompt: image of the object
            image: the image to search
            mask: true mask of the prompt: white on black, same size; may be left out
            truth: true mask of the image to search, to measure against; may be left out
            mask_value: which value of both masks is the object, where they have several; 0xRRGGBB of a colour
        """
        report = reporter(progress, pool.limits.many)
        with error_messages():
            spec = engine_of(settings)
            pair, notices = _opened((prompt, image), (mask, truth), mask_value, partial(report, 0.0, "prompt"))
            whole = refinement.named(spec.resolve().config.refinement).needs_prior
            view = sections.View(_ablation(pool, spec, pair, report), pair, whole, notices)
        return (
            sections.verdict(view, spec.name),
            sections.steps(view),
            sections.features(view),
            sections.similarity(view, [one.name for one in view.results.colours]),
            sections.saliency(view),
            sections.grid(view),
            sections.record(view, spec.name),
        )

    return ablation


def _opened(
    paths: tuple[str | None, str | None],
    masks: tuple[str | None, str | None],
    mask_value: float | None,
    on_open: Callable[[], None],
) -> tuple[Pair, tuple[str, ...]]:
    """The pair, opened, and what was assumed about its masks; ``on_open`` is called before each file and may raise."""
    prompt, image = paths
    if not prompt:
        raise ImageError("There is no image of the object yet; add one first.")
    if not image:
        raise ImageError("There is no image to search yet; add one first.")
    given = [mask or None for mask in masks]
    pairs = with_masks([prompt, image], given, mask_value=whole_number(mask_value), report=on_open)
    known = [mask.mask if mask else None for _, mask in pairs]
    notices = dict.fromkeys(notice for _, mask in pairs if mask for notice in mask.notices)
    return Pair(pairs[0][0], pairs[1][0], *known), tuple(notices)


def _ablation(pool: EnginePool, spec: EngineSpec, pair: Pair, report: Progress) -> Ablation:
    """Results for the example images alone are saved; those for a visitor's own images or masks never are."""
    given = [part for part in (pair.prompt, pair.image, pair.prompt_mask, pair.truth) if part is not None]
    shipped = {images.fingerprint(part) for part in given} <= _shipped()
    engine = pool.engine(spec, report)
    with pool.using_weights():
        return ablation.compute(engine, pair, folder=store.folder("ablation") if shipped else None, progress=report)


@cache
def _shipped() -> frozenset[str]:
    """The contents of the example images and of their true masks."""
    folder = examples_folder()
    names = [name for row in EXAMPLES for name in row[:2]] if folder else []
    shown = [images.open_image(example_file(folder, "Images", name)) for name in names]
    masks = [read_mask(example_file(folder, "Annotations", name)).mask for name in names]
    return frozenset(images.fingerprint(each) for each in [*shown, *masks])
