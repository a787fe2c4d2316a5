"""The requests of the tab "Segment", and what a session saves of the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ipseg.core import images
from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.core.types import ImageError, Points, Progress, Prompt, SettingError
from ipseg.engine.protocol import Engine
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.progress import STEPS
from ipseg.ui.server.prompts import open_prompts
from ipseg.ui.widgets.images import DISPLAY_SIDE
from ipseg.ui.widgets.inputs import check_numbers, whole

MOST = 50  # images of one request; Batch takes more
MOST_CLICKS = 64  # on one image

Clicks = tuple[tuple[float, float, bool], ...]
"""(x, y) in pixels of the upright image, and whether it is the object."""


@dataclass(frozen=True)
class Question:
    """One request about one image or several; its files are not opened yet.

    Raises InputError for what is missing and for numbers out of range.
    """

    prompts: tuple[str, ...]
    images: tuple[str, ...]
    mask: str | None
    negative_prompt: tuple[str, ...]
    all_instances: bool
    numbers: dict[str, Any]
    mask_value: float | None = None  # the value of the object, for a mask with several values

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ImageError("There is no image of the object yet; add one first.")
        if not self.images:
            raise ImageError("There is no image to search yet; add one first.")
        if len(self.images) > MOST:
            raise ImageError(f"There are {len(self.images)} images to search; give at most {MOST}, or use Batch.")
        check_numbers(self.numbers)


@dataclass(frozen=True)
class SavedResult:
    """What the session saves of one image: captions and the paths of files, no pixels."""

    name: str
    size: tuple[int, int] = (1, 1)  # (height, width) of the image
    caption: str = ""
    overlay: str = ""  # a file of the page's cache, as the next
    files: tuple[tuple[str, str], ...] = ()  # name in the ZIP, and file
    status: Status = Status.NOT_DETECTED
    error: str = ""  # why there is no answer
    clicks: Clicks = ()


@dataclass(frozen=True)
class Session:
    """The results of one visitor, and which of them is shown."""

    saved: tuple[SavedResult, ...] = ()
    which: int = 0

    @property
    def shown(self) -> SavedResult | None:
        """The image whose result is shown."""
        return self.saved[self.which] if self.which < len(self.saved) else None

    def put(self, one: SavedResult) -> Session:
        """With another result for the image that is shown."""
        return replace(self, saved=(*self.saved[: self.which], one, *self.saved[self.which + 1 :]))

    def clicked(self, clicks: Clicks) -> Session:
        """With other clicks on the image that is shown."""
        return self.put(replace(self.saved[self.which], clicks=clicks[-MOST_CLICKS:]))


def paths(gallery: Sequence[Any] | None) -> tuple[str, ...]:
    """The files of a gallery."""
    return tuple(path for path, _ in gallery or ())


def to_image(place: Sequence[float], size: tuple[int, int]) -> tuple[float, float]:
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
    """An engine with the encoded prompts, ready for any number of images."""

    engine: Engine
    prompt: Prompt
    negative_prompt: Prompt | None
    question: Question

    def segment(self, path: str, clicks: Clicks = (), report: Progress | None = None) -> Result:
        """The result for one image file."""
        return self.engine.segment(
            self.prompt,
            images.open_image(path),
            negative_prompt=self.negative_prompt,
            clicks=as_points(clicks),
            all_instances=self.question.all_instances,
            progress=report,
            **self.question.numbers,
        )


def ready(pool: EnginePool, spec: EngineSpec, question: Question, report: Progress) -> Ready:
    """Open the prompts, build the engine and encode them; raises InputError for what cannot be used."""
    prompts = open_prompts(
        question.prompts,
        question.negative_prompt,
        mask=question.mask,
        mask_value=whole(question.mask_value),
        on_open=partial(report, 0.0, "prompt"),
    )
    if not pool.loaded(spec):
        report(0.0, "models")
    engine = pool.engine(spec)
    return Ready(engine, *prompts.encode(engine, report), question)


def of_many(report: Progress, number: int, count: int) -> Progress:
    """The progress of one image among several."""
    if count == 1:
        return report
    return lambda share, step: report((number + share) / count, f"{number + 1} of {count}: {STEPS.get(step, step)}")
