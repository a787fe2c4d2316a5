"""Label a dataset of images and clips: what ``ipseg.label`` is, and what the command and the page have in common.

inputs --> images, and clips that are opened --> frames of each clip as images --> labels --> track ids
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ipseg.annotations.labels import LabelFolder, LabelledImage
from ipseg.batch import clips, video
from ipseg.batch.clips import Clip, ClipError
from ipseg.core import overlap
from ipseg.core.types import ImageError
from ipseg.engine.processes import Share
from ipseg.engine.protocol import Engine
from ipseg.labelling import frames, tracks
from ipseg.labelling.frames import ALL, Sampled
from ipseg.labelling.run import MAX_IMAGES, Item, Labeller, items_of, prepare, run
from ipseg.labelling.tracks import FrameBoxes, Tracker


@dataclass(frozen=True)
class Inputs:
    """The images and the clips that are given, of which headers alone are read."""

    items: tuple[Item, ...]  # the images
    clips: Mapping[str, Clip]  # by the folder name of their frames
    errors: Mapping[str, str]  # of clips that cannot be used, by their file names: one message each
    per_second: float = video.PER_SECOND  # frames of a clip that are labelled, at most
    most: int = MAX_IMAGES  # images and frames together

    def sample(
        self, stem: str, output: Path, count: int, share: Share = ALL, stop: Callable[[], object] = lambda: None
    ) -> Sampled:
        """The frames of a clip, written into ``output``: see :func:`ipseg.labelling.frames.sample`.

        ``count``: the images and frames that come before. ``stop`` is called before each frame, and may raise. A clip
        that cannot be read, or not to its end, is an error of what is returned. Raises
        :class:`~ipseg.core.types.ImageError` where there are more than ``most`` images and frames.
        """
        clip = self.clips[stem]
        try:
            sizes: dict[str, Any] = {"per_second": self.per_second, "share": share, "first": count}
            found = frames.sample(clip, stem, output, stop=stop, most=self.most - count, **sizes)
        except ClipError as error:
            found = Sampled((), str(error))
        if count + len(found.items) > self.most:
            raise ImageError(f"There are more than {self.most} images; give at most that many at once.")
        return found


def open_inputs(
    given: Any,
    *,
    most: int = MAX_IMAGES,
    leave_out: Sequence[Path] = (),
    per_second: float = video.PER_SECOND,
    max_seconds: float = clips.MAX_SECONDS,
) -> Inputs:
    """Open what is given: a folder, a zip, an image, a clip, or a list of these, or of arrays and other images.

    A clip that cannot be opened is an entry of ``errors``. ``leave_out``: as of :func:`ipseg.labelling.run.items_of`;
    ``max_seconds``: the longest clip to take. Raises what ``items_of`` raises for all that is no clip,
    :class:`~ipseg.core.types.SettingError` for numbers out of range and, where a clip is given, without the tracker;
    and :class:`~ipseg.batch.clips.ClipError` where the one input is a clip that cannot be opened.
    """
    values = list(given) if isinstance(given, list | tuple) else [given]
    paths = {place: Path(each) for place, each in enumerate(values) if isinstance(each, str | os.PathLike)}
    found = {place: path for place, path in paths.items() if frames.is_clip(path)}
    opened, errors = list[Clip](), dict[str, str]()
    if found:
        video.check(per_second)
        tracks.check()
    for path in found.values():
        try:
            opened.append(clips.open_clip(path, seconds=max_seconds))
        except ClipError as error:
            if len(values) == 1:
                raise
            errors[path.name] = str(error)
    others = [each for place, each in enumerate(values) if place not in found]
    images = tuple(items_of(others if found else given, most=most, leave_out=leave_out)) if others or not found else ()
    stems = frames.stems(opened, [item.name for item in images])
    return Inputs(images, dict(zip(stems, opened, strict=True)), errors, per_second, most)


def label(
    examples: Any,
    images: Any,
    output: str | os.PathLike[str] | None = None,
    *,
    engine: Engine | None = None,
    k: int | None = None,
    clusters: int | None = None,
    threshold: float | None = None,
    reject_threshold: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    workers: int = overlap.WORKERS,
    most: int = MAX_IMAGES,
    per_second: float = video.PER_SECOND,
    max_seconds: float = clips.MAX_SECONDS,
) -> Iterator[LabelledImage]:
    """Find every instance of several classes, each shown by example images, in many images.

    ``examples``: a folder with one folder of images per class, a ``classes.yaml``, a zip, or a mapping from the name of
    a class to its images (:func:`ipseg.labelling.examples.read`). ``images``: a folder, a zip, a file, a clip, or a
    list of these, or of arrays or PIL images; at most ``most``, frames included. ``output``: a folder in which the
    labels of each image are saved at once (:class:`ipseg.annotations.labels.LabelFolder`), and the frames of clips;
    ``resume`` goes on with a run that is there, ``overwrite`` removes one, and corrected images stay as they were
    corrected. ``engine``: by default :func:`ipseg.load`. The thresholds, ``k`` and ``clusters`` are those of
    :meth:`ipseg.IPSeg.segment`. ``workers``: images that are worked on at once; the labels do not depend on it.
    ``per_second``: frames of a clip that are labelled; ``max_seconds``: the longest clip.

    Returns an iterator that labels an image when the next one is asked for, ``workers`` ahead, in the order of their
    names, then the frames of each clip in their order; an image that cannot be used has an ``error``, and so has one
    with the name of a clip that cannot be used. The instances of a clip have track ids, as soon as they come; with
    ``output`` they are saved when the last frame has come. Examples, engine, output and clips are checked at once.
    Raises :class:`~ipseg.core.types.InputError`.
    """
    out = None if output is None else Path(output)
    inputs = open_inputs(
        images, most=most, leave_out=[] if out is None else [out], per_second=per_second, max_seconds=max_seconds
    )
    labeller = Labeller(
        examples, engine, k=k, clusters=clusters, threshold=threshold, reject_threshold=reject_threshold
    )
    folder = None if out is None else prepare(out, labeller, resume=resume, overwrite=overwrite)
    return _labels(labeller, inputs, folder, workers)


def _labels(labeller: Labeller, inputs: Inputs, folder: LabelFolder | None, workers: int) -> Iterator[LabelledImage]:
    """The images, then the frames of each clip, then what says why a clip cannot be used."""
    for outcome in run(labeller, inputs.items, folder, workers=workers):
        yield outcome.image
    errors, count = dict(inputs.errors), len(inputs.items)
    for stem, clip in inputs.clips.items():
        with ExitStack() as stack:
            place = folder.folder if folder else Path(stack.enter_context(TemporaryDirectory(prefix="ipseg-frames-")))
            found = inputs.sample(stem, place, count)
            count += len(found.items)
            yield from _of_clip(labeller, stem, clip, found, folder, workers)
        if found.error:
            errors[clip.name] = found.error
    yield from (LabelledImage(name, (0, 0), error=error) for name, error in errors.items())


def _of_clip(
    labeller: Labeller, stem: str, clip: Clip, found: Sampled, folder: LabelFolder | None, workers: int
) -> Iterator[LabelledImage]:
    """The labels of the frames of a clip, with track ids, which are saved at the end.

    They follow from the labels before corrections, which have their own.
    """
    times = [frames.number_of(item.name) / clip.fps for item in found.items]
    tracker = Tracker(times, labeller.classes)
    for outcome, time in zip(run(labeller, found.items, folder, workers=workers), times, strict=True):
        image = outcome.image
        original = folder.read(image.name, original=True) if folder and image.corrected else image
        ids = tracker.add(FrameBoxes.of(original, time))
        if not image.corrected:
            image = tracks.tracked(image, ids)
        yield image if folder else replace(image, file="")
    if folder:
        tracks.save(folder, stem, clip.fps)
