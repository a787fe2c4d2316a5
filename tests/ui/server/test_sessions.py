"""Names of sessions, their number and their age."""

from __future__ import annotations

import datetime
import json
import threading
from types import SimpleNamespace

import pytest

from ipseg.ui.server.sessions import MAX_BODY, MAX_SECONDS, Sessions
from tests.ui.conftest import finished


class Holder:
    """As Gradio's table of states."""

    def __init__(self, **used: float) -> None:
        self.lock = threading.Lock()
        self.session_data = {name: object() for name in used}
        self.time_last_used = {name: datetime.datetime.fromtimestamp(at) for name, at in used.items()}


def page(holder=None, pending=None, messages=()):
    queue = SimpleNamespace(
        pending_event_ids_session=dict(pending or {}), pending_messages_per_session=dict.fromkeys(messages)
    )
    return SimpleNamespace(state_holder=holder or Holder(), _queue=queue)


def ask(sessions: Sessions | None = None, *, path="/gradio_api/queue/join", method="POST", query=b"", body=b"",
        kind=b"application/json", step=1000):  # fmt: skip
    """The status of an answer, and what the application got of the body."""
    sent, passed = [], []

    async def app(scope, receive, send):
        more = True
        while more:
            message = await receive()
            passed.append(message["body"])
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    parts = [body[start : start + step] for start in range(0, len(body), step)] or [b""]
    waiting = [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    sessions = sessions or Sessions(None, page())
    sessions._app = app
    scope = {
        "type": "http",
        "path": path,
        "method": method,
        "query_string": query,
        "headers": [(b"content-type", kind)],
    }
    finished(sessions(scope, receive, send))
    return sent[0]["status"], b"".join(passed)


@pytest.mark.parametrize("name", ["8f3kq0a1b2c", "2b8f6f0e-5d3c-4a53-9f7e-2a1b0c9d8e7f", None])
def test_names_pass_and_the_body_is_whole(name):
    body = json.dumps({"session_hash": name, "data": ["x" * 5000]}).encode()
    assert ask(body=body) == (200, body)
    assert ask(method="GET", query=f"session_hash={name}".encode())[0] == 200


@pytest.mark.parametrize("name", ["x" * 65, "x" * 500_000, "", "a b", "ä" * 10, ["a"], 7, {"a": "b"}])
def test_what_is_no_name_is_refused(name):
    assert ask(body=json.dumps({"session_hash": name, "data": []}).encode()) == (400, b"")


def test_it_is_refused_wherever_it_stands():
    hidden = b'{"session\\u005fhash": "' + b"x" * 100 + b'"}'
    assert ask(body=hidden)[0] == 400
    assert ask(body=hidden, kind=b"text/plain")[0] == 400
    assert ask(method="GET", query=b"session%5Fhash=" + b"x" * 100)[0] == 400
    assert ask(method="GET", path="/gradio_api/heartbeat/" + "x" * 100)[0] == 400
    assert ask(body=b'{"session_hash": "' + b"x" * (MAX_BODY + 10) + b'"}', step=2**16)[0] == 400


@pytest.mark.parametrize("body", [b"", b"no json", b"[1, 2]", b"[" * 200_000])
def test_other_bodies_pass_as_they_are(body):
    assert ask(body=body, step=2**16) == (200, body)


def test_uploads_are_not_read():
    body = b'{"session_hash": "' + b"x" * 100 + b'"}'
    assert ask(body=body, kind=b"multipart/form-data; boundary=x") == (200, body)


def test_sessions_that_nobody_uses_go():
    now = 1e9
    holder = Holder(old=now - MAX_SECONDS - 1, young=now - 10, busy=now - MAX_SECONDS - 1)
    sessions = Sessions(None, page(holder, {"busy": {"event"}, "old": set()}), clock=lambda: now)
    assert ask(sessions, method="GET")[0] == 200
    assert set(holder.session_data) == set(holder.time_last_used) == {"young", "busy"}


def test_messages_that_nobody_fetches_go():
    now = [1e9]
    table = page(pending={"busy": {"event"}}, messages=("left", "busy"))
    sessions = Sessions(None, table, clock=lambda: now[0])
    sessions.expire()
    now[0] += MAX_SECONDS - 1
    sessions.expire()
    assert set(table._queue.pending_messages_per_session) == {"left", "busy"}
    now[0] += 2
    sessions.expire()
    assert set(table._queue.pending_messages_per_session) == {"busy"}
