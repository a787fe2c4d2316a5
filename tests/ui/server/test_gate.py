"""What is refused before Gradio sees it: foreign addresses, routes that the page does not use, large requests."""

from __future__ import annotations

import http.client
import json
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import gradio.routes
import httpx
import pytest
from gradio_client import Client, handle_file

from ipseg.ui.server.gate import MAX_BODY, Gate, hosts_of, is_forwarded, is_loopback
from tests.ui.conftest import PATIENCE, serve

PUBLIC = {"/gradio_api/login_check", "/gradio_api/user", "/gradio_api/token", "/gradio_api/app_id"}
CLOSED = (
    "proxy=https://example.com", "proxy=http://127.0.0.1:1/x", "file=https://example.com/x.png",
    "file=http://127.0.0.1:1/x", "file=HTTPS://example.com/x", "file=%68ttps://example.com/x",
    "file=ftp://example.com/x", "file/https://example.com/x.png", "file=file:///etc/passwd", "file= https://x.example",
    "deep_link?session_hash=x", "runs", "run-history/buckets", "dev/reload", "stream/a/b/1/playlist-file", "vibe-code/",
)  # fmt: skip


def status(url: str, path: str = "/config", method: str = "GET", body: bytes | None = None, **headers: str) -> int:
    """The status of one request whose path and headers are sent as they are."""
    parts = urlsplit(url)
    line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
    try:
        line.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            line.putheader(name.replace("_", "-"), value)
        if body is not None:
            line.putheader("Content-Length", str(len(body)))
        line.endheaders(body)
        return line.getresponse().status
    finally:
        line.close()


def test_a_page_of_this_machine_answers_to_its_own_address_alone(demo):
    own = urlsplit(demo.url).netloc
    port = own.partition(":")[2]
    for host in (own, f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}", "127.0.0.1", "localhost:1"):
        assert status(demo.url, Host=host) == 200, host
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", f"{own}@evil.example", ""):
        assert status(demo.url, Host=host) == 403, host
    for host in (f"evil.example@127.0.0.1:{port}", "localhost/", "[::1", "0.0.0.0", "localhost."):  # noqa: S104
        assert status(demo.url, Host=host) == 403, host


def test_a_foreign_website_is_refused(demo):
    own = urlsplit(demo.url).netloc
    assert status(demo.url, Origin=f"http://{own}") == 200
    foreign = (
        "https://evil.example",
        "null",
        "",
        f"http://{own}.evil.example",
        "http://127.0.0.1:1",
        "http://localhost",
    )
    for origin in foreign:
        for path, method in (("/config", "GET"), ("/gradio_api/run/stop", "POST"), ("/gradio_api/upload", "POST")):
            assert status(demo.url, path, method, b"{}", Origin=origin) == 403, (origin, path)


def test_two_addresses_in_one_request_are_refused(demo):
    parts = urlsplit(demo.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as line:
        line.sendall(f"GET /config HTTP/1.1\r\nHost: {parts.netloc}\r\nHost: evil.example\r\n\r\n".encode())
        assert line.recv(100).split()[1] in (b"400", b"403")


def test_which_addresses_are_asked_for():
    assert hosts_of("0.0.0.0") is None  # noqa: S104
    assert hosts_of("127.0.0.1", share=True) is None
    assert hosts_of("127.0.0.1") == hosts_of("localhost") == {"127.0.0.1", "localhost", "::1"}
    assert "127.0.0.2" in hosts_of("127.0.0.2")
    assert "page.example" in hosts_of("127.0.0.1", allowed=["Page.example"])
    assert hosts_of("0.0.0.0", allowed=["page.example"]) >= {"page.example", "localhost"}  # noqa: S104
    assert is_loopback("::1")
    assert is_loopback("[::1]")
    assert not is_loopback("192.168.0.1")
    assert not is_loopback("localhost.evil.example")


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-host", "Forwarded", "X-Real-IP", "Via"])
def test_a_proxy_is_seen(name):
    assert is_forwarded(["host", name])
    assert not is_forwarded(["host", "accept", "user-agent"])


def test_another_name_may_be_allowed():
    def answer(**headers: str) -> int:
        """The status that a page gives which listens to this machine alone and is named page.example."""
        sent = []

        async def page(scope, receive, send) -> None:
            await send({"type": "http.response.start", "status": 200})

        async def receive() -> dict:
            return {"type": "http.request", "body": b""}

        async def send(message) -> None:
            sent.append(message)

        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": named}
        with pytest.raises(StopIteration):
            Gate(page, hosts_of("127.0.0.1", allowed=["page.example"]))(scope, receive, send).send(None)
        return sent[0]["status"]

    assert answer(host="page.example") == 200
    assert answer(host="page.example", origin="https://page.example") == 200
    assert answer(host="127.0.0.1:7860", origin="https://page.example") == 200  # the proxy has changed the Host
    assert answer(host="127.0.0.1:7860") == 200
    assert answer(host="page.example", origin="https://evil.example") == 403
    assert answer(host="evil.example") == 403
    assert answer() == 403


@pytest.mark.parametrize("path", CLOSED)
def test_a_route_that_fetches_or_tells_is_closed(demo, path):
    assert status(demo.url, f"/gradio_api/{path.replace(' ', '%20')}") in (403, 404)
    answer = httpx.get(f"{demo.url}/gradio_api/{path}")
    assert answer.status_code in (403, 404)
    assert answer.json() == {"detail": "Not Found"}


@pytest.mark.parametrize(
    "path", ["component_server", "component_server/", "process_recording", "vibe-edit", "stream/x"]
)
def test_a_route_that_works_for_whoever_posts_is_closed(demo, path):
    blob = {"data": {"type": "layer", "index": "20000000", "id": "x"}, "fn_name": "accept_blobs", "component_id": "1"}
    body = {**blob, "session_hash": "x"}
    assert httpx.post(f"{demo.url}/gradio_api/{path}", json=body).status_code == 404
    files = {"data[file]": ("x", b"x")}
    fields = {"data[type]": "layer", "data[index]": "20000000", "data[id]": "x", "fn_name": "accept_blobs"}
    answer = httpx.post(f"{demo.url}/gradio_api/{path}", data={**fields, "session_hash": "x"}, files=files)
    assert answer.status_code == 404


def test_no_component_has_a_function_that_is_open(demo):
    """A server function of a component is reached by the closed route alone."""
    config = httpx.get(f"{demo.url}/config").json()
    assert any("accept_blobs" in each["props"].get("server_fns", []) for each in config["components"])


def test_a_large_request_is_refused(demo):
    body = {"data": ["x" * (MAX_BODY + 1)], "fn_index": 0}
    answer = httpx.post(f"{demo.url}/gradio_api/run/stop", json=body)
    assert answer.status_code == 413
    pieces = (b"x" * 2**16 for _ in range(2 * MAX_BODY // 2**16))  # no length is given
    assert httpx.post(f"{demo.url}/gradio_api/run/stop", content=pieces).status_code == 413
    assert status(demo.url, "/gradio_api/run/stop", "POST", Content_Length="-1") in (400, 413)


def test_files_of_the_server_are_not_served(demo, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    for name in (
        str(secret),
        f"{secret}/",
        "/etc/passwd",
        "//etc/passwd",
        "../../etc/passwd",
        "/etc",
        "%00",
        "/etc%2fpasswd",
    ):
        for route in ("file=", "file/"):
            answer = httpx.get(f"{demo.url}/gradio_api/{route}{name}")
            assert answer.status_code in (403, 404, 500), name
            assert b"root:" not in answer.content
            assert b"secret" not in answer.content.replace(str(secret).encode(), b"")


@pytest.fixture(scope="module")
def protected(tmp_path_factory):
    """The page behind a login."""
    with serve(tmp_path_factory.mktemp("protected"), "--auth", "ada:secret", HF_HUB_OFFLINE="1") as served:
        yield served


def test_who_knows_the_password_gets_an_answer(protected, scene, save, tmp_path):
    assert httpx.get(f"{protected.url}/config").status_code == 401
    image = save(tmp_path / "image.png", scene[0])
    client = Client(protected.url, auth=("ada", "secret"), verbose=False, download_files=tmp_path)
    given = {"prompts": [{"image": handle_file(image), "caption": None}], "image": handle_file(image), "mask": None}
    assert client.predict(**given, api_name="/segment")[0]["engine"] == "offline"


def test_every_route_asks_for_the_password(protected):
    """Those that Gradio leaves open too; only what the form of the login needs answers."""
    url = protected.url
    page = httpx.get(url)
    assert page.status_code == 200
    assert not re.search(r'"dependencies": ?\[\{', page.text)
    for method, path in routes():
        answer = httpx.request(method, url + path, json={})
        assert answer.status_code in ((200, 401) if path.rstrip("/") in PUBLIC else (401, 404)), (method, path)
    login = httpx.post(f"{url}/login", data={"username": "ada", "password": "wrong"})
    assert login.status_code == 400
    login = httpx.post(f"{url}/login", data={"username": "ada", "password": "secret"})
    cookies = {name: value for name, value in login.cookies.items() if "unsecure" in name}
    assert httpx.get(f"{url}/config", cookies=cookies).status_code == 200
    assert httpx.post(f"{url}/gradio_api/cancel", cookies=cookies, json=CANCEL).status_code == 200
    forged = dict.fromkeys(cookies, "forged")
    assert httpx.post(f"{url}/gradio_api/cancel", cookies=forged, json=CANCEL).status_code == 401
    assert httpx.post(f"{url}/gradio_api/cancel", headers={"Cookie": "=;\x7f"}, json=CANCEL).status_code == 401


CANCEL = {"session_hash": "x", "fn_index": 0, "event_id": "x"}


def routes() -> list[tuple[str, str]]:
    """Every route of Gradio's API and its method, with something in place of what is variable."""
    declared = re.findall(r'@router\.(get|post|head)\(\s*"([^"]+)"', Path(gradio.routes.__file__).read_text())
    found = [(method.upper(), "/gradio_api" + re.sub(r"{[^}]*}", "x", path)) for method, path in declared]
    assert len(found) > 40
    free = ("/gradio_api/theme.css", "/gradio_api/startup-events")
    return [(method, path) for method, path in found if path.rstrip("/") not in free]


def events_of(url: str, name: str) -> list[int]:
    """The events of the component with this id, by their numbers."""
    config = httpx.get(f"{url}/config").json()
    component = next(each["id"] for each in config["components"] if each["props"].get("elem_id") == name)
    return [each["id"] for each in config["dependencies"] if [component, "click"] in each["targets"]]


def test_nobody_behind_a_proxy_has_weights_downloaded(demo):
    """The event of the button, which is called though the button is not shown."""
    (number,) = events_of(demo.url, "fetch")
    body = {"data": ["light", [], None, None, "", "", ""], "fn_index": number}
    for headers in ({"X-Forwarded-For": "203.0.113.1"}, {"Via": "1.1 proxy"}):
        answer = httpx.post(f"{demo.url}/gradio_api/run/run", json=body, headers=headers)
        assert "downloads no weights" in answer.text


def test_a_stop_without_a_session_says_that_it_stopped_nothing(demo):
    answer = httpx.post(f"{demo.url}/gradio_api/run/stop", json={"data": []})
    assert "Nothing was stopped" in answer.json()["error"]
    assert httpx.post(f"{demo.url}/gradio_api/run/stop", json={"data": [], "session_hash": "a"}).status_code == 200


def test_messages_are_json(demo):
    answer = httpx.get(f"{demo.url}/config", headers={"Host": "evil.example"})
    assert json.loads(answer.text)["detail"].startswith("This page does not answer to that address;")
