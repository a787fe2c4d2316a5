"""Downloading weights from the page: one button, a progress bar and a stop button; then the new engine is used."""

from __future__ import annotations

import contextvars
import html
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from ipseg import weights
from ipseg.core.types import InputError
from ipseg.engine.presets import Preset
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.redaction import without_folders

TICK = 0.25  # seconds between two updates of the bar
PATIENCE = 5  # seconds: a download that was just stopped ends within this


class DownloadStopped(weights.WeightError):
    """The download was stopped."""


def target(pool: EnginePool, now: EngineSpec) -> EngineSpec | None:
    """What the button would fetch: what the chosen engine lacks, else the better models that this machine could run."""
    try:
        if pool.lacks(now):
            return now if pool.absent(now) else None
    except InputError:
        return None
    offered = pool.offer(now)
    return EngineSpec(offered) if offered else None


def button(pool: EnginePool, now: EngineSpec) -> gr.Button:
    """The button for the chosen engine; hidden where nothing is to be fetched."""
    wanted = target(pool, now)
    size = weights.readable_size(sum(weight.bytes for weight in pool.absent(wanted))) if wanted else ""
    label = f"Fetch {wanted.preset}, {size}" if wanted and not wanted.changes else f"Fetch {size}"
    return gr.Button(label, size="md", visible=wanted is not None, elem_id="fetch")


def describe(pool: EnginePool, now: EngineSpec) -> str:
    """Which engine is used, or what it lacks; and which better engine could run here. HTML."""
    try:
        preset, lacking = now.resolve(), pool.lacks(now)
    except InputError as error:
        return _state("missing", f"<b>{html.escape(now.preset)}</b>: {html.escape(without_folders(str(error)))}")
    name, summary = html.escape(now.name), html.escape(preset.summary)
    line = f'<span class="aside">{html.escape(_parts(preset))}</span>'
    if lacking and not pool.absent(now):
        return _state("missing", f"<b>{name}</b> cannot run here: {html.escape(lacking)}.<br>{line}")
    if lacking:
        return _state(
            "missing", f"<b>{name}</b> is not downloaded yet. It needs {_listed(pool.absent(now))}.<br>{line}"
        )
    why = f" {html.escape(pool.reason)}" if pool.reason and now == pool.first else ""
    better = target(pool, now)
    offer = f"<br>{_offer(pool, better)}" if better else ""
    return _state("ready", f"Engine: <b>{name}</b>. {summary}{why}<br>{line}{offer}")


def refreshed(pool: EnginePool, now: EngineSpec) -> tuple[str, gr.Button]:
    """The line about the engine and the button for what is chosen now."""
    return describe(pool, now), button(pool, now)


def wire(
    pool: EnginePool,
    fetch: gr.Button,
    stop: gr.Button,
    state: gr.HTML,
    engine: Sequence[gr.components.Component],
    numbers: Sequence[gr.components.Component],
    chosen: Callable[[Sequence[Any]], EngineSpec],
    taken_over: Callable[[EngineSpec, EngineSpec], tuple[Any, ...]],
) -> None:
    """Pressing fetch moves the bar in ``state``; when all weights are present, the sidebar selects that engine.

    ``taken_over``: the values of engine and numbers when the second engine replaces the first.
    """
    sidebar = [*engine, *numbers]

    def run(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        now, mine = chosen(values), pool.for_request(request)
        wanted, same = target(mine, now) or now, [gr.skip()] * len(sidebar)
        with error_messages():
            if not mine.fetches:
                raise InputError("This page downloads no weights for its visitors; ask its operator to fetch them.")
            for done, total, text in progress_of(pool, wanted):
                yield _bar(done, total, text), gr.Button(visible=False), gr.Button(visible=True), *same
        gr.Info(f"{html.escape(wanted.name)} is downloaded and used from now on.")
        yield *refreshed(pool, wanted), gr.Button(visible=False), *taken_over(now, wanted)

    def again(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        return *refreshed(pool.for_request(request), chosen(values)), gr.Button(visible=False)

    outputs = [state, fetch, stop]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    running = fetch.click(
        run,
        list(engine),
        [*outputs, *sidebar],
        trigger_mode="multiple",
        concurrency_id="fetch",
        concurrency_limit=1,
        **quiet,
    )
    running.failure(again, list(engine), outputs, **quiet)
    stopped = stop.click(None, cancels=[running], api_visibility="private")
    stopped.then(again, list(engine), outputs, **quiet)


def progress_of(pool: EnginePool, now: EngineSpec) -> Iterator[tuple[int, int, str]]:
    """Fetch what a choice lacks; yields (bytes here, bytes there will be, what is being fetched) a few times a second.

    Closing the generator stops the download; the next one resumes it. Raises what
    :func:`ipseg.weights.fetch` raises, and InputError while another download is running.
    """
    if not pool.downloading.acquire(timeout=PATIENCE):
        raise InputError("Another download is running; wait until it is done.")
    stop = threading.Event()
    news: queue.SimpleQueue[Any] = queue.SimpleQueue()
    try:
        with pool.using_weights():
            context = contextvars.copy_context()  # the worker uses the same weights folder
        wanted = pool.absent(now)
        worker = threading.Thread(target=context.run, args=(_fetch_all, wanted, news, stop), daemon=True)
        worker.start()
        latest = (0, sum(weight.bytes for weight in wanted), wanted[0].title if wanted else "")
        yield latest
        while worker.is_alive() or not news.empty():
            latest = _latest(news) or latest
            yield latest
    finally:
        stop.set()
        pool.downloading.release()


def _fetch_all(wanted: Sequence[weights.Weight], news: Any, stop: threading.Event) -> None:
    """Runs in a thread; reports progress and errors into ``news``."""
    total, before = sum(weight.bytes for weight in wanted), 0
    try:
        for weight in wanted:
            weights.fetch(weight.name, progress=_Reporter(weight, before, total, news, stop))
            before += weight.bytes
    except weights.WeightError as error:
        print(f"ipseg: {error}", flush=True)
        news.put(weights.WeightError(without_folders(str(error), weights.folders())))
    except Exception as error:  # raised again in the generator
        news.put(error)


class _Reporter:
    """Bytes of one file after another, as bytes of the whole download."""

    def __init__(self, weight: weights.Weight, before: int, total: int, news: Any, stop: threading.Event) -> None:
        self.weight, self.before, self.total, self.news, self.stop = weight, before, total, news, stop
        self.files: dict[str, int] = {}

    def __call__(self, file: str, done: int, total: int) -> None:
        if self.stop.is_set():
            raise DownloadStopped("The download was stopped.")
        self.files[file] = done
        here = self.before + min(sum(self.files.values()), self.weight.bytes)
        self.news.put((here, self.total, self.weight.title))


def _latest(news: Any) -> tuple[int, int, str] | None:
    """The newest of what was reported within a tick; an error among it is raised."""
    found = None
    try:
        item = news.get(timeout=TICK)
        while True:
            if isinstance(item, Exception):
                raise item
            found = item
            item = news.get_nowait()
    except queue.Empty:
        return found


def _listed(absent: Sequence[weights.Weight]) -> str:
    """Each with its size and licence, shown before the button is pressed."""
    return "; ".join(html.escape(f"{weight.title} ({_terms(weight)})") for weight in absent)


def _terms(weight: weights.Weight) -> str:
    return ", ".join(filter(None, (weights.readable_size(weight.bytes), weight.licence, weight.note)))


def _offer(pool: EnginePool, better: EngineSpec) -> str:
    needs = _listed(pool.absent(better))
    return f"This machine could run the learnt features of <b>{html.escape(better.name)}</b>: {needs}."


def _parts(preset: Preset) -> str:
    named = [f"{name}/{settings['model']}" if "model" in settings else name for _, (name, settings) in preset.parts]
    return " · ".join((" + ".join(named[:-2]), *named[-2:], preset.config.refinement))


def _state(kind: str, text: str) -> str:
    return f'<div class="state {kind}" role="status">{text}</div>'


def _bar(done: int, total: int, title: str) -> str:
    share = min(1.0, done / total) if total else 0.0
    amount = f"{weights.readable_size(done)} of about {weights.readable_size(total)}"
    label = html.escape(f"Fetching {title}: {amount}")
    return _state("fetching", f'<progress max="1" value="{share:.4f}" aria-label="{label}"></progress><br>{label}')
