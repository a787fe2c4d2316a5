"""The images of a run, one after another; one that cannot be used is told by its name, and the rest go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ipseg.batch.inputs import Item
from ipseg.batch.looks import Look, Question, Stopped
from ipseg.core import resources, viz
from ipseg.core.types import ImageArray, InputError, Mask, SettingError


@dataclass(frozen=True)
class Outcome:
    """What became of one image."""

    number: int  # from 1
    total: int
    item: Item
    picture: ImageArray | None = None
    look: Look | None = None
    error: str = ""  # one message, where there is no answer


def run(question: Question, items: Sequence[Item]) -> Iterator[Outcome]:
    """Ask about every item in turn; ends early, and quietly, when the question is told to stop.

    Only one image is in memory at a time. Raises SettingError: that would be the same for all of them.
    """
    for number, item in enumerate(items, start=1):
        if question.stop():
            return
        place = (number, len(items), item)
        try:
            with resources.named():
                picture = item.open()
                look = question.look(picture)
        except Stopped:
            return
        except SettingError:
            raise
        except InputError as error:
            yield Outcome(*place, error=str(error))
        else:
            yield Outcome(*place, picture, look)


def overlay(picture: ImageArray, look: Look, mask: Mask | None = None) -> ImageArray:
    """The image with its mask, (H, W, 3) uint8: amber where the object was found, grey where it is a guess."""
    shown = look.guess if mask is None else mask
    return viz.overlay(picture, shown, colour=viz.MASK if look.found else viz.GUESS)
