"""A server on this machine that answers as the Hub does."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ipseg import weights

BLOCK = 256 * 1024  # bytes written at once
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Server:
    """A server on this machine that publishes ``files`` by path; ``cut`` ends each answer early.

    ``pause``: seconds between two blocks of a larger file.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None
    pause: float = 0.0
    status: int = 200
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""

    def publish(self, repository: str, files: dict[str, bytes]) -> None:
        """A repository of the Hub; its larger files are known by their sha256, as there."""
        siblings = []
        for file, data in files.items():
            sha256 = {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 100}}
            siblings.append({"rfilename": file, "size": len(data)} | (sha256 if len(data) > 100_000 else {}))
            for revision in _revisions(repository):
                self.files[f"/{repository}/resolve/{revision}/{file}"] = data
        listed = {"id": repository, "sha": COMMIT, "siblings": siblings}
        for revision in _revisions(repository):
            self.files[f"/api/models/{repository}/revision/{revision}"] = json.dumps(listed).encode()

    def publish_folder(self, repository: str, folder: Path) -> None:
        """The same with the files of a folder."""
        self.publish(repository, {file.name: file.read_bytes() for file in folder.iterdir()})


def _revisions(repository: str) -> set[str]:
    """By which names the commit of a repository is asked for: as its branch, itself, and as the table pins it."""
    pinned = {weight.revision for weight in weights.WEIGHTS.values() if weight.source == repository}
    return {"main", COMMIT} | pinned


@contextmanager
def serving() -> Iterator[Server]:
    """The server, as long as the block lasts."""
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
                self.send(content[start : None if state.cut is None else start + state.cut])

        def send(self, content):
            with suppress(ConnectionError):  # who asked may go away
                for at in range(0, len(content), BLOCK):
                    time.sleep(state.pause)
                    self.wfile.write(content[at : at + BLOCK])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        state.url = f"http://127.0.0.1:{made.server_port}"
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        made.shutdown()
        thread.join()
