"""What the session of a visitor saves of the results: captions and the paths of files, no pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ipseg.core.status import Status
from ipseg.ui.widgets.clicks import MOST_CLICKS, Clicks


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
    scores: tuple[float, ...] = ()  # of its instances
    cut_out: str = ""  # a file of the page's cache, (H, W, 4) RGBA: the image, and as alpha what is in the mask
    record: Mapping[str, Any] = field(default_factory=dict)  # the result as data


@dataclass(frozen=True)
class SavedResults:
    """The results of one visitor, and which of them is shown."""

    results: tuple[SavedResult, ...] = ()
    which: int = 0

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
