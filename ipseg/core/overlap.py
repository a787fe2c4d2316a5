"""Work on a sequence, a few items at once, whose results come in the order of the items; and reading ahead."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2  # threads: while the networks of one image run, another is opened, and masks are made of a third
POLL = 0.1  # seconds after which a reader sees that nobody waits for it any more


def in_order(work: Callable[[Item], Result], items: Iterable[Item], *, workers: int = WORKERS) -> Iterator[Result]:
    """``work(item)`` of each item in a few threads, in the order of the items.

    At most ``workers`` items are worked on or wait to be taken, so memory does not grow with their number. What
    ``work`` raises is raised in the place of its result, and ends the work: items that have not begun are left out.
    Each item is worked on in a copy of the caller's context variables.
    """
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, "ipseg-batch") as pool:
        try:
            for item in items:
                pending.append(pool.submit(copy_context().run, work, item))
                if len(pending) == workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def ahead(items: Iterable[Item], *, most: int = 2) -> Generator[Item, None, None]:
    """The items, of which up to ``most`` are made in a thread before they are asked for. What they raise is raised."""
    made: queue.Queue[tuple[str, Any]] = queue.Queue(most)
    over = threading.Event()

    def put(entry: tuple[str, Any]) -> bool:
        while not over.is_set():
            try:
                made.put(entry, timeout=POLL)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not put(("item", item)):
                    return
            put(("end", None))
        except BaseException as error:
            put(("error", error))
        finally:
            close = getattr(iterator, "close", None)
            if close:
                close()

    thread = threading.Thread(target=copy_context().run, args=(read,), name="ipseg-ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = made.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        over.set()
        thread.join()
