"""The error message of a request that comes when the queue is full."""

from __future__ import annotations

import json
from typing import Any

MESSAGE = "The page is busy: {} are waiting already; please try again in a minute."
FULL = b"Queue is full"  # Gradio's own text, with status 503


class Busy:
    """ASGI middleware: replaces Gradio's refusal by a message that says what to do.

    A browser gets status 429, for which Gradio's page shows the message; with 503 it shows a text of its own. Programs
    get the 503, which ``gradio_client`` knows as its ``QueueError``.
    """

    def __init__(self, app: Any, most: int) -> None:
        self._app = app
        waiting = f"{most} requests" if most > 1 else "others"
        self._body = json.dumps({"detail": MESSAGE.format(waiting)}).encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass everything on; replace a refusal."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        agent = dict(scope["headers"]).get(b"user-agent", b"")
        held: list[Any] = []  # the start of a refusal, until its body says why

        async def replaced(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 503:
                held.append(message)
            elif held:
                start = held.pop()
                full = FULL in message.get("body", b"")
                await send(_start(start, 429 if b"Mozilla" in agent else 503, len(self._body)) if full else start)
                await send({"type": "http.response.body", "body": self._body} if full else message)
            else:
                await send(message)

        await self._app(scope, receive, replaced)


def _start(message: Any, status: int, length: int) -> dict[str, Any]:
    others = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
    more = [(b"content-length", str(length).encode()), (b"retry-after", b"60")]
    return {**message, "status": status, "headers": [*others, *more]}
