"""The store: what decides a result, whole files or none, and saved results that are bounded in bytes."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ipseg.core import store
from ipseg.core.store import ARRAYS, OutputError, ResultStore, atomic_write
from ipseg.core.types import SettingError
from ipseg.method.config import EngineInfo, IPSegConfig

NOISE = np.random.default_rng(0).integers(0, 256, 10_000, dtype=np.uint8)  # does not compress
VALUE = {"noise": NOISE}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def older(path: Path, seconds: float) -> None:
    at = path.stat().st_mtime - seconds
    os.utime(path, (at, at))


# What decides a result


def with_weights(engine, **entry):
    return replace(engine, info=EngineInfo("colour", record={"weights": {"small": entry}}))


def test_the_key_changes_with_all_that_decides(engine, monkeypatch):
    content, settings = ["a", "b"], {"k": 32}
    keys = [
        store.run_key(engine, content, settings),
        store.run_key(engine, ["b", "a"], settings),
        store.run_key(engine, content, {"k": 16}),
        store.run_key(replace(engine, config=IPSegConfig(k=33)), content, settings),
        store.run_key(replace(engine, info=EngineInfo("colour", record={"placement": "cuda"})), content, settings),
        store.run_key(with_weights(engine, sha256="1"), content, settings),
        store.run_key(with_weights(engine, sha256="2"), content, settings),
    ]
    assert keys[0] == store.run_key(engine, list(content), dict(settings))
    monkeypatch.setattr(store, "code_version", lambda: "other code")
    keys.append(store.run_key(engine, content, settings))
    assert len(set(keys)) == len(keys)


def test_the_path_of_weights_counts_only_where_their_hash_is_not_known(engine):
    known = [store.run_key(with_weights(engine, sha256="1", path=path)) for path in ("/one", "/two")]
    unknown = [store.run_key(with_weights(engine, sha256="", path=path)) for path in ("/one", "/two")]
    assert len(set(known)) == 1
    assert len(set(unknown)) == 2


def test_the_source_is_read_once_per_process(engine, monkeypatch):
    store.code_version()

    def never(*_):
        raise AssertionError("the source was read again")

    monkeypatch.setattr(Path, "rglob", never)
    store.run_key(engine)


# Files


@pytest.mark.parametrize("data", [b"bytes", "täxt", VALUE], ids=["bytes", "text", "arrays"])
def test_a_file_is_written_whole_and_nothing_else_stays(tmp_path, data):
    path = tmp_path / "a.bin"
    for _ in range(2):  # new, and over an old one
        atomic_write(path, data)
        assert names(tmp_path) == ["a.bin"]
    if isinstance(data, dict):
        np.testing.assert_array_equal(ARRAYS.decode(path.read_bytes())["noise"], NOISE)
    else:
        assert path.read_bytes() == (data.encode() if isinstance(data, str) else data)


def test_a_new_file_has_the_mode_of_every_new_file_and_an_old_one_that_which_it_had(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    atomic_write(tmp_path / "new", b"")
    (tmp_path / "old").write_bytes(b"")
    (tmp_path / "old").chmod(0o600)
    atomic_write(tmp_path / "old", b"x")
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "new", "old")}
    assert modes["new"] == modes["usual"]
    assert modes["old"] == 0o600


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name in ("old", "not there yet"):
        target, link = tmp_path / "elsewhere" / name, tmp_path / f"link to {name}"
        link.symlink_to(target)
        atomic_write(link, b"data")
        assert link.is_symlink()
        assert target.read_bytes() == b"data"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    atomic_write(pipe, b"data")
    reader.join(600)
    assert read == [b"data"]
    assert names(tmp_path) == ["pipe"]
    with pytest.raises(IsADirectoryError):
        atomic_write(tmp_path, b"data")


def test_a_name_that_just_fits_is_written_and_a_longer_one_is_one_message(tmp_path):
    longest = "x" * os.pathconf(tmp_path, "PC_NAME_MAX")
    atomic_write(tmp_path / longest, b"data")
    path = tmp_path / f"{longest}x"
    message = r"^x+…x+ cannot be written \(.+\); give its image a shorter name\.$"
    with pytest.raises(OutputError, match=message), store.writing(path):
        atomic_write(path, b"data")
    assert names(tmp_path) == [longest]


@pytest.mark.parametrize(
    ("code", "way_out"),
    [
        (errno.ENOSPC, "make room on the disk"),
        (errno.EACCES, "choose another --output"),
        (errno.EROFS, "choose another --output"),
        (errno.EFBIG, "raise this system's limit"),
    ],
)
def test_a_write_error_is_one_message_that_says_what_to_do(tmp_path, monkeypatch, code, way_out):
    atomic_write(tmp_path / "a.png", b"old")

    def fail(partial, target):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", fail)
    with (
        pytest.raises(OutputError, match=rf"^a\.png cannot be written \({os.strerror(code)}\); {way_out}"),
        store.writing(tmp_path / "a.png", "choose another --output"),
    ):
        atomic_write(tmp_path / "a.png", b"new")
    assert names(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_no_partial_file_stays_after_an_error(error, tmp_path, monkeypatch):
    def fail(partial, target):
        assert Path(partial).read_bytes() == b"data"
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(error)):
        atomic_write(tmp_path / "a", b"data")
    assert names(tmp_path) == []


WRITE = """
import os, sys, time
from ipseg.core.store import atomic_write
rename = os.replace
def slow(partial, target):
    print("partial", flush=True)
    time.sleep(60)
os.replace = slow
atomic_write(sys.argv[1], b"new")
"""


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_stays(tmp_path, root):
    atomic_write(tmp_path / "a", b"old")
    writer = subprocess.Popen([sys.executable, "-c", WRITE, tmp_path / "a"], cwd=root, stdout=subprocess.PIPE)
    try:
        assert writer.stdout.readline() == b"partial\n"
        store.remove_partials(tmp_path)
        assert len(names(tmp_path)) == 2
    finally:
        writer.kill()
        writer.communicate()
    assert len(names(tmp_path)) == 2
    store.remove_partials(tmp_path)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_two_threads_write_one_path(tmp_path, monkeypatch):
    """Both are in the middle of writing at once: neither may write into the file of the other."""
    both, partials, rename = threading.Barrier(2, timeout=600), [], os.replace

    def slowly(partial, target):
        partials.append(partial)
        both.wait()
        rename(partial, target)

    monkeypatch.setattr(os, "replace", slowly)
    threads = [threading.Thread(target=atomic_write, args=(tmp_path / "a", b"data")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert len(set(partials)) == 2
    assert names(tmp_path) == ["a"]


def test_a_partial_file_that_was_removed_too_early_is_written_again(tmp_path, monkeypatch):
    lock = store._lock

    def cleaner(descriptor):
        monkeypatch.setattr(store, "_lock", lock)
        store.remove_partials(tmp_path)

    monkeypatch.setattr(store, "_lock", cleaner)
    atomic_write(tmp_path / "a", b"data")
    assert names(tmp_path) == ["a"]


def test_a_folder_is_tried_before_the_work_starts(tmp_path):
    store.check_writable(tmp_path / "new" / "folder")
    assert names(tmp_path / "new" / "folder") == []
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingError, match=r"\(a part of its path is no folder\); choose another folder\.$"):
            store.check_writable(path)


def test_a_full_disk_is_no_wrong_setting(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OutputError, match=r"is full; make room, or choose another folder\.$"):
        store.check_writable(tmp_path)


STREAMS = ("core/store.py", "weights/_download.py", "weights/_wheel.py")  # these write what is too large for memory
WHOLE_FOLDERS = "annotations/formats/"  # writes a partial folder, which is renamed when it is complete
PROCESS = "/proc/self/"  # what is written there changes this process, and is no file


def test_no_other_code_writes_a_file():
    """What is written in another way may be left half written, and its errors are tracebacks."""
    package = Path(store.__file__).parents[1]
    writes = re.compile(r"\.write_text\(|\.write_bytes\(|\bopen\([^)]*[\"'][wax]b?\+?[\"']|\bimwrite\(|\.tofile\(")
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if writes.search(line) and PROCESS not in line
    }
    assert {path for path in found if not path.startswith(WHOLE_FOLDERS)} <= set(STREAMS)


# Saved results


def test_a_saved_result_is_computed_once(tmp_path):
    results, computed = ResultStore(tmp_path / "new", ARRAYS), []

    def compute():
        computed.append(1)
        return VALUE

    for _ in range(2):
        np.testing.assert_array_equal(results.get_or_compute("a", compute)["noise"], NOISE)
    assert len(computed) == 1
    assert names(tmp_path / "new") == ["a.npz"]
    results.get_or_compute("a", compute, is_valid=lambda saved: False)
    assert len(computed) == 2


def test_a_damaged_file_is_computed_again(tmp_path):
    results = ResultStore(tmp_path, ARRAYS)
    results.put("a", VALUE)
    whole = (tmp_path / "a.npz").read_bytes()
    for damaged in (b"", whole[:40], whole[:-30], b"PK" + whole[2:5000] + bytes(200) + whole[5200:]):
        (tmp_path / "a.npz").write_bytes(damaged)
        assert results.get("a") is None
        np.testing.assert_array_equal(results.get_or_compute("a", lambda: VALUE)["noise"], NOISE)


def test_without_a_folder_nothing_is_saved(tmp_path):
    results = ResultStore(None, ARRAYS)
    results.put("a", VALUE)
    assert results.get("a") is None


def test_where_the_disk_is_full_a_cache_returns_the_result_and_an_output_raises(tmp_path, monkeypatch):
    def full(partial, target):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "replace", full)
    assert ResultStore(tmp_path, ARRAYS).get_or_compute("a", lambda: VALUE) is VALUE
    with pytest.raises(OutputError, match="make room"):
        ResultStore(tmp_path, ARRAYS, optional=False).get_or_compute("a", lambda: VALUE)


def test_the_result_used_longest_ago_is_removed_first(tmp_path):
    results = ResultStore(tmp_path, ARRAYS, max_bytes=35_000)
    for age, name in ((30, "a"), (20, "b"), (10, "c")):
        results.put(name, VALUE)
        older(tmp_path / f"{name}.npz", age)
    results.get("a")  # used just now
    results.put("d", VALUE)
    assert names(tmp_path) == ["a.npz", "c.npz", "d.npz"]


def test_a_result_beyond_the_bound_is_not_saved(tmp_path):
    ResultStore(tmp_path, ARRAYS, max_bytes=100).put("a", VALUE)
    assert names(tmp_path) == []
    ResultStore(tmp_path, ARRAYS, max_bytes=None).put("a", VALUE)
    assert names(tmp_path) == ["a.npz"]


def test_partial_files_count_and_those_of_killed_processes_are_removed(tmp_path):
    for name, age in ((".ipseg-old.part", 2 * store.PARTIAL_SECONDS), (".ipseg-new.part", 0)):
        (tmp_path / name).write_bytes(bytes(20_000))
        older(tmp_path / name, age)
    ResultStore(tmp_path, ARRAYS, max_bytes=31_000).put("a", VALUE)
    assert names(tmp_path) == [".ipseg-new.part", "a.npz"]


def test_a_file_that_another_process_removes_meanwhile_is_no_error(tmp_path, monkeypatch):
    results = ResultStore(tmp_path, ARRAYS, max_bytes=15_000)
    results.put("a", VALUE)
    lstat = Path.lstat

    def gone(path):
        if path.name == "a.npz":
            path.unlink(missing_ok=True)
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", gone)
    results.put("b", VALUE)
    assert names(tmp_path) == ["b.npz"]


def test_the_saved_results_are_counted_and_cleared(tmp_path):
    for part in ("one", "two"):
        ResultStore(tmp_path / "saved" / part, ARRAYS).put("a", VALUE)
    files, size = store.usage(tmp_path / "saved")
    assert files == 2
    assert size == store.clear(tmp_path / "saved") > 20_000
    assert store.usage(tmp_path / "saved") == (0, 0)
    assert store.clear(tmp_path / "saved") == 0
