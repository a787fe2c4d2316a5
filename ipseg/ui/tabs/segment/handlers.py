"""The tab "Segment": prompt images and images to search in; masks and the evidence for them out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg.core.result import Result
from ipseg.core.types import InputError, Progress
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.segment import api, layout, questions
from ipseg.ui.tabs.segment import render as answers
from ipseg.ui.tabs.segment.layout import OBJECT, Layout
from ipseg.ui.tabs.segment.questions import Clicks, Question, Ready, SavedResult, Session
from ipseg.ui.widgets.controls import Controls, chosen
from ipseg.ui.widgets.images import distinct, shown
from ipseg.ui.widgets.inputs import numbers_of

Values = dict[gr.components.Component, Any]


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    page = layout.build()
    handlers = SegmentHandlers(pool, controls, page)
    inputs = {
        page.prompts, page.images, page.mask, page.mask_value, page.negative_prompt, page.all_instances,
        *controls.inputs,
    }  # fmt: skip
    common: dict[str, Any] = {
        "outputs": handlers.outputs, "show_progress_on": [page.slider], "api_visibility": "private", **JOBS,
    }  # fmt: skip
    page.run.click(handlers.run, inputs, **common)
    if page.examples:
        page.examples.load_input_event.then(handlers.run, inputs, **common)
    with_session = {*inputs, page.session}
    page.answers.select(handlers.pick, with_session, **common)
    page.marked.select(handlers.click, {*with_session, page.sign}, **common)
    page.undo.click(handlers.undo, with_session, **common)
    page.clear.click(handlers.clear, with_session, **common)
    moved = [number.release for number in controls.numbers]
    gr.on(moved, handlers.again, with_session, trigger_mode="always_last", **common)
    api.build(pool, controls, page)


class SegmentHandlers:
    """The event handlers of the tab. They hold components; what belongs to a visitor is in their session."""

    def __init__(self, pool: EnginePool, controls: Controls, page: Layout) -> None:
        self.pool, self.controls, self.page = pool, controls, page
        self.outputs = [
            page.verdict, page.slider, page.marked, page.heat, page.saliency, page.mask_file, page.cut_file, page.steps,
            page.numbered, page.answers, page.archive, page.undo, page.clear, page.session,
        ]  # fmt: skip

    def run(self, values: Values, progress: gr.Progress = gr.Progress()) -> tuple[Any, ...]:  # noqa: B008
        """Segment all images anew."""
        return self._all(values, Session(), progress)

    def again(self, values: Values, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Segment anew after a number changed; skipped while an input is missing."""
        if not (values[self.page.prompts] and values[self.page.images]):
            return gr.skip()
        return self._all(values, values[self.page.session], progress)

    def pick(self, values: Values, chosen: gr.SelectData, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Show the result for another image, from cached encodings."""
        session: Session = values[self.page.session]
        good = [number for number, one in enumerate(session.saved) if not one.error]
        if chosen.index >= len(good) or good[chosen.index] == session.which:
            return gr.skip()
        return self._one(values, replace(session, which=good[chosen.index]), progress)

    def click(self, values: Values, place: gr.SelectData, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """A click on the image marks the object or the background."""
        session: Session = values[self.page.session]
        if session.shown is None:
            return gr.skip()
        click = (*questions.to_image(place.index, session.shown.size), values[self.page.sign] == OBJECT)
        return self._one(values, session.clicked((*session.shown.clicks, click)), progress)

    def undo(self, values: Values, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Remove the last click."""
        return self._corrected(values, lambda clicks: clicks[:-1], progress)

    def clear(self, values: Values, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Remove all clicks."""
        return self._corrected(values, lambda clicks: (), progress)

    def _corrected(self, values: Values, change: Callable[[Clicks], Clicks], progress: gr.Progress) -> Any:
        session: Session = values[self.page.session]
        if session.shown is None:
            return gr.skip()
        return self._one(values, session.clicked(change(session.shown.clicks)), progress)

    def _spec(self, values: Values) -> EngineSpec:
        return chosen([values[one] for one in self.controls.engine])

    def _question(self, values: Values) -> Question:
        page = self.page
        numbers = [values[one] for one in self.controls.numbers]
        return Question(
            questions.paths(values[page.prompts]),
            questions.paths(values[page.images]),
            values[page.mask],
            questions.paths(values[page.negative_prompt]),
            values[page.all_instances],
            numbers_of(*numbers),
            values[page.mask_value],
        )

    def _all(self, values: Values, session: Session, progress: gr.Progress) -> tuple[Any, ...]:
        start = time.perf_counter()
        with error_messages():
            question = self._question(values)
            names = distinct(question.images)
            if [one.name for one in session.saved] != names:  # clicks stay with the images on which they were made
                session = Session(tuple(SavedResult(name) for name in names))
            several = len(names) > 1
            limits = self.pool.limits
            report = reporter(progress, limits.many if several else limits.one)
            ready = questions.ready(self.pool, self._spec(values), question, report)
            session, result = self._searched(ready, session, report)
        return self._shown(ready, self._spec(values), session, result, time.perf_counter() - start)

    def _searched(self, ready: Ready, session: Session, report: Progress) -> tuple[Session, Result]:
        """Segment every image; one that cannot be used is saved with its error message, unless it is the only one."""
        paths = ready.question.images
        saved: list[SavedResult] = []
        results: dict[int, Result] = {}  # the one that is shown
        for number, (path, one) in enumerate(zip(paths, session.saved, strict=True)):
            try:
                result = ready.segment(path, one.clicks, questions.of_many(report, number, len(paths)))
            except InputError as error:
                if len(paths) == 1:
                    raise
                saved.append(SavedResult(one.name, error=without_folders(str(error))))
                continue
            if number == session.which or not results:
                results = {number: result}
            saved.append(answers.save(one.name, result, one.clicks, ready.question.all_instances, self.page.answers))
        if not results:
            raise InputError(saved[0].error)
        ((which, result),) = results.items()
        return Session(tuple(saved), which), result

    def _one(self, values: Values, session: Session, progress: gr.Progress) -> tuple[Any, ...]:
        """Segment the image that is shown anew."""
        start = time.perf_counter()
        with error_messages():
            question = self._question(values)
            report = reporter(progress, self.pool.limits.one)
            ready = questions.ready(self.pool, self._spec(values), question, report)
            old = session.saved[session.which]
            if distinct(question.images)[session.which : session.which + 1] != [old.name]:
                raise InputError("The images have changed since the result; press Segment first.")
            result = ready.segment(question.images[session.which], old.clicks, report)
            session = session.put(answers.save(old.name, result, old.clicks, question.all_instances, self.page.answers))
        return self._shown(ready, self._spec(values), session, result, time.perf_counter() - start)

    def _shown(
        self, ready: Ready, spec: EngineSpec, session: Session, result: Result, seconds: float
    ) -> tuple[Any, ...]:
        page, question, one = self.page, ready.question, session.saved[session.which]
        return (
            answers.verdict(ready.prompt, result, spec.name, seconds, session.saved, session.which),
            answers.before_and_after(result),
            answers.marked(result, one.clicks),
            shown(result.heat_map()),
            answers.prompt_views(ready.prompt),
            *answers.downloads(result, Path(one.name).name, page.mask_file, page.cut_file),
            answers.step_times(result.seconds),
            answers.numbered(result, question.all_instances),
            *answers.together(session.saved, session.which, question.all_instances, page.archive),
            gr.Button(interactive=bool(one.clicks)),
            gr.Button(interactive=bool(one.clicks)),
            session,
        )
