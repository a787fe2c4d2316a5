"""A set of images, segmented one after another; one that cannot be used gives an error message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ipseg.batch.inputs import Item
from ipseg.batch.predictions import Prediction, Predictor
from ipseg.core import resources, viz
from ipseg.core.types import ImageArray, InputError, Mask, SettingError, Stopped


@dataclass(frozen=True)
class Outcome:
    """The prediction for one image, or the message of its error."""

    number: int  # from 1
    total: int
    item: Item
    image: ImageArray | None = None
    prediction: Prediction | None = None
    error: str = ""  # one message, where there is no prediction


def run(predictor: Predictor, items: Sequence[Item]) -> Iterator[Outcome]:
    """Segment each item in turn; ends early, without an error, when ``predictor.stop`` returns True.

    Only one image is in memory at a time. Raises SettingError, since a wrong setting is wrong for all images.
    """
    for number, item in enumerate(items, start=1):
        if predictor.stop():
            return
        place = (number, len(items), item)
        try:
            with resources.named():
                image = item.open()
                prediction = predictor.predict(image)
        except Stopped:
            return
        except SettingError:
            raise
        except InputError as error:
            yield Outcome(*place, error=str(error))
        else:
            yield Outcome(*place, image, prediction)


def overlay(image: ImageArray, prediction: Prediction, mask: Mask | None = None) -> ImageArray:
    """The (H, W, 3) uint8 image with its mask drawn over it, likewise: in the colour of its status.

    ``mask``: (H, W) bool, drawn instead of the prediction's best guess.
    """
    shown = prediction.guess if mask is None else mask
    return viz.overlay(image, shown, colour=viz.colour_of(prediction.status))
