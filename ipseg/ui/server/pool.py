"""The engine pool that all tabs share; engines load on first use."""

from __future__ import annotations

import contextvars
import copy
import html
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg import weights
from ipseg.core.types import Progress
from ipseg.engine import build, hardware, zerogpu
from ipseg.engine.placement import Placement
from ipseg.engine.protocol import Engine
from ipseg.engine.spec import EngineSpec
from ipseg.method.pipeline import IPSeg
from ipseg.ui.server.gate import is_forwarded
from ipseg.ui.server.jobs import Jobs
from ipseg.ui.server.limits import Limits
from ipseg.ui.server.memory import give_back
from ipseg.ui.server.redaction import without_folders

JOBS: dict[str, Any] = {"concurrency_id": "engine", "concurrency_limit": 2}  # over all tabs; one on a GPU
ENGINES = 2  # in memory at once; networks that another engine uses are not released with one


EVERY = 0.25  # seconds between two reports while an engine is built


@dataclass
class _Slot:
    """One entry of the pool; its engine is built on first use, in a thread of its own."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: Engine | None = None
    building: Future[Engine] | None = None
    waiting: int = 0  # requests that wait for ``building``


class EnginePool:
    """The engines for all tabs and visitors; they cache encodings by image content, nothing by visitor.

    ``first`` is the initial engine, ``reason`` why it was chosen. ``weights_dir`` is a folder of manually
    downloaded weights. ``fetches``: whether a visitor may have this machine download weights. ``limits``: how long
    the jobs of visitors may take. ``precompute``: whether the examples are computed ahead.
    """

    def __init__(
        self,
        first: EngineSpec,
        *,
        reason: str = "",
        weights_dir: Path | None = None,
        placement: Placement | None = None,
        fetches: bool = False,
        limits: Limits | None = None,
        precompute: bool = False,
    ) -> None:
        self.first, self.reason, self.fetches = first, reason, fetches
        self.limits, self.precompute = limits or Limits(), precompute
        self.placement = placement or Placement(notify=lambda message: gr.Warning(html.escape(message)))
        self._weights_dir = weights_dir
        self.jobs: list[Jobs] = []  # of the tabs with long jobs
        self.downloading = threading.Lock()  # one download at a time, over all visitors
        self._lock = threading.Lock()
        self._engines: OrderedDict[EngineSpec, _Slot] = OrderedDict()
        self._builds = threading.BoundedSemaphore(ENGINES)  # at once
        self._worker = zerogpu.Worker(self._build_here) if zerogpu.lent() else None

    def ready(self) -> None:
        """On ZeroGPU, build the first engine; call it before the page is launched."""
        if self._worker and self.first.resolve().weights:
            self._worker.ready(self.first)

    def engine(self, spec: EngineSpec, report: Progress | None = None) -> Engine:
        """The engine of a specification, built on first use. Raises InputError when it cannot be built here.

        ``report`` is called again and again while it is built. What it raises ends the wait; the build goes on for
        whoever asks next, or is dropped where it has not begun and nobody else waits for it.
        """
        with self._lock:
            slot = self._engines.setdefault(spec, _Slot())
            self._engines.move_to_end(spec)
            while len(self._engines) > ENGINES:
                self._engines.popitem(last=False)
        with slot.lock:  # engines that are built stay usable
            if slot.engine is not None:
                return slot.engine
            building = slot.building or self._start(slot, spec)
            slot.building = building
            slot.waiting += 1
        try:
            return _result(building, report)
        finally:
            with slot.lock:
                slot.waiting -= 1
                if slot.waiting == 0 and slot.building is building and building.cancel():
                    slot.building = None

    def _start(self, slot: _Slot, spec: EngineSpec) -> Future[Engine]:
        """Build an engine in a thread of its own, which ends with the process; few at once, the others wait."""
        building: Future[Engine] = Future()
        context = contextvars.copy_context()  # of the request: it gets the warnings

        def run() -> None:
            with self._builds:
                if not building.set_running_or_notify_cancel():
                    return
                made: Engine | None = None
                error: BaseException | None = None
                try:
                    made = context.run(self._build, spec)
                except BaseException as raised:
                    error = raised
                with slot.lock:
                    slot.engine, slot.building = made, None
                if made is None:
                    building.set_exception(error)
                else:
                    building.set_result(made)

        threading.Thread(target=run, name="engine", daemon=True).start()
        return building

    def _build(self, spec: EngineSpec) -> Engine:
        """In the ZeroGPU worker where the engine has networks, else in this process."""
        with self.using_weights():
            if self._worker and spec.resolve().weights:
                return build.build_remote(spec, self._worker)
            engine = build.build(spec, self.placement)
        give_back()  # the files and graphs of its networks, before their passes need memory
        return engine

    def _build_here(self, spec: EngineSpec) -> IPSeg:
        with self.using_weights():
            return build.build(spec, self.placement)

    @property
    def quick(self) -> bool:
        """Whether models run on a GPU here."""
        return hardware.gpu_memory(self.placement) > 0

    @property
    def at_once(self) -> int:
        """How many requests run at once: one on a GPU, whose memory they would share.

        On ZeroGPU each call gets a GPU of its own.
        """
        return 1 if self._worker is None and self.quick else JOBS["concurrency_limit"]

    def loaded(self, spec: EngineSpec) -> bool:
        """Whether that engine is built already."""
        with self._lock:
            slot = self._engines.get(spec)
        return slot is not None and slot.engine is not None

    @contextmanager
    def using_weights(self) -> Iterator[None]:
        """A context in which weights are found in the folder of this pool.

        Errors are printed in full; visitors get them without the folders of this machine.
        """
        with weights.using(self._weights_dir):
            try:
                yield
            except weights.WeightError as error:
                print(f"ipseg: {error}", flush=True)
                folders = (self._weights_dir, *weights.folders())
                raise weights.WeightError(without_folders(str(error), folders)) from error

    def for_request(self, request: gr.Request | None) -> EnginePool:
        """This pool for one visitor: no weights are downloaded for requests through a proxy.

        A page that listens to loopback only assumes local visitors, but a proxy forwards requests from elsewhere.
        """
        if not self.fetches or not is_forwarded(getattr(request, "headers", {}).keys()):
            return self
        restricted = copy.copy(self)  # with the same engines and locks
        restricted.fetches = False
        return restricted

    def lacks(self, spec: EngineSpec) -> str:
        """What an engine needs and is missing here; "" when it can run. Raises InputError for an invalid one."""
        with self.using_weights():
            return hardware.lacks(spec.resolve())

    def absent(self, spec: EngineSpec) -> list[weights.Weight]:
        """The weights that an engine needs and that are missing here, where this page may fetch them."""
        preset = spec.resolve()
        if not self.fetches or hardware.packages_missing(preset):
            return []
        with self.using_weights():
            return hardware.weights_missing(preset)

    def offer(self, now: EngineSpec) -> str:
        """The best preset, better than the chosen one, that this machine could run with its weights, or ""."""
        if not self.fetches or now.changes:
            return ""
        with self.using_weights():
            return hardware.could_run(better_than=now.preset, placement=self.placement)


def _result(building: Future[Engine], report: Progress | None) -> Engine:
    """The engine once it is built; ``report`` is called meanwhile, and may raise."""
    while True:
        if report:
            report(0.0, "models")
        done, _ = wait([building], timeout=EVERY if report else None)
        if done:
            return building.result()
