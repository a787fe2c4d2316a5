"""What the tabs share: the engines, which load on first use, and how messages and files reach the visitor."""

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

JOBS: dict[str, Any] = {"concurrency_id": "engine", "concurrency_limit": 2}  # over all tabs; on a GPU one at a time
DISPLAY_SIDE = 1600  # pixels: larger images are shown reduced, and downloaded whole
ENGINES = 2  # kept at once; those that are let go take no network with them that another one uses


def image_input(**layout: Any) -> gr.Image:
    """An image component that hands over the uploaded file unopened, so that ``images.py`` alone opens images."""
    component = gr.Image(type="filepath", sources=["upload", "clipboard"], **layout)
    # Set on the instance: Gradio writes a stub file beside the source of every subclass of a component.
    component.preprocess = lambda payload: payload.path if payload else None
    return component


@dataclass
class _Slot:
    """The place of an engine, empty until somebody asks."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: Engine | None = None


class EnginePool:
    """The engines for all tabs and visitors; they keep images by their content, never answers by their asker.

    ``first`` is the engine that the page opens with, ``reason`` why it is that one. ``weights_dir`` is a folder of
    weights brought by hand. ``fetches``: whether a visitor may have this machine download weights. ``limits``: how long
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
        self.placement = placement or Placement(notify=lambda sentence: gr.Warning(html.escape(sentence)))
        self._weights_dir = weights_dir
        self.downloading = threading.Lock()  # one download at a time, whoever asked for it
        self._lock = threading.Lock()
        self._engines: OrderedDict[EngineSpec, _Slot] = OrderedDict()
        self._worker = zerogpu.Worker(self._build_here) if zerogpu.lent() else None

    def ready(self) -> None:
        """Where the GPU is lent for a call, build the first engine; call it before the page is launched."""
        if self._worker and self.first.resolve().weights:
            self._worker.ready(self.first)

    def engine(self, spec: EngineSpec) -> Engine:
        """The engine of a specification, built on first use. Raises InputError when it cannot be built here."""
        with self._lock:
            slot = self._engines.setdefault(spec, _Slot())
            self._engines.move_to_end(spec)
            while len(self._engines) > ENGINES:
                self._engines.popitem(last=False)
        with slot.lock:  # one at a time, while others go on asking engines that are there
            if slot.engine is None:
                slot.engine = self._build(spec)
            return slot.engine

    def _build(self, spec: EngineSpec) -> Engine:
        """In a worker where the GPU is lent and the engine has networks, else in this process."""
        with self.looking():
            if self._worker and spec.resolve().weights:
                return build.build_remote(spec, self._worker)
            return build.build(spec, self.placement)

    def _build_here(self, spec: EngineSpec) -> IPSeg:
        with self.looking():
            return build.build(spec, self.placement)

    @property
    def quick(self) -> bool:
        """Whether models run on a GPU here."""
        return hardware.gpu_memory(self.placement) > 0

    @property
    def at_once(self) -> int:
        """How many requests are answered at once: on a GPU one, whose memory they would share.

        Where the GPU is lent for a call, each call gets one of its own.
        """
        return 1 if self._worker is None and self.quick else JOBS["concurrency_limit"]

    def loaded(self, spec: EngineSpec) -> bool:
        """Whether that engine is built already."""
        with self._lock:
            slot = self._engines.get(spec)
        return slot is not None and slot.engine is not None

    @contextmanager
    def looking(self) -> Iterator[None]:
        """A block within which weights are looked for where this page has them.

        What goes wrong with them is printed as it is; visitors get it without the folders of this machine.
        """
        with weights.using(self._weights_dir):
            try:
                yield
            except weights.WeightError as error:
                print(f"ipseg: {error}", flush=True)
                folders = (self._weights_dir, *weights.folders())
                raise weights.WeightError(without_folders(str(error), folders)) from error

    def for_request(self, request: gr.Request | None) -> EnginePool:
        """This pool as a visitor has it: no weights are downloaded for whoever comes through a proxy.

        A page that listens to this machine alone takes its visitors for people on it, but a proxy brings others.
        """
        if not self.fetches or not is_forwarded(getattr(request, "headers", {}).keys()):
            return self
        seen = copy.copy(self)  # with the same engines and locks
        seen.fetches = False
        return seen

    def lacks(self, spec: EngineSpec) -> str:
        """What an engine needs that is missing here; "" when it can run. Raises InputError when there is none such."""
        with self.looking():
            return hardware.lacks(spec.resolve())

    def absent(self, spec: EngineSpec) -> list[weights.Weight]:
        """The weights that an engine needs and that are missing here, where this page may fetch them."""
        preset = spec.resolve()
        if not self.fetches or hardware.packages_missing(preset):
            return []
        with self.looking():
            return hardware.weights_missing(preset)

    def offer(self, now: EngineSpec) -> str:
        """The best preset, better than what is chosen, that this machine could run if it had its weights, or ""."""
        if not self.fetches or now.changes:
            return ""
        with self.looking():
            return hardware.could_run(better_than=now.preset, placement=self.placement)


@contextmanager
def error_messages() -> Iterator[None]:
    """What cannot be used becomes one message in the page and the API; its text is shown as text, never as HTML.

    Put it around all that a job does: when it is over, its memory goes back too.
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
    """A lack of memory or of room on the disk becomes one message wherever in an event it comes.

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
            said = resources.message(error)
            if not said:
                raise
            raise gr.Error(said, title="Please check", print_exception=False) from None

    page.process_api = process_api


def shown(picture: ImageArray) -> ImageArray:
    """The image as the page shows it: at most ``DISPLAY_SIDE`` pixels on its longer side."""
    image = Image.fromarray(picture)
    image.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE))
    return np.asarray(image)


def as_file(component: gr.components.Component, pixels: np.ndarray, name: str) -> str:
    """``pixels`` as a PNG in the cache of ``component``, where it is served from and cleaned away after a while."""
    return save_bytes_to_cache(images.encode_png(pixels), name, component.GRADIO_CACHE)


def as_jpeg(component: gr.components.Component, picture: ImageArray, name: str) -> str:
    """``image`` at the size that the page shows, as a JPEG in the cache of ``component``."""
    buffer = io.BytesIO()
    Image.fromarray(shown(picture)).save(buffer, format="JPEG", quality=90)
    return save_bytes_to_cache(buffer.getvalue(), name, component.GRADIO_CACHE)


def reporter(progress: gr.Progress, seconds: float = ONE) -> Callable[[float, str], None]:
    """The engine's progress as the page's bar; it ends the job whose visitor has left or that takes over ``seconds``.

    Make it when the work begins, and call it inside :func:`messages`.
    """
    watch = Watch(seconds)

    def report(share: float, step: str) -> None:
        watch.check()
        progress(share, desc=STEPS.get(step, step))

    return report


STEPS = {
    "models": "Loading the models",
    "prompt": "Reading the prompt",
    "features": "Describing the image",
    "saliency": "Looking for what stands out",
    "similarity": "Comparing",
    "points": "Choosing points",
    "encoding": "Preparing the cut",
    "mask": "Cutting",
    "instances": "Looking for more of them",
}


def examples_folder() -> Path | None:
    """The example images beside the package, where the repository is; None in an installed package."""
    folder = Path(__file__).resolve().parents[2] / "examples_media"
    return folder if (folder / "Images").is_dir() else None
