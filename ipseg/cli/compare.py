"""Compare IPSeg and baselines on one prompt.

In OUTPUT each image gets <stem>.<method>.png (mask, 0/255), <stem>.png (a row of all masks with their points) and
<stem>.difference.png (white where all agree). The error message of a method that fails is printed; the others go on.
Exit code: 0 every method gave a mask, 1 some failed (one message each), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.cli import _engine, _files, _options
from ipseg.core import images, plugins, resources, viz
from ipseg.core.masks import GivenMask, read_mask
from ipseg.core.result import Result
from ipseg.core.serialize import to_json
from ipseg.core.store import OutputError
from ipseg.core.types import ImageArray, InputError, Mask, SettingError
from ipseg.method.pipeline import IPSeg
from ipseg.method.prompt import open_prompt
from ipseg.studies import comparison
from ipseg.studies.comparison import Comparison, Entry, PreparedMethod


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg compare``."""
    known, usual = ", ".join(plugins.names("baselines")), ",".join(comparison.USUAL)
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="image of the object, or a saved prompt (.npz)")
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="images to cut it out of")
    parser.add_argument("--methods", metavar="M,M", default=usual, help=f"two or more, with commas, of: {known}")
    parser.add_argument("--set", metavar="M.NAME=VALUE", action="append", default=[], help="a setting of a method")
    _options.add_prompt_mask(parser)
    parser.add_argument(
        "--truth",
        metavar="T",
        type=Path,
        nargs="+",
        default=[],
        help="true mask of each IMAGE, in order; an empty one says that the object is absent",
    )
    _options.add_arguments(parser, "M and of every T")
    parser.add_argument(
        "--truth-value", metavar="N", type=_options.value, help="the same for every T, where it is not that of M"
    )
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="a folder for masks and images")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write points, seconds and IoU")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare on every image; errors are printed on standard error, and the exit code is 1 when there is one."""
    names = [name.strip() for name in arguments.methods.split(",") if name.strip()]
    comparison.check(names)
    if arguments.truth and len(arguments.truth) != len(arguments.images):
        raise SettingError(f"Got {len(arguments.truth)} true masks for {len(arguments.images)} images; give as many.")
    _files.check_json(arguments.json)
    _files.distinct_stems(arguments.images)
    settings = _settings(arguments.set, names)
    shown = open_prompt([arguments.prompt], [arguments.prompt_mask], mask_value=arguments.mask_value)
    (prompt,), (mask,) = shown.sources, shown.masks
    _check_overwriting(arguments, names)
    _files.make_folder(arguments.output)
    with _engine.built(arguments) as engine:
        for notice in mask.notices if mask else ():
            print(f"ipseg: {notice}", file=sys.stderr)
        prepared = comparison.prepare(engine, names, prompt, mask, settings=settings)
        records: list[dict[str, Any]] = []
        about = _about(engine, arguments)
        listed = _files.Listing(
            arguments.json, lambda: to_json({**about, "images": records}, indent=2), _files.OTHER_JSON
        )
        with listed as listing:
            failed = _all(prepared, records, listing, arguments)
    return 1 if failed or listing.failed else 0


def _check_overwriting(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    endings = [".png", ".difference.png", *(f".{name}.png" for name in names)]
    made = [arguments.output / f"{image.stem}{ending}" for image in arguments.images for ending in endings]
    given = [arguments.prompt, arguments.prompt_mask, *arguments.images, *arguments.truth]
    _files.refuse_to_overwrite(given, [*made, *([arguments.json] if arguments.json else [])])


def _all(
    prepared: list[PreparedMethod],
    records: list[dict[str, Any]],
    listing: _files.Listing,
    arguments: argparse.Namespace,
) -> bool:
    """Compare on every image and add its record to ``records``; returns whether anything failed."""
    failed = any(one.error for one in prepared)
    for one in prepared:
        if one.error:
            print(f"ipseg: {one.label}: {one.error}", file=sys.stderr)
    for image, truth_file in zip(arguments.images, arguments.truth or [None] * len(arguments.images), strict=True):
        try:
            with resources.named():
                pixels = images.open_image(image)
                truth = _truth(truth_file, image, pixels, arguments)
        except InputError as error:
            print(f"ipseg: {error}", file=sys.stderr)
            records.append({"image": str(image), "error": str(error)})
            listing.update()
            failed = True
            continue
        (found,) = comparison.compare(prepared, [pixels], [truth])
        failed |= any(entry.error for entry in found.entries)
        _show(image, found)
        records.append(_record(image, found))
        for message in _write(arguments.output, image.stem, found):
            print(f"ipseg: {message}", file=sys.stderr)
            records[-1].setdefault("error", message)
            failed = True
        listing.update()
    return failed


def _truth(file: Path | None, image: Path, pixels: ImageArray, arguments: argparse.Namespace) -> GivenMask | None:
    if file is None:
        return None
    value = arguments.mask_value if arguments.truth_value is None else arguments.truth_value
    turn = images.orientation(image)
    truth = read_mask(file, pixels.shape[:2], mask_value=value, orientation=turn, empty=True)
    for notice in truth.notices:
        print(f"ipseg: {notice}", file=sys.stderr)
    return truth


def _show(image: Path, found: Comparison) -> None:
    print(image)
    for about in dict.fromkeys(entry.about for entry in found.entries if entry.about):
        print(f"  {about}")
    for entry in found.answered:
        score = "" if entry.iou is None else f", IoU {entry.iou:.2f}"
        score = ", absent by the truth" if entry.absent else score
        area = float(entry.result.mask.mean()) if entry.result else 0.0
        state = entry.result.status.words if entry.result else ""
        rest = f"{area:.1%} of the image{score}, {entry.seconds:.2f} s, mask {entry.mask_source}"
        print(f"  {entry.label}: {state}, {rest}")


def _write(folder: Path, stem: str, found: Comparison) -> list[str]:
    """Write the masks and images of one comparison; returns the error message of each that cannot be written."""
    results = [(entry, entry.result) for entry in found.answered if entry.result is not None]
    made: dict[str, Callable[[], np.ndarray]] = {
        f"{stem}.{entry.method}.png": partial(_as_png, result.mask) for entry, result in results
    }
    if results:
        made[f"{stem}.png"] = lambda: viz.strip(_tiles(found, results))
        made[f"{stem}.difference.png"] = lambda: viz.difference(found.image, [result.mask for _, result in results])
    failed = []
    for name, pixels in made.items():
        try:
            _files.write_png(folder / name, pixels())
        except OutputError as error:
            failed.append(str(error))
    return failed


def _as_png(mask: Mask) -> np.ndarray:
    return mask.astype(np.uint8) * 255


def _tiles(found: Comparison, results: Sequence[tuple[Entry, Result]]) -> list[tuple[ImageArray, str]]:
    """The image, the overlay of each method, and that of the truth where there is one."""
    tiles = [(found.image, "the image")]
    for entry, result in results:
        drawn = viz.overlay(found.image, result.mask, result.points, colour=found.colours[entry.method])
        tiles.append((drawn, entry.label))
    return tiles + ([] if found.truth is None else [(viz.overlay(found.image, found.truth.mask), "truth")])


def _record(image: Path, found: Comparison) -> dict[str, Any]:
    agreement = {" and ".join(pair): round(value, 4) for pair, value in found.agreement.items()}
    return {"image": str(image), "methods": [entry.record() for entry in found.entries], "agreement_iou": agreement}


def _about(engine: IPSeg, arguments: argparse.Namespace) -> dict[str, Any]:
    return {"prompt": str(arguments.prompt), "prompt_mask": str(arguments.prompt_mask or ""), **engine.info.record}


def _settings(given: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``["persam_f.epochs=100"]`` as settings by method; values are JSON where they can be read as such."""
    settings: dict[str, dict[str, Any]] = {}
    for text in given:
        place, found, value = text.partition("=")
        method, dot, name = place.partition(".")
        if not (found and dot and name and method in names):
            raise SettingError(f"--set is {text}; give METHOD.NAME=VALUE, for one of: {', '.join(names)}.")
        settings.setdefault(method, {})[name] = _value(value)
    return settings


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return tuple(value) if isinstance(value, list) else value
