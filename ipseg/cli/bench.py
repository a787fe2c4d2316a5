"""Time the engine on one pair of images, as ratios within this run.

Each line gives the time of a call, and its ratio to the first one, where nothing is cached; then the peak memory.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from ipseg.cli import _engine
from ipseg.core import images
from ipseg.core.types import Device, ImageArray, InputError
from ipseg.method.pipeline import IPSeg


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg bench``."""
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="image of the object")
    parser.add_argument("image", metavar="IMAGE", type=Path, help="image to cut it out of")
    parser.add_argument("--repeat", metavar="N", type=int, default=5, help="runs of each kind; the median is printed")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Time four calls: new prompt and image, known prompt, other K, other c."""
    if arguments.repeat < 1:
        raise InputError(f"--repeat is {arguments.repeat}; give 1 or more.")
    prompt, image = images.open_image(arguments.prompt), images.open_image(arguments.image)
    start = time.perf_counter()
    with _engine.built(arguments) as engine:
        engine.segment(engine.prompt(prompt), image)
        print(f"first mask in a new process, with the loading of the libraries: {time.perf_counter() - start:.2f} s")
        rows = _measure(engine, prompt, image, arguments.repeat)
    first = rows[0][1]
    print("| call | seconds | of the first |\n|---|---:|---:|")
    for name, seconds in rows:
        print(f"| {name} | {seconds:.3f} | {seconds / first:.0%} |")
    if engine.info.placement:
        print(f"\n{_gpu(engine.info.placement)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"\npeak memory of the process: {peak:.0f} MB")
    return 0


def _measure(engine: IPSeg, prompt: ImageArray, image: ImageArray, repeat: int) -> list[tuple[str, float]]:
    def fresh() -> Callable[[], object]:
        engine.encodings.cache.clear()
        return lambda: engine.segment(engine.prompt(prompt), image)

    def new_input() -> Callable[[], object]:
        engine.encodings.cache.clear()
        made = engine.prompt(prompt)
        return lambda: engine.segment(made, image)

    def cached(**settings: Any) -> Callable[[], Callable[[], object]]:
        made = engine.prompt(prompt)
        engine.segment(made, image)
        return lambda: lambda: engine.segment(made, image, **settings)

    calls = (
        ("new prompt, new image", fresh),
        ("known prompt, new image", new_input),
        ("only K changes", cached(k=64)),
        ("only c changes", cached(clusters=8)),
    )
    return [(name, median(_seconds(prepare()) for _ in range(repeat))) for name, prepare in calls]


def _gpu(placement: Device) -> str:
    """Where the models ran, and the peak memory of the GPU."""
    where = placement.describe()
    line = f"models: {where['mode']} on {where['device']}, {where['dtype']}"
    if not where["device"].startswith("cuda"):
        return line
    import torch

    return f"{line}; peak memory of the GPU: {torch.cuda.max_memory_allocated() / 2**20:.0f} MB"


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
