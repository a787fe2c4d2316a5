"""What the session of a visitor saves of the results: captions and the paths of files, no pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ipseg.core.status import Status
from ipseg.ui.tabs.segment.instances import Edit
from ipseg.ui.widgets.clicks import MOST_CLICKS, Clicks


@dataclass(frozen=True)
class SavedInstance:
    """What the session saves of one instance; its pixels are those of its number in the file of the numbers."""

    number: int
    score: float
    status: Status
    by_hand: bool = False  # corrected or added by a person
    points: Clicks = ()  # of the method, which led to it

    @property
    def name(self) -> str:
        """As the page names it."""
        return f"{self.number} (by hand)" if self.by_hand else f"{self.number} ({self.score:.2f})"


@dataclass(frozen=True)
class SavedResult:
    """What the session saves of one image: captions and the paths of files, no pixels."""

    name: str
    size: tuple[int, int] = (1, 1)  # (height, width) of the image
    caption: str = ""
    words: str = ""  # its state, as the page says it
    overlay: str = ""  # a file of the page's cache, as the next
    files: tuple[tuple[str, str], ...] = ()  # name in the ZIP, and file
    status: Status = Status.NOT_DETECTED
    error: str = ""  # why there is no answer
    clicks: Clicks = ()
    accepted: bool = False  # whether the visitor takes the best guess whatever its score
    cut_out: str = ""  # a file of the page's cache, (H, W, 4) RGBA: the image, and as alpha what is in the mask
    record: Mapping[str, Any] = field(default_factory=dict)  # the result as data
    instances: tuple[SavedInstance, ...] = ()  # where all were asked for and any was found, also those switched off
    numbers: str = ""  # a file of the page's cache, (H, W): the number of the instance that holds each pixel
    off: tuple[int, ...] = ()  # the numbers of the instances that are switched off
    edits: tuple[Edit, ...] = ()  # the clicks that correct and add instances
    found: int = 0  # how many instances there were before these
    area: float = 0.0  # share of the image that the shown mask fills

    @property
    def on(self) -> tuple[SavedInstance, ...]:
        """The instances that are not switched off."""
        return tuple(one for one in self.instances if one.number not in self.off)


@dataclass(frozen=True)
class SavedResults:
    """The results of one visitor, and which of them is shown."""

    results: tuple[SavedResult, ...] = ()
    which: int = 0
    all_instances: bool = False  # whether they are about all instances
    engine: str = ""  # the name of the engine, as the next of the last answer
    seconds: float = 0.0
    notices: tuple[str, ...] = ()  # about the prompt

    @property
    def shown(self) -> SavedResult | None:
        """The image whose result is shown."""
        return self.results[self.which] if self.which < len(self.results) else None

    @property
    def cut_out(self) -> str:
        """The file of the cut-out of the result that is shown; "" where there is none."""
        return self.shown.cut_out if self.shown else ""

    def put(self, one: SavedResult) -> SavedResults:
        """With another result for the image that is shown."""
        return replace(self, results=(*self.results[: self.which], one, *self.results[self.which + 1 :]))

    def clicked(self, clicks: Clicks) -> SavedResults:
        """With other clicks on the image that is shown."""
        return self.put(replace(self.results[self.which], clicks=clicks[-MOST_CLICKS:]))
