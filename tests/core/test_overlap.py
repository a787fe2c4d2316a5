"""Several items at once, in order and within bounds; reading ahead."""

from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest

from ipseg.core import overlap

PLACE: ContextVar[str] = ContextVar("place", default="nowhere")
SECONDS = 600  # after which a thread that waits for another counts as stuck


def test_results_come_in_order_and_two_items_are_worked_on_at_once():
    both = threading.Barrier(2)

    def work(number: int) -> int:
        both.wait(SECONDS)  # breaks unless another item is worked on at this moment
        return 10 * number

    assert list(overlap.in_order(work, range(6), workers=2)) == [0, 10, 20, 30, 40, 50]


def test_no_more_items_are_taken_than_workers():
    taken: list[int] = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    results = overlap.in_order(lambda number: number, items(), workers=3)
    for number in range(20):
        assert next(results) == number
        assert len(taken) <= number + 3
    assert next(results, None) is None


def test_an_error_takes_the_place_of_its_result_and_ends_the_work():
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise KeyError(number)
        return number

    results = overlap.in_order(work, range(50), workers=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError):
        next(results)
    assert max(begun) <= 3


def test_work_that_nobody_waits_for_is_left_out():
    begun: list[int] = []
    results = overlap.in_order(lambda number: begun.append(number), range(50), workers=2)
    next(results)
    results.close()
    assert len(begun) <= 3


def test_the_callers_context_is_that_of_the_work():
    token = PLACE.set("here")
    try:
        assert list(overlap.in_order(lambda _: PLACE.get(), range(3))) == ["here"] * 3
        assert list(overlap.ahead(PLACE.get() for _ in range(2))) == ["here"] * 2
    finally:
        PLACE.reset(token)


def test_reading_ahead_is_bounded_and_in_order():
    made, more = [], threading.Semaphore(0)

    def items():
        for number in range(8):
            made.append(number)
            more.release()
            yield number

    read = overlap.ahead(items(), most=2)
    assert next(read) == 0
    for _ in range(3):
        assert more.acquire(timeout=SECONDS)  # made before they are asked for
    assert len(made) <= 4  # the one that was taken, two that wait, one that is held
    assert list(read) == [1, 2, 3, 4, 5, 6, 7]


def test_an_error_of_what_is_read_ahead_is_raised_in_its_place():
    def items():
        yield 1
        raise KeyError("second")

    read = overlap.ahead(items())
    assert next(read) == 1
    with pytest.raises(KeyError, match="second"):
        next(read)


def test_what_is_read_ahead_is_closed_when_nobody_reads_on():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    read = overlap.ahead(items())
    next(read)
    read.close()
    assert closed.is_set()
