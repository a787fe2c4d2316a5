"""A server on this machine, and a machine without weights."""

from __future__ import annotations

import hashlib
import http.server
import threading
from dataclasses import dataclass, field

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Server:
    """A server on this machine that publishes ``files`` by path; ``cut`` ends each answer early."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None
    status: int = 200
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server():
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            path, asked = self.path.split("?")[0], self.headers.get("Range")
            state.asked.append((self.command, path, asked))
            if state.status != 200 or path not in state.files:
                return self.send_error(state.status if state.status != 200 else 404)
            content = state.files[path]
            start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
            if asked and start >= len(content):
                return self.send_error(416)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                self.wfile.write(content[start : None if state.cut is None else start + state.cut])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        state.url = f"http://127.0.0.1:{made.server_port}"
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        made.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def empty_machine(tmp_path, monkeypatch):
    """No weights anywhere, and no wish of whoever runs the tests."""
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "IPSEG_WEIGHTS_DIR", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))


@pytest.fixture
def put_files():
    """A function that writes files with the same content into a folder, and returns the folder."""

    def put(folder, files, content=b"x"):
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        return folder

    return put
