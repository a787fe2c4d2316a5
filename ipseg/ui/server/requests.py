"""Requests that Gradio would answer with a bare status 500: bodies that name nothing there is, and a full disk."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

import gradio as gr

from ipseg.core import resources
from ipseg.ui.server.gate import UPLOAD

EVENT = re.compile(
    r"(?:^|/)gradio_api/(?P<way>run|api|call|call/v2)/(?P<name>[^/]*)/?$|(?:^|/)gradio_api/queue/join/?$"
)
OTHER = re.compile(r"(?:^|/)gradio_api/(?:cancel|reset)/?$")
INFO = "; /gradio_api/info lists the endpoints and what each takes."
NO_JSON = "The body is no JSON object with finite numbers and valid text" + INFO
NO_UPLOAD = "This is no upload; send a multipart form whose fields are called files and have a file name each."


class Requests:
    """ASGI middleware, the innermost: refuses a body that names no event of ``page`` or does not fit it.

    A lack of room on the disk or of memory that Gradio meets outside an event is answered with 507 or 503 and one
    error message.
    """

    def __init__(self, app: Any, page: gr.Blocks) -> None:
        self._app, self._page = app, page

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer with a status and one message."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        event = EVENT.search(scope["path"])
        if scope["method"] == "POST" and (event or OTHER.search(scope["path"])):
            body, receive = await _read(receive)
            refused = self._refused(event, body)
            if refused:
                await _answer(scope, send, *refused)
                return
        started = False

        async def sent(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception as error:
            answer = None if started else _of_error(scope, error)
            if answer is None:
                raise
            await _answer(scope, send, *answer)

    def _refused(self, event: re.Match[str] | None, body: bytes) -> tuple[int, str] | None:
        """The status and message for a body that cannot be meant; None for one that Gradio may read."""
        try:
            value = json.loads(body)
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except (ValueError, RecursionError):  # also UnicodeError: half of a surrogate pair
            return 400, NO_JSON
        if not isinstance(value, dict):
            return 400, NO_JSON
        if event is None:
            return None
        way, name = event["way"], event["name"]
        return self._of_arguments(name, value) if way == "call/v2" else self._of_event(name, value)

    def _of_event(self, name: str | None, value: dict[str, Any]) -> tuple[int, str] | None:
        """``name``: of the endpoint, None where the body alone names it."""
        number, data = value.get("fn_index"), value.get("data")
        if number is None and name is not None:
            found = next((fn for fn in self._page.fns.values() if fn.api_name == name), None)
        elif type(number) is int:
            found = self._page.fns.get(number)
        else:
            return 422, "fn_index is not the number of an event" + INFO
        if found is None:
            return 404, "There is no such endpoint" + INFO
        if value.get("batched"):
            return 422, "No endpoint takes batched data" + INFO
        if not isinstance(data, list):
            return 422, "data is not a list with a value for each input" + INFO
        shown = sum(not block.skip_api for block in found.inputs)
        if not found.cancels and len(data) < len(found.inputs) and len(data) != shown:
            return 422, f"data has {len(data)} values and the endpoint takes {shown}" + INFO
        return None

    def _of_arguments(self, name: str, value: dict[str, Any]) -> tuple[int, str] | None:
        """For the route on which arguments have names."""
        found = self._arguments.get(f"/{name}")
        if found is None:
            return 404, "There is no such endpoint" + INFO
        wrong = sorted(value.keys() - found.keys())
        if wrong:
            return 422, f"The endpoint has no argument {wrong[0][:60]!r}" + INFO
        missing = [argument for argument, optional in found.items() if not optional and argument not in value]
        return (422, f"The argument {missing[0]!r} is missing" + INFO) if missing else None

    @cached_property
    def _arguments(self) -> dict[str, dict[str, bool]]:
        """The arguments of each named endpoint, and whether they may be left out."""
        named: dict[str, Any] = self._page.get_api_info()["named_endpoints"]
        return {
            name: {each["parameter_name"]: each["parameter_has_default"] for each in endpoint["parameters"]}
            for name, endpoint in named.items()
        }


def _of_error(scope: Any, error: Exception) -> tuple[int, str] | None:
    """The answer for what Gradio raised outside an event; None where it is a fault of this program."""
    said = resources.message(error)
    if said:
        return (507 if said == resources.NO_ROOM else 503), said
    wrong = isinstance(
        error, TypeError | ValueError | KeyError | AttributeError
    )  # the route reads one form and does nothing else
    return (400, NO_UPLOAD) if wrong and UPLOAD.search(scope["path"]) else None


async def _read(receive: Any) -> tuple[bytes, Any]:
    """The whole body, whose length is bounded before, and what gives it out again."""
    messages: list[Any] = []
    while not messages or (messages[-1]["type"] == "http.request" and messages[-1].get("more_body")):
        messages.append(await receive())
    body = b"".join(message.get("body", b"") for message in messages)

    async def again() -> Any:
        return messages.pop(0) if messages else await receive()

    return body, again


async def _answer(scope: Any, send: Any, status: int, message: str) -> None:
    """As Gradio's page shows it: plain text for an upload, else JSON."""
    plain = bool(UPLOAD.search(scope["path"]))
    body = message.encode() if plain else json.dumps({"detail": message}).encode()
    kind = b"text/plain; charset=utf-8" if plain else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
