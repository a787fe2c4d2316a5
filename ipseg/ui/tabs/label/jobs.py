"""The run of the tab "Label": it yields the labels of one image after another."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ipseg.annotations.labels import CORRECTIONS, LabelledImage
from ipseg.batch import inputs, video
from ipseg.core.files import open_regular
from ipseg.core.images import MAX_BYTES
from ipseg.core.types import ImageError, SettingError
from ipseg.engine.protocol import Engine
from ipseg.labelling import examples, frames, tracks
from ipseg.labelling import run as labelling
from ipseg.labelling.dataset import Inputs, open_inputs
from ipseg.labelling.frames import is_clip
from ipseg.labelling.run import Item, Labeller
from ipseg.method.prompt import Prompt
from ipseg.ui.server import prompts
from ipseg.ui.server.limits import Watch
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.label.session import LABELS, Request, Review, create, remove

MOST_CLASSES = 100  # of one request


def check(classes: Sequence[tuple[str, Sequence[str]]], images: Sequence[str] | None) -> None:
    """Raise InputError for what is missing, too much, or named twice. Only headers of images are read."""
    if not classes:
        raise ImageError("There is no class yet; name one, and give an image that shows it.")
    if len(classes) > MOST_CLASSES:
        raise ImageError(f"There are {len(classes)} classes; give at most {MOST_CLASSES}.")
    names = [name for name, _ in classes]
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise SettingError(f'Two classes are named "{double}"; give each class a name of its own.')
    for name, shown in classes:
        if not name:
            raise SettingError("A class has example images and no name; give it one.")
        if not shown:
            raise ImageError(f'The class "{name}" has no example image; give it one, or remove the class.')
        prompts.check(list(shown))
    every = [path for _, shown in classes for path in shown]
    prompts.check_pixels(every, prompts.MAX_PIXELS, "The example images")
    if not images:
        raise ImageError("There are no images to label yet; give files, a zip or a folder.")


def tidy(name: str) -> str:
    """The name of a class as labels have it."""
    return unicodedata.normalize("NFC", name).strip()


def start(
    request: Request, files: Sequence[str], watch: Watch | None = None, *, per_second: float | None = None
) -> Review:
    """A session with an empty folder of labels, and the frames of clips, of which ``per_second`` are taken.

    Frames count like images. A clip that cannot be used, or not to its end, is an image that says why. Raises
    ImageError as :func:`ipseg.batch.inputs.gather` does, and what :func:`ipseg.labelling.dataset.open_inputs` raises.
    """
    paths = [Path(file) for file in files if is_clip(Path(file))]
    others = [file for file in files if Path(file) not in paths]
    rate = video.PER_SECOND if per_second is None else per_second
    given = open_inputs(paths, per_second=rate, most=inputs.MAX_IMAGES) if paths else None
    items = inputs.gather(others) if others else []
    review = create(request, items, [path for _, own in request.classes for path, _ in own] + [*files])
    if given is None:
        return review
    try:
        return _with_frames(review, given, watch)
    except BaseException:
        remove(review)
        raise


def _with_frames(review: Review, given: Inputs, watch: Watch | None) -> Review:
    """A session with the frames of clips, in its folder."""
    items, errors = dict(review.items), dict(given.errors)
    stems = frames.stems(list(given.clips.values()), items)
    opened = replace(given, clips=dict(zip(stems, given.clips.values(), strict=True)))
    for stem, clip in opened.clips.items():
        found = opened.sample(stem, review.place, len(items), stop=watch.check if watch else lambda: None)
        place = review.place / frames.FRAMES
        items |= {one.name: inputs.Item(one.name, partial(Path, place / one.name)) for one in found.items}
        errors |= {clip.name: found.error} if found.error else {}
    for name, error in errors.items():
        items[name] = inputs.Item(name, partial(_refuse, without_folders(error)))
    return replace(review, items=items, clips={stem: clip.fps for stem, clip in opened.clips.items()})


def run(pool: EnginePool, review: Review, watch: Watch) -> Iterator[LabelledImage]:
    """Label the images that no person corrected, and save their labels; ends early when ``watch`` has ended.

    Yields the labels of each image, reduced, those that were corrected first. Raises what making the prompts raises.
    """
    engine = pool.engine(review.request.spec, lambda *_: watch.check())
    classes = examples.read({name: [_shown(*each) for each in own] for name, own in review.request.classes})
    labeller = Labeller(classes, engine, **review.request.parameters.arguments())
    labels = labelling.prepare(review.place / LABELS, labeller, overwrite=True)
    labeller.prompts(lambda *_: watch.check())
    corrected = [name for name in review.items if (labels.folder / CORRECTIONS / f"{name}.json").exists()]
    yield from (review.small(name)[1] for name in corrected)
    items = [Item(name, partial(_bytes, item)) for name, item in review.items.items() if name not in corrected]
    for outcome in labelling.run(labeller, items, labels, stop=lambda: watch.ended):
        image = outcome.image
        if image.error:
            image = replace(image, error=without_folders(image.error))
        yield review.save_small(None if image.error else review.items[image.name].open(), image)
    for stem, fps in review.clips.items():
        tracks.save(labels, stem, fps)


def class_prompt(engine: Engine, request: Request, label: str) -> Prompt:
    """The prompt of one class, encoded again; what it takes of its images is cached. Raises InputError."""
    (one,) = examples.read({label: [_shown(*each) for each in dict(request.classes)[label]]})
    return one.class_prompt(engine).prompt


def _shown(path: str, mask: str | None) -> Any:
    return (path, mask) if mask else path


def _refuse(message: str) -> bytes:
    raise ImageError(message)


def _bytes(item: inputs.Item) -> bytes:
    """The content of a file, so that no path of the server is saved."""
    source = item.source()
    if isinstance(source, bytes):
        return source
    try:
        with open_regular(source) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{item.name} cannot be read ({error.strerror}); check the file.") from None


def unless_all_failed(errors: Sequence[str]) -> None:
    """Raise :class:`ImageError` where no image could be used. ``errors``: of each, "" where there is none."""
    if errors and all(errors):
        first = errors[0]
        raise ImageError(first if len(errors) == 1 else f"None of the {len(errors)} images can be used: {first}")
