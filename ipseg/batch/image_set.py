"""A set of images, a few of which are segmented at once; one that cannot be used gives an error message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from ipseg.batch.inputs import Item
from ipseg.batch.predictions import Prediction, Predictor
from ipseg.core import overlap, resources, viz
from ipseg.core.types import ImageArray, InputError, Mask, SettingError, Stopped
from ipseg.method.steps import Steps


@dataclass(frozen=True)
class Outcome:
    """The prediction for one image, or the message of its error."""

    number: int  # from 1
    total: int
    item: Item
    image: ImageArray | None = None
    prediction: Prediction | None = None
    error: str = ""  # one message, where there is no prediction
    earlier: bool = False  # whether an earlier run computed the prediction
    seconds: Mapping[str, float] = field(default_factory=dict)  # of "open" and "segment", which overlap others'


def run(predictor: Predictor, items: Sequence[Item], *, workers: int = overlap.WORKERS) -> Iterator[Outcome]:
    """Segment the items, ``workers`` at once, in their order; ends early when ``predictor.stop`` returns True.

    At most ``workers`` images are in memory beside the one that was handed out last. Raises SettingError, since a
    wrong setting is wrong for all images.
    """
    numbered = [(number, len(items), item) for number, item in enumerate(items, start=1)]
    with suppress(Stopped):
        yield from overlap.in_order(partial(_outcome, predictor), numbered, workers=workers)


def _outcome(predictor: Predictor, place: tuple[int, int, Item]) -> Outcome:
    if predictor.stop():
        raise Stopped
    seconds = Steps(None)
    try:
        with resources.named():
            with seconds("open", 0.0):
                image = place[2].open()
            with seconds("segment", 0.0):
                prediction = predictor.predict(image)
    except SettingError:
        raise
    except InputError as error:
        return Outcome(*place, error=str(error), seconds=seconds.seconds)
    return Outcome(*place, image, prediction, seconds=seconds.seconds, earlier=not predictor.is_fresh(image))


def overlay(image: ImageArray, prediction: Prediction, mask: Mask | None = None) -> ImageArray:
    """The (H, W, 3) uint8 image with its mask drawn over it, likewise: in the colour of its status.

    ``mask``: (H, W) bool, drawn instead of the prediction's best guess.
    """
    shown = prediction.guess if mask is None else mask
    return viz.overlay_of(image, shown, prediction.status)
