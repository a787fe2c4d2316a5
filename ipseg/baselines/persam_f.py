"""PerSAM-F (Zhang et al., 2024): PerSAM with two mask weights, learnt on the reference alone within seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg.baselines._baseline import Baseline, Prediction, Reference
from ipseg.core.types import SettingError
from ipseg.method import refinement
from ipseg.method.encodings import Named
from ipseg.method.pipeline import IPSeg
from ipseg.method.steps import Steps

TITLE = "PerSAM-F"
GPU_WORK = (10.0, 1.0)  # of a prompt, from which it learns in 1000 steps, and of an image
PAPER = "Zhang et al., Personalize Segment Anything Model with One Shot, ICLR 2024"


@dataclass(frozen=True)
class Settings:
    """The released numbers."""

    epochs: int = 1000  # steps of the two weights
    lr: float = 1e-3  # of AdamW, annealed to 0 by a cosine
    side: int = 1024  # pixels of the longer side at which the losses are computed, at most


@dataclass(frozen=True)
class Learnt:
    """What PerSAM-F takes from a reference."""

    target: Any  # (256,) tensor: half the mean and half the maximum of the reference's cells
    weights: NDArray[np.float32]  # (3,): of SAM's three masks; they sum to 1
    losses: tuple[float, ...]  # of every step
    points: Any  # the positive point on the reference itself


class PerSAMF(Baseline):
    """PerSAM-F on the SAM of an engine, which it shares with the other users of the engine."""

    title = TITLE

    def __init__(self, engine: IPSeg, settings: Settings) -> None:
        from ipseg.baselines._target import SAMEncodings

        super().__init__(engine.encodings)
        self.sam_encodings, self.settings = SAMEncodings(engine), settings

    def learn(self, reference: Reference, step: Steps) -> Learnt:
        """One point on the reference, SAM's three masks for it, and the weights that make them the given mask."""
        from ipseg.baselines import _target, _weights

        with step("encoding", 0.1, self.sam_encodings.has(reference.image)):
            encoding = self.sam_encodings.encoding(reference.image)
        cells = _target.features(encoding)[self.sam_encodings.cells(reference.mask, encoding)]
        target = cells.max(0).values / 2 + cells.mean(0) / 2
        segmenter = self.sam_encodings.segmenter
        over = _target.onto_image(_target.cosine(target, encoding), encoding, segmenter)
        points = _target.extremes(over, negative=False)
        answer = segmenter.predict(encoding, points, several=True)
        size = _within(reference.mask.shape, self.settings.side)
        logits = segmenter.enlarge(encoding, answer.logits, size)
        truth = np.asarray(Image.fromarray(reference.mask).resize(size[::-1])) if size != reference.mask.shape else None
        with step("weights", 0.3):
            weights, losses = _weights.learn(
                logits,
                reference.mask if truth is None else truth,
                epochs=self.settings.epochs,
                lr=self.settings.lr,
                progress=step.progress,
            )
        return Learnt(target, weights, losses, points)

    def predict(self, reference: Reference, image: Named, step: Steps) -> Prediction:
        """One point, the weighted mask, and two refinements with its box."""
        from ipseg.baselines import _target

        learnt: Learnt = reference.learnt
        encoding, cells, over = self.sam_encodings.compared(learnt.target, image, step)
        points = _target.extremes(over, negative=False)
        with step("mask", 0.8):
            segmenter = self.sam_encodings.segmenter
            first = segmenter.predict(encoding, points, several=True)
            weighted = np.tensordot(learnt.weights, first.logits, axes=1).astype(np.float32)
            box = refinement.bounding_box(segmenter.enlarge(encoding, weighted[None])[0] > 0)
            mask = refinement.after(segmenter, encoding, points, weighted, box=box).masks[0]
        return Prediction(mask, points, _target.to_similarity(cells, encoding))


def build(settings: Settings, engine: IPSeg) -> PerSAMF:
    """PerSAM-F on the SAM of an engine.

    Raises :class:`~ipseg.core.types.SettingError` when the engine has none, or for a number out of its range.
    """
    if not engine.segmenter.is_sam:
        raise SettingError(
            "PerSAM-F weighs the three masks of Segment Anything, which this engine does not have; choose the "
            "segmenter sam/vit_b, sam/vit_l or sam/vit_h, or the preset paper."
        )
    if not 1 <= settings.epochs <= 100_000 or not 0 < settings.lr <= 1 or settings.side < 16:
        raise SettingError(
            f"epochs is {settings.epochs}, lr {settings.lr:g} and side {settings.side}; give 1 to 100000 epochs, "
            "an lr above 0 and up to 1, and a side of 16 or more."
        )
    return PerSAMF(engine, settings)


def _within(size: tuple[int, ...], side: int) -> tuple[int, int]:
    """A (height, width) whose longer side is at most ``side``."""
    scale = min(1.0, side / max(size))
    height, width = (max(1, round(extent * scale)) for extent in size)
    return height, width
