"""The engine pool that all tabs share; engines load on first use. Also error messages, progress and files."""

from __future__ import annotations

import copy
import html
import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from ipseg import weights
from ipseg.core import images, resources
from ipseg.core.types import ImageArray, InputError
from ipseg.engine import build, hardware, zerogpu
from ipseg.engine.placement import Placement
from ipseg.engine.protocol import Engine
from ipseg.engine.spec import EngineSpec
from ipseg.method.pipeline import IPSeg
from ipseg.ui._gate import is_forwarded
from ipseg.ui._limits import ONE, Ended, Limits, Watch
from ipseg.ui._memory import give_back
from ipseg.ui._redaction import without_folders

JOBS: dict[str, Any] = {"concurrency_id": "engine", "concurrency_limit": 2}  # over all tabs; one on a GPU
DISPLAY_SIDE = 1600  # pixels: larger images are shown reduced, and downloaded whole
ENGINES = 2  # in memory at once; networks that another engine uses are not released with one


def image_input(**layout: Any) -> gr.Image:
    """An image component that passes on the uploaded file unopened: only ``core/images.py`` opens images."""
    component = gr.Image(type="filepath", sources=["upload", "clipboard"], **layout)
    # Set on the instance: Gradio writes a stub file beside the source of every subclass of a component.
    component.preprocess = lambda payload: payload.path if payload else None
    return component


@dataclass
class _Slot:
    """One entry of the pool; its engine is built on first use."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: Engine | None = None


class EnginePool:
    """The engines for all tabs and visitors; they cache encodings by image content, nothing by visitor.

    ``first`` is the initial engine, ``reason`` why it was chosen. ``weights_dir`` is a folder of manually
    downloaded weights. ``fetches``: whether a visitor may have this machine download weights. ``limits``: how long
    the jobs of visitors may take.
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
    ) -> None:
        self.first, self.reason, self.fetches = first, reason, fetches
        self.limits = limits or Limits()
        self.placement = placement or Placement(notify=lambda message: gr.Warning(html.escape(message)))
        self._weights_dir = weights_dir
        self.downloading = threading.Lock()  # one download at a time, over all visitors
        self._lock = threading.Lock()
        self._engines: OrderedDict[EngineSpec, _Slot] = OrderedDict()
        self._worker = zerogpu.Worker(self._build_here) if zerogpu.lent() else None

    def ready(self) -> None:
        """On ZeroGPU, build the first engine; call it before the page is launched."""
        if self._worker and self.first.resolve().weights:
            self._worker.ready(self.first)

    def engine(self, spec: EngineSpec) -> Engine:
        """The engine of a specification, built on first use. Raises InputError when it cannot be built here."""
        with self._lock:
            slot = self._engines.setdefault(spec, _Slot())
            self._engines.move_to_end(spec)
            while len(self._engines) > ENGINES:
                self._engines.popitem(last=False)
        with slot.lock:  # one build at a time; engines that are built stay usable
            if slot.engine is None:
                slot.engine = self._build(spec)
            return slot.engine

    def _build(self, spec: EngineSpec) -> Engine:
        """In the ZeroGPU worker where the engine has networks, else in this process."""
        with self.using_weights():
            if self._worker and spec.resolve().weights:
                return build.build_remote(spec, self._worker)
            return build.build(spec, self.placement)

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


@contextmanager
def error_messages() -> Iterator[None]:
    """Convert errors of the input to one error message of the page and the API, as text, never as HTML.

    Use it around a whole job: at the end free memory is returned to the system too.
    """
    try:
        with resources.named():
            yield
    except InputError as error:
        text = html.escape(without_folders(str(error)), quote=False)
        raise gr.Error(text, title="Please check", print_exception=False) from None
    except Ended as ended:
        raise gr.Error(str(ended), title="Stopped", print_exception=False) from None
    finally:
        give_back()


def name_shortages(page: gr.Blocks) -> None:
    """Convert a lack of memory or disk space anywhere in an event to one error message.

    Gradio reads and writes files before and after a handler, outside :func:`error_messages`. On the instance, as
    Gradio writes a file beside the source of every subclass.
    """
    inner: Any = page.process_api

    async def process_api(*given: Any, **named: Any) -> Any:
        try:
            return await inner(*given, **named)
        except gr.Error:
            raise
        except Exception as error:
            message = resources.message(error)
            if not message:
                raise
            raise gr.Error(message, title="Please check", print_exception=False) from None

    page.process_api = process_api


def shown(image: ImageArray) -> ImageArray:
    """The image as the page shows it: at most ``DISPLAY_SIDE`` pixels on its longer side."""
    reduced = Image.fromarray(image)
    reduced.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE))
    return np.asarray(reduced)


def as_file(component: gr.components.Component, pixels: np.ndarray, name: str) -> str:
    """``pixels`` as a PNG in the cache of ``component``, which is served and later deleted."""
    return save_bytes_to_cache(images.encode_png(pixels), name, component.GRADIO_CACHE)


def as_jpeg(component: gr.components.Component, image: ImageArray, name: str) -> str:
    """``image`` at the size that the page shows, as a JPEG in the cache of ``component``."""
    buffer = io.BytesIO()
    Image.fromarray(shown(image)).save(buffer, format="JPEG", quality=90)
    return save_bytes_to_cache(buffer.getvalue(), name, component.GRADIO_CACHE)


def reporter(progress: gr.Progress, seconds: float = ONE) -> Callable[[float, str], None]:
    """The engine's progress as the page's progress bar; ends the job when the visitor has left or after ``seconds``.

    Create it when the job starts, and call it inside :func:`error_messages`.
    """
    watch = Watch(seconds)

    def report(share: float, step: str) -> None:
        watch.check()
        progress(share, desc=STEPS.get(step, step))

    return report


STEPS = {
    "models": "Loading the models",
    "prompt": "Encoding the prompt",
    "features": "Computing features",
    "saliency": "Computing the saliency",
    "similarity": "Computing the similarity",
    "points": "Choosing points",
    "encoding": "Encoding for the segmenter",
    "mask": "Segmenting",
    "instances": "Finding more instances",
}


def examples_folder() -> Path | None:
    """The example images beside the package, where the repository is; None in an installed package."""
    folder = Path(__file__).resolve().parents[2] / "examples_media"
    return folder if (folder / "Images").is_dir() else None
