"""Cut the object in one image out of a folder, a zip, or every frame of a clip.

In DIR: masks/<name>.png (0/255, black where the object is not detected), coco.json (run lengths, as pycocotools reads
them) and, of a clip, <stem>.mp4 or .webm with the mask drawn over it. An image that cannot be used gives an error
message; the run goes on. A run that was stopped or killed continues where it was with --resume.
Exit code: 0 all went well, 1 some images failed, 2 wrong usage, 130 stopped.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from ipseg.annotations.rle import Record
from ipseg.batch import clips, image_set, inputs, video
from ipseg.batch.predictions import Predictor
from ipseg.cli import _engine, _files, _masks, _status
from ipseg.core.masks import with_masks
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.types import Mask, SettingError

CACHE = ".ipseg"  # below --output: the predictions so far


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg batch``."""
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="image of the object")
    parser.add_argument("input", metavar="INPUT", type=Path, nargs="+", help="a folder, a zip, images, or one clip")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="a folder for what is made")
    parser.add_argument("--prompt-mask", metavar="M", type=Path, help="where the object is in PROMPT (white on black)")
    _masks.add_arguments(parser, "M")
    parser.add_argument("--also", metavar="IMAGE", type=Path, action="append", default=[], help="another prompt image")
    parser.add_argument("--k", type=int, help="most and least similar cells to gather (1 to 256; default: 32)")
    parser.add_argument("--clusters", type=int, help="points of each kind (1 to 32, at most K; default: 4)")
    _status.add_arguments(parser)
    parser.add_argument("--overlay", action="store_true", help="also write overlays/<name>.png for images")
    parser.add_argument(
        "--per-second",
        metavar="N",
        type=float,
        default=video.PER_SECOND,
        help="keyframes per second of a clip",
    )
    parser.add_argument(
        "--max-seconds", metavar="S", type=float, default=clips.MAX_SECONDS, help="the longest clip to take"
    )
    parser.add_argument("--max-images", metavar="N", type=int, default=10_000, help="most images to take")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run into DIR stopped")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segment every image or frame; errors are printed on standard error, and the exit code is 1 when there is one."""
    parameters = _status.parameters(arguments)
    clip = _clip(arguments)
    items = [] if clip else inputs.gather(arguments.input, most=arguments.max_images)
    given = [arguments.prompt_mask, *([None] * len(arguments.also))]
    shown = with_masks([arguments.prompt, *arguments.also], given, mask_value=arguments.mask_value)
    out = arguments.output
    _check_overwriting(arguments, [f"{item.stem}.png" for item in items])
    _files.make_folder(out)
    if not arguments.resume:
        shutil.rmtree(out / CACHE, ignore_errors=True)
    record = Record(about=f"ipseg, prompt {arguments.prompt.name}")
    with _engine.built(arguments) as engine:
        prompts, masks = zip(*shown, strict=True)
        predictor = Predictor(engine, prompts, masks, folder=out / CACHE, parameters=parameters)
        for notice in predictor.session.prompt.notices:
            print(f"ipseg: {notice}", file=sys.stderr)
        failed = _frames(predictor, clip, record, arguments) if clip else _images(predictor, items, record, arguments)
    _files.write(out / "coco.json", to_json(record.data()).encode())
    return 1 if failed else 0


def _clip(arguments: argparse.Namespace) -> clips.Clip | None:
    """The clip, opened, when that is what was given."""
    given = arguments.input
    clip_files = [path for path in given if path.suffix.lower() in clips.ENDINGS or clips.is_clip(path)]
    if not clip_files or given[0].is_dir():
        return None
    if len(given) > 1:
        raise SettingError(f"{clip_files[0].name} is a clip; give it alone, in a run of its own.")
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
    _files.refuse_to_overwrite(given, made)


def _images(predictor: Predictor, items: list[inputs.Item], record: Record, arguments: argparse.Namespace) -> int:
    failed = 0
    for outcome in image_set.run(predictor, items):
        item, prediction = outcome.item, outcome.prediction
        if prediction is None or outcome.image is None:
            failed += 1
            print(f"ipseg: {outcome.error}", file=sys.stderr)
            continue
        _write_mask(arguments.output, item.stem, prediction.mask)
        record.add(item.name, prediction.mask, status=prediction.status, score=prediction.score)
        if arguments.overlay:
            _write(arguments.output / "overlays" / f"{item.stem}.png", image_set.overlay(outcome.image, prediction))
        verdict = _status.words(prediction.status, prediction.mask)
        print(f"{outcome.number} of {outcome.total}: {item.name}: {verdict} (score {prediction.score:.2f})", flush=True)
    return failed


def _frames(predictor: Predictor, clip: clips.Clip, record: Record, arguments: argparse.Namespace) -> int:
    counts, frames = Counter[Status](), 0
    with clips.Writer(arguments.output, clip.path.stem, clip.fps, clip.size) as writer:
        for frame in video.run(predictor, clip, per_second=arguments.per_second):
            mask, stem = frame.mask & frame.prediction.status.has_mask, f"{frame.number:05}"
            writer.write(image_set.overlay(frame.image, frame.prediction, frame.mask))
            _write_mask(arguments.output, stem, mask)
            record.add(f"{clip.path.stem}/{stem}", mask, status=frame.prediction.status, score=frame.prediction.score)
            frames = frame.number
            counts[frame.prediction.status] += 1
            if frame.is_keyframe:
                print(f"frame {frame.number} of {frame.total}, {predictor.computed} keyframes computed", flush=True)
    states = ", ".join(f"{status.words} in {counts[status]}" for status in Status)
    print(f"{frames} frames, {states} -> {writer.path}")
    return 0


def _write_mask(out: Path, stem: str, mask: Mask) -> None:
    _write(out / "masks" / f"{stem}.png", mask.astype(np.uint8) * 255)


def _write(path: Path, pixels: np.ndarray) -> None:
    _files.make_folder(path.parent)
    _files.write_png(path, pixels)
