"""The run of the tab "Label": it yields the labels of one image after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ipseg.annotations.labels import LabelledImage
from ipseg.batch import inputs
from ipseg.batch.inputs import Item
from ipseg.core import resources
from ipseg.core.images import fingerprint
from ipseg.core.masks import with_masks
from ipseg.core.types import ImageArray, ImageError, InputError, SettingError, Stopped
from ipseg.labelling.matching import ClassPrompt, label_image
from ipseg.ui.server import prompts
from ipseg.ui.server.limits import Watch
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.label.session import Request, Review, create

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


def gathered(files: Sequence[str]) -> list[Item]:
    """The images to label. Raises ImageError as :func:`ipseg.batch.inputs.gather` does."""
    return inputs.gather(files)


def start(request: Request, items: Sequence[Item]) -> Review:
    """A session with an empty folder of labels."""
    return create(request, items)


def run(pool: EnginePool, review: Review, watch: Watch) -> Iterator[tuple[str, LabelledImage | None]]:
    """Label the images that no person corrected, and save their labels; ends early when ``watch`` has ended.

    Yields the name of the image that comes next with None, and then its labels, reduced. Raises what making the
    prompts raises.
    """
    labels = review.labels
    engine = pool.engine(review.request.spec, lambda *_: watch.check())
    classes = [ClassPrompt(name, _prompt(engine, shown, watch)) for name, shown in review.request.classes]
    known = set(labels.names())
    for name, item in review.items.items():
        if watch.ended:
            return
        yield name, None
        if name in known and labels.read(name).corrected:
            yield name, review.small(name)[1]
            continue
        try:
            image, pixels = _labelled(engine, classes, review, name, item, watch)
        except Stopped:
            return
        labels.write(image)
        yield name, review.save_small(pixels, image)


def _labelled(
    engine: Any, classes: Sequence[ClassPrompt], review: Review, name: str, item: Item, watch: Watch
) -> tuple[LabelledImage, ImageArray | None]:
    def progress(*_: Any) -> None:
        if watch.ended:
            raise Stopped

    numbers = review.request.parameters.arguments()
    try:
        with resources.named():
            pixels = item.open()
            found = label_image(engine, classes, pixels, progress=progress, **numbers)
    except SettingError:
        raise
    except InputError as error:
        return LabelledImage(name, (0, 0), error=without_folders(str(error))), None
    return LabelledImage(name, pixels.shape[:2], found, content=fingerprint(pixels)), pixels


def _prompt(engine: Any, shown: Sequence[tuple[str, str | None]], watch: Watch) -> Any:
    """The prompt of one class; the time limit is checked before each file."""
    pairs = with_masks([path for path, _ in shown], [mask for _, mask in shown], report=watch.check)
    return engine.prompt([image for image, _ in pairs], [mask for _, mask in pairs], progress=lambda *_: watch.check())


def unless_all_failed(errors: Sequence[str]) -> None:
    """Raise :class:`ImageError` where no image could be used. ``errors``: of each, "" where there is none."""
    if errors and all(errors):
        first = errors[0]
        raise ImageError(first if len(errors) == 1 else f"None of the {len(errors)} images can be used: {first}")
