"""A run that is ended at any moment: what is done is saved, and with --resume the rest gives the same as one run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ipseg import __main__
from ipseg.core import plugins
from ipseg.core.store import OutputError

pytestmark = pytest.mark.usefixtures("shared_offline")

SMALL = Path(__file__).parents[1] / "small_engine.py"  # the same engine in a process of its own
RED = (200, 30, 40)
NUMBER = 8  # of images


@pytest.fixture(scope="module")
def given(tmp_path_factory, save, make_scene) -> Path:
    """A prompt and images, which are small."""
    folder = tmp_path_factory.mktemp("given")
    save(folder / "prompt.png", make_scene(40, 50, RED)[0])
    for number in range(NUMBER):
        save(folder / "in" / f"{number}.png", make_scene(32, 40, RED, seed=number)[0])
    return folder


def command(name: str, given: Path, out: Path, *more: str) -> list[str]:
    source = [given / "in"] if name == "batch" else sorted((given / "in").iterdir())
    listing = ["--json", out / "list.json"] if name == "segment" else []
    paths = [given / "prompt.png", *source, "--output", out / "masks" if name == "segment" else out, *listing]
    return [name, *map(str, paths), "--preset", "offline", *more]


def started(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process whose standard output can be read line by line."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    run = [sys.executable, str(SMALL), "-m", "ipseg", *arguments]
    return subprocess.Popen(run, cwd=root, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **pipes)


def ended(job: subprocess.Popen[str], after: int, number: int) -> tuple[int, str]:
    """Send a signal after so many lines of output; returns the exit code and the standard error."""
    assert job.stdout is not None
    for _ in range(after):
        assert job.stdout.readline()
    job.send_signal(number)
    _, errors = job.communicate(timeout=600)
    return job.returncode, errors


def saved(out: Path) -> dict[str, object]:
    """Every file below a folder but the cache: the bytes of images, and the data of lists without their seconds."""
    found: dict[str, object] = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file() and ".ipseg" not in path.parts):
        name = path.relative_to(out).as_posix()
        found[name] = path.read_bytes() if path.suffix == ".png" else listed(path, out)
    return found


def listed(path: Path, out: Path) -> object:
    data = json.loads(path.read_text().replace(str(out), "OUT"))
    for record in data if isinstance(data, list) else []:
        record.pop("seconds")
    return data


@pytest.fixture(scope="module")
def whole(given, shared_offline, tmp_path_factory) -> dict[str, dict[str, object]]:
    """What one run without stops gives, by command."""
    found = {}
    for name in ("batch", "segment"):
        out = tmp_path_factory.mktemp(name)
        assert __main__.main(command(name, given, out)) == 0
        found[name] = saved(out)
    assert [len(files) for files in found.values()] == [NUMBER + 1] * 2
    return found


@pytest.mark.parametrize("name", ["batch", "segment"])
def test_sigterm_ends_a_run_with_what_is_done_saved(name, given, root, tmp_path):
    code, errors = ended(started(root, *command(name, given, tmp_path)), 3, signal.SIGTERM)
    assert (code, errors) == (143, "ipseg: ended by SIGTERM.\n")
    made = saved(tmp_path)
    data = made.pop("coco.json" if name == "batch" else "list.json")
    records = data["images"] if name == "batch" else data
    assert 3 <= len(records) < NUMBER
    assert len(records) >= len(made) >= 3


@pytest.mark.parametrize("name", ["batch", "segment"])
def test_a_run_that_is_killed_and_resumed_gives_the_same_as_one_run(name, given, root, tmp_path, whole, capsys):
    for after in (2, 0):  # in the middle, and at the start
        job = started(root, *command(name, given, tmp_path, "--resume"))
        assert ended(job, after, signal.SIGKILL)[0] == -signal.SIGKILL
    capsys.readouterr()
    assert __main__.main(command(name, given, tmp_path, "--resume")) == 0
    assert capsys.readouterr().err == ""
    assert saved(tmp_path) == whole[name]


def test_a_reader_of_the_output_that_goes_ends_the_run_quietly(given, root, tmp_path):
    job = started(root, *command("batch", given, tmp_path))
    assert job.stdout is not None
    assert job.stdout.readline()
    job.stdout.close()
    assert job.stderr is not None
    assert (job.stderr.read(), job.wait(600)) == ("", 141)
    job.stderr.close()
    assert json.loads((tmp_path / "coco.json").read_text())["images"]


@pytest.mark.parametrize("stderr_too", [False, True])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 141), (["segment", "--help"], 141), (["datasets"], 141), (["table"], 2), (["unknown"], 2)],
)
def test_output_that_nobody_reads_ends_every_command_quietly(arguments, code, stderr_too, root):
    reading, writing = os.pipe()
    os.close(reading)
    errors = writing if stderr_too else subprocess.PIPE
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ran = subprocess.run(
        [sys.executable, "-m", "ipseg", *arguments], cwd=root, stdout=writing, stderr=errors, env=buffered, text=True
    )
    os.close(writing)
    assert ran.returncode == (141 if stderr_too else code)
    shown = ran.stderr or ""
    assert "Exception" not in shown
    assert "Traceback" not in shown
    assert bool(shown) == (code == 2 and not stderr_too)


def run(monkeypatch, error: BaseException) -> int:
    """The exit code of a command that raises ``error``."""

    def fail(_):
        raise error

    monkeypatch.setattr(plugins.module("cli", "cache"), "run", fail)
    return __main__.main(["cache"])


def test_a_file_that_cannot_be_written_is_no_wrong_usage(monkeypatch, capsys):
    assert run(monkeypatch, OutputError("a.png cannot be written (full); make room.")) == 1
    assert capsys.readouterr().err == "ipseg: a.png cannot be written (full); make room.\n"


def test_only_the_first_sigterm_interrupts_and_the_handler_is_put_back(monkeypatch, capsys):
    before, handled = signal.getsignal(signal.SIGTERM), []

    def work(_):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)  # while it saves what is done
            handled.append("saved")

    monkeypatch.setattr(plugins.module("cli", "cache"), "run", work)
    assert __main__.main(["cache"]) == 143
    assert handled == ["saved"]
    assert signal.getsignal(signal.SIGTERM) is before
