"""Time what each kind of request costs on one pair of images, as seconds and as ratios within this run.

Each line is the fastest of several repetitions, with the peak of the memory: a new prompt and input, each alone, a
known input with another prompt, K, c or threshold, a click, eight inputs, some prompts on one input, and the labels of
an image with one class, with many of which few are there, and with some that are all there. `naive` is the engine in
float32 without its caches, and with made-up weights one pass of the whole UNet for each window; `floor` the counted
operations of a new input over the rate of a matrix product. With --streams or --compile the first mask and a new input
are measured with and without them.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipseg import weights
from ipseg.cli import _engine, _files
from ipseg.core import images
from ipseg.core.serialize import to_json
from ipseg.core.types import Device, ImageArray, InputError
from ipseg.engine import build
from ipseg.engine.presets import FALLBACK
from ipseg.engine.spec import FIELDS, spec_of
from ipseg.labelling import cost
from ipseg.method.pipeline import IPSeg
from ipseg.method.prompt import open_given
from ipseg.studies import speed
from ipseg.studies.speed import Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg bench``."""
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="image of the object, or a saved prompt (.npz)")
    parser.add_argument("image", metavar="IMAGE", type=Path, help="image to cut it out of")
    parser.add_argument(
        "--repeat",
        metavar="N",
        type=int,
        default=3,
        help="repetitions of the lines of one request; the fastest counts",
    )
    parser.add_argument(
        "--classes", metavar="N", type=int, default=speed.CLASSES, help="classes on one input; 0: none, nor prompts"
    )
    parser.add_argument(
        "--made-up-weights", action="store_true", help="networks of full size, no file: masks mean nothing"
    )
    parser.add_argument(
        "--alone", action="store_true", help=f"without the lines of {FALLBACK} and naive to compare with"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything that was measured")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure the engine, the same without its caches, and the engine without weights; print a table."""
    if arguments.repeat < 1:
        raise InputError(f"--repeat is {arguments.repeat}; give 1 or more.")
    if arguments.classes < 0:
        raise InputError(f"--classes is {arguments.classes}; give 0 or more.")
    _files.refuse_to_overwrite([arguments.prompt, arguments.image], [arguments.json] if arguments.json else [])
    _files.check_json(arguments.json)
    pair = _prompt_image(arguments.prompt), images.open_image(arguments.image)
    start = time.perf_counter()
    with weights.counting(), _built(arguments) as engine:
        built = time.perf_counter()
        result = engine.segment(engine.prompt(pair[0]), pair[1])
        cold, first = time.perf_counter() - start, time.perf_counter() - built
        prompts = min(speed.PROMPTS, arguments.classes)
        rows = speed.measure(engine, *pair, repeat=arguments.repeat, prompts=prompts)
        of_classes = cost.measure(engine, *pair, classes=arguments.classes)
        rows += of_classes
        others, plain = ([], None) if arguments.alone else _compared(arguments, engine, pair)
        if arguments.streams or arguments.compiler:
            without, floor = _without_options(arguments, pair)
        else:
            without, floor = [], _floor(engine, pair)
    data = {
        "engine": engine.info.name,
        "machine": _machine(engine.info.placement),
        "images": [list(image.shape[:2]) for image in pair],
        "cold_start_seconds": cold,
        "first_mask_seconds": first,
        "steps": dict(result.seconds),
        "rows": [row.as_data() for row in rows],
        FALLBACK: [row.as_data() for row in others],
        "naive": plain and plain.as_data(),
        "without_options": [row.as_data() for row in without],
        "floor": floor,
    }
    print("\n".join(_report(data, rows, others, plain)))
    if len(of_classes) > 1:
        one, many, *_ = of_classes
        times = (many.cpu_seconds or 0) / max(one.cpu_seconds or 0, 1e-9)
        print(f"{many.name}: {times:.2f} times the CPU seconds of one")
    if without:
        print(_beside(first, rows, without))
    if arguments.json:
        _files.write(arguments.json, to_json(data))
    return 0


@contextmanager
def _built(arguments: argparse.Namespace, **other: Any) -> Iterator[IPSeg]:
    chosen = argparse.Namespace(**{**vars(arguments), **other})
    if not chosen.made_up_weights:
        with _engine.built(chosen) as engine:
            yield engine
        return
    from ipseg.engine import made_up

    changes = {name: getattr(chosen, name) for name in FIELDS if name != "preset"}
    spec = spec_of(chosen.preset or "paper", changes)
    options = _engine.options_of(chosen)
    placement = made_up.MadeUpPlacement(chosen.placement, **options, whole=getattr(chosen, "whole", False))
    yield made_up.build(spec.resolve(), spec.name, placement)


def _prompt_image(path: Path) -> ImageArray:
    """The image of a file, or the first one of a saved prompt: what is measured is its encoding."""
    sources = open_given([path]).sources
    return images.open_image(sources[0])


def _compared(
    arguments: argparse.Namespace, engine: IPSeg, pair: tuple[ImageArray, ImageArray]
) -> tuple[list[Row], Row]:
    """The rows of the engine without weights, and one request to the engine in float32 without its caches."""
    others: list[Row] = []
    if engine.info.name != FALLBACK:
        others = speed.measure(build.load(FALLBACK), *pair, repeat=1, prompts=0, batch=0)
    exactly = {"dtype": "float32", "whole": True, "streams": False, "compiler": ""}
    with _built(arguments, **exactly) if engine.info.placement else _same(engine) as exact:
        plain = speed.naive(exact)

        def request() -> Any:
            speed.forget(plain)
            return lambda: plain.segment(plain.prompt(pair[0]), pair[1])

        return others, speed.timed("naive: new prompt, new input", request, 1, 1)


def _without_options(
    arguments: argparse.Namespace, pair: tuple[ImageArray, ImageArray]
) -> tuple[list[Row], dict[str, float | None]]:
    """The first mask and a new input without --streams and --compile, and the floor, which their threads and compiled
    networks hide from the counter."""
    with _built(arguments, streams=False, compiler="") as engine:
        first = speed.timed("first mask", lambda: lambda: engine.segment(engine.prompt(pair[0]), pair[1]), 1, 1)
        rows = [first, speed.new_input(engine, *pair, repeat=arguments.repeat)]
        return rows, _floor(engine, pair)


def _beside(first: float, rows: Sequence[Row], without: Sequence[Row]) -> str:
    fresh = next(row.seconds for row in rows if row.name == "new input")
    return (
        f"with the options: first mask of the engine {first:.2f} s, new input {fresh:.3f} s; without --streams and "
        f"--compile: {without[0].seconds:.2f} s and {without[1].seconds:.3f} s"
    )


@contextmanager
def _same(engine: IPSeg) -> Iterator[IPSeg]:
    yield engine


def _floor(engine: IPSeg, pair: tuple[ImageArray, ImageArray]) -> dict[str, float | None]:
    """Operations of a new input, the machine's rate, and the seconds that follow; None where nothing was counted."""
    counted = speed.operations(engine, *pair)
    rate = speed.matrix_rate(engine.info.placement)
    return {"operations": counted or None, "rate": rate, "seconds": counted / rate if counted else None}


def _machine(placement: Device | None) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    where = placement.describe() if placement else {}
    gpu = ""
    if where.get("device", "").startswith("cuda"):
        import torch

        gpu = torch.cuda.get_device_name()
    return {"cores": cores, "system": platform.platform(), "python": platform.python_version(), "gpu": gpu, **where}


def _report(data: dict[str, Any], rows: Sequence[Row], others: Sequence[Row], plain: Row | None) -> Iterator[str]:
    machine, floor = data["machine"], data["floor"]
    yield f"{data['engine']} on {machine['cores']} CPU cores, {machine['gpu'] or 'no GPU: GPU memory not measured'}"
    if "mode" in machine:
        yield f"models: {machine['mode']} on {machine['device']}, {machine['dtype']}"
    yield f"first mask in a new process, with the loading of the libraries: {data['cold_start_seconds']:.2f} s\n"
    yield from speed.table([*rows, plain] if plain else rows, others)
    fresh = next(row for row in rows if row.name == "new input")
    steps = ", ".join(f"{name} {seconds:.3f}" for name, seconds in fresh.steps.items())
    yield f"\nsteps of a new input, seconds: {steps}"
    if floor["seconds"]:
        rate = f"{floor['operations'] / 1e9:.1f} GFLOP at {floor['rate'] / 1e9:.0f} GFLOP/s of a matrix product"
        times = fresh.seconds / floor["seconds"]
        yield f"floor of a new input: {floor['seconds']:.3f} s ({rate}); it takes {times:.1f} times that"
    else:
        yield "floor of a new input: not measured, as this engine has no network whose operations can be counted"
    if plain:
        times = plain.seconds / rows[0].seconds
        used = (plain.cpu_seconds or 0) / max(rows[0].cpu_seconds or 0, 1e-9)
        yield f"naive (float32, nothing cached): {times:.2f} times the first line, {used:.2f} times its CPU seconds"
    memory = max((row.peak_mb for row in rows if row.peak_mb is not None), default=None)
    if memory is not None:
        yield f"peak memory of the process: {memory:.0f} MB"
