"""What goes through the queue, the message about a shortage, and what is saved of a visitor's own images."""

from __future__ import annotations

import asyncio
import errno
import re
import threading
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from ipseg.core import images, masks, resources, store
from ipseg.core.examples import examples_folder
from ipseg.engine.spec import EngineSpec
from ipseg.studies import galleries
from ipseg.studies.ablation import Pair
from ipseg.studies.galleries import GalleryImage
from ipseg.ui import build
from ipseg.ui.server import queue
from ipseg.ui.server.errors import error_messages, name_shortages
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.tabs.ablation import handlers, layout


@pytest.fixture(scope="module")
def run():
    """Runs a coroutine in the event loop of a thread, as a server has it; Gradio asks for one when it builds a page."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(600)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def page(run):
    """The page, not served."""

    async def made():
        return build(EnginePool(EngineSpec()))

    return run(made())


FILES = (gr.Image, gr.Gallery, gr.File, gr.ImageEditor, gr.Video, gr.ImageSlider)


def test_everything_that_opens_an_image_goes_through_the_queue(page):
    past = [event for event in page.fns.values() if event.queue is False and event.fn is not None]
    assert past
    for event in past:
        taken = [type(component).__name__ for component in event.inputs if isinstance(component, FILES)]
        assert not taken, f"{event.name} takes {taken}"
    queued = {event.name: event for event in page.fns.values() if event.queue is not False}
    assert {queued[name].concurrency_id for name in ("put", "paint", "begin")} == {"engine"}  # of masks and of marks


def test_an_idle_queue_rests_between_two_looks_for_requests(page, run, monkeypatch):
    rests = []

    async def rest(seconds):
        rests.append(seconds)
        page._queue.stopped = len(rests) == 3

    monkeypatch.setattr("gradio.queueing.asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": rest}))
    run(page._queue.start_processing())
    assert rests == [queue.POLL_SECONDS] * 3
    assert queue.POLL_SECONDS >= 0.01


def test_states_expire(page):
    states = [component for component in page.blocks.values() if isinstance(component, gr.State)]
    assert len(states) >= 2
    visitors = [state for state in states if state.elem_id is None and state.time_to_live == 3600]
    assert len(visitors) >= 2


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "quota")])
def test_a_shortage_reaches_the_visitor_as_one_message(error, one_message, run):
    async def failing(*_, **__):
        raise error

    shown = SimpleNamespace(process_api=failing)
    name_shortages(shown)
    with pytest.raises(gr.Error) as caught:
        run(shown.process_api())
    one_message(caught.value.message)
    with pytest.raises(gr.Error) as handled, error_messages():
        raise error
    assert handled.value.message == caught.value.message


def test_every_event_of_the_page_says_so(page, monkeypatch, run):
    """Gradio's own saving of an answer, after the handler."""

    async def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(page, "postprocess_data", full)
    event = next(event for event in page.fns.values() if event.name == "pick" and len(event.inputs) == 0)
    monkeypatch.setattr(event, "fn", lambda: "tiny")
    with pytest.raises(gr.Error, match="no room left"):
        run(page.process_api(event, [], state=None))


def test_other_errors_stay_as_they_are(run):
    async def failing(*_, **__):
        raise KeyError("name")

    shown = SimpleNamespace(process_api=failing)
    name_shortages(shown)
    with pytest.raises(KeyError):
        run(shown.process_api())
    assert resources.message(KeyError("name")) == ""


def test_answers_for_own_prompts_are_not_saved(tmp_path, make_scene, save, engine):
    engine.prompt = lambda given, prompt=engine.prompt: SimpleNamespace(
        colour=prompt(given).colour, views=[SimpleNamespace(saliency=np.ones((4, 4), np.float32))]
    )
    image, mask = make_scene()
    path, truth = save(tmp_path / "a.png", image), save(tmp_path / "m.png", mask.astype(np.uint8) * 255)
    folder, shown = tmp_path / "cache", GalleryImage(path, truth, "")
    sets = {"set A": [path], "yours 1": [path, path]}
    found = galleries.compute_all(engine, sets, [shown], folder, unsaved={"yours 1"})
    assert len(found["yours 1"]) == len(list(folder.iterdir())) == 1
    calls = engine.calls
    galleries.compute_all(engine, sets, [shown], folder, unsaved={"yours 1"})
    assert engine.calls == calls + 1  # the visitor's own again


@pytest.mark.parametrize(("own", "saved"), [((), True), (("image",), False), (("mask",), False), (("truth",), False)])
def test_the_ablation_saves_results_for_examples_alone(own, saved, monkeypatch):
    folder = examples_folder()
    prompt, searched, _ = layout.EXAMPLES[0]
    parts = {
        "prompt": images.open_image(layout.example_file(folder, "Images", prompt)),
        "image": images.open_image(layout.example_file(folder, "Images", searched)),
        "mask": masks.read_mask(layout.example_file(folder, "Annotations", prompt)).mask,
        "truth": masks.read_mask(layout.example_file(folder, "Annotations", searched)).mask,
    }
    for part in own:
        parts[part] = np.roll(parts[part], 3, axis=0)
    folders = []
    monkeypatch.setattr(handlers.ablation, "compute", lambda *_, folder, progress: folders.append(folder))
    handlers._ablation(EnginePool(EngineSpec()), EngineSpec(), Pair(*parts.values()), lambda *_: None)
    assert folders == [store.folder("ablation") if saved else None]


def test_the_queue_of_gradio_is_read_in_one_module(root):
    files = (root / "ipseg").rglob("*.py")
    assert [path.name for path in files if re.search(r"\._queue\b|[\"']_queue[\"']", path.read_text())] == ["queue.py"]
