"""Label a set of images by example images of several classes: every instance of each, in the format of the next tool.

EXAMPLES has one folder of images per class, or saved prompts, or is a classes.yaml. In DIR: labels/<name>.json for each
image, saved at once, and one folder for each --format. An image that cannot be used gives an error message; the run
goes on. A run that was stopped or killed continues with --resume; corrected images stay as they were corrected.
Of a clip, the frames that --per-second samples are written to frames/<stem>/00001.png and labelled; in the end each
instance has a track id that stays with it from frame to frame.
--shard i/n labels every n-th image, and so does each process of `accelerate launch -m ipseg label ...`; when all are
done, the same command without --shard and with --resume finds all labels, and writes the formats.
Exit code: 0 all went well, 1 some images failed, 2 wrong usage, 130 stopped, 143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from ipseg.annotations import formats
from ipseg.annotations.labels import LABELS, LabelFolder, LabelledImage
from ipseg.batch import clips, video
from ipseg.batch.clips import Clip
from ipseg.cli import _engine, _files, _status
from ipseg.core.images import Source
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.store import OutputError
from ipseg.core.types import InputError, SettingError
from ipseg.engine import processes
from ipseg.engine.processes import Share
from ipseg.labelling import examples, tracks
from ipseg.labelling.dataset import open_inputs
from ipseg.labelling.run import MAX_IMAGES, Item, Labeller, Outcome, Summary, prepare
from ipseg.labelling.run import run as label_all

LOCKS = ".ipseg"  # below --output
NAMED = 3  # images that a message names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg label``."""
    parser.add_argument(
        "examples", metavar="EXAMPLES", type=Path, help="a folder or zip of example images, or a YAML file"
    )
    parser.add_argument("input", metavar="INPUT", type=Path, nargs="+", help="folders, zips, images or clips to label")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True, help="a folder for what is made")
    parser.add_argument(
        "--format", choices=formats.names(), action="append", default=[], help="also write DIR/FORMAT; repeatable"
    )
    parser.add_argument("--split", metavar="SHARE", type=float, help="of the images for training, the others are val")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the split")
    parser.add_argument("--images", choices=formats.IMAGES, default=formats.LINK, help="how images get into a format")
    parser.add_argument("--k", type=int, help="most and least similar cells to gather (default: the preset's)")
    parser.add_argument("--clusters", type=int, help="points of each kind (default: the preset's)")
    _status.add_arguments(parser)
    parser.add_argument(
        "--per-second", metavar="N", type=float, default=video.PER_SECOND, help="frames of a clip to label"
    )
    parser.add_argument(
        "--max-seconds", metavar="S", type=float, default=clips.MAX_SECONDS, help="the longest clip to take"
    )
    parser.add_argument("--max-images", metavar="N", type=int, default=MAX_IMAGES, help="most images to take")
    parser.add_argument("--shard", metavar="i/n", default="0/1", help="only every n-th image from i on, i from 0")
    parser.add_argument("--resume", action="store_true", help="go on with the run that is in DIR")
    parser.add_argument("--overwrite", action="store_true", help="remove the labels of another run that is in DIR")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the counts and errors of this run as JSON")
    _engine.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Label every image; errors are printed on standard error, and the exit code is 1 when there is one."""
    share, parameters = _share(arguments), _status.parameters(arguments)
    check = partial(formats.check, arguments.format or formats.names()[:1], arguments.split, arguments.images)
    check(folder=arguments.output if arguments.format else None)
    _files.check_json(arguments.json)
    classes = examples.read(arguments.examples)
    check(classes=[each.name for each in classes])
    inputs = open_inputs(
        arguments.input,
        most=arguments.max_images,
        leave_out=_own_files(arguments),
        per_second=arguments.per_second,
        max_seconds=arguments.max_seconds,
    )
    items, unread = list(inputs.items), dict(inputs.errors)
    for message in unread.values():
        _notice(message)
    processes.choose_device()
    _files.make_folder(arguments.output)
    _files.make_folder(arguments.output / LOCKS)
    with _alone(share, arguments), _engine.built(arguments) as engine:
        labeller = Labeller(classes, engine, **parameters.arguments(), notify=_notice)
        resume = arguments.resume or share.of > 1
        folder = prepare(arguments.output, labeller, resume=resume, overwrite=arguments.overwrite)
        for stem, clip in inputs.clips.items():
            sampled = inputs.sample(stem, arguments.output, len(items), share)
            items += sampled.items
            if sampled.error:
                unread[clip.name] = sampled.error
                _notice(sampled.error)
        own = share.select(items)
        if any(not (folder.folder / LABELS / f"{item.name}.json").exists() for item in own):
            labeller.prompts()  # or the first image that needs them does it
        summary, cost = Summary.of(labeller.classes), _Cost()
        for outcome in label_all(labeller, own, folder):
            summary.add(outcome.image)
            cost.add(outcome)
            _report(outcome, summary)
        unwritten = _track(folder, inputs.clips) if share.of == 1 else 0
        _finish(summary, share)
        print(cost, end="")
        unwritten += _export(folder, items, arguments) if share.of == 1 else 0
    if arguments.json:
        record = {"output": str(arguments.output), "shard": share.label, **summary.record(), "cost": cost.record()}
        record["failed"] = {**summary.failed, **unread}
        _files.write(arguments.json, to_json(record, indent=2) + "\n", _files.OTHER_JSON)
    return int(bool(summary.failed) or bool(unread) or unwritten > 0)


def _share(arguments: argparse.Namespace) -> Share:
    """The share of this process. Raises SettingError for what does not go together."""
    share = processes.launched(processes.parse(arguments.shard))
    if share.of > 1 and arguments.overwrite:
        raise SettingError("--overwrite removes what other processes write; remove the folder first, and leave it out.")
    if arguments.overwrite and arguments.resume:
        raise SettingError("--resume goes on with a run and --overwrite removes it; give one of the two.")
    return share


@contextmanager
def _alone(share: Share, arguments: argparse.Namespace) -> Iterator[None]:
    """A block in which no other process labels this share, nor any other share where the labels will be removed.

    Raises SettingError when one does.
    """
    folder = arguments.output / LOCKS
    locks = {folder / f"{share.label}.lock", *(folder.glob("*.lock") if arguments.overwrite else ())}
    with ExitStack() as stack:
        for lock in sorted(locks):
            stack.enter_context(_files.alone(lock, arguments.output))
        yield


def _own_files(arguments: argparse.Namespace) -> list[Path]:
    """What this command writes is no input where an input folder holds it, unless it is given itself."""
    out = arguments.output.resolve()
    given = [path.resolve() for path in arguments.input]
    return [] if any(path.is_relative_to(out) for path in given) else [out]


def _report(outcome: Outcome, summary: Summary) -> None:
    """One line for an image: what was found in it, and in all so far."""
    image = outcome.image
    if image.error:
        _notice(image.error if PurePosixPath(image.name).name in image.error else f"{image.name}: {image.error}")
        return
    counts = {name: sum(one.label == name for one in image.instances) for name in summary.classes}
    found = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing"
    uncertain = sum(one.status is Status.UNCERTAIN for one in image.instances)
    more = [f"{uncertain} uncertain"] * bool(uncertain) + ["corrected"] * image.corrected + ["saved"] * outcome.saved
    found += f" ({', '.join(more)})" if more else ""
    print(f"{outcome.number} of {outcome.total}: {image.name}: {found}; {summary.instances} so far", flush=True)


class _Cost:
    """The time that the images took which this run labelled, those that were saved left out."""

    def __init__(self) -> None:
        self._start, self._start_of_cpu = time.perf_counter(), time.process_time()
        self.images, self.seconds, self.cpu_seconds = 0, 0.0, 0.0

    def add(self, outcome: Outcome) -> None:
        """Count an image, and the time up to now."""
        self.images += not outcome.saved and not outcome.image.error
        self.seconds, self.cpu_seconds = time.perf_counter() - self._start, time.process_time() - self._start_of_cpu

    def record(self) -> dict[str, float]:
        """As plain data."""
        return {"images": self.images, "seconds": round(self.seconds, 2), "cpu_seconds": round(self.cpu_seconds, 2)}

    def __str__(self) -> str:
        if not self.images:
            return ""
        each, cpu = self.seconds / self.images, self.cpu_seconds / self.images
        what = _count(self.images, "image")
        return f"{what} labelled in {self.seconds:.1f} s: {each:.2f} s and {cpu:.2f} CPU seconds an image\n"


def _finish(summary: Summary, share: Share) -> None:
    """The counts of each class, and which were not found at all."""
    print(summary.table())
    part = f" of share {share.label}" if share.of > 1 else ""
    failed = f"; {_count(len(summary.failed), 'image')} failed" if summary.failed else ""
    print(f"{_count(summary.instances, 'instance')} in {_count(summary.images, 'image')}{part}{failed}")
    if summary.absent and summary.images:
        _notice(
            f"Nothing was found of {', '.join(summary.absent)}{' in this share' if part else ''}; check the examples "
            "of these classes, or give a lower --threshold and --reject-threshold."
        )
    if part:
        print("When all shares are done, run this without --shard and with --resume for the formats.")


def _track(folder: LabelFolder, given: Mapping[str, Clip]) -> int:
    """Give the instances of each clip their tracks; returns how many could not be given them."""
    failed = 0
    for stem, clip in given.items():
        try:
            print(f"{clip.name}: {_count(tracks.save(folder, stem, clip.fps), 'track')}")
        except OutputError as error:
            failed += 1
            _notice(f"{clip.name} has no tracks: {error}")
    return failed


def _export(folder: LabelFolder, items: Sequence[Item], arguments: argparse.Namespace) -> int:
    """Write the formats; returns how many could not be written."""
    given = {item.name: item.source for item in items}
    others = [name for name in folder.names() if name not in given]
    if others:
        named = ", ".join(others[:NAMED]) + (f" and {len(others) - NAMED} more" if len(others) > NAMED else "")
        _notice(
            f"{arguments.output} also holds labels of images that are no input now: {named}; they are exported too, so "
            f"remove their files in {LABELS} if they should not be."
        )
    if not arguments.format:
        return 0
    try:
        report = formats.export(
            folder,
            folder.folder,
            arguments.format,
            split=arguments.split,
            seed=arguments.seed,
            images=arguments.images,
            find=partial(_file, given),
        )
    except OutputError as error:
        _notice(str(error))
        return 1
    for message in report.messages(absent=False):  # the counts of the run name those classes
        print(message)
    return 0


def _file(given: Mapping[str, Callable[[], Source]], image: LabelledImage) -> Path | bytes | None:
    """The file of an image, also of a member of a zip; None where it cannot be read any more."""
    if image.file or image.name not in given:
        return formats.file_of(image)
    try:
        source = given[image.name]()
    except InputError:
        return None
    return source if isinstance(source, Path | bytes) else None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _notice(message: str) -> None:
    print(f"ipseg: {message}", file=sys.stderr)
