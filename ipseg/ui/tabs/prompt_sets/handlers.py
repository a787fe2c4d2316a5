"""Prompt sets (Fig. 9, Table 5): the same inputs under different prompts of one kind of object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg.core.images import open_image
from ipseg.core.types import ImageError
from ipseg.studies import galleries
from ipseg.studies.galleries import GalleryImage, ObjectKind
from ipseg.ui.server import prompts as bounds
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.tabs.prompt_sets import render
from ipseg.ui.tabs.prompt_sets.layout import INPUTS, INTRO, PROMPTS, RESULTS, TAKEN, layout
from ipseg.ui.widgets import earlier, gallery_views, running
from ipseg.ui.widgets.arguments import engine_of
from ipseg.ui.widgets.controls import Controls

MOST = 4  # prompts, and images, of a visitor's own


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    kinds, _ = gallery_views.contents()
    gr.Markdown(INTRO)
    if not kinds:
        gr.Markdown(gallery_views.ABSENT)
        return
    page = layout(kinds)
    inputs = [page.kind, page.own, page.images]
    outputs = [page.verdict, page.prompts, page.answers]
    run = _handler(pool, kinds)
    common = {"inputs_kwargs": controls.engine_by_name, "show_progress_on": [page.verdict], **JOBS}
    now = earlier.Inputs("tab-prompt_sets", "#sets-verdict table", [*inputs, *controls.engine])
    now.asked([page.run.click])
    ran = page.run.click(run, inputs, outputs, api_name="prompt_sets", **common)
    running.wire(page.run, page.stop, [ran], "sets-verdict")
    now.mark([ran])
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    ran.success(lambda: [gr.Gallery(label=TAKEN), gr.Gallery(label=RESULTS)], None, outputs[1:], **quiet)

    def chosen(kind: str) -> tuple[Any, ...]:
        prompts, searched = render.before(kinds[kind])
        return "", gr.Gallery(prompts, label=PROMPTS), gr.Gallery(searched, label=INPUTS)

    page.kind.input(chosen, page.kind, outputs, **quiet)


def _handler(pool: EnginePool, kinds: Mapping[str, ObjectKind]) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    def prompt_sets(
        kind: str,
        prompts: list[Any] | None = None,
        images: list[Any] | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Segment the same images with three prompts of one kind of object, and with prompts of your own.

        Args:
            kind: the kind of object, as the gallery names it
            prompts: further prompts, each used alone
            images: images of your own; then only your prompts are used, two or more
        """
        report = reporter(progress, pool.limits.many)
        with error_messages():
            spec = engine_of(settings)
            added, own = _own(prompts, "prompts"), _own(images, "images")
            if own and len(added) < 2:
                raise ImageError(
                    "To compare prompts on images of your own, give at least two prompts of your own, too."
                )
            for path in (*added, *own):  # errors come before any computation
                report(0.0, "prompt")
                open_image(path)
            engine = pool.engine(spec, report)
            yours = {f"yours {number + 1}": [path] for number, path in enumerate(added)}
            sets = yours if own else {**_of_kind(kinds[kind]), **yours}
            inputs = [GalleryImage(path, None, "") for path in own] or kinds[kind].inputs
            unsaved = sets if own else yours
            found = galleries.compute_all(engine, sets, inputs, progress=report, unsaved=frozenset(unsaved))
        title = "Your prompts" if own else kinds[kind].title
        return render.verdict(found, inputs, title, spec.name), render.prompts(sets, found), render.answers(found)

    return prompt_sets


def _own(files: list[Any] | None, what: str) -> list[Path]:
    """The paths of a visitor's own files. Raises ImageError when there are too many."""
    paths = [path for path, _ in files or []]
    if len(paths) > MOST:
        raise ImageError(f"There are {len(paths)} {what} of your own; give at most {MOST} at once.")
    bounds.check(paths)
    return [Path(path) for path in paths]


def _of_kind(kind: ObjectKind) -> dict[str, list[Path]]:
    return {f"set {name}": [one.image for one in each] for name, each in kind.sets.items()}
