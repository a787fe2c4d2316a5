"""Saved arrays: whole or not at all, bounded in bytes, safe between threads."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from ipseg.core import store

ARRAYS = {"noise": np.random.default_rng(0).integers(0, 256, 10_000, dtype=np.uint8)}  # does not compress


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_saved_array_is_loaded_as_it_was(tmp_path):
    store.save(tmp_path / "new" / "a.npz", ARRAYS)
    np.testing.assert_array_equal(store.load(tmp_path / "new" / "a.npz")["noise"], ARRAYS["noise"])
    assert names(tmp_path / "new") == ["a.npz"]


def test_the_file_used_longest_ago_is_removed_first(tmp_path):
    for age, name in ((30, "a"), (20, "b"), (10, "c")):
        store.save(tmp_path / f"{name}.npz", ARRAYS)
        at = (tmp_path / f"{name}.npz").stat().st_mtime - age
        os.utime(tmp_path / f"{name}.npz", (at, at))
    store.load(tmp_path / "a.npz")  # used just now
    store.save(tmp_path / "d.npz", ARRAYS, max_bytes=35_000)
    assert names(tmp_path) == ["a.npz", "c.npz", "d.npz"]


def test_arrays_beyond_the_bound_are_not_saved(tmp_path):
    store.save(tmp_path / "a.npz", ARRAYS, max_bytes=100)
    assert names(tmp_path) == []


def test_what_a_killed_process_left_counts_and_is_removed(tmp_path):
    for name, age in ((".old.x.npz", 2 * store.PARTIAL_SECONDS), (".new.x.npz", 0)):
        (tmp_path / name).write_bytes(bytes(20_000))
        at = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (at, at))
    store.save(tmp_path / "a.npz", ARRAYS, max_bytes=31_000)
    assert names(tmp_path) == [".new.x.npz", "a.npz"]


def test_two_threads_save_one_path(tmp_path, monkeypatch):
    """Both are in the middle of writing at once: neither may write into the file of the other."""
    both, written = threading.Barrier(2, timeout=20), []
    save = np.savez_compressed

    def slowly(file, **arrays):
        written.append(os.fstat(file.fileno()).st_ino)
        both.wait()
        save(file, **arrays)
        both.wait()

    monkeypatch.setattr(np, "savez_compressed", slowly)
    threads = [threading.Thread(target=store.save, args=(tmp_path / "a.npz", ARRAYS)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(written)) == 2
    assert names(tmp_path) == ["a.npz"]
    np.testing.assert_array_equal(store.load(tmp_path / "a.npz")["noise"], ARRAYS["noise"])


def test_a_file_that_another_process_removes_meanwhile_is_no_error(tmp_path, monkeypatch):
    store.save(tmp_path / "a.npz", ARRAYS)
    stat = Path.stat

    def gone(path, **options):
        if path.name == "a.npz":
            path.unlink(missing_ok=True)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", gone)
    store.save(tmp_path / "b.npz", ARRAYS, max_bytes=15_000)
    assert names(tmp_path) == ["b.npz"]


@pytest.mark.parametrize("kind", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_no_partial_file_stays(kind, tmp_path, monkeypatch):
    def fail(file, **arrays):
        file.write(b"half")
        raise kind

    monkeypatch.setattr(np, "savez_compressed", fail)
    if isinstance(kind, OSError):
        store.save(tmp_path / "a.npz", ARRAYS)
    else:
        with pytest.raises(KeyboardInterrupt):
            store.save(tmp_path / "a.npz", ARRAYS)
    assert names(tmp_path) == []
