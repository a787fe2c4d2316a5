"""One request of the tab "Segment" or of its endpoints, and the session that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ipseg.core.types import ImageError, Progress
from ipseg.engine.session import SegmentSession
from ipseg.engine.spec import EngineSpec
from ipseg.method.config import Parameters
from ipseg.method.marks import Marks
from ipseg.method.saved_prompt import is_saved
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.progress import STEPS
from ipseg.ui.server.prompts import open_prompts
from ipseg.ui.tabs.segment import render
from ipseg.ui.widgets.inputs import whole
from ipseg.ui.widgets.painting import painted

MOST = 50  # images of one request; Batch takes more


@dataclass(frozen=True)
class SegmentRequest:
    """One request about one image or several; its files are not opened yet. Raises ImageError for what is missing."""

    prompts: tuple[str, ...]
    images: tuple[str, ...]
    mask: str | None
    negative_prompt: tuple[str, ...]
    all_instances: bool
    parameters: Parameters
    mask_value: float | None = None  # the value of the object, for a mask with several values
    marks: Marks | None = None  # on the first prompt image, as the next
    paint: str | None = None  # the file of a painted mask

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ImageError("There is no image of the object yet; add one first.")
        if not self.images:
            raise ImageError("There is no image to search yet; add one first.")
        if len(self.images) > MOST:
            raise ImageError(f"There are {len(self.images)} images to search; give at most {MOST}, or use Batch.")

    @property
    def source(self) -> str:
        """Where the mask of the first prompt image comes from, if it has one, as the page says it."""
        if self.mask:
            return render.GIVEN
        if self.marks is None or self.marks.empty:
            return render.PAINTED if self.paint else render.GIVEN
        by = render.BY_BOX if self.marks.boxes else render.BY_CLICK
        clicks = len(self.marks.points.positive) + len(self.marks.points.negative)
        if self.marks.boxes:
            return f"{by}{'es' * (len(self.marks.boxes) > 1)}{' and clicks' * (clicks > 0)}"
        return f"{by}{'s' * (clicks > 1)}"

    @property
    def has_saved(self) -> bool:
        """Whether saved prompts are among the prompt images."""
        return any(map(is_saved, self.prompts))

    def session(self, pool: EnginePool, spec: EngineSpec, report: Progress) -> SegmentSession:
        """Open the prompts, build the engine and encode them; raises InputError for what cannot be used."""
        prompts = open_prompts(
            self.prompts,
            self.negative_prompt,
            mask=self.mask,
            mask_value=whole(self.mask_value),
            on_open=partial(report, 0.0, "prompt"),
        )
        masks, first = list(prompts.masks), prompts.images[0]
        if masks[0] is None and isinstance(first, np.ndarray):
            masks[0] = painted(self.paint, first.shape[:2])
        return SegmentSession.of(
            pool.engine(spec, report),
            prompts.images,
            masks,
            prompts.negative,
            marks=self.marks,
            parameters=self.parameters,
            all_instances=self.all_instances,
            progress=report,
        )


def usual_threshold(session: SegmentSession) -> float:
    """The engine's own threshold; 0 where the visitor has chosen none in its place."""
    return 0.0 if session.parameters.threshold is None else session.engine.config.threshold


def paths(gallery: Sequence[Any] | None) -> tuple[str, ...]:
    """The files of a gallery."""
    return tuple(path for path, _ in gallery or ())


def of_many(report: Progress, count: int, number: int) -> Progress:
    """The progress of one image among several."""
    if count == 1:
        return report
    return lambda share, step: report((number + share) / count, f"{number + 1} of {count}: {STEPS.get(step, step)}")
