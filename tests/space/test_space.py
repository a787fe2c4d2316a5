"""The assembled folder, by itself, in a clean environment as a Space has it: it boots and answers."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 120  # seconds until a page is there
LENDS = """
from lending import Spaces
def GPU(function, *, duration):
    fake = Spaces()
    made = fake.GPU(function, duration=duration)
    def lent(*arguments):
        answer = made(*arguments)
        print("lent", fake.calls[-1], "s", flush=True)
        return answer
    return lent
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the client's own event loop
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The Space as it would be uploaded."""
    made = tmp_path_factory.mktemp("space") / "app"
    publish = ROOT / "space" / "publish.py"
    subprocess.run([sys.executable, str(publish), "--output", str(made), "--repo", "owner/name"], check=True)
    return made


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> str:
    """A Python with the packages that are installed here, but without what is installed here for editing."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    own = next(home.glob("lib/python*/site-packages"))
    (own / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")  # it names no further .pth files
    return str(home / "bin" / "python")


@contextmanager
def booted(folder: Path, python: str, home: Path, **environment: str) -> Iterator[tuple[str, Path]]:
    """The Space, running: its address and its log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {"PATH": os.environ["PATH"], "HOME": str(home), "SPACE_ID": "owner/name", "HF_HUB_OFFLINE": "1"}
    clean |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(home / "cache"), "PYTHONUNBUFFERED": "1"}
    log = home / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, "app.py"], cwd=folder, env={**clean, **environment}, stdout=output, stderr=output
        )
    try:
        _wait(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"the Space stopped at once: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"the Space did not answer: {log.read_text()}")


def ask(url: str, folder: Path, **settings: str) -> tuple:
    from gradio_client import Client, handle_file

    client = Client(url, verbose=False)
    examples = folder / "examples_media" / "Images" / "yellow_duck"
    prompts = [{"image": handle_file(str(examples / "00.jpg")), "caption": None}]
    return client.predict(
        prompts=prompts, image=handle_file(str(examples / "03.jpg")), mask=None, api_name="/segment", **settings
    )


def test_the_folder_alone_is_the_program(folder, python):
    code = "import ipseg, app; print(ipseg.__file__, app.__file__)"
    clean = {"PATH": os.environ["PATH"]}
    done = subprocess.run([python, "-c", code], cwd=folder, env=clean, capture_output=True, text=True, check=True)
    assert all(Path(path).is_relative_to(folder) for path in done.stdout.split())
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)


def test_a_space_answers(folder, python, tmp_path):
    with booted(folder, python, tmp_path) as (url, log):
        answer = ask(url, folder, preset="offline")
        with urllib.request.urlopen(f"{url}/config") as page:  # noqa: S310 - our own server
            parts = json.load(page)["components"]
    assert "Found." in str(answer) or "Not found." in str(answer)
    said = log.read_text()
    assert "engine: offline. Open http://0.0.0.0:" in said
    assert "Traceback" not in said
    (fetch,) = [part["props"] for part in parts if part["props"].get("elem_id") == "fetch"]
    assert fetch["visible"] is False  # no visitor makes a Space download


def test_a_space_takes_the_light_engine_where_its_weights_are(folder, python, tmp_path, models, published_weights):
    with booted(folder, python, tmp_path, IPSEG_WEIGHTS_DIR=str(published_weights)) as (url, log):
        answer = ask(url, folder, preset="light")
    assert "engine light" in str(answer)
    assert "engine: light." in log.read_text()


def test_a_space_with_a_lent_gpu(folder, python, tmp_path, models, published_weights):
    own = tmp_path / "modules"
    own.mkdir()
    (own / "spaces.py").write_text(LENDS)
    shutil.copy(ROOT / "tests" / "lending.py", own)
    clean = {"SPACES_ZERO_GPU": "true", "IPSEG_WEIGHTS_DIR": str(published_weights), "PYTHONPATH": str(own)}
    with booted(folder, python, tmp_path, **clean) as (url, log):
        answer = ask(url, folder, preset="light")
        known = ask(url, folder, preset="light")
    assert "engine light" in str(answer)
    assert "engine light" in str(known)
    assert log.read_text().count("lent 15 s") == 3  # prompt and picture; then the prompt is known


def test_the_environment_says_where_it_listens(monkeypatch):
    spec = importlib.util.spec_from_file_location("app_of_a_space", ROOT / "app.py")
    for space, wanted in (("", ("127.0.0.1", "offline")), ("owner/name", ("0.0.0.0", "best"))):  # noqa: S104
        for name in ("HOST", "PORT", "PRESET", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SPACE_ID", space)
        monkeypatch.setattr(sys, "argv", ["app.py"])
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        chosen = app.arguments()
        assert (chosen.host, chosen.preset) == wanted
        assert chosen.port == 7860
        assert app.studio(chosen).fetches == (not space)
