"""Requests that name nothing there is, and a disk without room: a status and one message, no bare 500."""

from __future__ import annotations

import errno
import json

import httpx
import pytest

from ipseg.core import resources
from ipseg.ui.server.requests import Requests
from tests.ui.conftest import PATIENCE, finished

ROUTES = ("run/stop", "run/predict", "api/segment", "queue/join", "call/stop", "call/v2/segment", "cancel", "reset")
NO_NUMBERS = (-1, 10**6, 10**30, 1.5, "0", "x", True, [], {}, [0], "")
RAW = (
    b"", b"{", b"7", b'"x"', b"null", b"[1]", b"\xff\xfe", b"[" * 5000, b'{"data": [NaN], "fn_index": 0}',
    b'{"data": [1e999], "fn_index": 0}', b'{"data": ["\\ud800"], "fn_index": 0}',
    b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}",
)  # fmt: skip


@pytest.fixture(scope="module")
def client(demo):
    with httpx.Client(base_url=f"{demo.url}/gradio_api/", timeout=PATIENCE) as opened:
        yield opened


@pytest.fixture(scope="module")
def number(client):
    """The number of the event /stop."""
    named = {each["api_name"]: each["id"] for each in client.get("../config").json()["dependencies"]}
    return named["stop"]


def refused(answer: httpx.Response) -> None:
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    assert answer.json()["detail"]


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_no_object_of_json_is_refused(client, route):
    for body in RAW:
        refused(client.post(route, content=body, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize("route", ["run/stop", "run/predict", "api/stop", "queue/join", "call/v2/stop"])
def test_a_number_of_no_event_is_refused(client, route):
    for number in NO_NUMBERS:
        refused(client.post(route, json={"data": [], "session_hash": "a", "fn_index": number}))


@pytest.mark.parametrize("route", ["run/stop", "api/stop", "queue/join", "cancel", "reset"])
@pytest.mark.parametrize("field", ["data", "event_id", "session_hash", "trigger_id", "batched"])
def test_a_field_of_another_type_is_refused(client, number, route, field):
    for value in (7.5, {"a": 1}, [[1]], True) if field != "data" else (7, "x", {}, None):
        if (field, value) == ("data", [[1]]) or (route in ("cancel", "reset") and field not in ("session_hash",)):
            continue
        body = {"data": [], "session_hash": "a", "fn_index": number, "event_id": "a", field: value}
        answer = client.post(route, json=body)
        if (field, value) == ("trigger_id", True):  # taken for 1
            continue
        refused(answer)


def test_a_name_of_no_endpoint_is_refused(client):
    for route in (
        "run/nothing",
        "api/nothing",
        "call/nothing",
        "call/v2/nothing",
        "run/%00",
        "call/v2/%ff",
        "call/v2/",
    ):
        refused(client.post(route, json={"data": []}))


def test_a_wrong_number_of_values_is_refused(client):
    for route in ("run/segment", "call/segment", "call/stop/x"):
        refused(client.post(route, json={"data": [1]}))
    assert "takes" in client.post("run/segment", json={"data": []}).json()["detail"]


def test_arguments_by_name_are_checked(client):
    assert "no argument 'data'" in client.post("call/v2/segment", json={"data": []}).json()["detail"]
    assert "'image' is missing" in client.post("call/v2/segment", json={"prompts": []}).json()["detail"]
    assert "event_id" in client.post("call/v2/stop", json={}).json()


def test_a_value_of_another_type_gets_a_message(client):
    values = client.get("info").json()["named_endpoints"]["/segment"]["parameters"]
    data = [{} if each["parameter_name"] == "k" else each.get("parameter_default") for each in values]
    answer = client.post("run/segment", json={"data": data})
    assert "not of the type" in answer.json()["error"]


def test_a_long_name_of_a_session_is_refused(client):
    for asked in (
        client.post("queue/join", json={"session_hash": "x" * 100_000, "fn_index": 0, "data": []}),
        client.get("queue/data", params={"session_hash": "x" * 1000}),
    ):
        assert asked.status_code == 400
        assert "name of the session" in asked.json()["detail"]


def test_what_the_page_sends_passes(client, number):
    answer = client.post("queue/join", json={"data": [], "session_hash": "a", "fn_index": number, "trigger_id": None})
    assert answer.status_code == 200
    assert client.post("run/stop", json={"data": [], "session_hash": "a"}).status_code == 200


@pytest.mark.parametrize(
    "form",
    [{"files": {"files": ("", b"a")}}, {"data": {"files": "x"}}, {"content": b"x"}, {"files": {"x": b"a"}, "data": {}}],
)
def test_what_is_no_upload_gets_a_message(client, form):
    for query in ("", "?upload_id=x"):
        answer = client.post(f"upload{query}", **form)
        assert answer.status_code < 500


def asked(error: BaseException, path: str, started: bool = False) -> list:
    """What is sent where the application raises ``error``."""
    sent: list = []

    async def app(scope, receive, send):
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    finished(Requests(app, None)(scope, None, send))
    return sent


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/upload/", "/somewhere"])
def test_a_full_disk_is_reported(number, path, one_message):
    start, body = asked(OSError(number, "no"), path)
    assert start["status"] == 507
    text = body["body"].decode()
    detail = text if "upload" in path else json.loads(text)["detail"]
    assert detail == resources.NO_ROOM
    one_message(detail)


def test_a_lack_of_memory_is_reported():
    start, _ = asked(MemoryError(), "/gradio_api/upload")
    assert start["status"] == 503


@pytest.mark.parametrize(
    ("error", "path", "started"),
    [
        (KeyError("x"), "/gradio_api/queue/x", False),
        (RuntimeError("x"), "/gradio_api/upload", False),
        (OSError(errno.ENOSPC, "no"), "/gradio_api/upload", True),
        (OSError(errno.EIO, "no"), "/gradio_api/upload", False),
    ],
)
def test_other_faults_stay_what_they_are(error, path, started):
    with pytest.raises(type(error)):
        asked(error, path, started)
