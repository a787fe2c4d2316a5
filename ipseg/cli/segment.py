"""Cut the object in one image out of others.

OUTPUT is a PNG for one image, a folder for several (<stem>.png). Masks are 0/255 at the size of their
image; where the object is not detected the mask is black (--threshold 0 writes every best guess).
--json is rewritten while results come in. A run that was stopped or killed continues with --resume, which leaves out
images whose files in OUT come from the same prompt, settings, engine and pixels, and saves their records.
Exit code: 0 all went well, 1 some images failed (one message each; the others are done), 2 wrong usage, 130 stopped,
143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.cli import _engine, _files, _options, _status
from ipseg.core import images, resources
from ipseg.core.result import Result
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.store import OutputError, run_key
from ipseg.core.types import InputError, Points, SettingError
from ipseg.engine.session import SegmentSession
from ipseg.method.prompt import OpenedPrompt, open_prompt


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg segment``."""
    parser.add_argument("prompt", metavar="PROMPT", type=Path, help="image of the object, or a saved prompt (.npz)")
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="images to cut it out of")
    parser.add_argument("--output", metavar="OUT", type=Path, required=True, help="a PNG, or a folder for several")
    _options.add_prompt(parser)
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
    _options.add_numbers(parser)
    _status.add_arguments(parser)
    parser.add_argument("--overlay", action="store_true", help="also write <stem>.overlay.png with mask and points")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the status, the points and the seconds")
    parser.add_argument("--resume", action="store_true", help="leave out images that an equal run has done in OUT")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segment every image; failures are printed on standard error and counted in the exit code."""
    if len(arguments.images) > 1 and (arguments.click or arguments.negative_click):
        raise SettingError(f"There are clicks but {len(arguments.images)} images; give one image, or no clicks.")
    parameters = _status.parameters(arguments)
    targets = _targets(arguments.images, arguments.output)
    _files.check_json(arguments.json)
    _check_overwriting(arguments, [target for _, target in targets])
    with _engine.built(arguments) as engine:
        masks = [arguments.prompt_mask, *([None] * len(arguments.also))]
        shown = open_prompt([arguments.prompt, *arguments.also], masks, mask_value=arguments.mask_value)
        negative = open_prompt(arguments.negative, [None] * len(arguments.negative))
        session = SegmentSession.of(
            engine,
            shown.sources,
            shown.masks,
            negative.sources,
            parameters=parameters,
            all_instances=arguments.all_instances,
        )
        for notice in session.prompt.notices:
            print(f"ipseg: {notice}", file=sys.stderr)
        run = _Run(session, _run_key(session, arguments, shown, negative), arguments)
        with _files.Listing(arguments.json, run.text, _files.OTHER_JSON) as listing:
            for image, target in targets:
                run.one(image, target)
                listing.update()
    if arguments.json and not arguments.resume and arguments.output.is_dir():
        _files.report_others(arguments.output, run.made, arguments.json.name)
    return 1 if run.failures or listing.failed else 0


def _run_key(
    session: SegmentSession,
    arguments: argparse.Namespace,
    shown: OpenedPrompt,
    negative: OpenedPrompt,
) -> str:
    """What decides every mask of this call beside its image."""
    content, against = shown.content(session.prompt), negative.content(session.negative_prompt)
    clicks = {"clicks": arguments.click, "negative_clicks": arguments.negative_click}
    settings = {**session.parameters.arguments(), **clicks, "all_instances": session.all_instances}
    return run_key(session.engine, [*content, "-", *against], settings)


class _Run:
    """The images of one call, one by one: their masks, their records and their errors.

    Each file carries the run key and the fingerprint of its image, so that --resume takes no mask for the result of
    another prompt, setting, engine or image. ``key``: see :func:`_run_key`.
    """

    def __init__(self, session: SegmentSession, key: str, arguments: argparse.Namespace) -> None:
        self._session, self._key, self._arguments = session, key, arguments
        self._clicks = _clicks(arguments)
        self._records: dict[str, dict[str, Any]] = {}
        earlier = _earlier(arguments.json) if arguments.resume else {}
        self._ours = {name: record for name, record in earlier.items() if self._is_ours(record)}
        self.failures, self.made = 0, list[Path]()

    def one(self, image: Path, target: Path) -> None:
        """Segment one image and write its files, unless --resume finds them; an error is printed."""
        record: dict[str, Any] = {}
        try:
            with resources.named():
                pixels = images.open_image(image)
                note = f"{self._key}-{images.fingerprint(pixels)}"
                earlier = self._ours.get(str(image))
                if self._arguments.resume and self._is_done(target, note, earlier):
                    self._records[str(image)] = earlier or {}
                    return
                result = self._session.segment(pixels, clicks=self._clicks)
                record = {"mask_file": str(target), **result.record()}
                self._write(result, target, note)
        except SettingError:
            raise
        except InputError as error:
            self.failures += 1
            print(f"ipseg: {error}", file=sys.stderr)
            record["error"] = str(error)
            self._records[str(image)] = record
        else:
            self._records[str(image)] = record  # before its line is read: the reader may end this process
            _print(result, image, target, self._arguments)

    def text(self) -> str:
        """The JSON of all records: those of this call in its order, then with --resume those of earlier calls."""
        given = [str(image) for image in self._arguments.images]
        known = {**self._ours, **self._records}  # an earlier record stays until its image is done again
        order = [name for name in given if name in known] + [name for name in self._ours if name not in given]
        return to_json([{"image": name, **known[name]} for name in order], indent=2)

    def _is_done(self, target: Path, note: str, earlier: dict[str, Any] | None) -> bool:
        """Whether every file of an image is there, from these settings, and its record where one is asked for."""
        if self._arguments.json and earlier is None:
            return False
        files = list(_files_of(target, self._arguments).values())
        if any(images.png_note(file) != note for file in files):
            return False
        self.made += files
        return True

    def _is_ours(self, record: dict[str, Any]) -> bool:
        """Whether an earlier record has no error, and its mask is there, from the prompt and settings of this call."""
        return "error" not in record and images.png_note(str(record.get("mask_file", ""))).startswith(f"{self._key}-")

    def _write(self, result: Result, target: Path, note: str) -> None:
        """The mask and what else was asked for; where one cannot be written, the others are."""
        instances, failed = self._arguments.all_instances, []
        made: dict[str, Callable[[], np.ndarray]] = {
            "mask": lambda: (result.all_instances if instances else result.answer_mask).astype(np.uint8) * 255,
            "numbers": result.labels,
            "overlay": result.overlay_instances if instances else result.overlay,
        }
        for what, path in _files_of(target, self._arguments).items():
            try:
                _files.write_png(path, made[what](), note)
            except OutputError as error:
                failed.append(error)
            else:
                self.made.append(path)
        if failed:
            raise failed[0]


def _files_of(target: Path, arguments: argparse.Namespace) -> dict[str, Path]:
    """What is written for one image: its mask, and what else is asked for."""
    return {
        "mask": target,
        **({"numbers": target.with_suffix(".numbers.png")} if arguments.all_instances else {}),
        **({"overlay": target.with_suffix(".overlay.png")} if arguments.overlay else {}),
    }


def _targets(given: list[Path], output: Path) -> list[tuple[Path, Path]]:
    if len(given) == 1 and output.suffix and (output.suffix.lower() == ".png" or not output.is_dir()):
        if output.suffix.lower() != ".png":
            raise SettingError(f"--output is {output.name}; masks are PNG files, so give a name that ends in .png.")
        if output.is_dir():
            raise SettingError(f"--output is {output.name}, which is a folder; give another name for the PNG.")
        _files.make_folder(output.parent)
        return [(given[0], output)]
    if output.is_file() or output.suffix.lower() == ".png":
        raise SettingError(f"--output is {output.name} but there are {len(given)} images; give a folder.")
    _files.distinct_stems(given)
    _files.make_folder(output)
    return [(image, output / f"{image.stem}.png") for image in given]


def _check_overwriting(arguments: argparse.Namespace, targets: list[Path]) -> None:
    made = [file for target in targets for file in _files_of(target, arguments).values()]
    made += [arguments.json] if arguments.json else []
    _files.refuse_to_overwrite(
        [arguments.prompt, *arguments.also, *arguments.negative, *arguments.images, arguments.prompt_mask], made
    )


def _earlier(path: Path | None) -> dict[str, dict[str, Any]]:
    """The records of an earlier run by their image; none when they cannot be read."""
    try:
        return {record.pop("image"): record for record in json.loads(path.read_text())} if path else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _print(result: Result, image: Path, target: Path, arguments: argparse.Namespace) -> None:
    """One line on standard output."""
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
