"""Time the engine on one pair of pictures, as ratios within this run.

Each line says what a question costs against the first one, where nothing is kept yet; and what is held in memory.
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

from ipseg import images
from ipseg.pipeline import IPSeg
from ipseg.presets import PRESETS, load
from ipseg.types import InputError, Picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg bench``."""
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="picture of the thing")
    parser.add_argument("image", metavar="IMAGE", type=Path, help="picture to cut it out of")
    parser.add_argument("--preset", choices=list(PRESETS), default="offline", help="which engine answers")
    parser.add_argument("--repeat", metavar="N", type=int, default=5, help="runs of each kind; the median is printed")


def run(arguments: argparse.Namespace) -> int:
    """Time the four questions a person asks in turn."""
    if arguments.repeat < 1:
        raise InputError(f"--repeat is {arguments.repeat}; give 1 or more.")
    prompt, image = images.open_picture(arguments.prompt), images.open_picture(arguments.image)
    start = time.perf_counter()
    load(arguments.preset).segment(load(arguments.preset).prompt(prompt), image)
    print(f"first answer in a fresh process, libraries loading: {time.perf_counter() - start:.2f} s")
    rows = _measure(arguments.preset, prompt, image, arguments.repeat)
    first = rows[0][1]
    print("| question | seconds | of the first |\n|---|---:|---:|")
    for name, seconds in rows:
        print(f"| {name} | {seconds:.3f} | {seconds / first:.0%} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"\npeak memory of the process: {peak:.0f} MB")
    return 0


def _measure(preset: str, prompt: Picture, image: Picture, repeat: int) -> list[tuple[str, float]]:
    def fresh() -> Callable[[], object]:
        engine = load(preset)
        return lambda: engine.segment(engine.prompt(prompt), image)

    def new_input() -> Callable[[], object]:
        engine = load(preset)
        made = engine.prompt(prompt)
        return lambda: engine.segment(made, image)

    def kept(engine: IPSeg, **settings: Any) -> Callable[[], Callable[[], object]]:
        made = engine.prompt(prompt)
        engine.segment(made, image)
        return lambda: lambda: engine.segment(made, image, **settings)

    engine = load(preset)
    questions = (
        ("new prompt, new picture", fresh),
        ("known prompt, new picture", new_input),
        ("only K changes", kept(engine, k=64)),
        ("only c changes", kept(engine, clusters=8)),
    )
    return [(name, median(_seconds(prepare()) for _ in range(repeat))) for name, prepare in questions]


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
