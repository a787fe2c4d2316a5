"""Checks of every request before Gradio handles it: its address, its login, its route and its size."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_BODY = 2**20  # bytes of a request that uploads nothing: the longest request is some 300 kB
MAX_TOOL_BODY = 16 * 2**20  # of an MCP call, which may hold an image as base64

# Routes of Gradio that this page does not use. Each does work for any client: it fetches URLs, runs ffmpeg over a
# file, calls functions of components, writes states to disk, or describes the server.
CLOSED = re.compile(
    r"(?:^|/)gradio_api/"
    r"(?:proxy=|file[=/]\s*[a-z][a-z0-9+.-]+:|component_server|process_recording|deep_link|vibe-|undo-vibe"
    r"|run-history|runs\b|dev/|profiling|stream/)|^/+monitoring",
    re.IGNORECASE,
)
TOOLS = re.compile(r"(?:^|/)gradio_api/mcp(?:/|$)")
UPLOAD = re.compile(r"(?:^|/)gradio_api/upload/?$")
# What a browser needs to show the form of the login; all else below /gradio_api/ wants the login.
OPEN = re.compile(r"(?:^|/)gradio_api/(?:login_check|user|token|app_id|theme\.css|startup-events)/?$")
FORWARDED = re.compile(r"forwarded|x-forwarded(-.*)?|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip|via")


def is_loopback(host: str) -> bool:
    """Whether a server that listens to this address can be reached from its own machine alone."""
    if host.strip("[]") in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_forwarded(headers: Collection[str]) -> bool:
    """Whether the names of a request's headers show that it came through a proxy, perhaps from another machine."""
    return any(FORWARDED.fullmatch(name.lower()) for name in headers)


def hosts_of(host: str, *, share: bool = False, allowed: Collection[str] = ()) -> frozenset[str] | None:
    """The names by which a page may be addressed; None where any will do.

    A page that listens to a loopback address answers to that address alone, so that no website can reach it through
    the browser of somebody on this machine (DNS rebinding). ``allowed``: names that are allowed too, such as that of a
    reverse proxy; with them, a page that listens elsewhere is restricted in the same way. ``share``: whether Gradio
    gives the page a public name of its own.
    """
    if share or not (allowed or is_loopback(host)):
        return None
    own = (*LOOPBACK, host.strip("[]"))
    return frozenset(name.lower() for name in (*own, *allowed))


class Gate:
    """ASGI middleware that refuses what the page never sends.

    ``hosts``: as of :func:`hosts_of`. ``login``: whether visitors must log in; then every route of the API wants the
    cookie that Gradio gave them.
    """

    def __init__(self, app: Any, hosts: Collection[str] | None = None, login: bool = False) -> None:
        self._app, self._hosts, self._login = app, hosts, login

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer with a status and one message."""
        if scope["type"] == "websocket":  # the page has none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            headers = _headers(scope)
            refused = self._refused(scope, headers)
            if refused is None and scope["method"] not in ("GET", "HEAD") and not UPLOAD.search(scope["path"]):
                most = MAX_TOOL_BODY if TOOLS.search(scope["path"]) else MAX_BODY
                body = await _body(receive, headers.get("content-length", ""), most)
                refused = (413, "The request is too large; upload files first.") if body is None else None
                receive = _replayed(body or b"", receive)
            if refused:
                await _answer(send, *refused)
                return
        await self._app(scope, receive, send)

    def _refused(self, scope: Any, headers: dict[str, str]) -> tuple[int, str] | None:
        if not self._addressed(headers):
            return 403, "This page does not answer to that address; see --allowed-host."
        if CLOSED.search(scope["path"]):
            return 404, "Not Found"
        api = "gradio_api/" in scope["path"] and not OPEN.search(scope["path"])
        if self._login and api and not _logged_in(scope, headers):
            return 401, "Not authenticated"
        return None

    def _addressed(self, headers: dict[str, str]) -> bool:
        """Whether the request was meant for this page: by its Host, and where it has an Origin, by that."""
        if self._hosts is None:
            return True
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name(f"//{host}") not in self._hosts:
            return False
        if origin is None:
            return True
        allowed = _name(origin) in self._hosts and _name(origin) not in LOOPBACK
        return allowed or (origin.partition("://")[0] in ("http", "https") and origin.partition("://")[2] == host)


def _headers(scope: Any) -> dict[str, str]:
    """The headers by lower-case name; of one that comes twice with different values, nothing that is allowed."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        glue = "; " if key == "cookie" else ", "
        found[key] = f"{found[key]}{glue}{text}" if key in found else text
    return found


def _name(url: str) -> str:
    """The lower-case name of the host in a URL; "" where there is none."""
    try:
        parts = urlsplit(url)
        return "" if parts.username is not None or parts.path else (parts.hostname or "")
    except ValueError:
        return ""


def _logged_in(scope: Any, headers: dict[str, str]) -> bool:
    """Whether a request brings a cookie that Gradio gave out at a login."""
    app = scope.get("app")
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return False
    names = (f"access-token-{getattr(app, 'cookie_id', '')}", f"access-token-unsecure-{getattr(app, 'cookie_id', '')}")
    return any(name in cookies and cookies[name].value in getattr(app, "tokens", {}) for name in names)


async def _body(receive: Any, length: str, most: int) -> bytes | None:
    """The whole body of a request; None where it is larger than ``most`` bytes."""
    if length and not (length.isascii() and length.isdigit() and int(length[:20]) <= most):
        return None
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _replayed(body: bytes, receive: Any) -> Any:
    """What gives a body that was read already, and then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return messages.pop() if messages else await receive()

    return again


async def _answer(send: Any, status: int, message: str) -> None:
    body = json.dumps({"detail": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
