"""Cut the object in one image out of a folder, a zip, or every frame of a clip.

In DIR: masks/<name>.png (0/255, black where the object is not detected), coco.json (run lengths, as pycocotools reads
them) and, of a clip, <stem>.mp4 or .webm with the mask drawn over it. In coco.json `file_name` is the image below the
one folder or zip that was given, else as it was given, and `mask_file` is its mask below DIR; a frame is
<stem>/00001.png, as `ffmpeg -i CLIP STEM/%05d.png` writes it. An image that cannot be used, or whose mask cannot be
written, gives an error message; the run goes on. What is in DIR is no input, also where INPUT holds it.
A run that was stopped or killed continues where it was with --resume.
Exit code: 0 all went well, 1 some images failed, 2 wrong usage, 130 stopped, 143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.annotations.coco import OBJECT, Record, frame_name
from ipseg.batch import clips, image_set, inputs, video
from ipseg.batch.predictions import Prediction, Predictor
from ipseg.cli import _engine, _files, _options, _status
from ipseg.core.status import Status
from ipseg.core.store import OutputError, remove_partials
from ipseg.core.types import ImageArray, InputError, Mask, SettingError
from ipseg.method.prompt import open_prompt
from ipseg.method.steps import Steps

MASKS, OVERLAYS, COCO = "masks", "overlays", "coco.json"  # below --output
CACHE = ".ipseg"  # likewise: the predictions so far


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg batch``."""
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="image of the object, or a saved prompt (.npz)")
    parser.add_argument("input", metavar="INPUT", type=Path, nargs="+", help="a folder, a zip, images, or one clip")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="a folder for what is made")
    _options.add_prompt(parser)
    _options.add_numbers(parser)
    _status.add_arguments(parser)
    parser.add_argument(
        "--name",
        metavar="CLASS",
        help="the category of the object in coco.json (default: the name in a saved prompt, else object)",
    )
    parser.add_argument(
        "--all-instances",
        action="store_true",
        help="every instance in images: an annotation of its own in coco.json, and together in the mask",
    )
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
    _check(arguments, clip)
    own = _own_files(arguments)
    items = [] if clip else inputs.gather(arguments.input, most=arguments.max_images, as_given=True, leave_out=own)
    given = [arguments.prompt_mask, *([None] * len(arguments.also))]
    shown = open_prompt([arguments.prompt, *arguments.also], given, mask_value=arguments.mask_value)
    out, cache = arguments.output, arguments.output / CACHE
    _check_overwriting(arguments, [f"{item.stem}.png" for item in items], own)
    _files.make_folder(out)
    for folder in (cache, out / MASKS, *([out / OVERLAYS] if arguments.overlay else [])):
        _files.make_folder(folder)
    record = Record(arguments.name or shown.name or OBJECT, f"ipseg, prompt {arguments.prompt.name}")
    with _files.alone(cache / "lock", out), _engine.built(arguments) as engine:
        for old in (MASKS, OVERLAYS, CACHE):
            remove_partials(out / old, below=True)
        if not arguments.resume:
            _clear(cache)
        predictor = Predictor(
            engine,
            shown.sources,
            shown.masks,
            parameters=parameters,
            all_instances=arguments.all_instances,
            folder=cache,
        )
        for notice in predictor.session.prompt.notices:
            print(f"ipseg: {notice}", file=sys.stderr)
        with _files.Listing(out / COCO, record.text) as listing:
            run = _Run(predictor, record, listing, arguments)
            failed = run.frames(clip) if clip else run.images(items)
        for folder in (MASKS, OVERLAYS):
            _files.report_others(out / folder, run.made, COCO)
    return 1 if failed or listing.failed else 0


def _clip(arguments: argparse.Namespace) -> clips.Clip | None:
    """The clip, opened, when it alone was given."""
    path, *others = arguments.input
    if others or path.is_dir() or not (path.suffix.lower() in clips.ENDINGS or clips.is_clip(path)):
        return None
    video.check(arguments.per_second)
    return clips.open_clip(path, seconds=arguments.max_seconds)


def _check(arguments: argparse.Namespace, clip: clips.Clip | None) -> None:
    """Raise SettingError for a name that is none, or for the instances of a clip."""
    if arguments.name is not None and not (arguments.name.strip() and arguments.name.isprintable()):
        raise SettingError(f"--name {arguments.name!r} is no name of a class; give printable text.")
    if clip and arguments.all_instances:
        raise SettingError("--all-instances is for images, and INPUT is a clip; leave it out, or give its frames.")


def _own_files(arguments: argparse.Namespace) -> list[Path]:
    """What this command writes into --output: no input where an input folder holds it, unless it is given itself."""
    out = arguments.output.resolve()
    given = [path.resolve() for path in arguments.input]
    own = [out / name for name in (MASKS, OVERLAYS, CACHE, COCO)]
    own += [out] if any(out.is_relative_to(path) and out != path for path in given) else []
    return [path for path in own if not any(one.is_relative_to(path) for one in given)]


def _check_overwriting(arguments: argparse.Namespace, names: list[str], own: list[Path]) -> None:
    out = arguments.output
    made = [out / COCO, *(out / MASKS / name for name in names)]
    made += [out / f"{arguments.input[0].stem}{ending}" for ending in (".mp4", ".webm")]
    made += [out / OVERLAYS / name for name in names] if arguments.overlay else []
    given = [arguments.prompt, *arguments.also, arguments.prompt_mask]
    for path in arguments.input:
        found = path.rglob("*") if path.is_dir() else [path]
        given += [file for file in found if not any(file.resolve().is_relative_to(each) for each in own)]
    _files.refuse_to_overwrite(given, made)


def _clear(cache: Path) -> None:
    """Remove the predictions of earlier runs; the lock stays."""
    for folder in cache.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)


class _Run:
    """One run over images or frames: what it writes, prints and counts. ``made`` holds the masks and overlays."""

    def __init__(
        self, predictor: Predictor, record: Record, listing: _files.Listing, arguments: argparse.Namespace
    ) -> None:
        self._predictor, self._record, self._listing, self._arguments = predictor, record, listing, arguments
        self._key = predictor.folder.name if predictor.folder else ""
        self._incomplete = False
        self.made: list[Path] = []

    def images(self, items: list[inputs.Item]) -> int:
        """Segment the images one by one; returns how many failed."""
        failed, start, spent = 0, time.perf_counter(), Counter[str]()
        for outcome in image_set.run(self._predictor, items):
            item, prediction = outcome.item, outcome.prediction
            spent.update(outcome.seconds)
            if prediction is None or outcome.image is None:
                failed += 1
                print(f"ipseg: {outcome.error}", file=sys.stderr)
                continue
            mask, name = prediction.mask, f"{item.stem}.png"
            written = Steps(None)
            try:
                with written("write", 0.0):
                    self._add(item.path, name, mask, prediction)
                    self._write(f"{MASKS}/{name}", mask.astype(np.uint8) * 255)
                    if self._arguments.overlay:
                        self._write(f"{OVERLAYS}/{name}", image_set.overlay(outcome.image, prediction))
            except OutputError as error:
                failed += 1
                print(f"ipseg: {item.name}: {error}", file=sys.stderr)
                continue
            spent.update(written.seconds)
            verdict = f"{_status.words(prediction.status, mask)} (score {prediction.score:.2f})"
            print(f"{outcome.number} of {outcome.total}: {item.name}: {verdict}", flush=True)
        print(_throughput(len(items), time.perf_counter() - start, spent))
        return failed

    def frames(self, clip: clips.Clip) -> int:
        """Segment a clip; returns how many files could not be written. The first error of the masks is printed."""
        per_second, counts = self._arguments.per_second, Counter[Status]()
        failed, frames = 0, 0
        with _OverlayClip(self._arguments.output, clip) as writer:
            for frame in self._readable(video.run(self._predictor, clip, per_second=per_second)):
                mask, stem = frame.mask & frame.prediction.status.has_mask, f"{frame.number:05}"
                writer.write(image_set.overlay(frame.image, frame.prediction, frame.mask), frame.time)
                place = {"clip": clip.path.name, "frame": frame.number}
                self._add(frame_name(clip.path.name, frame.number), f"{stem}.png", mask, frame.prediction, **place)
                try:
                    self._write(f"{MASKS}/{stem}.png", mask.astype(np.uint8) * 255)
                except OutputError as error:
                    failed += 1
                    if failed == 1:
                        print(f"ipseg: {error}", file=sys.stderr)
                frames = frame.number
                counts[frame.prediction.status] += 1
                if frame.is_keyframe:
                    done = f"frame {frame.number} of {frame.total}"
                    print(f"{done}, {self._predictor.computed} keyframes computed", flush=True)
        states = ", ".join(f"{status.words} in {counts[status]}" for status in Status)
        print(f"{frames} frames, {states}{f' -> {writer.path}' if writer.path else ''}")
        if failed:
            print(f"ipseg: The masks of {failed} of {frames} frames are not written.", file=sys.stderr)
        return failed + (writer.path is None) + self._incomplete

    def _readable(self, frames: Iterator[video.VideoFrame]) -> Iterator[video.VideoFrame]:
        """The frames that can be read; one message where the clip has more."""
        try:
            yield from frames
        except clips.IncompleteClipError as error:
            self._incomplete = True
            print(f"ipseg: {error}", file=sys.stderr)

    def _add(self, path: str, name: str, mask: Mask, prediction: Prediction, **more: Any) -> None:
        more = {"mask_file": f"{MASKS}/{name}", **more}
        if prediction.instances:
            more["instances"] = prediction.masks
        self._record.add(path, mask, status=prediction.status, score=prediction.score, **more)
        self._listing.update()

    def _write(self, name: str, pixels: np.ndarray) -> None:
        path = self._arguments.output / name
        _files.write_png(path, pixels, self._key)
        self.made.append(path)


def _throughput(images: int, seconds: float, spent: Mapping[str, float]) -> str:
    """Images per second, beside the seconds of the steps, which overlap."""
    steps = ", ".join(f"{name} {value:.1f}" for name, value in spent.items())
    rate = f"{images} image{'s' * (images != 1)} in {seconds:.1f} s, {images / max(seconds, 1e-9):.2f} a second"
    return f"{rate}; the steps took {sum(spent.values()):.1f} s ({steps})" if steps else rate


class _OverlayClip:
    """The clip with its masks drawn over it. Where it cannot be written, one message is printed, and the run goes on.

    ``path`` is the file that is being written; None where it cannot be.
    """

    def __init__(self, out: Path, clip: clips.Clip) -> None:
        self.path: Path | None = out
        self._writer: clips.Writer | None = None
        with self._reported():
            self._writer = clips.Writer(out, clip.path.stem, clip.fps, clip.size, sound=clip.path)
            self.path = self._writer.path

    def write(self, frame: ImageArray, time: float) -> None:
        """One (H, W, 3) uint8 RGB frame at ``time`` seconds."""
        if self._writer and self.path:
            with self._reported():
                self._writer.write(frame, time)

    def __enter__(self) -> _OverlayClip:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if self._writer:
            with self._reported():
                self._writer.__exit__(kind if self.path else InputError, error, trace)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (InputError, OSError) as error:
            if self.path:
                reason = str(error) if isinstance(error, InputError) else f"{error.strerror or error}."
                print(f"ipseg: The clip with the masks over it is not written: {reason}", file=sys.stderr)
            self.path = None
