"""PerSeg (Zhang et al., 2024): 40 objects, the first image of each is the prompt, all others are inputs.

::

    Images/<object>/NN.jpg
    Annotations/<object>/NN.png    0 and 255

"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ipseg.core.types import InputError
from ipseg.datasets import _folders, folder
from ipseg.datasets._episodes import Dataset, Episode, EvaluationProtocol

TITLE = "PerSeg"
SOURCE = "github.com/ZrrSkywalker/Personalize-SAM links to it; in this layout: the Hub dataset xhk/IPSeg-Datasets"
LICENCE = "none is stated with the data; the code of Personalize-SAM is MIT"
PROTOCOL = EvaluationProtocol(
    "each object's image 00 is the prompt, all others are scored at their own size; pixels summed per object, mean "
    "over objects",
    accuracy=True,
    unit="objects",
    classes=40,
)


@dataclass(frozen=True)
class Settings:
    """Which prompts."""

    data: Path  # the folder
    prompt: str = "00"  # the name of the prompt image of each object, without its ending


def build(settings: Settings) -> Dataset:
    """One episode for each image but the prompts."""
    _folders.need(settings.data, ["Images", "Annotations"], SOURCE)
    found = []
    for name, group in groupby(folder.samples(settings.data), key=lambda sample: sample.object):
        samples = list(group)
        prompts = [sample for sample in samples if sample.image.stem == settings.prompt]
        if not prompts:
            raise InputError(f"The object {name} has no image {settings.prompt}; {SOURCE}.")
        prompt = folder.annotated(prompts[0])
        rest = [folder.annotated(sample) for sample in samples if sample is not prompts[0]]
        found += [Episode(f"{name}/{side.image.stem}", prompt, side, name, unit=name) for side in rest]
    return Dataset("perseg", tuple(found), PROTOCOL, {"prompt": settings.prompt})
