"""The queue of Gradio: which events wait or run, of which session, and whether their client is still there.

Gradio 6.31 has no public way to this: ``Blocks.queue`` sets the queue up, the ``unload`` event covers neither clients
without a page nor a single request that is cancelled, and ``time_limit`` is for streams. ``Blocks._queue`` is read and
set up in this module alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import gradio as gr
from gradio.context import LocalContext

POLL_SECONDS = 0.01  # how often the queue looks for a request; Gradio's 0.001 takes 5 % of a core from an idle machine


def poll_less(page: gr.Blocks) -> None:
    """Have the queue of a page look for requests every ``POLL_SECONDS``. Call it after ``page.queue``."""
    page._queue.sleep_when_free = POLL_SECONDS


def leaving() -> Callable[[], bool]:
    """A function: whether the client of the current event has disconnected, so that Gradio drops the event.

    Outside an event the function returns False.
    """
    name = LocalContext.event_id.get(None)
    events = _events(LocalContext.blocks.get(None))
    if name not in events:
        return lambda: False
    return lambda: not getattr(events.get(name), "alive", False)


def waiting(request: gr.Request, endpoints: Collection[str]) -> list[str]:
    """The names of the events of a session at these endpoints that have not ended: in the queue, or begun."""
    named = getattr(request, "session_hash", None)
    events = list(_events(LocalContext.blocks.get(None)).items())
    return [name for name, event in events if named and event.session_hash == named and event.fn.api_name in endpoints]


def inputs(page: gr.Blocks) -> list[Any]:
    """The inputs, as JSON values, of every event that waits or runs."""
    return [getattr(event.data, "data", None) for event in list(_events(page).values())]


def sessions(page: gr.Blocks) -> tuple[set[str], set[str]]:
    """The sessions with an event that waits or runs, and those with messages that were not fetched."""
    queue = page._queue
    busy = {name for name, events in queue.pending_event_ids_session.items() if events}
    return busy, set(queue.pending_messages_per_session)


def forget(page: gr.Blocks, session: str) -> None:
    """Drop the messages of a session that were not fetched."""
    page._queue.pending_messages_per_session.pop(session, None)
    page._queue.pending_event_ids_session.pop(session, None)


def _events(page: gr.Blocks | None) -> dict[str, Any]:
    return getattr(getattr(page, "_queue", None), "event_ids_to_events", {})
