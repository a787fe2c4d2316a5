"""Cut the object in one image out of a folder, a zip, or every frame of a clip.

In DIR: masks/<name>.png (0/255, black where the object is not found), coco.json (run lengths, as pycocotools reads
them) and, of a clip, <stem>.mp4 or .webm with the mask drawn in. An image that cannot be used is told by its name; the
rest go on. A run that was stopped or killed goes on where it was with --resume.
Exit code: 0 all went well, 1 some images failed, 2 wrong usage, 130 stopped.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np

from ipseg.annotations.rle import Record
from ipseg.batch import clips, inputs, pictures, video
from ipseg.batch.looks import Question
from ipseg.cli import _engine, _files, _masks
from ipseg.core.masks import with_masks
from ipseg.core.serialize import to_json
from ipseg.core.types import Mask, SettingError
from ipseg.method.config import check_threshold

KEPT = ".ipseg"  # below --output: the answers so far


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg batch``."""
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="image of the object")
    parser.add_argument("input", metavar="INPUT", type=Path, nargs="+", help="a folder, a zip, images, or one clip")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="a folder for what is made")
    parser.add_argument("--prompt-mask", metavar="M", type=Path, help="where the object is in PROMPT (white on black)")
    _masks.add_arguments(parser, "M")
    parser.add_argument("--also", metavar="IMAGE", type=Path, action="append", default=[], help="another prompt image")
    parser.add_argument("--k", type=int, help="most and least similar cells to gather (1 to 256; the preset's own: 32)")
    parser.add_argument("--clusters", type=int, help="points of each kind (1 to 32, at most K; the preset's own: 4)")
    parser.add_argument("--threshold", type=float, help="least score at which the object counts as found")
    parser.add_argument("--overlay", action="store_true", help="also write overlays/<name>.png for images")
    parser.add_argument(
        "--per-second", metavar="N", type=float, default=video.PER_SECOND, help="looks per second of a clip"
    )
    parser.add_argument(
        "--max-seconds", metavar="S", type=float, default=clips.MAX_SECONDS, help="the longest clip to take"
    )
    parser.add_argument("--max-pictures", metavar="N", type=int, default=10_000, help="most images to take")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run into DIR stopped")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Go through everything; the failures are told on standard error and counted in the exit code."""
    if arguments.threshold is not None:
        check_threshold(arguments.threshold)
    clip = _clip(arguments)
    items = [] if clip else inputs.gather(arguments.input, most=arguments.max_pictures)
    given = [arguments.prompt_mask, *([None] * len(arguments.also))]
    shown = with_masks([arguments.prompt, *arguments.also], given, mask_value=arguments.mask_value)
    out = arguments.output
    _check_overwriting(arguments, [f"{item.stem}.png" for item in items])
    _files.make_folder(out)
    if not arguments.resume:
        shutil.rmtree(out / KEPT, ignore_errors=True)
    numbers = {name: getattr(arguments, name) for name in ("k", "clusters", "threshold")}
    record = Record(about=f"ipseg, prompt {arguments.prompt.name}")
    with _engine.built(arguments) as engine:
        prompts, masks = zip(*shown, strict=True)
        question = Question(engine, prompts, masks, folder=out / KEPT, **numbers)
        for notice in question.prompt.notices:
            print(f"ipseg: {notice}", file=sys.stderr)
        failed = _frames(question, clip, record, arguments) if clip else _pictures(question, items, record, arguments)
    _files.write(out / "coco.json", to_json(record.data()).encode())
    return 1 if failed else 0


def _clip(arguments: argparse.Namespace) -> clips.Clip | None:
    """The clip, opened, when that is what was given."""
    given = arguments.input
    looks_like = [path for path in given if path.suffix.lower() in clips.ENDINGS or clips.is_clip(path)]
    if not looks_like or given[0].is_dir():
        return None
    if len(given) > 1:
        raise SettingError(f"{looks_like[0].name} is a clip; give it alone, in a run of its own.")
    clip = clips.open_clip(given[0], seconds=arguments.max_seconds)
    video.frame_step(clip, arguments.per_second)
    return clip


def _check_overwriting(arguments: argparse.Namespace, names: list[str]) -> None:
    out = arguments.output
    made = [out / "coco.json", *(out / "masks" / name for name in names)]
    made += [out / f"{arguments.input[0].stem}{ending}" for ending in (".mp4", ".webm")]
    made += [out / "overlays" / name for name in names] if arguments.overlay else []
    given = [arguments.prompt, *arguments.also, arguments.prompt_mask]
    for path in arguments.input:
        given += list(path.rglob("*")) if path.is_dir() else [path]
    _files.keep(given, made)


def _pictures(question: Question, items: list[inputs.Item], record: Record, arguments: argparse.Namespace) -> int:
    failed = 0
    for outcome in pictures.run(question, items):
        item, look = outcome.item, outcome.look
        if look is None or outcome.picture is None:
            failed += 1
            print(f"ipseg: {outcome.error}", file=sys.stderr)
            continue
        _write_mask(arguments.output, item.stem, look.mask)
        record.add(item.name, look.mask, found=look.found, score=look.score)
        if arguments.overlay:
            _write(arguments.output / "overlays" / f"{item.stem}.png", pictures.overlay(outcome.picture, look))
        verdict = f"found, {look.mask.mean():.1%} of the image" if look.found else "not found"
        print(f"{outcome.number} of {outcome.total}: {item.name}: {verdict} (score {look.score:.2f})", flush=True)
    return failed


def _frames(question: Question, clip: clips.Clip, record: Record, arguments: argparse.Namespace) -> int:
    found = frames = 0
    with clips.Writer(arguments.output, clip.path.stem, clip.fps, clip.size) as writer:
        for frame in video.run(question, clip, per_second=arguments.per_second):
            mask, stem = frame.mask & frame.look.found, f"{frame.number:05}"
            writer.write(pictures.overlay(frame.picture, frame.look, frame.mask))
            _write_mask(arguments.output, stem, mask)
            record.add(f"{clip.path.stem}/{stem}", mask, found=frame.look.found, score=frame.look.score)
            frames, found = frame.number, found + frame.look.found
            if frame.looked:
                print(f"frame {frame.number} of {frame.total}, {question.asked} looks", flush=True)
    print(f"{frames} frames, found in {found} -> {writer.path}")
    return 0


def _write_mask(out: Path, stem: str, mask: Mask) -> None:
    _write(out / "masks" / f"{stem}.png", mask.astype(np.uint8) * 255)


def _write(path: Path, pixels: np.ndarray) -> None:
    _files.make_folder(path.parent)
    _files.write_png(path, pixels)
