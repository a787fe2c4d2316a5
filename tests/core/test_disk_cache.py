"""The disk tier returns what was evicted, keeps to its bounds, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ipseg.core.disk_cache import DiskCache


@dataclass(frozen=True)
class Value:
    name: str
    array: np.ndarray


def value(number: int, size: int = 1000) -> Value:
    return Value(f"{number}", np.full(size, number, np.uint8))


def filled(cache: DiskCache, count: int, size: int = 1000) -> list[int]:
    """Ask for so many values; returns which were computed."""
    computed = []

    def compute(number: int) -> Value:
        computed.append(number)
        return value(number, size)

    for number in range(count):
        found = cache.get(("part", number), lambda number=number: compute(number))
        assert found.name == f"{number}"
        assert (found.array == number).all()
    return computed


def test_what_is_evicted_is_read_again(tmp_path):
    cache = DiskCache(tmp_path / "tier", 3500, 10**6)
    assert filled(cache, 10) == list(range(10))
    assert cache.bytes <= 3500
    assert 0 < len(list((tmp_path / "tier").iterdir())) <= 10
    assert filled(cache, 10) == []
    assert all(cache.has(("part", number)) for number in range(10))


def test_without_a_disk_tier_it_is_computed_again(tmp_path):
    cache = DiskCache(tmp_path / "tier", 3500, 0)
    filled(cache, 10)
    assert filled(cache, 10) == list(range(10))
    assert not (tmp_path / "tier").exists()


def test_the_disk_tier_is_bounded(tmp_path):
    cache = DiskCache(tmp_path / "tier", 1500, 5000)
    filled(cache, 20)
    on_disk = sum(path.stat().st_size for path in (tmp_path / "tier").iterdir())
    assert on_disk == cache.files_bytes <= 5000
    assert not cache.has(("part", 0))
    assert cache.has(("part", 18))


def test_a_value_larger_than_the_memory_goes_to_disk(tmp_path):
    cache = DiskCache(tmp_path / "tier", 500, 10**6)
    filled(cache, 3)
    assert cache.bytes == 0
    assert filled(cache, 3) == []


def test_what_is_discarded_is_gone(tmp_path):
    cache = DiskCache(tmp_path / "tier", 2500, 10**6)
    filled(cache, 6)
    cache.discard(lambda key: key[1] % 2 == 0)
    assert [number for number in range(6) if cache.has(("part", number))] == [1, 3, 5]
    assert filled(cache, 6) == [0, 2, 4]


def test_files_of_an_earlier_process_are_removed(tmp_path):
    folder = tmp_path / "tier"
    folder.mkdir()
    (folder / "old.bin").write_bytes(b"of a process that was killed")
    cache = DiskCache(folder, 1000, 10**6)
    assert not folder.exists()
    filled(cache, 4)
    cache.clear()
    assert not folder.exists()
    assert filled(cache, 1) == [0]


def test_a_file_that_is_lost_is_computed_again(tmp_path):
    cache = DiskCache(tmp_path / "tier", 1500, 10**6)
    filled(cache, 4)
    for path in (tmp_path / "tier").iterdir():
        path.unlink()
    assert filled(cache, 4)[:2] == [0, 1]


def test_tensors_come_back_as_tensors(tmp_path):
    torch = pytest.importorskip("torch", reason="tensors need torch")
    cache = DiskCache(tmp_path / "tier", 100, 10**6)
    made = {"a": torch.arange(1000.0), "b": [np.arange(4)]}
    cache.get(("part", 0), lambda: made)
    found = cache.get(("part", 0), lambda: None)
    assert torch.equal(found["a"], made["a"])
    assert found["a"].device == made["a"].device


def test_a_disk_without_room_only_costs_time(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ipseg.core.disk_cache.atomic_write", full)
    cache = DiskCache(tmp_path / "tier", 1500, 10**6)
    filled(cache, 4)
    assert filled(cache, 4) == [0, 1, 2, 3]
