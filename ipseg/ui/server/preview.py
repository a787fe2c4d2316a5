"""What a link to the page shows elsewhere: title, description and image in the terms of Open Graph.

Gradio's template has its own name, text and image in these tags, before those that it could be given.
"""

from __future__ import annotations

import html
import re
from typing import Any

TITLE = "ipseg: segment an object by an image of it"
DESCRIPTION = (
    "Show one image of an object; get masks and cut-outs of that object in other images. No training, no text."
)
IMAGE = "/preview.jpg"
META = re.compile(rb"<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*>\s*")
HOST = re.compile(r"[\w.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?", re.ASCII)


class Preview:
    """ASGI middleware: replaces these tags in the page, and serves their image.

    ``image``: a JPEG; its address is absolute, with the host and scheme of the request.
    """

    def __init__(self, app: Any, image: bytes) -> None:
        self._app, self._image = app, image

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, with other tags in a page, or answer with the image."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        elif scope["path"] == scope.get("root_path", "") + IMAGE:
            headers = [(b"content-type", b"image/jpeg"), (b"content-length", str(len(self._image)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self._image if scope["method"] == "GET" else b""})
        else:
            await self._app(scope, receive, _Tagged(send, tags(_origin(scope))))


class _Tagged:
    """``send`` that gathers a body of HTML and replaces the tags in it; any other body passes as it comes."""

    def __init__(self, send: Any, tags: bytes) -> None:
        self._send, self._tags = send, tags
        self._start: Any = None
        self._body = b""

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start" and _is_html(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish()

    async def _finish(self) -> None:
        head, end, rest = self._body.partition(b"</head>")
        body = META.sub(b"", head) + self._tags + end + rest if end else self._body
        headers = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
        length = (b"content-length", str(len(body)).encode())
        await self._send({**self._start, "headers": [*headers, length]})
        await self._send({"type": "http.response.body", "body": body})


def tags(origin: str) -> bytes:
    """The tags of a page at ``origin``, such as "https://example.com", as HTML."""
    named = {"title": TITLE, "description": DESCRIPTION, "image": origin + IMAGE}
    lines = [
        *(f'<meta property="og:{name}" content="{html.escape(value)}" />' for name, value in named.items()),
        '<meta property="og:type" content="website" />',
        '<meta name="twitter:card" content="summary_large_image" />',
        *(f'<meta name="twitter:{name}" content="{html.escape(value)}" />' for name, value in named.items()),
        f'<meta name="description" content="{html.escape(DESCRIPTION)}" />',
    ]
    return "\n".join(lines).encode()


def _origin(scope: Any) -> str:
    """Scheme and host of a request, as its proxy saw them; "" where the host is no name."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("x-forwarded-host", headers.get("host", ""))
    secure = "https" in (headers.get("x-forwarded-proto", ""), scope.get("scheme"))
    if not HOST.fullmatch(host):
        return ""
    return f"http{'s' * secure}://{host}{scope.get('root_path', '')}"


def _is_html(message: Any) -> bool:
    headers = {name.lower(): value for name, value in message.get("headers", ())}
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
