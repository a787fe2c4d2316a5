"""The assembled folder, by itself, in a clean environment as a Space has it: it boots and answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipseg.engine import hardware
from ipseg.ui import serving
from tests.processes import PATIENCE, first_answer, free_port

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "OMP_WAIT_POLICY")
"""Several test processes share the cores: what tests/conftest.py sets, and the Makefile."""
LENDS = """
import sys
assert "torch" not in sys.modules, "spaces has to be imported first"
from lending import Spaces
def GPU(function, *, duration, size):
    fake = Spaces()
    made = fake.GPU(function, duration=duration, size=size)
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
def python(tmp_path_factory, folder) -> str:
    """A Python with the packages that are installed here, but without what is installed here for editing.

    Where IPSEG_SPACE_INSTALL is set, one with what the Space's own lists install, and nothing else: gigabytes.
    """
    home = tmp_path_factory.mktemp("environment")
    fresh = bool(os.environ.get("IPSEG_SPACE_INSTALL"))
    subprocess.run([sys.executable, "-m", "venv", *([] if fresh else ["--without-pip"]), str(home)], check=True)
    python = str(home / "bin" / "python")
    if fresh:
        version = re.search(r"^sdk_version: (\S+)$", (folder / "README.md").read_text(), flags=re.MULTILINE)[1]
        install = ["-m", "pip", "install", "--quiet", f"gradio=={version}", "-r", str(folder / "requirements.txt")]
        subprocess.run([python, *install], check=True)
    else:
        own = next(home.glob("lib/python*/site-packages"))
        (own / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")  # it names no further .pth files
    return python


@contextmanager
def booted(folder: Path, python: str, home: Path, **environment: str) -> Iterator[tuple[str, Path]]:
    """The Space, running: its address and its log."""
    port = free_port()
    clean = {"PATH": os.environ["PATH"], "HOME": str(home), "SPACE_ID": "owner/name", "HF_HUB_OFFLINE": "1"}
    clean |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(home / "cache"), "PYTHONUNBUFFERED": "1"}
    clean["PRECOMPUTE"] = "0"  # the examples would be computed beside what is asked here
    clean |= {name: os.environ[name] for name in ONE_THREAD if name in os.environ}
    log = home / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, "app.py"], cwd=folder, env={**clean, **environment}, stdout=output, stderr=output
        )
    try:
        first_answer(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}", log
    finally:
        process.kill()  # at SIGTERM it waits some seconds for those who are connected
        process.wait(timeout=PATIENCE)


def ask(url: str, folder: Path, **settings: str) -> tuple:
    from gradio_client import Client, handle_file

    client = Client(url, verbose=False)
    examples = folder / "examples_media" / "Images" / "yellow_duck"
    prompts = [{"image": handle_file(str(examples / "00.jpg")), "caption": None}]
    return client.predict(
        prompts=prompts, image=handle_file(str(examples / "03.jpg")), mask=None, api_name="/segment", **settings
    )


def test_the_folder_alone_is_the_program(folder, python):
    code = "import importlib.util, ipseg; print(ipseg.__file__, importlib.util.find_spec('app').origin)"
    clean = {"PATH": os.environ["PATH"]}
    done = subprocess.run([python, "-c", code], cwd=folder, env=clean, capture_output=True, text=True, check=True)
    assert all(Path(path).is_relative_to(folder) for path in done.stdout.split())
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)


@pytest.fixture(scope="module")
def space(folder, python, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The Space on a CPU, running: its address and its log."""
    home = tmp_path_factory.mktemp("running")
    with booted(folder, python, home) as running:
        yield running


def test_a_space_on_a_cpu_answers_with_the_weights_that_came_with_it(space, folder):
    url, log = space
    assert "engine: compact. Open http://0.0.0.0:" in log.read_text()
    assert ask(url, folder)[0]["engine"] == "compact"
    assert ask(url, folder, preset="offline")[0]["engine"] == "offline"
    assert "Traceback" not in log.read_text()


def test_no_visitor_makes_a_space_download(space):
    with urllib.request.urlopen(f"{space[0]}/config") as page:  # noqa: S310 - our own server
        parts = json.load(page)["components"]
    (fetch,) = [part["props"] for part in parts if part["props"].get("elem_id") == "fetch"]
    assert fetch["visible"] is False


@pytest.mark.browser
def test_a_space_is_used_like_any_page(space, chromium):
    url, log = space
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(1000 * PATIENCE)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{url}/?preset=offline&__theme=light")  # as the Hub's own page embeds it, with a link's settings
    page.wait_for_function("document.querySelector('#engine-state')?.innerText.includes('offline')")
    page.get_by_text("Yellow duck", exact=True).first.click()
    page.wait_for_selector("#verdict .detected")
    assert "Detected" in page.inner_text("#verdict")
    page.wait_for_selector("#mask-file:not([disabled])")
    context.close()
    assert complaints == []
    assert "Traceback" not in log.read_text()


def test_a_space_with_a_lent_gpu(folder, python, tmp_path, models, published_weights):
    own = tmp_path / "modules"
    own.mkdir()
    (own / "spaces.py").write_text(LENDS)
    shutil.copy(ROOT / "tests" / "lending.py", own)
    clean = {"SPACES_ZERO_GPU": "true", "IPSEG_WEIGHTS_DIR": str(published_weights), "PYTHONPATH": str(own)}
    with booted(folder, python, tmp_path, **clean) as (url, log):
        answer = ask(url, folder, preset="light")
        known = ask(url, folder, preset="light")
    assert answer[0]["engine"] == "light"
    assert known[0]["engine"] == "light"
    seconds = [int(each) for each in re.findall(r"^lent (\d+) s$", log.read_text(), flags=re.MULTILINE)]
    assert len(seconds) == 3  # prompt and image; then the prompt is known
    assert seconds[2] < seconds[1]
    assert sum(seconds) <= 15


@pytest.mark.parametrize(("space", "host"), [("", "127.0.0.1"), ("owner/name", "0.0.0.0")])  # noqa: S104
def test_the_environment_decides_where_it_listens(space, host, monkeypatch, tmp_path, hub_home):
    for name in ("HOST", "PORT", "PRESET", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    hub_home(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("SPACE_ID", space)
    chosen = serving.arguments([])
    assert (chosen.host, chosen.preset, chosen.port) == (host, None, 7860)
    pool = serving.engine_pool(chosen)
    assert pool.fetches == (not space)
    assert pool.first.preset == "offline"  # no weights are here
    assert "run `python -m ipseg weights fetch compact`" in pool.reason


def test_a_space_with_a_gpu_takes_the_best(monkeypatch, small_models, hub_home, tmp_path):
    hub_home(tmp_path)
    for name in ("HOST", "PORT", "PRESET", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPACE_ID", "owner/name")
    monkeypatch.setenv("IPSEG_WEIGHTS_DIR", str(small_models))
    monkeypatch.setattr(hardware, "memory", lambda: 64.0)
    for gigabytes, preset in ((24.0, "paper"), (0.0, "offline")):
        monkeypatch.setattr(hardware, "gpu_memory", lambda placement=None, found=gigabytes: found)
        assert serving.engine_pool(serving.arguments([])).first.preset == preset
    monkeypatch.setenv("PRESET", "light")
    assert serving.engine_pool(serving.arguments([])).first.preset == "light"
