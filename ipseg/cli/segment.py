"""Cut the object in one image out of others.

OUTPUT is a PNG for one image, a folder for several (<stem>.png). Masks are 0/255 at the size of their
image; where the object is not detected the mask is black (--threshold 0 writes every best guess).
Exit code: 0 all went well, 1 some images failed (one message each; the others are done), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.cli import _engine, _files, _masks, _status
from ipseg.core import resources
from ipseg.core.result import Result
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.types import InputError, Points, SettingError
from ipseg.engine.session import SegmentSession


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg segment``."""
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="image of the object")
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="images to cut it out of")
    parser.add_argument("--output", metavar="OUT", type=Path, required=True, help="a PNG, or a folder for several")
    parser.add_argument("--prompt-mask", metavar="M", type=Path, help="where the object is in PROMPT (white on black)")
    _masks.add_arguments(parser, "M")
    parser.add_argument("--also", metavar="IMAGE", type=Path, action="append", default=[], help="another prompt image")
    parser.add_argument(
        "--negative", metavar="IMAGE", type=Path, action="append", default=[], help="image of what is not meant"
    )
    parser.add_argument(
        "--all-instances",
        action="store_true",
        help="all instances: the mask is all of them, <stem>.numbers.png tells them apart",
    )
    for name, what in (("--click", "on the object"), ("--negative-click", "beside it")):
        parser.add_argument(
            name, metavar="X,Y", type=_place, action="append", default=[], help=f"a pixel {what}; for one IMAGE"
        )
    parser.add_argument("--k", type=int, help="most and least similar cells to gather (1 to 256; default: 32)")
    parser.add_argument("--clusters", type=int, help="points of each kind (1 to 32, at most K; default: 4)")
    _status.add_arguments(parser)
    parser.add_argument("--overlay", action="store_true", help="also write <stem>.overlay.png with mask and points")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the status, the points and the seconds")
    parser.add_argument("--resume", action="store_true", help="leave out images whose mask is already in OUT")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segment every image; failures are printed on standard error and counted in the exit code."""
    if len(arguments.images) > 1 and (arguments.click or arguments.negative_click):
        raise SettingError(f"There are clicks but {len(arguments.images)} images; give one image, or no clicks.")
    parameters = _status.parameters(arguments)
    targets = _targets(arguments.images, arguments.output)
    _files.check_json(arguments.json)
    _check_overwriting(arguments, [target for _, target in targets])
    records, failures = _earlier(arguments.json) if arguments.resume else {}, 0
    if arguments.resume:
        targets = [(image, target) for image, target in targets if not target.exists()]
    clicks = _clicks(arguments)
    with _engine.built(arguments) as engine:
        masks = [arguments.prompt_mask, *([None] * len(arguments.also))]
        session = SegmentSession.of(
            engine,
            [arguments.prompt, *arguments.also],
            masks,
            arguments.negative,
            mask_value=arguments.mask_value,
            parameters=parameters,
            all_instances=arguments.all_instances,
        )
        for notice in session.prompt.notices:
            print(f"ipseg: {notice}", file=sys.stderr)
        for image, target in targets:
            try:
                with resources.named():
                    result = session.segment(image, clicks)
                    _write(result, image, target, arguments)
            except SettingError:
                raise
            except InputError as error:
                failures += 1
                print(f"ipseg: {error}", file=sys.stderr)
                records[str(image)] = {"error": str(error)}
            else:
                records[str(image)] = result.record()
    if arguments.json:
        shown = [{"image": str(image), **records[str(image)]} for image in arguments.images if str(image) in records]
        _files.write(arguments.json, to_json(shown, indent=2).encode())
    return 1 if failures else 0


def _targets(images: list[Path], output: Path) -> list[tuple[Path, Path]]:
    if len(images) == 1 and output.suffix and (output.suffix.lower() == ".png" or not output.is_dir()):
        if output.suffix.lower() != ".png":
            raise SettingError(f"--output is {output.name}; masks are PNG files, so give a name that ends in .png.")
        if output.is_dir():
            raise SettingError(f"--output is {output.name}, which is a folder; give another name for the PNG.")
        _files.make_folder(output.parent)
        return [(images[0], output)]
    if output.is_file() or output.suffix.lower() == ".png":
        raise SettingError(f"--output is {output.name} but there are {len(images)} images; give a folder.")
    _files.distinct_stems(images)
    _files.make_folder(output)
    return [(image, output / f"{image.stem}.png") for image in images]


def _check_overwriting(arguments: argparse.Namespace, targets: list[Path]) -> None:
    made = [*targets, *([arguments.json] if arguments.json else [])]
    made += [target.with_suffix(".overlay.png") for target in targets] if arguments.overlay else []
    made += [target.with_suffix(".numbers.png") for target in targets] if arguments.all_instances else []
    _files.refuse_to_overwrite(
        [arguments.prompt, *arguments.also, *arguments.negative, *arguments.images, arguments.prompt_mask], made
    )


def _earlier(path: Path | None) -> dict[str, dict[str, Any]]:
    """The records of an earlier run by their image; none when they cannot be read."""
    try:
        return {record.pop("image"): record for record in json.loads(path.read_text())} if path else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(result: Result, image: Path, target: Path, arguments: argparse.Namespace) -> None:
    """The mask, what else was asked for, and one line on standard output."""
    mask = result.all_instances if arguments.all_instances else result.answer_mask
    _files.write_png(target, mask.astype(np.uint8) * 255)
    if arguments.all_instances:
        _files.write_png(target.with_suffix(".numbers.png"), result.labels())
    if arguments.overlay:
        overlay = result.overlay_instances() if arguments.all_instances else result.overlay()
        _files.write_png(target.with_suffix(".overlay.png"), overlay)
    verdict = _instances(result) if arguments.all_instances else _status.words(result.status, result.answer_mask)
    print(f"{image}: {verdict} (score {result.score:.2f}, {sum(result.seconds.values()):.2f} s) -> {target}")


def _instances(result: Result) -> str:
    """How many instances there are, and how many of them are uncertain."""
    uncertain = sum(one.status is Status.UNCERTAIN for one in result.instances)
    number = len(result.instances)
    return f"{number} instance{'s' * (number != 1)}" + (f", {uncertain} of them uncertain" if uncertain else "")


def _clicks(arguments: argparse.Namespace) -> Points | None:
    """The clicks in the middles of their pixels; None where there are none."""
    if not (arguments.click or arguments.negative_click):
        return None
    both = (
        np.array(each, dtype=np.float32).reshape(-1, 2) + 0.5 for each in (arguments.click, arguments.negative_click)
    )
    return Points(*both)


def _place(text: str) -> tuple[int, int]:
    try:
        x, y = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no pixel; give its column and row, as in 120,80') from None
    return x, y
