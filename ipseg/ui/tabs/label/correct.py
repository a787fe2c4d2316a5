"""Review in the tab "Label": thresholds, the image that is opened, its corrections, and the export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr

from ipseg.annotations import formats
from ipseg.annotations.labels import LabelledImage, decode, encode
from ipseg.core.types import InputError, SettingError
from ipseg.labelling.review import edits
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.jobs import Jobs
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.tabs.label import jobs, render
from ipseg.ui.tabs.label.layout import CHOOSE, NEW, OBJECT, ROWS, Layout, why_images
from ipseg.ui.tabs.label.session import Review
from ipseg.ui.widgets.clicks import MOST_CLICKS, as_points
from ipseg.ui.widgets.images import to_image

Values = dict[gr.components.Component, Any]
LIGHT: dict[str, Any] = {  # of events that need no engine
    "concurrency_id": "review", "concurrency_limit": 2, "show_progress": "hidden", "api_visibility": "private",
}  # fmt: skip

# After the last image its panel is gone; the status, which says what comes next, is scrolled into view.
ALL_CONFIRMED = """() => setTimeout(() => {
  if (!document.getElementById('label-image')?.offsetParent)
    document.getElementById('label-status')?.scrollIntoView({ block: 'center' });
}, 300)"""


class Corrections:
    """The event handlers of the review. What belongs to a visitor is in their session."""

    def __init__(self, pool: EnginePool, page: Layout, jobs: Jobs) -> None:
        self.pool, self.page, self.jobs = pool, page, jobs
        self.outputs = [
            page.one, page.image, page.instances, page.label, page.delete, page.example, page.undo, page.discard,
            page.next, page.status, page.gallery, page.archive, page.again, page.session,
        ]  # fmt: skip
        self.exported = {page.session, page.format, page.with_images}

    def wire(self) -> None:
        """What each component does."""
        page, session = self.page, {self.page.session}
        light: dict[str, Any] = {"outputs": self.outputs, **LIGHT}
        page.gallery.select(self.open, session, **light)
        page.instances.input(self.choose, {*session, page.instances}, **light)
        heavy: dict[str, Any] = {
            "outputs": self.outputs, "show_progress_on": [page.image], "api_visibility": "private", **JOBS,
        }  # fmt: skip
        edited = [
            page.image.select(self.click, {*session, page.sign, page.label}, **heavy),
            page.label.input(self.relabel, {*session, page.label}, **light),
            page.delete.click(self.delete, session, **light),
            page.undo.click(self.undo, session, **light),
            page.discard.click(self.discard, session, **light),
            page.next.click(self.next, session, **light),
        ]
        edited[-1].then(None, js=ALL_CONFIRMED, **LIGHT)
        page.example.click(self.example, session, **light)
        moved = gr.on(
            [slider.input for slider in page.thresholds],
            self.filter,
            {*session, *page.thresholds},
            [*page.thresholds, page.shown, *self.outputs],
            trigger_mode="always_last",
            **LIGHT,
        )
        chosen = page.format.input(
            for_format, [page.format, page.with_images], [page.with_images, page.archive], **LIGHT
        )
        wanted = page.with_images.input(lambda: gr.DownloadButton(interactive=False), None, page.archive, **LIGHT)
        for event in (*edited, moved, chosen, wanted):
            event.success(self.export, self.exported, page.archive, **LIGHT)

    def open(self, values: Values, picked: gr.SelectData) -> Any:
        """Open an image of the gallery; its least certain instance is chosen."""
        review: Review = values[self.page.session]
        if picked.index >= len(review.order):
            return gr.skip()
        return self._opened(review, review.order[picked.index], stale=False)

    def choose(self, values: Values) -> Any:
        """Choose an instance, or a new one."""
        review, which = values[self.page.session], values[self.page.instances]
        chosen = None if which in (None, NEW) else int(which)
        return self._shown(replace(review, chosen=chosen, clicks=()), stale=False)

    def click(self, values: Values, place: gr.SelectData, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
        """A click on the image chooses an instance, or corrects the one that is chosen."""
        review: Review = values[self.page.session]
        if not review.opened:
            return gr.skip()
        with error_messages():
            image = review.image()
            x, y = to_image(place.index, image.size)
            if values[self.page.sign] == CHOOSE:
                return self._shown(replace(review, chosen=_at(image, review, x, y), clicks=()), image, stale=False)
            clicks = (*review.clicks, (x, y, values[self.page.sign] == OBJECT))[-MOST_CLICKS:]
            before = decode(review.before) if review.clicks and review.before else image
            points, report = as_points(clicks), reporter(progress, self.pool.limits.one)
            if points is None:
                return gr.skip()
            given = self.pool.engine(review.request.spec, report), review.pixels(), before
            target = review.target if review.clicks else review.chosen
            if target is None:
                label = values[self.page.label] or review.request.names[0]
                prompt = jobs.class_prompt(given[0], review.request, label)
                after, which = edits.added(*given, label, points, prompt=prompt, progress=report)
            else:
                after, which = edits.corrected(*given, target, points, progress=report)
            made = replace(review.corrected(after), chosen=which, clicks=clicks, before=encode(before), target=target)
            return self._shown(made, after)

    def relabel(self, values: Values) -> Any:
        """Another class for the instance that is chosen; of a new one it is that of the next click."""
        review: Review = values[self.page.session]
        if review.chosen is None:
            return gr.skip()
        return self._edited(review, lambda image, which: edits.relabelled(image, which, values[self.page.label]))

    def delete(self, values: Values) -> Any:
        """Remove the instance that is chosen."""
        return self._edited(values[self.page.session], edits.deleted, chosen=None)

    def undo(self, values: Values) -> Any:
        """Take back the last edit."""
        review: Review = values[self.page.session]
        with error_messages():
            return self._shown(review.undone()) if review.undo else gr.skip()

    def discard(self, values: Values) -> Any:
        """The labels of the run count again for this image."""
        with error_messages():
            return self._shown(values[self.page.session].discarded())

    def next(self, values: Values) -> Any:
        """The labels that are shown are right; open the next image that is not confirmed, or close the last one."""
        review: Review = values[self.page.session]
        with error_messages():
            image = review.image().above(review.thresholds)
            made = replace(review.with_confirmed(edits.confirmed(image)), chosen=None)
            if made.unconfirmed:
                return self._opened(made, made.unconfirmed[0], stale=True)
            return self._closed(render.tiled(replace(made, opened=""), self.page.gallery))

    def example(self, values: Values) -> Any:
        """The instance that is chosen becomes an example of its class."""
        review: Review = values[self.page.session]
        with error_messages():
            if review.chosen is None:
                raise SettingError("No instance is chosen; choose one first.")
            made = review.with_example(edits.example_of(review.pixels(), review.image(), review.chosen))
            gr.Info("It is an example of its class now; press Label again to use it for the other images.")
            return self._shown(made, stale=False)

    def filter(self, values: Values) -> Any:
        """Other thresholds: the gallery, its order and the counts change."""
        review: Review = values[self.page.session]
        names = review.request.names
        thresholds = {name: float(values[one]) for name, one in zip(names, self.page.thresholds, strict=False)}
        with error_messages():
            if review.folder is None:
                return gr.skip()
            review = replace(review, thresholds=thresholds, tiles={})
            images = list(review.facts.values())
            review = render.tiled(replace(review, order=render.ordered(images, thresholds)), self.page.gallery)
            shown = self._shown(review) if review.opened else self._closed(review)
        return *render.sliders(review, images, ROWS, set_values=False), render.shown_count(review), *shown

    def export(self, values: Values) -> Any:
        """The archive of the labels above the thresholds, in the chosen format, with the images where that is asked."""
        review: Review = values[self.page.session]
        if review.folder is None:
            return gr.skip()
        with error_messages(), self.jobs.workplace() as folder:
            chosen = [values[self.page.format]]
            items = review.items if values[self.page.with_images] else None
            made = render.archive(review.labels, chosen, review.thresholds, folder, self.page.archive, items)
        return gr.DownloadButton(value=made, interactive=True)

    def _edited(
        self, review: Review, edit: Callable[[LabelledImage, int], LabelledImage], **changed: Any
    ) -> tuple[Any, ...]:
        with error_messages():
            if review.chosen is None:
                raise InputError("No instance is chosen; choose one first.")
            image = edit(review.image(), review.chosen)
            return self._shown(replace(review.corrected(image), **changed), image)

    def _opened(self, review: Review, name: str, *, stale: bool) -> tuple[Any, ...]:
        with error_messages():
            review = replace(review, opened=name, clicks=(), before="")
            image = review.image()
            above = [number for number, one in enumerate(image.instances) if review.shows(one)]
            least = min(above, key=lambda number: image.instances[number].score, default=None)
            return self._shown(replace(review, chosen=least), image, stale=stale)

    def _shown(self, review: Review, image: LabelledImage | None = None, *, stale: bool = True) -> tuple[Any, ...]:
        """All outputs for the image that is opened. ``stale``: whether the archive is of other labels now."""
        with error_messages():
            image, pixels = image or review.image(), review.pixels()
            review = render.tiled(review, self.page.gallery)
        names, chosen = review.request.names, review.chosen
        picked = image.instances[chosen] if chosen is not None and chosen < len(image.instances) else None
        if picked is None or not review.shows(picked):
            picked, chosen, review = None, None, replace(review, chosen=None)
        return (
            gr.Column(visible=True),
            render.opened(review, image, pixels, review.clicks, chosen),
            gr.Radio(
                render.choices(review, image, NEW), value=NEW if picked is None else str(chosen),
                label=f"Instances in {image.name}{', confirmed' * (image.name in review.confirmed)}",
            ),
            gr.Dropdown(list(names), value=picked.label if picked else names[0]),
            gr.Button(interactive=picked is not None),
            gr.Button(interactive=picked is not None),
            gr.Button(interactive=bool(review.undo)),
            gr.Button(interactive=image.corrected),
            gr.Button("Confirm" if set(review.unconfirmed) <= {image.name} else "Confirm, next", interactive=True),
            render.summary(review),
            render.gallery(review),
            gr.DownloadButton(interactive=False) if stale else gr.skip(),
            self._again(review),
            review,
        )  # fmt: skip

    def _closed(self, review: Review) -> tuple[Any, ...]:
        unchanged, off = [gr.skip()] * (len(self.outputs) - 6), gr.DownloadButton(interactive=False)
        shown = render.summary(review), render.gallery(review), off, self._again(review), review
        return gr.Column(visible=False), *unchanged, *shown

    def _again(self, review: Review) -> gr.Button:
        text = f"Label again with {review.added} new example{'s' * (review.added != 1)}"
        return gr.Button(text, visible=review.added > 0)


def for_format(chosen: str, with_images: bool) -> tuple[gr.Checkbox, gr.DownloadButton]:
    """The images go with a format whose readers need them, or where they are wanted; the archive is made anew."""
    ticked = gr.Checkbox(value=with_images or formats.needs_images(chosen), info=why_images(chosen))
    return ticked, gr.DownloadButton(interactive=False)


def _at(image: LabelledImage, review: Review, x: float, y: float) -> int | None:
    """The instance at a place, among those that are shown."""
    row, column = min(int(y), image.size[0] - 1), min(int(x), image.size[1] - 1)
    found = (place for place, one in enumerate(image.instances) if one.mask[row, column] and review.shows(one))
    return next(found, None)
