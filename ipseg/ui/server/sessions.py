"""Bounds on sessions: valid names, how many there are, and how long one lives without a request.

Gradio makes a state of some 0.3 MB for every name of a session that it meets, and holds 10,000 of them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import gradio as gr

from ipseg.ui.server import queue

MOST = 300  # sessions at once: some 100 MB
MAX_SECONDS = 3600.0  # since the last event of a session
EVERY = 30.0  # seconds between two sweeps of the table
NAME = re.compile(r"[\w-]{1,64}", re.ASCII)  # Gradio's own names have 11 to 36 characters
MAX_BODY = 2**20  # bytes: what is longer is left for the bound on bodies
BEAT = re.compile(r"/heartbeat/([^/]*)")
REFUSED = b'{"detail": "The name of the session is not valid; reload the page."}'


class Sessions:
    """ASGI middleware: refuses invalid session names, and drops sessions that were not used for long.

    It drops them between two requests in the event loop, where no other code of Gradio can be in the middle of them.
    """

    def __init__(self, app: Any, page: gr.Blocks, clock: Callable[[], float] = time.time) -> None:
        self._app, self._page, self._clock = app, page, clock
        self._last = 0.0
        self._idle: dict[str, float] = {}  # sessions with unfetched messages, and since when

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass everything on, but a request with a wrong name."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._clock() - self._last > EVERY:
            self._last = self._clock()
            self.expire()
        names: list[Any] = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash", [])
        names += BEAT.findall(scope["path"])
        if scope["method"] == "POST" and _is_json(scope):
            body, receive = await _read(receive)
            names += _named_in(body)
        if all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(REFUSED)).encode())]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": REFUSED})

    def expire(self) -> None:
        """Drop the sessions without a waiting or running event that were not used for ``MAX_SECONDS``."""
        now, holder = self._clock(), self._page.state_holder
        busy, waiting = queue.sessions(self._page)
        for name, used in list(holder.time_last_used.items()):
            if name not in busy and now - used.timestamp() > MAX_SECONDS:
                with holder.lock:
                    holder.session_data.pop(name, None)
                    holder.time_last_used.pop(name, None)
        self._idle = {name: self._idle.get(name, now) for name in waiting - busy}
        for name, since in list(self._idle.items()):
            if now - since > MAX_SECONDS:
                queue.forget(self._page, name)
                del self._idle[name]


def _is_json(scope: Any) -> bool:
    """Whether the body may name a session: uploads, and calls of tools, do not."""
    kind = dict(scope["headers"]).get(b"content-type", b"").lower()
    return not kind.startswith((b"multipart/", b"application/x-www-form-urlencoded")) and "/mcp" not in scope["path"]


async def _read(receive: Any) -> tuple[bytes, Any]:
    """The beginning of a body of up to ``MAX_BODY`` bytes and a little more, and what gives it all out again."""
    messages, size = [], 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body") or size > MAX_BODY:
            break
    body = b"".join(message.get("body", b"") for message in messages)

    async def again() -> Any:
        return messages.pop(0) if messages else await receive()

    return body, again


def _named_in(body: bytes) -> list[Any]:
    """The names of sessions in a body of JSON; one that is too long for a bound on bodies counts as a wrong name."""
    if len(body) > MAX_BODY:
        return [None]
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):  # for Gradio to refuse
        return []
    named = value.get("session_hash") if isinstance(value, dict) else None
    return [] if named is None else [named]
