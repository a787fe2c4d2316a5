"""A ``spaces`` that lends its GPU as ZeroGPU does: each call in a forked process, what goes in and out pickled."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any


class Spaces:
    """Stands for the module; ``seconds`` of every call in ``calls``."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.sizes: set[str] = set()

    def GPU(  # noqa: N802
        self, function: Callable[..., Any], *, duration: Callable[..., int], size: str
    ) -> Callable[..., Any]:
        """The decorator."""
        self.sizes.add(size)

        @wraps(function)
        def lent(*arguments: Any, **settings: Any) -> Any:
            self.calls.append(duration(*arguments, **settings))
            return forked(function, pickle.dumps((arguments, settings)))

        return lent


def forked(function: Callable[..., Any], arguments: bytes) -> Any:
    """What ``function`` answers in a child that shares nothing with this process afterwards."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # this process has threads, as that of a Space has
        child = os.fork()
    if child == 0:
        signal.alarm(600)  # seconds: it only ends what would never come
        _answer(function, arguments, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if not answer:
        raise TimeoutError("the worker did not answer")
    worked, value = pickle.loads(answer)  # noqa: S301 - our own child
    if not worked:
        raise RuntimeError(value)
    return value


def _answer(function: Callable[..., Any], arguments: bytes, writing: int) -> None:
    try:
        given, settings = pickle.loads(arguments)  # noqa: S301 - our own parent
        answer = pickle.dumps((True, function(*given, **settings)))
    except BaseException:  # whatever it is, the parent says it
        answer = pickle.dumps((False, traceback.format_exc()))
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(answer)
    os._exit(0)
