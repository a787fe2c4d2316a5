"""The cache: bounded, least recently used first, and each value computed once at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

from ipseg.core.cache import Cache, nbytes


def array(size: int) -> np.ndarray:
    return np.zeros(size, np.uint8)


def test_a_value_is_computed_once():
    cache, calls = Cache(100), []
    for _ in range(3):
        assert cache.get("a", lambda: calls.append(1) or array(10)).nbytes == 10
    assert len(calls) == 1
    assert cache.has("a")
    assert not cache.has("b")


def test_none_is_a_value():
    cache, calls = Cache(100), []
    for _ in range(2):
        assert cache.get("a", lambda: calls.append(1)) is None
    assert len(calls) == 1


def test_least_recently_used_goes_first():
    cache = Cache(30)
    for key in "abc":
        cache.get(key, lambda: array(10))
    cache.get("a", lambda: pytest.fail("a is cached"))
    cache.get("d", lambda: array(10))
    assert [key for key in "abcd" if cache.has(key)] == ["a", "c", "d"]
    cache.get("e", lambda: array(20))
    assert [key for key in "abcde" if cache.has(key)] == ["d", "e"]


def test_the_bound_in_bytes_holds():
    cache, rng = Cache(1000), np.random.default_rng(0)
    for key in range(200):
        size = int(rng.integers(1, 400))
        cache.get(key, lambda size=size: array(size))
        assert cache.bytes <= 1000
    assert cache.bytes > 500


def test_what_is_larger_than_the_cache_is_handed_over_and_not_cached():
    cache = Cache(100)
    cache.get("small", lambda: array(60))
    assert cache.get("large", lambda: array(101)).nbytes == 101
    assert not cache.has("large")
    assert cache.has("small")
    cache.get("full", lambda: array(100))
    assert cache.has("full")


def together(count: int, work) -> list:
    """Run ``work`` in ``count`` threads that start at the same moment; results or errors, in order."""
    barrier, answers = threading.Barrier(count), ["no answer"] * count

    def one(number: int) -> None:
        barrier.wait(600)
        try:
            answers[number] = work(number)
        except Exception as error:
            answers[number] = error

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    return answers


def test_eight_threads_compute_once():
    cache, calls = Cache(100), []

    def compute():
        calls.append(threading.get_ident())
        time.sleep(0.1)
        return array(10)

    answers = together(8, lambda number: cache.get("a", compute))
    assert len(calls) == 1
    assert all(answer is answers[0] for answer in answers)


def test_different_keys_do_not_wait_for_each_other():
    cache, both = Cache(100), threading.Barrier(2)
    answers = together(2, lambda number: cache.get(number, lambda: both.wait(600) * 0 + number))
    assert answers == [0, 1]


def test_an_error_reaches_all_who_wait_and_is_not_cached():
    cache, calls, asking = Cache(100), [], threading.Barrier(8)

    def ask(number):
        asking.wait(600)
        return cache.get("a", fail)

    def fail():
        calls.append(1)
        time.sleep(1)  # the others are a step away from asking
        raise KeyError("gone")

    answers = together(8, ask)
    assert all(isinstance(answer, KeyError) for answer in answers)
    assert len(calls) == 1
    assert cache.get("a", lambda: 5) == 5


def test_a_value_that_cannot_be_measured_leaves_nobody_waiting():
    class Odd:
        @property
        def nbytes(self):
            raise RuntimeError("no size")

    cache = Cache(100)
    with pytest.raises(RuntimeError, match="no size"):
        cache.get("a", Odd)
    assert together(1, lambda number: cache.get("a", lambda: 5)) == [5]


def test_nbytes_counts_arrays_wherever_they_are():
    @dataclass
    class Pair:
        left: np.ndarray
        right: object

    assert nbytes(array(7)) == 7
    assert nbytes(Pair(array(3), {"x": [array(4), (array(5),)]})) == 12
    assert nbytes(["words", b"bytes", 5, None, Pair]) == 0
