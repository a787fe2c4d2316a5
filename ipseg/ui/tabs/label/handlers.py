"""The tab "Label": classes and images in; labels out, reviewed, corrected and exported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from ipseg.annotations.labels import LabelledImage
from ipseg.labelling.frames import is_clip
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.jobs import Jobs
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.tabs.label import api, examples, jobs, render
from ipseg.ui.tabs.label.correct import LIGHT, Corrections
from ipseg.ui.tabs.label.layout import ROWS, Layout, layout
from ipseg.ui.tabs.label.session import Request, Review, light, remove
from ipseg.ui.widgets import earlier, running
from ipseg.ui.widgets.controls import Controls, chosen
from ipseg.ui.widgets.inputs import parameters

Values = dict[gr.components.Component, Any]


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    page, running_jobs = layout(), Jobs(runs=("label",))
    pool.jobs.append(running_jobs)
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    _wire_classes(page, quiet)
    page.folder.upload(lambda files: files, page.folder, page.files, **quiet)
    page.files.change(_with_clips, page.files, page.per_second, **LIGHT)
    handlers = LabelHandlers(pool, controls, page, running_jobs)
    review = Corrections(pool, page, running_jobs)
    given = {*page.names, *page.images, page.files, page.per_second, page.seen, page.session, *controls.inputs}
    common: dict[str, Any] = {
        "outputs": handlers.outputs, "show_progress_on": [page.status], "api_visibility": "private", **JOBS,
    }  # fmt: skip
    # "Label again" goes on with the inputs of the labels that are there.
    inputs = [*page.names, *page.images, page.files, page.per_second, *controls.inputs]
    now = earlier.Inputs("tab-label", "#label-gallery img", inputs)
    now.asked([page.run.click])
    ran = [
        page.run.click(handlers.armed, None, page.status, **quiet).then(handlers.run, given, **common),
        page.again.click(handlers.armed, None, page.status, **quiet).then(handlers.again, given, **common),
    ]
    running.announce(page.again.click, page.run, page.stop, "label-status")
    if page.examples:
        page.files.change(
            lambda files: gr.skip() if files else gr.Gallery(selected_index=None), page.files, page.examples, **LIGHT
        )
        running.announce(page.examples.select, page.run, page.stop, "label-status")
        filled = page.examples.select(
            handlers.example, None, [*page.names, *page.images, *[row.row for row in page.rows], page.seen, page.files],
            **quiet,
        )  # fmt: skip
        now.asked_after(filled)
        ran.append(filled.then(handlers.armed, None, page.status, **quiet).then(handlers.run, given, **common))
    now.mark([ran[0], *ran[2:]])
    running.wire(page.run, page.stop, ran, "label-status", cancels=False)
    page.stop.click(None, None, page.status, js=f"() => {json.dumps(render.STOPPING)}", **quiet)
    page.stop.click(handlers.stop, None, None, **quiet)
    for event in ran:
        event.failure(lambda: render.MISSING, None, page.status, **quiet)
        event.success(review.export, review.exported, page.archive, **LIGHT)
    review.wire()
    api.build(pool, controls, page, running_jobs)


def _with_clips(files: list[str] | None) -> gr.Number:
    """How many frames of a clip are labelled is asked where there is one."""
    return gr.Number(visible=any(is_clip(Path(file)) for file in files or ()))


def _wire_classes(page: Layout, quiet: dict[str, Any]) -> None:
    """Adding and removing a class."""
    rows = [row.row for row in page.rows]
    page.add.click(added, page.seen, [page.seen, *rows], **quiet)
    for number, row in enumerate(page.rows):
        outputs = [page.seen, *rows, row.name, row.images]
        row.remove.click(_removed(number), page.seen, outputs, **quiet)


def added(seen: tuple[bool, ...]) -> tuple[Any, ...]:
    """One more row: the first after the last that is seen, else the first that is free."""
    last = max((number for number, shown in enumerate(seen) if shown), default=-1)
    free = [number for number, shown in enumerate(seen) if not shown]
    number = next((number for number in free if number > last), free[0] if free else None)
    if number is None:
        gr.Info(f"The page takes {ROWS} classes; the API and the command line take more.")
    return _rows(tuple(shown or place == number for place, shown in enumerate(seen)))


def _removed(number: int) -> Callable[..., Any]:
    def removed(seen: tuple[bool, ...]) -> tuple[Any, ...]:
        return *_rows(tuple(shown and place != number for place, shown in enumerate(seen))), "", None

    return removed


def _rows(seen: tuple[bool, ...]) -> tuple[Any, ...]:
    return seen, *(gr.Row(visible=shown) for shown in seen)


class LabelHandlers:
    """The event handlers of the inputs and the run. What belongs to a visitor is in their session."""

    def __init__(self, pool: EnginePool, controls: Controls, page: Layout, jobs_of: Jobs) -> None:
        self.pool, self.controls, self.page, self.jobs = pool, controls, page, jobs_of
        self.outputs = [
            page.status, page.review, page.one, page.gallery, page.shown, *page.thresholds, page.archive, page.again,
            page.session,
        ]  # fmt: skip

    def armed(self, request: gr.Request) -> str:
        """The visitor has asked for a run."""
        self.jobs.arm(request)
        return render.QUEUED

    def stop(self, request: gr.Request) -> None:
        """End the run after this image."""
        self.jobs.stop(request)

    def example(self, picked: gr.SelectData) -> tuple[Any, ...]:
        """The inputs of an example: names, example images, which rows are seen, and the images to label."""
        example = examples.found()[picked.index]
        images = iter(example.files)
        shown = [[self._cached(next(images)) for _ in paths] for _, paths in example.classes]
        names = [name for name, _ in example.classes]
        rest = ROWS - len(names)
        seen = tuple(number < len(names) for number in range(ROWS))
        files = [self._cached(file, number) for number, file in enumerate(images, start=1)]
        return *names, *[""] * rest, *shown, *[None] * rest, *_rows(seen)[1:], seen, files

    def _cached(self, file: Path, number: int = 0) -> str:
        name = f"{number:02}_{file.parent.name}_{file.name}" if number else f"{file.parent.name}_{file.name}"
        return save_bytes_to_cache(file.read_bytes(), name, self.page.files.GRADIO_CACHE)

    def run(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Label all images anew."""
        with error_messages(), self.jobs.running(request, self.pool.limits.many) as watch:
            classes = self._classes(values)
            jobs.check(classes, values[self.page.files])
            numbers = parameters(*(values[one] for one in self.controls.numbers))
            spec = chosen([values[one] for one in self.controls.engine])
            shown = tuple((name, tuple((path, None) for path in paths)) for name, paths in classes)
            yield render.READING, *[gr.skip()] * (len(self.outputs) - 1)
            per_second = values[self.page.per_second]
            review = jobs.start(Request(shown, spec, numbers), values[self.page.files], watch, per_second=per_second)
            remove(values[self.page.session])
            yield from self._run(review, watch)

    def again(self, values: Values, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Label the images that were not corrected anew, with the examples that were added."""
        with error_messages(), self.jobs.running(request, self.pool.limits.many) as watch:
            review: Review = values[self.page.session]
            review.labels  # noqa: B018 - raises where they are gone
            yield from self._run(replace(review, added=0, opened="", chosen=None, clicks=(), undo=()), watch)

    def _classes(self, values: Values) -> list[tuple[str, list[str]]]:
        """The rows that are seen and not empty."""
        found = []
        for row, seen in zip(self.page.rows, values[self.page.seen], strict=True):
            name, paths = jobs.tidy(values[row.name] or ""), [path for path, _ in values[row.images] or ()]
            if seen and (name or paths):
                found.append((name, paths))
        return found

    def _run(self, review: Review, watch: Any) -> Iterator[tuple[Any, ...]]:
        start, done, total = time.perf_counter(), list[LabelledImage](), len(review.items)
        tiles: dict[str, tuple[str, str]] = {}
        limits = review.request.parameters.reject_threshold
        yield (
            render.LOADING, gr.Column(visible=False), gr.Column(visible=False), [], "",
            *[gr.Slider(visible=False)] * ROWS, gr.DownloadButton(value=None, interactive=False),
            gr.Button(visible=False), review,
        )  # fmt: skip
        for image in jobs.run(self.pool, review, watch):
            done.append(light(image))
            earlier = sum(one.corrected for one in done)  # they are not labelled again
            bar = running.bar(len(done), total, "image", start, image.name, earlier=earlier)
            shown: list[Any] = [gr.skip(), gr.skip(), gr.skip(), gr.skip()]
            if not image.error:
                if len(tiles) < render.MOST_SHOWN:
                    tiles[image.name] = render.tile(review, self.page.gallery, image.name)
                    shown[2] = list(tiles.values())
                good = sum(not one.error for one in done)
                shown[0], shown[3] = gr.Column(visible=True), render.so_far(good, total)
            yield bar, *shown, *[gr.skip()] * (len(self.outputs) - 5)
        if not done:
            watch.check()
        jobs.unless_all_failed([image.error for image in done])
        least = self._least(review, limits)
        thresholds = {name: review.thresholds.get(name, least) for name in review.request.names}
        review = replace(review, thresholds=thresholds, order=render.ordered(done, thresholds), tiles={})
        review = replace(review, facts={image.name: image for image in done}, seconds=time.perf_counter() - start)
        review = render.tiled(review, self.page.gallery)
        yield (
            render.summary(review),
            gr.Column(visible=True),
            gr.Column(visible=False),
            render.gallery(review),
            render.shown_count(review),
            *render.sliders(review, done, ROWS),
            gr.skip(),
            gr.Button(visible=False),
            review,
        )

    def _least(self, review: Review, limit: float | None) -> float:
        """Where the sliders of the thresholds start: the least score that a label has."""
        return self.pool.engine(review.request.spec).config.reject_threshold if limit is None else limit
