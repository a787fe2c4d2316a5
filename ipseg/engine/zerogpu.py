"""ZeroGPU: the GPU of a Space is lent for one call, which runs in a forked worker; what it returns is pickled.

    prompt, image, what is kept of them --> worker: the engine answers --> answer, what it saw --> kept here

The engine of the page is built before the page is launched, so that its networks are ready in every worker; what else
is asked for is built in the worker. The page asks through :mod:`ipseg.engine.borrowed`. Import this module before
torch. Where no GPU is lent, importing it does nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2

from ipseg.core import serialize
from ipseg.core.types import InputError
from ipseg.engine.options import Options
from ipseg.engine.presets import PRESETS
from ipseg.method.pipeline import IPSeg

QUICK, SLOW, LONG = 15, 45, 120  # seconds a call may take: preset for a CPU, preset for a GPU, a rival
MOST = 3  # engines kept in a worker; each keeps what it saw of images


def lent() -> bool:
    """Whether this is a Space whose GPU is lent for a call."""
    asked = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    return asked and importlib.util.find_spec("spaces") is not None


if lent():  # a forked worker has none of its parent's other threads, and would wait for them
    os.environ["OMP_NUM_THREADS"] = "1"
SPACES: Any = importlib.import_module("spaces") if lent() else None  # it has to come before torch


def gpu(function: Callable[..., Any], duration: Callable[..., int]) -> Callable[..., Any]:
    """``function`` run where the GPU is lent; itself where none is."""
    return SPACES.GPU(function, duration=duration) if SPACES else function


class Lender:
    """The engines on the side of the worker. Make it, and :meth:`ready` what shall be ready, before the launch.

    ``load`` builds the engine of options. A worker begins with what was there when it was forked.
    """

    def __init__(self, load: Callable[[Options], IPSeg]) -> None:
        self._load = load
        self._engines: dict[Options, IPSeg] = {}
        if SPACES:
            cv2.setNumThreads(1)  # as OMP_NUM_THREADS above
        self._call = gpu(self._work, _seconds)

    def ready(self, chosen: Options) -> IPSeg:
        """Its engine, with every network."""
        if chosen not in self._engines:
            self._engines[chosen] = self._load(chosen)
            if len(self._engines) > MOST:  # the first stays: its networks serve the others
                del self._engines[list(self._engines)[1]]
        return self._engines[chosen]

    def ask(
        self,
        chosen: Options,
        known: Mapping[Any, Any],
        names: Sequence[str],
        do: Callable[..., Any],
        arguments: Sequence[Any],
        rival: bool = False,
    ) -> Any:
        """``do(engine, *arguments)`` with the GPU, ``known`` being kept of the images ``names`` already.

        ``do`` is a function of a module. Returns the answer and what was kept beside ``known``, by key. Tensors come
        back on the CPU. Raises the InputError that it raises.
        """
        request = serialize.pack((known, tuple(names), do, tuple(arguments)))
        answer, learnt = serialize.unpack(self._call(chosen, rival, request))
        if isinstance(answer, InputError):
            raise answer
        return answer, learnt

    def _work(self, chosen: Options, rival: bool, request: bytes) -> bytes:
        """In the worker, with the GPU."""
        try:
            engine = self.ready(chosen)
            known, names, do, arguments = serialize.unpack(request, getattr(engine.info.placement, "device", "cpu"))
            cache = engine.encodings.cache
            for key, value in known.items():
                cache.put(key, value)
            answer = do(engine, *arguments)
        except InputError as error:
            return serialize.pack((error, {}))
        return serialize.pack((answer, cache.kept(lambda key: key[1] in names and key not in known)))


def _seconds(chosen: Options, rival: bool, request: bytes) -> int:
    """How long a call may take, for the queue of the GPU; estimates with room, not measurements."""
    if rival:
        return LONG
    return SLOW if PRESETS[chosen.preset].gpu else QUICK
