"""What each kind of request costs an engine: seconds, steps, peak memory, and the floor that the machine sets.

Every measurement is made once per repetition on a state that is prepared before the clock starts; the least of the
repetitions counts, as other programs on the machine can only add to it. Nothing here compares with fixed numbers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ipseg import weights
from ipseg.core.cache import Cache
from ipseg.core.types import ImageArray, Points
from ipseg.method.encodings import Encodings
from ipseg.method.instances import reduced
from ipseg.method.pipeline import IPSeg
from ipseg.method.prompt import Prompt

BATCH, CLASSES = 8, 100  # images of a batch, and classes on one image
PROMPTS = 10  # prompts of objects that are all in one image, at most
WORKERS = 2  # threads of a batch
OTHER_K, OTHER_CLUSTERS = 64, 8  # instead of the config's
SIDE, PRODUCTS = 1536, 5  # of the square matrices whose product is timed, and how often it is
RESET_PEAK = "5"  # what the kernel takes to forget the peak (proc(5), clear_refs)


@dataclass(frozen=True)
class Row:
    """One kind of request."""

    name: str
    seconds: float  # of the fastest repetition, for all of it
    answers: int = 1  # images or prompts in it
    cpu_seconds: float | None = None  # of all threads, the least of the repetitions: other programs add little to it
    steps: Mapping[str, float] = field(default_factory=dict)  # seconds of the method's steps, where there is one result
    peak_mb: float | None = None  # resident memory of the process at its highest, where the system tells
    gpu_mb: float | None = None  # likewise of what torch allocated on the GPU

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            name: getattr(self, name) for name in ("name", "seconds", "cpu_seconds", "answers", "peak_mb", "gpu_mb")
        } | {"steps": dict(self.steps)}


def measure(
    engine: IPSeg,
    prompt: ImageArray,
    image: ImageArray,
    *,
    repeat: int,
    prompts: int = PROMPTS,
    batch: int | None = None,
) -> list[Row]:
    """The rows of an engine for one prompt image and one input image, both (H, W, 3) uint8.

    ``prompts``: how many, of parts of the prompt image, are segmented one by one in the known input; ``batch``: inputs
    of a batch, :data:`BATCH` by default; 0: no such row.
    """
    batch = BATCH if batch is None else batch
    asked = _Requests(engine, prompt, image)
    kinds: list[tuple[str, Callable[[], Callable[[], Any]], int, int]] = [
        ("new prompt, new input", asked.both_new, 1, repeat),
        ("prompt encoding", asked.new_prompt, 1, repeat),
        ("new input", asked.new_input, 1, repeat),
        ("known input, other prompt", asked.other_prompt, 1, repeat),
        (f"K = {OTHER_K}", partial(asked.known, k=OTHER_K), 1, repeat),
        (f"c = {OTHER_CLUSTERS}", partial(asked.known, clusters=OTHER_CLUSTERS), 1, repeat),
        ("threshold = 0", partial(asked.known, threshold=0.0), 1, repeat),
        ("click", partial(asked.known, clicks=_clicks(image)), 1, repeat),
        (f"batch of {batch}", partial(asked.batch, batch), batch, 1),
        (f"{prompts} prompts on one input", partial(asked.many_prompts, prompts), prompts, 1),
    ]
    return [timed(name, prepare, answers, times) for name, prepare, answers, times in kinds if answers > 0]


def new_input(engine: IPSeg, prompt: ImageArray, image: ImageArray, *, repeat: int) -> Row:
    """The row of a new input image alone, see :func:`measure`."""
    return timed("new input", _Requests(engine, prompt, image).new_input, 1, repeat)


@dataclass(frozen=True)
class _Requests:
    """What is measured: each method prepares one request and returns the call that is timed."""

    engine: IPSeg
    prompt: ImageArray
    image: ImageArray

    def both_new(self) -> Callable[[], Any]:
        forget(self.engine)
        return lambda: self.engine.segment(self.engine.prompt(self.prompt), self.image)

    def new_prompt(self) -> Callable[[], Any]:
        forget(self.engine)
        return lambda: self.engine.prompt(self.prompt)

    def new_input(self) -> Callable[[], Any]:
        forget(self.engine)
        made = self.engine.prompt(self.prompt)
        return lambda: self.engine.segment(made, self.image)

    def other_prompt(self) -> Callable[[], Any]:
        forget(self.engine)
        first = self.engine.prompt(np.ascontiguousarray(self.prompt[:, ::-1]))
        second = self.engine.prompt(self.prompt)
        self.engine.segment(first, self.image)
        return lambda: self.engine.segment(second, self.image)

    def known(self, **settings: Any) -> Callable[[], Any]:
        made = self.engine.prompt(self.prompt)
        self.engine.segment(made, self.image)
        return lambda: self.engine.segment(made, self.image, **settings)

    def batch(self, count: int) -> Callable[[], Any]:
        forget(self.engine)
        made, taken = self.engine.prompt(self.prompt), variants(self.image, count)
        return lambda: _at_once(lambda each: self.engine.segment(made, each), taken)

    def many_prompts(self, count: int) -> Callable[[], Any]:
        prompts = [reduced(each) for each in prompts_on(self.engine, self.prompt, count)]
        self.engine.segment(prompts[0], self.image)
        return lambda: _one_by_one(lambda each: self.engine.segment(each, self.image), prompts)


def _clicks(image: ImageArray) -> Points:
    """A click in the middle of an image, and one near its corner that is not on the object."""
    height, width = image.shape[:2]
    beside, on_it = np.array([[0.1 * width, 0.1 * height]]), np.array([[0.5 * width, 0.5 * height]])
    return Points(on_it.astype(np.float32), beside.astype(np.float32))


def timed(name: str, prepare: Callable[[], Callable[[], Any]], answers: int, repeat: int) -> Row:
    """The fastest of ``repeat`` calls of what ``prepare`` returns, each prepared anew, and the highest memory."""
    best: tuple[float, Any] = (float("inf"), None)
    processor = float("inf")
    peaks: list[tuple[float | None, float | None]] = []
    for _ in range(repeat):
        call = prepare()
        wait_for_gpu()
        reset_peaks()
        start, used = time.perf_counter(), time.process_time()
        result = call()
        wait_for_gpu()
        best = min(best, (time.perf_counter() - start, result), key=lambda pair: pair[0])
        processor = min(processor, time.process_time() - used)
        peaks.append((peak(), gpu_peak()))
    memory, gpu = (
        max((each for each in column if each is not None), default=None) for column in zip(*peaks, strict=True)
    )
    return Row(name, best[0], answers, processor, getattr(best[1], "seconds", {}), memory, gpu)


def naive(engine: IPSeg) -> IPSeg:
    """The same parts over a cache that holds nothing: what is asked for twice is computed twice."""
    parts = engine.encodings
    empty = Encodings(parts.extractor, parts.detector, parts.segmenter, consensus=parts.consensus, cache=Cache(-1))
    return replace(engine, encodings=empty)


def forget(engine: IPSeg) -> None:
    """Empty the caches of encodings, of the engine and of its parts."""
    engine.encodings.cache.clear()
    for part in (engine.features, engine.saliency, engine.segmenter):
        clear = getattr(part, "clear", None)
        if clear:
            clear()


def variants(image: ImageArray, count: int) -> list[ImageArray]:
    """Images of other content and about the same cost: the first is the image, the others are moved sideways."""
    return [np.roll(image, 16 * number, axis=1) for number in range(count)]


def prompts_on(engine: IPSeg, image: ImageArray, count: int) -> Iterator[Prompt]:
    """Prompts of one image, whose masks are boxes in different places: the image is encoded once."""
    height, width = image.shape[:2]
    side = int(np.ceil(np.sqrt(count)))
    for number in range(count):
        row, column = divmod(number, side)
        mask = np.zeros((height, width), bool)
        top, left = row * height // (side + 1), column * width // (side + 1)
        mask[top : top + max(4, 2 * height // (side + 1)), left : left + max(4, 2 * width // (side + 1))] = True
        yield engine.prompt(image, masks=mask)


def operations(engine: IPSeg, prompt: ImageArray, image: ImageArray) -> float:
    """Counted floating-point operations of a new input: of torch's networks, and of small ones in ONNX Runtime.

    Of the latter those count that were built inside :func:`ipseg.weights.counting`.
    """
    forget(engine)
    made = engine.prompt(prompt)
    with weights.counting() as passes:
        if "torch" not in sys.modules:
            engine.segment(made, image)
            return passes.flop
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            engine.segment(made, image)
        return passes.flop + float(counter.get_total_flops())


def matrix_rate(placement: Any = None) -> float:
    """Operations a second of a large matrix product, where and in the dtype in which the models run.

    Without a placement: float32 on the CPU, by numpy.
    """
    if placement is None:
        first = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
        return 2 * SIDE**3 / min(_seconds(lambda: first @ first) for _ in range(PRODUCTS))
    import torch

    device, side = placement.device, SIDE if placement.device.type == "cpu" else 8 * SIDE
    square = torch.randn(side, side, device=device, dtype=placement.dtype)

    def product() -> None:
        square @ square
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return 2 * side**3 / min(_seconds(product) for _ in range(PRODUCTS))


def wait_for_gpu() -> None:
    """Wait until the GPU has done what it was given, where torch has one: calls return before that."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def reset_peaks() -> None:
    """Have the peaks begin at what is in use now, where the system lets a process do so."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak() -> float | None:
    """MB of resident memory at its highest: since :func:`reset_peaks` on Linux, else since the process began."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**10
    with suppress(ImportError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return None


def gpu_peak() -> float | None:
    """MB that torch allocated on the GPU at the most; None without one."""
    torch = sys.modules.get("torch")
    return torch.cuda.max_memory_allocated() / 2**20 if torch is not None and torch.cuda.is_available() else None


def table(rows: Sequence[Row], others: Sequence[Row] = ()) -> list[str]:
    """Rows as a table in Markdown; with ``others``, the same rows of another engine, how many times faster each is."""
    known = {row.name: row.seconds for row in others}
    columns = [
        "request",
        "seconds",
        "CPU seconds",
        "of the first line",
        *["of offline"] * bool(others),
        "peak MB",
        "GPU MB",
    ]
    lines = [f"| {' | '.join(columns)} |", "|---|---:|---:|---:|" + ("---:|" if others else "") + "---:|---:|"]
    for row in rows:
        each = f" ({row.seconds / row.answers:.3f} each)" if row.answers > 1 else ""
        ratio = f" {row.seconds / known[row.name]:.0%} |" if row.name in known else " |" if others else ""
        used = "" if row.cpu_seconds is None else f"{row.cpu_seconds:.3f}"
        memory = " | ".join("not measured" if value is None else f"{value:.0f}" for value in (row.peak_mb, row.gpu_mb))
        lines.append(
            f"| {row.name} | {row.seconds:.3f}{each} | {used} | {row.seconds / rows[0].seconds:.0%} |{ratio} {memory} |"
        )
    return lines


def _one_by_one(work: Callable[[Any], Any], items: Sequence[Any]) -> None:
    """Results are dropped: those of many requests together are no part of what is measured."""
    for item in items:
        work(item)


def _at_once(work: Callable[[Any], Any], items: Sequence[Any]) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(partial(_one_by_one, work), [[item] for item in items]):
            pass  # what it raises is raised here


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
