"""The tab "Segment": prompt images and images to search in; masks and the evidence for them out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency
from gradio.processing_utils import save_bytes_to_cache

from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.core.types import InputError, Progress
from ipseg.engine.session import Outcome, SegmentSession
from ipseg.engine.spec import EngineSpec
from ipseg.method.evidence import scores_without
from ipseg.ui.server.addresses import download_image
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.segment import api, instances, layout, meant, precompute, signs
from ipseg.ui.tabs.segment import render as answers
from ipseg.ui.tabs.segment import render_instances as several
from ipseg.ui.tabs.segment.instances import Edit
from ipseg.ui.tabs.segment.layout import BACKGROUND, HINTS, OBJECT, SIGNS, SIGNS_OF_INSTANCES, SWITCH, Layout
from ipseg.ui.tabs.segment.request import SegmentRequest, of_many, paths, usual_threshold
from ipseg.ui.tabs.segment.state import SavedResult, SavedResults
from ipseg.ui.widgets import earlier, examples, link, running
from ipseg.ui.widgets.clicks import MOST_CLICKS, as_points
from ipseg.ui.widgets.controls import Controls, chosen
from ipseg.ui.widgets.images import DISPLAY_SIDE, as_jpeg, as_png, distinct, to_image
from ipseg.ui.widgets.inputs import parameters

Values = dict[gr.components.Component, Any]
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(pool: EnginePool, controls: Controls) -> link.Linked:
    """Lay out the tab and wire it. Returns what a link to it may hold."""
    page = layout.build(addresses=pool.fetches)
    handlers = SegmentHandlers(pool, controls, page)
    events = _Events(handlers, page, controls)
    signs.listen(gr.context.Context.root_block)
    fillers, runs = events.runs()
    results = events.corrections()
    again = events.again()
    events.given.mark([*runs, *results, again])
    redrawn = events.redrawing()
    # What another example is chosen during would show the earlier result after that of the example.
    gr.on(fillers, None, cancels=[*results[1:], again, *redrawn], **QUIET)
    page.sign.input(handlers.hint, page.sign, page.hint, **QUIET)
    meant.wire(page.meant, page.prompts, pool, controls)
    for button, gallery in ((page.as_object, page.prompts), (page.as_input, page.images)):
        button.click(
            handlers.by_address, [page.address, gallery], [gallery, page.address], api_visibility="private",
            concurrency_id="address", concurrency_limit=2,
        )  # fmt: skip
    api.build(pool, controls, page)
    precompute.wire(gr.context.Context.root_block, pool)
    return link.Linked(
        inputs=(page.prompts, page.images, page.negative_prompt, page.all_instances),
        example=_example,
        opened=page.opened,
        examples=tuple(each.name for each in examples.found()),
        copy=page.copy,
        copied=page.copied,
    )


class _Events:
    """What happens on which event of the tab. Gradio's page goes by the order in which events are made."""

    def __init__(self, handlers: SegmentHandlers, page: Layout, controls: Controls) -> None:
        self.handlers, self.page, self.controls = handlers, page, controls
        self.inputs = {
            page.prompts, page.images, page.mask, page.mask_value, page.negative_prompt, page.all_instances,
            page.background, page.colour, page.meant.state, page.meant.paint, page.sign, *controls.inputs,
        }  # fmt: skip
        self.with_session = {*self.inputs, page.session}
        self.given = earlier.Inputs(
            "tab-segment",
            "#result",
            [page.prompts, page.images, page.negative_prompt, page.all_instances, page.mask, page.mask_value,
             page.meant.marks, page.meant.strokes, *controls.inputs],
        )  # fmt: skip
        self.common: dict[str, Any] = {
            "outputs": handlers.outputs, "show_progress_on": [page.verdict], "api_visibility": "private", **JOBS,
        }  # fmt: skip

    def runs(self) -> tuple[list[Any], list[Dependency]]:
        """Segment on the button, and after an example fills the inputs: the triggers that fill, and all runs."""
        page, handlers = self.page, self.handlers
        filled_in = [page.prompts, page.images, page.negative_prompt, page.all_instances, page.exclude]
        self.given.asked([page.run.click])
        runs = [page.run.click(handlers.run, self.inputs, **self.common)]
        if page.examples:
            gr.on(
                [page.prompts.change, page.images.change], handlers.without_example, filled_in[:4],
                [page.all_instances, page.negative_prompt, page.exclude, page.examples],
                show_progress="hidden", api_visibility="private", concurrency_limit=None, trigger_mode="always_last",
            )  # fmt: skip
        fillers: list[tuple[Any, Callable[..., Any], Any]] = [(page.opened.change, handlers.linked, page.opened)]
        if page.examples:
            fillers.append((page.examples.select, handlers.example, None))
        for trigger, fill, value in fillers:
            running.announce(trigger, page.run, page.stop, "verdict")
            filled = trigger(fill, value, filled_in, **QUIET)
            self.given.asked_after(filled)
            runs.append(filled.then(handlers.run, self.inputs, **self.common))
        running.wire(page.run, page.stop, runs, "verdict")
        return [trigger for trigger, _, _ in fillers], runs

    def corrections(self) -> list[Dependency]:
        """Show another image's result, the first of what is returned; then clicks on a result, and their removal."""
        page, handlers = self.page, self.handlers
        self.given.asked([page.answers.select])
        picked = page.answers.select(handlers.pick, self.with_session, **self.common)
        places = [view.select for view in handlers.clickable]
        signs.begin([*places, page.place.change], marks=True)
        buttons = [page.undo.click, page.clear.click, page.accept.click]
        signs.begin(buttons, marks=False)
        self.given.asked([*places, page.place.change, *buttons])
        corrections = [
            gr.on(places, handlers.click, self.with_session, **self.common),
            page.place.change(handlers.click_instance, {*self.with_session, page.place}, **self.common),
            page.undo.click(handlers.undo, self.with_session, **self.common),
            page.clear.click(handlers.clear, self.with_session, **self.common),
            page.accept.click(handlers.accept, self.with_session, **self.common),
        ]
        signs.end(corrections)
        return [picked, *corrections]

    def again(self) -> Dependency:
        """Segment anew after a number is changed."""
        moved = [number.release for number in self.controls.numbers]
        self.given.asked(moved)
        return gr.on(moved, self.handlers.again, self.with_session, trigger_mode="always_last", **self.common)

    def redrawing(self) -> list[Dependency]:
        """Switch instances on or off, and draw with another background: without the engine."""
        page, handlers = self.page, self.handlers
        redrawn = {page.session, page.instances, page.background, page.colour}
        light: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "hidden", "api_visibility": "private"}
        switched = page.instances.input(handlers.switch, redrawn, handlers.outputs, **light)
        backgrounds = [page.background.input, page.colour.input]
        return [switched, gr.on(backgrounds, handlers.redraw, redrawn, list(page.views), **light)]


def _example(prompts: Any, images: Any, negative_prompt: Any, all_instances: bool) -> str:
    """The name of the example that these inputs are; "" for others."""
    return examples.name_of(paths(prompts), paths(images), paths(negative_prompt), all_instances)


class SegmentHandlers:
    """The event handlers of the tab. They hold components; what belongs to a visitor is in their session."""

    def __init__(self, pool: EnginePool, controls: Controls, page: Layout) -> None:
        self.pool, self.controls, self.page = pool, controls, page
        self.outputs = [
            page.verdict, *page.views, page.instances, page.original, page.marked, page.heat, page.heat_scale,
            page.saliency, page.steps,
            page.answers, page.archive, page.before, page.undo, page.clear, page.result, page.evidence, page.session,
            page.accept, page.sign, page.hint,
        ]  # fmt: skip
        self.reduced = (page.marked, page.overlay, page.original)  # are shown at most at DISPLAY_SIDE
        self.clickable = (*self.reduced, page.cut, page.mask_view)

    def run(
        self,
        values: Values,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
        *,
        saved: SavedResults = SavedResults(),  # noqa: B008 - frozen
        sign: str | None = OBJECT,
    ) -> tuple[Any, ...]:
        """Segment all images; ``saved``: earlier results, whose clicks count where they are of the same images.

        ``sign``: what a click marks from now on, None as before.
        """
        start, spec = time.perf_counter(), self._spec(values)
        with error_messages():
            request = self._request(values)
            names = distinct(request.images)
            if [one.name for one in saved.results] != names:
                saved = SavedResults(tuple(SavedResult(name) for name in names))
            limits = self.pool.limits
            report = reporter(progress, limits.many if len(names) > 1 else limits.one)
            session = request.session(self.pool, spec, report)
            clicks = [None if session.all_instances else as_points(one.clicks) for one in saved.results]
            results: list[SavedResult] = []
            shown: dict[int, Result] = {}
            for outcome in session.segment_each(request.images, clicks, partial(of_many, report, len(names))):
                results.append(self._of_outcome(session, saved.results[outcome.number], outcome))
                if outcome.result is not None and (outcome.number == saved.which or not shown):
                    shown = {outcome.number: outcome.result}
            ((which, result),) = shown.items()
            saved = SavedResults(tuple(results), which, session.all_instances)
            before = self._before(session, saved, result, report)
            saved = _about(saved, session, spec, time.perf_counter() - start)
            return self._shown(session, values, request, saved, result, before, sign)

    def example(self, chosen: gr.SelectData) -> tuple[Any, ...]:
        """The inputs of the example that is chosen."""
        return self._filled(examples.found()[chosen.index])

    def without_example(self, *given: Any) -> tuple[Any, ...]:
        """Where the inputs are no longer an example, none is framed; without any input, what it set is as at first."""
        if not (given[0] or given[1]):
            return False, None, gr.Accordion(open=False), gr.Gallery(selected_index=None)
        return *[gr.skip()] * 3, examples.deselected(_example(*given))

    def linked(self, name: str) -> tuple[Any, ...]:
        """The inputs of the example that a link names."""
        example = examples.named(name)
        return (gr.skip(),) * 5 if example is None else self._filled(example)

    def _filled(self, example: examples.Example) -> tuple[Any, ...]:
        """Prompt, input, negative prompt, all instances; the panel of the negative prompt, open where it has one."""
        cache = self.page.prompts.GRADIO_CACHE
        prompt, image, *other = (save_bytes_to_cache(file.read_bytes(), file.name, cache) for file in example.files)
        if example.crop:
            prompt = as_png(self.page.prompts, example.prompt_image, "object.png")
        return [prompt], [image], other or None, example.all_instances, gr.Accordion(open=bool(other))

    async def by_address(self, address: str, given: Any, request: gr.Request) -> tuple[Any, str]:
        """The images of a field with the one at an address; the address is cleared."""
        with error_messages():
            if not self.pool.for_request(request).fetches:
                raise InputError(
                    "This page downloads no images for its visitors; save the image and give it as a file."
                )
            file = await download_image(address or "", self.page.prompts.GRADIO_CACHE)
        return [*paths(given), file], ""

    def again(self, values: Values, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Segment anew after a number changed; skipped while an input is missing."""
        if not (values[self.page.prompts] and values[self.page.images]):
            return gr.skip()
        return self.run(values, progress, saved=values[self.page.session], sign=None)

    def pick(self, values: Values, chosen: gr.SelectData, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Show the result for another image, from cached encodings."""
        saved: SavedResults = values[self.page.session]
        good = [number for number, one in enumerate(saved.results) if not one.error]
        if chosen.index >= len(good) or good[chosen.index] == saved.which:
            return gr.skip()
        return self._one(values, replace(saved, which=good[chosen.index]), progress, OBJECT)

    def click(self, values: Values, place: gr.SelectData, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """A click on the image marks the object or the background, or is about an instance."""
        saved: SavedResults = values[self.page.session]
        if saved.shown is None:
            return gr.skip()
        side = DISPLAY_SIDE if place.target in self.reduced else max(saved.shown.size)
        return self._clicked(values, to_image(place.index, saved.shown.size, side), progress)

    def click_instance(self, values: Values, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """The same on the image with the numbered instances, whose component has no event for it."""
        saved: SavedResults = values[self.page.session]
        if saved.shown is None:
            return gr.skip()
        x, y, _ = json.loads(values[self.page.place])
        return self._clicked(values, to_image((x, y), saved.shown.size), progress)

    def _clicked(self, values: Values, place: tuple[float, float], progress: gr.Progress) -> Any:
        """A click at (x, y) in pixels of the image that is shown."""
        saved, sign = values[self.page.session], values[self.page.sign]
        one = saved.results[saved.which]
        if not saved.all_instances:
            return self._one(values, saved.clicked((*one.clicks, (*place, sign != BACKGROUND))), progress)
        with error_messages():
            number = several.number_at(one, place) if one.instances else 0
        if number and (sign == SWITCH or (sign == OBJECT and number in one.off)):
            return self._switched(values, saved, set(one.off) ^ {number})
        if sign == SWITCH or (sign == OBJECT) == bool(number) or number in one.off:
            return _missed(sign, number)
        if len(one.edits) >= MOST_CLICKS:
            gr.Info(f"There are {MOST_CLICKS} clicks on this image; take some back first.")
            return gr.skip()
        return self._one(values, saved, progress, edit=Edit(number, *place, sign == OBJECT))

    def switch(self, values: Values) -> Any:
        """Instances were switched on or off by their numbers; numbers of an earlier result change nothing."""
        saved: SavedResults = values[self.page.session]
        numbers = {one.number for one in saved.shown.instances} if saved.shown else set()
        chosen = set(values[self.page.instances])
        if not numbers or not chosen <= numbers:
            return gr.skip()
        return self._switched(values, saved, numbers - chosen)

    def _switched(self, values: Values, saved: SavedResults, off: set[int]) -> Any:
        """All outputs that depend on which instances are on; the engine takes no part."""
        page, background = self.page, self._background(values)
        with error_messages():
            one = several.switched(saved.results[saved.which], sorted(off), page.answers)
            opened = several.reopened(one)
            views = several.views(one, *opened, background, page.cut_file)
            saved = saved.put(one)
            changed = {
                page.verdict: several.verdict(saved),
                page.instances: several.choice(one),
                page.marked: several.marked(one, *opened),
                page.answers: answers.together(saved.results, saved.which),
                page.archive: answers.download(saved.results, saved.engine, saved.notices, page.archive),
                page.session: saved,
                **dict(zip(page.views, views, strict=True)),
            }
        return tuple(changed.get(each, gr.skip()) for each in self.outputs)

    def hint(self, sign: str) -> str:
        """What a click does."""
        return HINTS.get(sign, "")

    def undo(self, values: Values, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Remove the last click."""
        return self._corrected(values, lambda clicks: clicks[:-1], progress)

    def clear(self, values: Values, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Remove all clicks."""
        return self._corrected(values, lambda clicks: (), progress)

    def accept(self, values: Values, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """Take the best guess of the image that is shown as its mask, whatever its score, or take that back."""
        saved: SavedResults = values[self.page.session]
        if saved.shown is None:
            return gr.skip()
        return self._one(values, saved.put(replace(saved.shown, accepted=not saved.shown.accepted)), progress)

    def _corrected(self, values: Values, change: Callable[[Any], Any], progress: gr.Progress) -> Any:
        """``change``: of the clicks on the single mask, or of those on instances."""
        saved: SavedResults = values[self.page.session]
        if saved.shown is None:
            return gr.skip()
        if saved.shown.instances:
            return self._one(values, saved.put(replace(saved.shown, edits=change(saved.shown.edits))), progress)
        return self._one(values, saved.clicked(change(saved.shown.clicks)), progress)

    def _spec(self, values: Values) -> EngineSpec:
        return chosen([values[one] for one in self.controls.engine])

    def _request(self, values: Values) -> SegmentRequest:
        page = self.page
        return SegmentRequest(
            paths(values[page.prompts]),
            paths(values[page.images]),
            values[page.mask],
            paths(values[page.negative_prompt]),
            values[page.all_instances],
            parameters(*(values[one] for one in self.controls.numbers)),
            values[page.mask_value],
            values[page.meant.state].marks,
            values[page.meant.paint],
        )

    def _of_outcome(self, session: SegmentSession, old: SavedResult, outcome: Outcome) -> SavedResult:
        """What is saved of one image of several. Its instances are found anew, and their numbers are others."""
        if outcome.result is None:
            return SavedResult(old.name, error=without_folders(str(outcome.error)))
        return self._saved(session, replace(old, off=(), edits=(), accepted=False), outcome.result)

    def _saved(
        self,
        session: SegmentSession,
        old: SavedResult,
        result: Result,
        edit: Edit | None = None,
        report: Progress | None = None,
    ) -> SavedResult:
        """What is saved of the result for one image. ``edit``: another click, on an instance or beside all (0)."""
        cache, usual = self.page.answers, usual_threshold(session)
        if not session.all_instances:
            return answers.save(old.name, result, old.clicks, cache, usual, old.accepted)
        found = base = instances.found_in(result, old.accepted)
        edits = old.edits if len(base) == old.found else ()
        given = session.engine, result.image
        if edits:
            found = instances.corrected(*given, base, edits, session.prompt, report)
        if edit and not edit.number:
            number = instances.about(*given, found, (edit.x, edit.y), session.prompt, report)
            edit = replace(edit, number=number)
        if edit:
            edits = (*edits, edit)
            found = instances.corrected(*given, base, edits, session.prompt, report)
        if not found:
            return answers.save(old.name, result, (), cache, usual, none_found=True)
        return several.save(old.name, result, found, cache, old.off, edits, len(base), old.accepted)

    def _one(
        self,
        values: Values,
        saved: SavedResults,
        progress: gr.Progress,
        sign: str | None = None,
        edit: Edit | None = None,
    ) -> tuple[Any, ...]:
        """Segment the image that is shown anew; ``sign``: as of :meth:`run`, ``edit``: as of :meth:`_saved`."""
        start, spec = time.perf_counter(), self._spec(values)
        with error_messages():
            request = replace(self._request(values), all_instances=saved.all_instances)
            report = reporter(progress, self.pool.limits.one)
            session = request.session(self.pool, spec, report)
            old = saved.results[saved.which]
            if distinct(request.images)[saved.which : saved.which + 1] != [old.name]:
                raise InputError("The images have changed since the result; press Segment first.")
            if old.accepted and not saved.all_instances:  # every mask is an answer
                session = replace(session, parameters=replace(session.parameters, threshold=0.0, reject_threshold=None))
            clicks = None if saved.all_instances else as_points(old.clicks)
            result = session.segment(request.images[saved.which], clicks=clicks, progress=report)
            saved = saved.put(self._saved(session, old, result, edit, report))
            before = self._before(session, saved, result, report)
            saved = _about(saved, session, spec, time.perf_counter() - start)
            return self._shown(session, values, request, saved, result, before, sign)

    def _before(
        self, session: SegmentSession, saved: SavedResults, result: Result, report: Progress
    ) -> list[tuple[str, str]]:
        """The result that is shown without the negative prompt and with it, each with a caption; [] without one."""
        if session.negative_prompt is None or saved.shown is None:
            return []
        clicks = as_points(saved.shown.clicks)
        without = replace(session, negative_prompt=None).segment(result.image, clicks=clicks, progress=report)
        both = ((without, "Without"), (result, "With it"))
        return [
            (answers.overlaid(one, self.page.before), f"{name}: {one.status.words}, score {one.score:.2f}")
            for one, name in both
        ]

    def redraw(self, values: Values) -> Any:
        """Draw the views anew with another background."""
        page, saved = self.page, values[self.page.session]
        one, background = saved.shown, self._background(values)
        if one is None or not one.cut_out:
            return gr.skip()
        with error_messages():
            if one.instances:
                return several.views(one, *several.reopened(one), background, page.cut_file)
            given = *answers.reopened(one), one.status, background, one.name, page.cut_file, one.clicks
            return *answers.views(*given), gr.skip()

    def _background(self, values: Values) -> tuple[str, str]:
        return values[self.page.background], values[self.page.colour]

    def _shown(
        self,
        session: SegmentSession,
        values: Values,
        request: SegmentRequest,
        saved: SavedResults,
        result: Result,
        before: list[tuple[str, str]],
        sign: str | None,
    ) -> tuple[Any, ...]:
        page, one, background = self.page, saved.results[saved.which], self._background(values)
        signs, stem = SIGNS_OF_INSTANCES if one.instances else SIGNS, Path(one.name).name
        chosen_sign = values[page.sign] if sign is None and values[page.sign] in signs else signs[0]
        corrected = bool(one.edits or one.clicks)
        if one.instances:
            opened = several.reopened(one)
            verdict, marked = several.verdict(saved), several.marked(one, *opened)
            views = several.views(one, *opened, background, page.cut_file)
        else:
            verdict = answers.verdict(
                session.prompt, result, saved.engine, saved.seconds, saved.results, saved.which,
                usual_threshold(session), saved.all_instances, _scores_without(session, result),
            )  # fmt: skip
            marked = answers.marked(result, one.clicks)
            given = result.image, result.mask, result.status, background, stem, page.cut_file, one.clicks
            views = (*answers.views(*given), gr.AnnotatedImage(visible=False))
        return (
            verdict,
            *views,
            several.choice(one),
            as_jpeg(page.original, result.image, f"{stem}.jpg"),
            marked,
            answers.similarity_view(result, session.engine.scorer.log_odds),
            answers.similarity_scale(result, session.engine.scorer.log_odds),
            answers.prompt_views(session.prompt, request.source, request.has_saved),
            answers.step_times(result.seconds, saved.seconds if len(saved.results) == 1 else None),
            answers.together(saved.results, saved.which),
            answers.download(saved.results, saved.engine, saved.notices, page.archive),
            gr.Gallery(value=before, visible=bool(before)),
            gr.Button(interactive=corrected),
            gr.Button(interactive=corrected),
            gr.Column(visible=True),
            gr.Column(visible=True),
            saved,
            answers.acceptance(one, bool(result.mask.any())),
            gr.Radio(list(signs), value=chosen_sign),
            HINTS[chosen_sign],
        )


def _scores_without(session: SegmentSession, result: Result) -> Mapping[str, float] | None:
    """As of :func:`ipseg.method.evidence.scores_without`; None where the object is not refused by its score."""
    if result.status is not Status.NOT_DETECTED or not result.mask.any():
        return None
    negative = session.negative_prompt
    return scores_without(session.engine, session.prompt, result.image, result.mask, negative_prompt=negative)


def _missed(sign: str, number: int) -> Any:
    """A click on an image of instances that changes nothing, and why."""
    if sign == OBJECT:
        gr.Info(f'Instance {number} is there already; "{BACKGROUND}" takes a part of it away.')
    else:
        gr.Info(f'There is no instance at this place; "{OBJECT}" adds one.')
    return gr.skip()


def _about(saved: SavedResults, session: SegmentSession, spec: EngineSpec, seconds: float) -> SavedResults:
    """The results with what the page says about the last answer."""
    return replace(saved, engine=spec.name, seconds=seconds, notices=session.prompt.notices)
