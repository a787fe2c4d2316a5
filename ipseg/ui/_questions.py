"""What a visitor of the first tab asks, and what their session holds of the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ipseg.core import images
from ipseg.core.masks import with_masks
from ipseg.core.result import Result
from ipseg.core.types import ImageError, Points, Progress, Prompt, SettingError
from ipseg.engine.protocol import Engine
from ipseg.engine.spec import EngineSpec
from ipseg.method import points
from ipseg.method.config import check_threshold
from ipseg.ui import _prompts as prompts
from ipseg.ui._inputs import whole
from ipseg.ui._pool import DISPLAY_SIDE, STEPS, EnginePool

MOST = 50  # images searched at once here; more are for the tab of batches
MOST_CLICKS = 64  # on one image

Clicks = tuple[tuple[float, float, bool], ...]
"""(x, y) in pixels of the upright image, and whether it is the object."""


@dataclass(frozen=True)
class Question:
    """One question, about one image or several; nothing is opened yet."""

    spec: EngineSpec
    prompts: tuple[str, ...]
    images: tuple[str, ...]
    mask: str | None
    negative_prompt: tuple[str, ...]
    all_instances: bool
    numbers: dict[str, Any]
    mask_value: float | None = None  # which value of the mask is the object, where it has several

    def check(self) -> None:
        """What is missing gets its message before any work is done."""
        if not self.prompts:
            raise ImageError("There is no image of the object yet; add one on the left.")
        if not self.images:
            raise ImageError("There is no image to search yet; add one on the right.")
        if len(self.images) > MOST:
            raise ImageError(f"There are {len(self.images)} images to search; give at most {MOST}, or use Batch.")
        prompts.check(self.prompts, self.negative_prompt)
        check_numbers(self.numbers)


@dataclass(frozen=True)
class Seen:
    """Of one image, what the session holds: small things and the names of files, no pixels."""

    name: str
    size: tuple[int, int] = (1, 1)  # (height, width) of the image
    caption: str = ""
    overlay: str = ""  # a file of the page's cache, as the next
    files: tuple[tuple[str, str], ...] = ()  # name in the ZIP, and file
    found: bool = False
    error: str = ""  # why there is no answer
    clicks: Clicks = ()


@dataclass(frozen=True)
class Session:
    """The answers of one visitor, and which of them is shown."""

    seen: tuple[Seen, ...] = ()
    which: int = 0

    @property
    def shown(self) -> Seen | None:
        """The image whose answer is shown."""
        return self.seen[self.which] if self.which < len(self.seen) else None

    def put(self, one: Seen) -> Session:
        """With another answer for the image that is shown."""
        return replace(self, seen=(*self.seen[: self.which], one, *self.seen[self.which + 1 :]))

    def clicked(self, clicks: Clicks) -> Session:
        """With other clicks on the image that is shown."""
        return self.put(replace(self.seen[self.which], clicks=clicks[-MOST_CLICKS:]))


def check_numbers(numbers: Mapping[str, Any]) -> None:
    """Raise SettingError for K, c or a threshold out of range."""
    points.check(numbers["k"], numbers["clusters"])
    if numbers["threshold"] is not None:
        check_threshold(numbers["threshold"])


def numbers_of(k: float, clusters: float, threshold: float) -> dict[str, Any]:
    """The numbers of the sidebar as the engine takes them."""
    return {"k": whole(k), "clusters": whole(clusters), "threshold": threshold}


def paths(gallery: Sequence[Any] | None) -> tuple[str, ...]:
    """The files of a gallery."""
    return tuple(path for path, _ in gallery or ())


def on_picture(place: Sequence[float], size: tuple[int, int]) -> tuple[float, float]:
    """A pixel of the image as the page shows it, in the image's own pixels."""
    scale = max(1.0, max(size) / DISPLAY_SIDE)
    return (place[0] + 0.5) * scale, (place[1] + 0.5) * scale


def as_points(clicks: Clicks) -> Points | None:
    """Clicks as points; None where there are none."""
    if not clicks:
        return None
    positive, negative = ([(x, y) for x, y, sign in clicks if sign is wanted] for wanted in (True, False))
    return Points(*(np.array(each, dtype=np.float32).reshape(-1, 2) for each in (positive, negative)))


def as_clicks(given: Any) -> Clicks:
    """Clicks as the API takes them: [[x, y, 1 or 0], ...]."""
    try:
        read = tuple((float(x), float(y), {1: True, 0: False}[sign]) for x, y, sign in given or ())
    except (TypeError, ValueError, KeyError):
        raise SettingError(
            "clicks are not readable; give [[x, y, 1], [x, y, 0]], 1 on the object and 0 beside."
        ) from None
    if len(read) > MOST_CLICKS:
        raise SettingError(f"There are {len(read)} clicks; give at most {MOST_CLICKS}.")
    return read


@dataclass(frozen=True)
class Ready:
    """An engine with its prompts, ready for any number of images."""

    engine: Engine
    prompt: Prompt
    negative_prompt: Prompt | None
    question: Question

    def answer(self, path: str, clicks: Clicks = (), report: Progress | None = None) -> Result:
        """The answer for one image."""
        picture = images.open_image(path)
        return self.engine.segment(
            self.prompt,
            picture,
            negative_prompt=self.negative_prompt,
            clicks=as_points(clicks),
            all_instances=self.question.all_instances,
            progress=report,
            **self.question.numbers,
        )


def ready(pool: EnginePool, question: Question, report: Progress) -> Ready:
    """The engine of a question with its prompts; raises InputError where one cannot be used."""
    question.check()
    look = partial(report, 0.0, "prompt")
    masks = [question.mask or None, *([None] * (len(question.prompts) - 1))]
    shown = with_masks(list(question.prompts), masks, mask_value=whole(question.mask_value), report=look)
    others = prompts.opened(question.negative_prompt, look)
    if not pool.loaded(question.spec):
        report(0.0, "models")
    engine = pool.engine(question.spec)
    prompt = engine.prompt([picture for picture, _ in shown], [mask for _, mask in shown], progress=report)
    negative_prompt = engine.prompt(others, progress=report) if others else None
    return Ready(engine, prompt, negative_prompt, question)


def of_many(report: Progress, number: int, count: int) -> Progress:
    """The progress of one image among several."""
    if count == 1:
        return report
    return lambda share, step: report((number + share) / count, f"{number + 1} of {count}: {STEPS.get(step, step)}")
