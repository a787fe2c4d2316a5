"""Several classes in one image: which of them are there, their instances, and which class each pixel belongs to.

    image --> encoded once --> all classes on all cells (one matrix product) --> classes that can be there
          --> instances of each (IPSeg.segment) --> pixels to the class with the better score

Not in the paper, which segments one object in one image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ipseg.annotations.labels import LabelledInstance
from ipseg.core.images import Source
from ipseg.core.result import Result
from ipseg.core.types import Progress, SettingError
from ipseg.engine.protocol import Engine
from ipseg.method.config import Parameters
from ipseg.method.encodings import Named, named
from ipseg.method.prompt import Prompt

CLAIMED = 0.5  # share of an instance that better ones claim, from which on it is no instance of its own


@dataclass(frozen=True)
class ClassPrompt:
    """One class: its name, the prompt of its example images, and perhaps a prompt of what is not meant."""

    name: str
    prompt: Prompt
    negative: Prompt | None = None


def label_image(
    engine: Engine,
    classes: Sequence[ClassPrompt],
    image: Source,
    *,
    k: int | None = None,
    clusters: int | None = None,
    threshold: float | None = None,
    reject_threshold: float | None = None,
    progress: Progress | None = None,
) -> tuple[LabelledInstance, ...]:
    """Every instance of every class in an image, the best score first; masks do not overlap.

    ``k``, ``clusters``, ``threshold``, ``reject_threshold``: as of :meth:`ipseg.method.pipeline.IPSeg.segment`; an
    instance scores the reject threshold or more, and is uncertain below the threshold. Raises
    :class:`~ipseg.core.types.SettingError` for no class, two of one name, or numbers out of range, and
    :class:`~ipseg.core.types.ImageError` for an image that cannot be used.
    """
    names = [each.name for each in classes]
    if not names or len(set(names)) < len(names):
        raise SettingError("Give at least one class, each with a name of its own.")
    parameters = Parameters(k, clusters, threshold, reject_threshold)
    opened = named(image)
    return engine.apply([opened], _label, tuple(classes), opened, parameters, progress=progress)


def _label(
    engine: Any, classes: Sequence[ClassPrompt], image: Named, parameters: Parameters, progress: Progress | None
) -> tuple[LabelledInstance, ...]:
    found: list[LabelledInstance] = []
    for number, each in enumerate(classes):
        if progress:
            progress(number / len(classes), each.name)
        result = engine.segment(
            each.prompt,
            image.pixels,
            negative_prompt=each.negative,
            all_instances=True,
            **parameters.arguments(),
        )
        found += of_result(each.name, result)
    return tuple(assign(found))


def of_result(label: str, result: Result) -> list[LabelledInstance]:
    """The instances of a result; its single mask where that is an answer and no instance was told apart."""
    if len(result.instances) > 1:
        return [LabelledInstance(label, one.mask, float(one.score), one.status) for one in result.instances]
    if result.status.has_mask:
        return [LabelledInstance(label, result.mask, float(result.score), result.status)]
    return []


def assign(claims: Iterable[LabelledInstance]) -> list[LabelledInstance]:
    """Give every pixel to at most one instance: the one with the best score that claims it.

    The order of the scores decides; of equal ones the larger mask comes first, then the earlier claim. An instance of
    which better ones claim :data:`CLAIMED` or more is dropped; where it is of another class than the best of those,
    that one records it as ``second``. Another one loses the pixels that better ones claim. Returns the instances, the
    best score first.
    """
    placed: list[LabelledInstance] = []
    for claim in sorted(claims, key=lambda one: (-one.score, -one.area)):
        shared = [int((claim.mask & other.mask).sum()) for other in placed]
        if sum(shared) < CLAIMED * claim.area:
            rest = claim.mask & ~np.logical_or.reduce([other.mask for other in placed]) if placed else claim.mask
            placed.append(replace(claim, mask=rest))
            continue
        rival = int(np.argmax(shared))
        if placed[rival].label != claim.label and not placed[rival].second:
            placed[rival] = replace(placed[rival], second=claim.label, second_score=claim.score)
    return placed
