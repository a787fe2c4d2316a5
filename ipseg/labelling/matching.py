"""Several classes in one image: which of them are there, their instances, and which class each pixel belongs to.

    image --> encoded once --> all classes on all cells (one matrix product) --> classes that can be there
          --> those with evidence beside what is found --> instances of each (IPSeg.segment)
          --> pixels to the class with the better score

Not in the paper, which segments one object in one image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.annotations.labels import LabelledInstance
from ipseg.core import geometry
from ipseg.core.images import Source
from ipseg.core.progress import part_of
from ipseg.core.result import Result
from ipseg.core.types import Mask, Progress, SettingError
from ipseg.engine.protocol import Engine
from ipseg.labelling.evidence import Evidence
from ipseg.method import presence, strips
from ipseg.method.config import Parameters
from ipseg.method.encodings import Named, named
from ipseg.method.pipeline import IPSeg
from ipseg.method.prompt import Prompt, fitted, model_of

BEST = 8  # cells of each class by which it is judged before it is segmented
BEHIND = 0.1  # score by which a class is less than the best class on its own best cells, from which on it is not there
HOPE = 0.4  # share of the reject threshold that a region of a class scores, from which on the class may be there
SIMILAR = 0.15  # the same share where the similarity is highest, which an object may share with others
AS_GOOD = 0.05  # score by which a class that another mask is good for too is about as good there as its own class
RIVALS = 5  # classes that are compared on a mask: those that are likely to score most on it
CLAIMED = 0.5  # share of an instance that better ones claim, from which on it is no instance of its own
FRAGMENT = 0.05  # of the largest part: what is smaller of an instance that has lost pixels is no part of it


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

    ``k``, ``clusters``, ``threshold``, ``reject_threshold``: as of :meth:`ipseg.method.pipeline.IPSeg.segment`, but
    the thresholds are those of all classes, whatever a saved prompt has; an
    instance scores the reject threshold or more, and is uncertain below the threshold. Raises
    :class:`~ipseg.core.types.SettingError` for no class, two of one name, or numbers out of range, and
    :class:`~ipseg.core.types.ImageError` for an image that cannot be used.
    """
    names = [each.name for each in classes]
    if not names or len(set(names)) < len(names):
        raise SettingError("Give at least one class, each with a name of its own.")
    parameters = Parameters(k, clusters, threshold, reject_threshold)
    opened = named(image)
    ready = tuple(ClassPrompt(each.name, *fitted(engine, each.prompt, each.negative)) for each in classes)
    return engine.apply([opened], _label_all, ready, opened, parameters, progress=progress)


def _label_all(
    engine: IPSeg, classes: Sequence[ClassPrompt], image: Named, parameters: Parameters, progress: Progress | None
) -> tuple[LabelledInstance, ...]:
    """:func:`_label` of an image or, of a thin one, of its windows: an instance that several windows see is one."""
    size = image.pixels.shape[:2]
    if not geometry.is_thin(size, engine.config.thin):
        return _label(engine, classes, image, parameters, progress)
    boxes = geometry.windows(size)
    seen: list[tuple[int, LabelledInstance]] = []
    for number, box in enumerate(boxes):
        report = part_of(progress, number, len(boxes))
        part = named(strips.cut(image.pixels, box))
        seen += [(number, one) for one in _label(engine, classes, part, parameters, report)]
    found = []
    for label in dict.fromkeys(one.label for _, one in seen):
        own = [(number, one) for number, one in seen if one.label == label]
        for group in strips.groups([(number, one.mask) for number, one in own], boxes):
            masks = [strips.place(own[at][1].mask, boxes[own[at][0]], size) for at in group]
            best = max((own[at][1] for at in group), key=lambda one: one.score)
            found.append(replace(best, mask=np.logical_or.reduce(masks)))
    return tuple(assign(found))


def _label(
    engine: IPSeg, classes: Sequence[ClassPrompt], image: Named, parameters: Parameters, progress: Progress | None
) -> tuple[LabelledInstance, ...]:
    """Segment the classes, those with the best cells first, until every class that can be there is explained."""
    limits = engine.config.thresholds(parameters.threshold, parameters.reject_threshold)
    seen = engine.input_features(image)
    models = [model_of(each.prompt, engine.scorer, seen.features) for each in classes]
    cells, frame = engine.scorer.cell_scores(models, seen)
    k = engine.config.k if parameters.k is None else parameters.k
    evidence = Evidence(engine.scorer, [each.prompt for each in classes], seen, cells, frame, limits[1], k)
    scores = _Scores(engine, image)
    likely_ones = likely(cells, evidence.inside, limits[1])
    tried = [place for place in likely_ones if evidence.beside(place) >= HOPE * limits[1]]
    found: list[LabelledInstance] = []
    for number, place in enumerate(tried):
        each = classes[place]
        report = part_of(progress, number, len(tried))
        if report:
            report(0.0, each.name)
        if not _can_add(evidence, place, each, found, scores, limits):
            continue
        result = engine.segment(
            each.prompt,
            image.pixels,
            negative_prompt=each.negative,
            all_instances=True,
            progress=report,
            **replace(parameters, threshold=limits[0], reject_threshold=limits[1]).arguments(),
        )
        found = assign([*found, *of_result(each.name, result)])
    named_ones = []
    for one in found:
        about = evidence.of_mask(likely_ones, one.mask)
        rivals = [classes[likely_ones[n]] for n in np.argsort(-about, kind="stable")[:RIVALS]]
        named_ones.append(named_by_score(one, rivals, scores, limits))
    return tuple(assign(named_ones))


def _can_add(
    evidence: Evidence,
    place: int,
    each: ClassPrompt,
    found: Sequence[LabelledInstance],
    scores: _Scores,
    limits: tuple[float, float],
) -> bool:
    """Whether a segmentation of a class can find more than what is found already.

    It could only find an instance again that scores more for its own class, or that is a good mask of this one too,
    from the threshold on (the first of ``limits``), and about as good: then the class may take its name. So a region
    of the class beside those instances has to score enough, and so has one where its similarity is high.
    """
    held = []
    for one in found:
        if evidence.touches(place, one.mask):
            score = scores.of(each, one.mask)
            if score <= one.score or (score >= limits[0] and score < one.score + AS_GOOD):
                held.append(one.mask)
    if held and evidence.beside(place, held) < HOPE * limits[1]:
        return False
    return evidence.similar(place) >= SIMILAR * limits[1]


class _Scores:
    """The presence score of each class on each mask of one image, computed once."""

    def __init__(self, engine: IPSeg, image: Named) -> None:
        self._engine, self._image, self._known = engine, image, dict[tuple[str, bytes], float]()

    def of(self, each: ClassPrompt, mask: Mask) -> float:
        """In [0, 1]."""
        key = each.name, np.packbits(mask).tobytes()
        if key not in self._known:
            score = self._engine.mask_score(each.prompt, self._image, mask, negative_prompt=each.negative)
            self._known[key] = float(score)
        return self._known[key]


def likely(cells: NDArray[np.float32], inside: NDArray[np.bool_], reject_threshold: float) -> list[int]:
    """The classes that can be in an image, the best first: places in ``cells`` (n, rows, columns), scores in [0, 1].

    ``inside`` (rows, columns) bool: the cells on the image. A class can be there if its :data:`BEST` best cells score
    the reject threshold or more on average, and less than :data:`BEHIND` below the best class of the same cells.
    """
    scores = cells[:, inside]
    best_class = scores.max(axis=0)
    places = np.argsort(-scores, axis=1, kind="stable")[:, :BEST]
    own = np.take_along_axis(scores, places, axis=1).mean(axis=1)
    behind = best_class[places].mean(axis=1) - own
    chosen = np.flatnonzero((own >= reject_threshold) & (behind < BEHIND))
    return chosen[np.argsort(-own[chosen], kind="stable")].tolist()


def named_by_score(
    one: LabelledInstance, rivals: Sequence[ClassPrompt], scores: _Scores, limits: tuple[float, float]
) -> LabelledInstance:
    """The instance with the class that scores most on its mask, and the next best as its ``second``.

    Its own class is the first of equals, then the order of ``rivals``.
    """
    values = {each.name: scores.of(each, one.mask) for each in rivals if each.name != one.label}
    ranked = sorted([(one.label, one.score), *values.items()], key=lambda entry: -entry[1])
    (label, score), (second, second_score) = (*ranked, ("", 0.0))[:2]
    status = presence.status(score, one.mask, *limits)
    if second_score <= 0:
        second = ""
    return replace(one, label=label, score=score, status=status, second=second, second_score=second_score)


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
    which better ones claim :data:`CLAIMED` or more is dropped; another one loses the pixels that better ones claim, and
    then the fragments that are left of it (:func:`without_fragments`). Returns the instances, the best score first.
    """
    placed: list[LabelledInstance] = []
    for claim in sorted(claims, key=lambda one: (-one.score, -one.area)):
        taken = np.logical_or.reduce([other.mask for other in placed]) if placed else np.zeros_like(claim.mask)
        lost = int((claim.mask & taken).sum())
        if lost < CLAIMED * claim.area:
            placed.append(replace(claim, mask=without_fragments(claim.mask & ~taken)) if lost else claim)
    return placed


def without_fragments(mask: Mask) -> Mask:
    """A mask (H, W) without the parts, joined by sides or corners, below :data:`FRAGMENT` of its largest part."""
    _, parts, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = facts[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # the background
    return (areas >= max(1, FRAGMENT * areas.max()))[parts]
