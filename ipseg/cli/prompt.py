"""Save a prompt in a file, or show what is in one.

`prompt create mug.npz mug1.jpg mug2.jpg` saves images of one object with what is meant in them: by a mask, a box or
points where one is given, else by the engine's saliency map. Every command that takes a prompt image takes such a file,
and so does `engine.prompt("mug.npz")`. `prompt show mug.npz` lists its images, engines and settings.
An engine that the file does not know makes its own model of the saved images, with a notice; `prompt create mug.npz
mug.npz --preset offline` adds that of another engine to the file.
Exit code: 0 all went well, 2 for what cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.cli import _engine, _files, _options, _status
from ipseg.core import viz
from ipseg.core.serialize import to_json
from ipseg.core.types import ImageArray, Points, SettingError
from ipseg.method import saved_prompt
from ipseg.method.config import Parameters
from ipseg.method.prompt import Prompt
from ipseg.method.saved_prompt import ENDING, SavedPrompt

COLUMNS = 4  # images in a row of the sheet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg prompt create`` and ``ipseg prompt show``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="save a prompt in a file", formatter_class=parser.formatter_class)
    _add_create(create)
    create.set_defaults(action=_create)
    show = actions.add_parser("show", help="list what is in a file", formatter_class=parser.formatter_class)
    show.add_argument("prompt", metavar="FILE", type=Path, help="a saved prompt (.npz)")
    show.add_argument("--json", action="store_true", help="print JSON")
    show.add_argument("--output", metavar="PNG", type=Path, help="write the images with their masks outlined")
    show.set_defaults(action=_show)


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", metavar="OUT", type=Path, help="the file to save, .npz")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="images of the object, or saved prompts")
    parser.add_argument("--mask", metavar="FILE:M", action="append", default=[], help="where the object is in an image")
    _options.add_arguments(parser, "M")
    parser.add_argument(
        "--box",
        metavar="FILE:X0,Y0,X1,Y1",
        action="append",
        default=[],
        help="a box around the object in an image, in pixels of the upright image, without column X1 and row Y1",
    )
    for name, what in (("--point", "on the object"), ("--negative-point", "beside it")):
        parser.add_argument(
            name, metavar="FILE:X,Y", action="append", default=[], help=f"a pixel {what}, in the upright image"
        )
    parser.add_argument(
        "--negative", metavar="IMAGE", action="append", default=[], help="image of what is not meant; repeatable"
    )
    parser.add_argument("--name", help="the name of the object (default: that of OUT)")
    parser.add_argument("--k", type=int, help="to segment with: most and least similar cells (default: the engine's)")
    parser.add_argument("--clusters", type=int, help="to segment with: points of each kind (default: the engine's)")
    _status.add_arguments(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace another prompt that is there")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Create or show."""
    return int(arguments.action(arguments))


# Create


FORMS = {"mask": "a mask", "box": "X0,Y0,X1,Y1", "point": "X,Y", "negative_point": "X,Y"}
"""The options that say what is meant in an image, and what stands behind the image and a colon."""


@dataclass(frozen=True)
class _Marked:
    """An image that was given, and by each option of :data:`FORMS` what was said about it."""

    image: str
    said: Mapping[str, list[Any]] = field(default_factory=lambda: {option: [] for option in FORMS})

    @property
    def mask(self) -> Path | None:
        """Its mask. Raises SettingError where several were given."""
        masks = self.said["mask"]
        if len(masks) > 1:
            raise SettingError(f"There are {len(masks)} masks of {self.image}; give one.")
        return masks[0] if masks else None

    @property
    def points(self) -> Points | None:
        """Its points, in the middles of their pixels."""
        both = [np.array(self.said[each], np.float32).reshape(-1, 2) for each in ("point", "negative_point")]
        return Points(*(each + np.float32(0.5) for each in both)) if any(map(len, both)) else None


def _create(arguments: argparse.Namespace) -> int:
    parameters = _status.parameters(arguments)
    shown = [_Marked(image) for image in arguments.images]
    negative = [_Marked(image) for image in arguments.negative]
    _mark([*shown, *negative], arguments)
    _check_output(arguments, shown, negative)
    name = arguments.name and _object_name(arguments.name)
    with _engine.built(arguments) as engine:
        prompt = _encode(engine, shown, arguments.mask_value)
        against = prompt.negative
        if negative:
            own = _encode(engine, negative, arguments.mask_value)
            against = own if against is None else engine.prompt([against, own])
        name = name or prompt.name or arguments.output.stem
        chosen = Parameters(*prompt.parameters.unless(**parameters.arguments()))
        engine.config.thresholds(chosen.threshold, chosen.reject_threshold)  # raises where they do not fit
        for notice in dict.fromkeys([*prompt.notices, *(against.notices if against and negative else ())]):
            print(f"ipseg: {notice}", file=sys.stderr)
    made = replace(prompt, name=name, negative=against, parameters=chosen)
    made.save(arguments.output)
    print(_summary(arguments.output, saved_prompt.read(arguments.output)))
    return 0


def _encode(engine: Any, marked: Sequence[_Marked], mask_value: int | None) -> Prompt:
    boxes, points = [each.said["box"] or None for each in marked], [each.points for each in marked]
    return engine.prompt(
        [each.image for each in marked],
        [each.mask for each in marked],
        mask_value=mask_value,
        boxes=boxes if any(boxes) else None,
        points=points if any(points) else None,
    )


def _mark(marked: Sequence[_Marked], arguments: argparse.Namespace) -> None:
    """Give every image what the options say about it."""
    for option in FORMS:
        for text in getattr(arguments, option):
            one, value = _split(text, option, marked)
            one.said[option].append(Path(value) if option == "mask" else _pixels(value, option))


def _split(text: str, option: str, marked: Sequence[_Marked]) -> tuple[_Marked, str]:
    """The image that ``FILE:VALUE`` is about, and VALUE.

    FILE is an image as it was given, or its name where no other has it; it may have colons, and the longest that fits
    is meant. Raises SettingError where none or several fit.
    """
    flag = f"--{option.replace('_', '-')}"
    named = [(name, one) for one in marked for name in dict.fromkeys((one.image, Path(one.image).name))]
    fitting = [(name, one) for name, one in named if text.startswith(f"{name}:")]
    if not fitting:
        known = ", ".join(dict.fromkeys(one.image for one in marked))
        raise SettingError(f"{flag} {text} names no image; give FILE:... with one of: {known}.")
    longest = max(len(name) for name, _ in fitting)
    best = [one for name, one in fitting if len(name) == longest]
    found = [one for one in best if len(one.image) == longest] or best  # as given, before a name
    if len(found) > 1:
        raise SettingError(f"{flag} {text} names {len(found)} images; give each once, and by its path.")
    value = text[longest + 1 :]
    if not value:
        raise SettingError(f"{flag} {text} has nothing behind the colon; give {FORMS[option]}.")
    return found[0], value


def _pixels(text: str, option: str) -> tuple[float, ...]:
    """The whole numbers of a box or a point. Raises SettingError for anything else."""
    form = FORMS[option]
    try:
        numbers = tuple(float(int(part)) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != len(form.split(",")):
        raise SettingError(f"{text} is no {option.replace('_', ' ')} in pixels; give {form} in whole numbers.")
    return numbers


def _object_name(name: str) -> str:
    if not name.strip() or not saved_prompt.is_name(name):
        raise SettingError(f"--name {name!r} is no name; give up to {saved_prompt.MAX_NAME} printable characters.")
    return name.strip()


def _check_output(arguments: argparse.Namespace, shown: Sequence[_Marked], negative: Sequence[_Marked]) -> None:
    """Raise before the engine is built for an output that would be refused at the end."""
    out = arguments.output
    if out.suffix.lower() != ENDING:
        raise SettingError(f"{out.name} is no name of a saved prompt; give one that ends in {ENDING}.")
    if out.is_dir():
        raise SettingError(f"{out.name} is a folder; give the name of a file.")
    given = [Path(each.image) for each in (*shown, *negative)]
    itself = any(path.resolve() == out.resolve() for path in given)
    if out.exists() and not itself and not arguments.overwrite:
        raise SettingError(f"{out.name} exists; give another name, or --overwrite to replace it.")
    others = [path for each in (*shown, *negative) for path in each.said["mask"]]
    _files.refuse_to_overwrite(others, [out])
    _files.make_folder(out.parent)


# Show


def _show(arguments: argparse.Namespace) -> int:
    saved = saved_prompt.read(arguments.prompt)
    if arguments.output:
        if arguments.output.suffix.lower() != ".png":
            raise SettingError(f"--output is {arguments.output.name}; give a name that ends in .png.")
        _files.refuse_to_overwrite([arguments.prompt], [arguments.output])
        _files.make_folder(arguments.output.parent)
        _files.write_png(arguments.output, sheet(saved))
    print(to_json(saved_prompt.describe(saved), indent=2) if arguments.json else _summary(arguments.prompt, saved))
    return 0


def sheet(saved: SavedPrompt) -> ImageArray:
    """The images with their masks outlined, :data:`COLUMNS` in a row; what is not meant in red: (H, W, 3) uint8."""
    tiles = _tiles(saved, viz.MASK, "")
    if saved.negative:
        tiles += _tiles(saved.negative, viz.NEGATIVE, "not meant: ")
    rows = [viz.strip(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)]
    width = max(row.shape[1] for row in rows)
    white = ((0, 0), (0, 0))
    return np.vstack(
        [np.pad(row, (white[0], (0, width - row.shape[1]), white[1]), constant_values=255) for row in rows]
    )


def _tiles(saved: SavedPrompt, colour: tuple[int, int, int], caption: str) -> list[tuple[ImageArray, str]]:
    views = saved.views(saved.models[-1])
    return [
        (viz.overlay(view.image, view.saliency > 0.5, colour=colour), f"{caption}{number}, {_source(view.given)}")
        for number, view in enumerate(views, 1)
    ]


def _source(given: bool) -> str:
    return "its mask given" if given else "its mask from saliency"


def _summary(path: Path, saved: SavedPrompt) -> str:
    """The content in lines of text."""
    about = saved_prompt.describe(saved)
    lines = [f"{path}: {about['name'] or 'no name'}, {_count(len(about['images']), 'image')}, {_size(path)}"]
    lines += _of_images(about["images"], "image")
    lines += _of_images(about["negative"]["images"], "not meant") if about["negative"] else []
    lines += [
        f"  engine {each['engine']}, ipseg {each['ipseg']}{'' if each['key'] else ', without a record of its parts'}"
        for each in about["engines"]
    ]
    lines += [f"  {name.replace('_', ' ')} {value}" for name, value in about["settings"].items()]
    return "\n".join(lines)


def _of_images(described: Sequence[dict[str, Any]], what: str) -> list[str]:
    lines = []
    for number, each in enumerate(described, 1):
        height, width = each["size"]
        saved = "" if each["size"] == each["saved_size"] else ", saved as {1}x{0}".format(*each["saved_size"])
        mask = _source(each["mask"] == "given")
        lines.append(f"  {what} {number}: {width}x{height}{saved}, {mask}, {each['area']:.1%} of it")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"
