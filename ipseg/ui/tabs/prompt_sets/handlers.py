"""Prompt sets (Fig. 9, Table 5): the same inputs under different prompts of one kind of object."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg.core import images
from ipseg.core.types import ImageError
from ipseg.engine.spec import EngineSpec
from ipseg.studies import galleries
from ipseg.studies.galleries import GalleryResult, ObjectKind
from ipseg.ui.server import prompts as bounds
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.widgets import gallery_views
from ipseg.ui.widgets.controls import Controls
from ipseg.ui.widgets.inputs import gallery_input
from ipseg.ui.widgets.signature import with_engine

MOST = 4  # prompts of a visitor's own
INTRO = (
    "How much does the result depend on the prompt? Three prompts of the same kind of object, in other colours, poses "
    "and lights, are tried on the same images. (The engine “offline” knows colours and textures, not kinds.)"
)


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    kinds, _ = gallery_views.contents()
    gr.Markdown(INTRO)
    if not kinds:
        gr.Markdown("The images of the gallery are not here; run the page from a checkout of the project.")
        return
    with gr.Row():
        kind = gr.Dropdown(
            [(each.title, name) for name, each in kinds.items()],
            value=next(iter(kinds)),
            label="Kind of object",
            elem_id="sets-kind",
        )
        own = gallery_input(
            label="Your own prompts (optional)",
            columns=4,
            height=150,
            elem_id="sets-prompts-own",
        )
    run = gr.Button("Segment with every prompt", variant="primary", size="lg", elem_id="sets-run")
    verdict = gr.HTML(elem_id="sets-verdict", container=False)
    prompts = _image_gallery("The prompts: bright was taken as the object", "sets-prompts", 3)
    answers = _image_gallery("Results: one row for each image", "sets-answers", 3)
    inputs = [kind, own, *controls.engine]
    outputs = [verdict, prompts, answers]
    run.click(_handler(pool, kinds), inputs, outputs, api_name="prompt_sets", show_progress_on=[answers], **JOBS)


def _handler(pool: EnginePool, kinds: Mapping[str, ObjectKind]) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    @with_engine()
    def prompt_sets(
        kind: str,
        prompts: list[Any] | None = None,
        *,
        spec: EngineSpec,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
    ) -> tuple[Any, ...]:
        """Segment the same images with three prompts of one kind of object, and with prompts of your own.

        Args:
            kind: the kind of object, as the gallery names it
            prompts: further prompts, each used alone
        """
        report = reporter(progress, pool.limits.many)
        with error_messages():
            added = [path for path, _ in prompts or []]
            if len(added) > MOST:
                raise ImageError(f"There are {len(added)} prompts of your own; give at most {MOST} at once.")
            bounds.check(added)
            for path in added:  # errors come before any computation
                report(0.0, "prompt")
                images.open_image(path)
            engine = pool.engine(spec)
            sets: dict[str, list[Path]] = {
                f"set {name}": [one.image for one in each] for name, each in kinds[kind].sets.items()
            }
            sets |= {f"yours {number + 1}": [Path(path)] for number, path in enumerate(added)}
            own_sets = frozenset(sets) - {f"set {name}" for name in kinds[kind].sets}
            found = galleries.compute_all(engine, sets, kinds[kind].inputs, progress=report, unsaved=own_sets)
        return _verdict(found, kinds[kind], spec.name), _prompts(sets, found), _answers(found)

    return prompt_sets


def _verdict(found: Mapping[str, Sequence[GalleryResult]], kind: ObjectKind, engine: str) -> str:
    means = {name: galleries.mean_iou(each) for name, each in found.items()}
    best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    text = (
        f"<b>{html.escape(kind.title)}.</b> The best prompt is {best} (mean IoU {means[best]:.2f}), the worst is "
        f'{worst} ({means[worst]:.2f}). <span class="aside">Engine {html.escape(engine)}.</span>'
    )
    return f'<div class="waiting" role="status">{text}</div>{gallery_views.matrix(found, kind.inputs)}'


def _prompts(sets: Mapping[str, Sequence[Path]], found: Mapping[str, Sequence[GalleryResult]]) -> list[tuple[Any, str]]:
    return [(gallery_views.spotlight(paths[0], found[name][0]), name) for name, paths in sets.items()]


def _answers(found: Mapping[str, Sequence[GalleryResult]]) -> list[tuple[Any, str]]:
    count = len(next(iter(found.values())))
    return [
        (gallery_views.overlay(each[place]), f"{name}, IoU {each[place].iou:.2f}")
        for place in range(count)
        for name, each in found.items()
    ]


def _image_gallery(label: str, name: str, columns: int) -> gr.Gallery:
    return gr.Gallery(
        label=label, columns=columns, object_fit="contain", height="auto", interactive=False, elem_id=name
    )
