"""The tab "Compare": IPSeg and the baselines on one prompt, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from ipseg.core import plugins
from ipseg.core.images import orientation
from ipseg.core.masks import GivenMask, with_masks
from ipseg.core.progress import between
from ipseg.core.types import ImageArray, ImageError, InputError
from ipseg.studies import comparison
from ipseg.studies.figure import comparison_figure
from ipseg.ui.server import prompts
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.tabs.compare import on_sam
from ipseg.ui.tabs.compare import render as rows
from ipseg.ui.tabs.compare.layout import Layout, layout
from ipseg.ui.widgets import earlier, examples, link, painting, running
from ipseg.ui.widgets.arguments import engine_of
from ipseg.ui.widgets.controls import Controls
from ipseg.ui.widgets.images import distinct
from ipseg.ui.widgets.inputs import whole

MOST = 16  # images in one comparison
MAX_PIXELS = 200_000_000  # of all of them together: 600 MB once opened
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(pool: EnginePool, controls: Controls) -> link.Linked:
    """Lay out the tab and wire it. Returns what a link to it may hold."""
    page = layout(on_sam.button(pool, pool.first).unrender())
    shown = [page.left, page.right, page.slider, page.answers, page.difference, page.legend]
    _wire_runs(pool, controls, page, shown)
    page.which.input(_selected, [page.saved, page.which], shown, **QUIET)
    gr.on(
        [page.left.input, page.right.input],
        rows.pair,
        [page.saved, page.which, page.left, page.right],
        page.slider,
        **QUIET,
    )
    # In the queue, as everything that decodes an image
    page.onto.click(
        painting.onto(page.paint), page.prompt, page.paint, show_progress="hidden", api_visibility="private", **JOBS
    )
    page.prompt.change(lambda: None, None, page.paint, **QUIET)
    names = tuple(plugins.names("baselines"))
    return link.Linked(
        inputs=(page.prompt, page.images),
        example=_example,
        opened=page.opened,
        examples=tuple(each.name for each in examples.comparable()),
        copy=page.copy,
        copied=page.copied,
        more={"methods": (page.methods, names)},
    )


def _wire_runs(pool: EnginePool, controls: Controls, page: Layout, shown: list[Any]) -> None:
    """Compare on the button, when SAM is fetched, and after an example fills the inputs. Gradio goes by the order."""
    masks = [page.mask, page.mask_value, page.truths, page.truth_value]
    strokes = painting.strokes(page.paint, [page.onto.click, page.prompt.change])
    now = earlier.Inputs(
        "tab-compare",
        "#compare-table table",
        [page.prompt, page.images, page.methods, *masks, strokes, *controls.engine],
    )
    compare: dict[str, Any] = {
        "fn": _handler(pool, page),
        "inputs": [page.prompt, page.images, page.methods, page.mask, page.paint, page.truths],
        "outputs": [page.table, page.record, page.figure, page.page_file, page.masks, page.saved, page.which, *shown],
        "inputs_kwargs": {**controls.engine_by_name, "mask_value": page.mask_value, "truth_value": page.truth_value},
        "show_progress_on": [page.table],
        **JOBS,
    }
    now.asked([page.run.click])
    run = page.run.click(**compare, api_name="compare")
    running.announce(page.on_sam.click, page.run, page.stop, "compare-table")
    fetching = on_sam.wire(pool, controls, page)
    now.asked_after(fetching)
    runs = [run, fetching.success(**compare, api_visibility="private")]
    for trigger, fill, value in _filled_by(page):
        running.announce(trigger, page.run, page.stop, "compare-table")
        filled = trigger(fill, value, [page.prompt, page.images, page.truths, page.mask], **QUIET)
        now.asked_after(filled)
        runs.append(filled.then(**compare, api_visibility="private"))
    running.wire(page.run, page.stop, runs, "compare-table", before=[fetching])
    now.mark(runs)


def _filled_by(page: Layout) -> list[tuple[Any, Callable[..., Any], Any]]:
    """The events that fill the inputs with an example, each with its handler and the handler's input."""
    by_link, chosen = _fillers(page)
    fillers: list[tuple[Any, Callable[..., Any], Any]] = [(page.opened.change, by_link, page.opened)]
    if page.examples:
        gr.on(
            [page.prompt.change, page.images.change], _without_example, [page.prompt, page.images],
            [page.truths, page.mask, page.examples], show_progress="hidden", api_visibility="private",
            concurrency_limit=None, trigger_mode="always_last",
        )  # fmt: skip
        fillers.append((page.examples.select, chosen, None))
    return fillers


def _filled(page: Layout, example: examples.Example) -> tuple[Any, ...]:
    """The inputs of an example: prompt, input, truth; no mask."""
    cache = page.prompt.GRADIO_CACHE
    prompt, image = (save_bytes_to_cache(file.read_bytes(), file.name, cache) for file in example.files[:2])
    truth = example.truth
    truths = [save_bytes_to_cache(truth.read_bytes(), truth.name, cache)] if truth else None
    return prompt, [image], truths, None


def _fillers(page: Layout) -> tuple[Callable[[str], tuple[Any, ...]], Callable[[gr.SelectData], tuple[Any, ...]]]:
    """What fills in an example by its name in a link, and one that is chosen."""

    def by_link(name: str) -> tuple[Any, ...]:
        example = examples.named(name)
        return (gr.skip(),) * 4 if example is None else _filled(page, example)

    def chosen(place: gr.SelectData) -> tuple[Any, ...]:
        return _filled(page, examples.comparable()[place.index])

    return by_link, chosen


def _without_example(prompt: str | None, images: list[Any] | None) -> tuple[Any, ...]:
    """Where the inputs are no longer an example, none is framed; without any input, what it set is removed."""
    if not (prompt or images):
        return None, None, gr.Gallery(selected_index=None)
    return gr.skip(), gr.skip(), examples.deselected(_example(prompt, images))


def _example(prompt: str | None, images: list[Any] | None) -> str:
    """The name of the example that these inputs are; "" for others."""
    return examples.name_of([prompt] if prompt else [], [path for path, _ in images or ()])


def _handler(pool: EnginePool, page: Layout) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    def compare(
        prompt: str | None,
        images: list[Any] | None,
        methods: list[str],
        mask: str | None = None,
        paint: Any = None,
        truths: list[str] | None = None,
        mask_value: float | None = None,
        truth_value: float | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Segment the object that the prompt shows in images, by several methods.

        Args:
            prompt: image of the object
            images: the images to search
            methods: two or more of ipseg and the baselines
            mask: where the object is in the prompt: white on black, same size; the saliency mask where left out
            paint: the same, painted on the page
            mask_value: which value of the mask is the object, where it has several; 0xRRGGBB of a colour, as a number
            truth_value: the same for the true masks
            truths: true masks of the images, by the images' names or in their order; may be left out
        """
        report = reporter(progress, pool.limits.many)
        with error_messages():
            spec, values = engine_of(settings), (mask_value, truth_value)
            on_open = partial(report, 0.0, "prompt")
            inputs = _opened(prompt, images, methods, mask, paint, truths, values, on_open)
            found = _answers(pool, pool.engine(spec, report), inputs, report)
            saved = rows.save(found, inputs.names, page)
            given = None if inputs.mask is None else inputs.mask.mask
            figure = comparison_figure(found, inputs.prompt, given, note=f"Engine {spec.name}.")
        return (
            rows.table(found, inputs.names, spec.name, inputs.notices),
            rows.record(found, inputs.names, spec.name, inputs.notices),
            *rows.downloads(saved, figure, page),
            saved,
            gr.Dropdown(choices=inputs.names, value=inputs.names[0], visible=len(inputs.names) > 1),
            *_selected(saved, inputs.names[0]),
        )

    return compare


@dataclass(frozen=True)
class _Inputs:
    """The inputs of one comparison, opened and checked."""

    prompt: ImageArray
    mask: GivenMask | None
    images: list[ImageArray]
    names: list[str]  # of the images, each once
    methods: list[str]
    truths: list[GivenMask | None]

    @property
    def notices(self) -> list[str]:
        """What was assumed about the masks, each once."""
        given = (mask for mask in (self.mask, *self.truths) if mask is not None)
        return list(dict.fromkeys(notice for mask in given for notice in mask.notices))


def _opened(
    prompt: str | None,
    images: list[Any] | None,
    methods: list[str],
    mask: str | None,
    paint: str | None,
    truths: list[str] | None,
    values: tuple[float | None, float | None],
    on_open: Callable[[], None],
) -> _Inputs:
    """Open and check all inputs before any computation; ``on_open`` is called before a file is opened."""
    if not prompt:
        raise ImageError("There is no image of the object yet; add one first.")
    if not images:
        raise ImageError("There is no image to search yet; add one first.")
    if len(images) > MOST:
        raise ImageError(f"There are {len(images)} images; give at most {MOST} at once.")
    comparison.check(methods)
    paths = [path for path, _ in images]
    prompts.check_pixels(paths, MAX_PIXELS, "The images to search")
    opened, names = prompts.opened(paths, on_open), distinct(paths)
    mask_value, truth_value = map(whole, values)
    ((shown, given),) = with_masks(prompt, mask or None, mask_value=mask_value, report=on_open)
    given = given or painting.painted(paint, shown.shape[:2])
    turns = [orientation(path) for path in paths] if truths else []
    known = rows.matched(truths or [], names, opened, turns, on_open, truth_value)
    return _Inputs(shown, given, opened, names, methods, known)


def _answers(pool: EnginePool, engine: Any, inputs: _Inputs, report: Any) -> list[comparison.Comparison]:
    settings = {name: {"dense": 0} for name in ("matcher", "matcher_z")} if not pool.quick else {}
    prepared = comparison.prepare(
        engine,
        inputs.methods,
        inputs.prompt,
        inputs.mask,
        settings=settings,
        progress=between(report, 0.0, 0.4),
    )
    if all(one.error for one in prepared):
        raise InputError(prepared[0].error)
    compared = comparison.compare(
        prepared,
        inputs.images,
        inputs.truths,
        progress=between(report, 0.4, 1.0),
    )
    return list(compared)


def _selected(saved: list[rows.SavedRow] | None, which: str | None) -> tuple[Any, ...]:
    """The results of one image, the first two of them on the slider, and the differences."""
    if not saved:
        return tuple(gr.skip() for _ in range(6))
    row = next((row for row in saved if row.name == which), saved[0])
    labels = ["the image", *(label for label, _ in row.answers)]
    left, right = (labels[1], labels[2]) if len(labels) > 2 else (labels[0], labels[-1])
    return (
        gr.Dropdown(choices=labels, value=left),
        gr.Dropdown(choices=labels, value=right),
        (row.overlay(left), row.overlay(right)),
        [(path, caption) for path, caption in zip(row.images, row.captions, strict=True)],
        row.difference,
        row.legend,
    )
