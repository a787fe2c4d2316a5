"""The private folder of a server, and the sweep that bounds it in age and in size."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from gradio_client import Client

from ipseg.core import resources
from ipseg.ui.server import storage
from ipseg.ui.server.storage import Sweep
from tests.ui.conftest import finished, serve

HOUR = 3600.0


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "server"
    made.mkdir(mode=0o700)
    return made


def put(path: Path, size: int = 10, age: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def later(seconds: float):
    return lambda: time.time() + seconds


def test_the_folder_is_private_and_those_of_killed_servers_go(tmp_path):
    pytest.importorskip("fcntl")
    first, lock = storage.make(tmp_path)
    second, _ = storage.make(tmp_path)
    assert first != second
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert first.is_dir()  # its server is alive
    put(first / "image.jpg")
    os.close(lock)  # as the system does when a process ends, however it ends
    storage.make(tmp_path)
    assert not first.exists()
    assert second.is_dir()


def test_every_temporary_file_goes_into_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("gradio.mcp", "gradio.routes", "gradio.route_utils"):
        module = sys.modules.get(name)
        if hasattr(module, "DEFAULT_TEMP_DIR"):
            monkeypatch.setattr(module, "DEFAULT_TEMP_DIR", "elsewhere")
    storage.use(tmp_path)
    from gradio.utils import get_upload_folder

    from ipseg.ui.server.jobs import Jobs

    assert get_upload_folder() == tempfile.gettempdir() == str(tmp_path)
    assert Jobs().answers.is_relative_to(tmp_path)
    assert all(
        getattr(module, "DEFAULT_TEMP_DIR", str(tmp_path)) == str(tmp_path)
        for name, module in list(sys.modules.items())
        if name in ("gradio.mcp", "gradio.routes", "gradio.route_utils")
    )


def test_what_nobody_touched_for_an_hour_goes(folder):
    files = [put(folder / "a" / "mask.png"), put(folder / "image.jpg"), put(folder / "jobs" / "answers" / "b.json")]
    assert not Sweep(folder).once()
    assert set(Sweep(folder, clock=later(HOUR + 1)).once()) == set(files)
    assert not list(folder.iterdir())  # nor the empty folders


def test_an_upload_that_its_client_left_goes_soon(folder):
    """Gradio writes it under a name of tempfile, and renames it into a folder of its own when it is whole."""
    unfinished, whole = put(folder / "tmpab12cd_x"), put(folder / "0123abcd" / "tmpab12cd_x")
    other = put(folder / "results.zip")
    assert Sweep(folder, clock=later(storage.UPLOAD_SECONDS - 30)).once() == []
    assert Sweep(folder, clock=later(storage.UPLOAD_SECONDS + 30)).once() == [unfinished]
    assert whole.exists()
    assert other.exists()


def test_the_name_of_an_upload_that_is_received(tmp_path):
    """As the parser of Gradio makes it."""
    from gradio.route_utils import GradioMultiPartParser
    from starlette.datastructures import Headers

    async def cut():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nhalf'
        raise ConnectionError

    headers = Headers({"content-type": "multipart/form-data; boundary=x"})
    parser = GradioMultiPartParser(headers, cut(), upload_dir=tmp_path, max_file_size=1000)
    with pytest.raises(ConnectionError):
        finished(parser.parse())
    for file in parser._files_to_close_on_error:
        file.close()
    (path,) = tmp_path.iterdir()
    assert storage.UPLOAD.fullmatch(path.name)


def test_an_upload_whose_job_still_waits_stays_and_is_touched(folder):
    waiting, other = put(folder / "a" / "image.jpg", age=HOUR), put(folder / "b" / "image.jpg", age=HOUR)
    in_use = [str(waiting), "no\0path", str(folder / "missing.jpg")]
    sweep = Sweep(folder, in_use=lambda: in_use, clock=later(HOUR + 1))
    assert sweep.once() == [other]
    assert time.time() - waiting.stat().st_mtime < 60
    in_use.clear()
    assert sweep.once() == [waiting]


def test_the_oldest_go_until_the_rest_fits(folder):
    files = []
    for number in range(4):
        files.append(put(folder / f"{number}.png", 1000))
        time.sleep(0.02)
    working = put(folder / "jobs" / f"{storage.ACTIVE}x" / "masks.zip", 1000, age=100)
    assert not Sweep(folder, max_bytes=5000).once()
    os.utime(files[0])  # it is used: the youngest now
    assert Sweep(folder, max_bytes=3000, in_use=lambda: [files[1]]).once() == [files[2], files[3]]
    assert working.exists()
    assert files[0].exists()
    assert files[1].exists()


def test_what_was_there_from_the_start_stays(folder):
    example = put(folder / "example.jpg")
    sweep = Sweep(folder, max_seconds=0, max_bytes=0, clock=later(10 * HOUR))
    sweep.start(every=HOUR)
    upload = put(folder / "upload.jpg")
    assert sweep.once() == [upload]
    assert example.exists()
    sweep.stop()


def test_a_folder_that_was_cleaned_away_is_made_again_and_private(folder):
    shutil.rmtree(folder)
    Sweep(folder).once()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    Sweep(folder).once()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_files_that_go_meanwhile_are_left_out(folder, monkeypatch):
    put(folder / "a" / "one.png"), put(folder / "b" / "two.png")
    walk = os.walk

    def racing(place, **options):
        for found in walk(place, **options):
            if found[2]:
                shutil.rmtree(found[0])
            yield found

    monkeypatch.setattr(os, "walk", racing)
    assert Sweep(folder, clock=later(HOUR + 1)).once() == []


def test_a_sweep_that_fails_is_followed_by_the_next(folder, capsys):
    image, failures = put(folder / "image.jpg"), []

    def in_use():
        if len(failures) < 2:
            failures.append(1)
            raise RuntimeError("Set changed size during iteration")
        return ()

    sweep = Sweep(folder, in_use=in_use, clock=later(HOUR + 1))
    sweep.shipped = set()
    thread = storage.threading.Thread(target=sweep._run, args=(0.001,), daemon=True)
    thread.start()
    deadline = time.monotonic() + 600
    while image.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    sweep.stop()
    thread.join(600)
    assert len(failures) == 2
    assert "RuntimeError" in capsys.readouterr().out


def test_a_page_names_what_its_events_and_components_need(folder):
    waiting, example = put(folder / "waiting.jpg"), put(folder / "example.jpg")
    outside = put(folder.parent / "outside.jpg", age=HOUR)
    payload = [[{"image": {"path": str(waiting), "meta": {}}, "caption": None}], {"path": str(outside)}, "text", 3]
    events = {"event": SimpleNamespace(data=SimpleNamespace(data=payload)), "odd": SimpleNamespace(data=None)}
    table = {str(folder / "old.jpg"), str(waiting)}
    page = SimpleNamespace(
        _queue=SimpleNamespace(event_ids_to_events=events),
        blocks={1: SimpleNamespace(keep_in_cache={str(example)}), 2: SimpleNamespace()},
        temp_file_sets=[table],
    )
    old = put(folder / "old.jpg", age=HOUR)
    sweep = storage.sweep_for(page, folder)
    sweep.clock = later(HOUR + 1)
    assert sweep.once() == [old]
    assert table == {str(waiting)}
    assert time.time() - outside.stat().st_mtime > HOUR / 2  # what is not ours is not touched


FULL = """
import errno, runpy, sys
from gradio import route_utils
original = route_utils.NamedTemporaryFile
class Small:
    def __init__(self, *given, **named): self.file = original(*given, **named)
    def write(self, data):
        if self.file.tell() + len(data) > 500_000: raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)
    def __getattr__(self, name): return getattr(self.file, name)
route_utils.NamedTemporaryFile = Small
sys.argv, sys.path[:0] = ["app.py"], ["."]
runpy.run_path("app.py", run_name="__main__")
"""  # a server on a disk with room for 500 kB


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop
def test_a_full_disk_is_reported_and_sigterm_leaves_nothing_behind(tmp_path):
    with serve(tmp_path, program=("-c", FULL), stop=signal.SIGTERM, HF_HUB_OFFLINE="1") as served:
        (folder,) = (tmp_path / "cache").glob(f"{storage.PREFIX}*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for size, status in ((2**18, 200), (2**20, 507), (2**18, 200)):
            answer = httpx.post(f"{served.url}/gradio_api/upload", files={"files": ("a.jpg", bytes(size))})
            assert answer.status_code == status
            assert answer.text == resources.NO_ROOM if status == 507 else Path(answer.json()[0]).is_relative_to(folder)
        Client(served.url, verbose=False).predict(api_name="/stop")  # it stays connected
    assert not folder.exists()
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert "Traceback" not in served.log.read_text()
