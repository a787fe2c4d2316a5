"""PerSAM (Zhang et al., 2024), training-free: one positive and one negative point, and two guides inside SAM.

Its features are the image embeddings of SAM. Where the segmenter is not a SAM of the segment-anything package, its
similarity and its two points go to the engine's own parts, and its label states it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ipseg.baselines._baseline import ON_PARTS, Baseline, Prediction, Reference
from ipseg.core import geometry
from ipseg.core.geometry import cells_inside
from ipseg.core.types import Points, Similarity
from ipseg.core.vectors import to_numpy
from ipseg.method import prototype, refinement, similarity
from ipseg.method.encodings import Named
from ipseg.method.pipeline import IPSeg
from ipseg.method.steps import Steps

TITLE = "PerSAM"
PAPER = "Zhang et al., Personalize Segment Anything Model with One Shot, ICLR 2024"
ELSEWHERE = "PerSAM's similarity and two points on the engine's own features and segmenter, without SAM and its guides."


@dataclass(frozen=True)
class Settings:
    """It has nothing to choose."""


class PerSAM(Baseline):
    """PerSAM inside the SAM of an engine, whose weights and encodings it shares with the other users of the engine."""

    title = TITLE

    def __init__(self, engine: IPSeg) -> None:
        from ipseg.baselines._target import SAMEncodings

        super().__init__(engine.encodings)
        self.sam_encodings = SAMEncodings(engine)

    def learn(self, reference: Reference, step: Steps) -> Any:
        """The target embedding: the mean of the reference's cells, (256,) tensor."""
        from ipseg.baselines import _target

        with step("encoding", 0.2, self.sam_encodings.has(reference.image)):
            encoding = self.sam_encodings.encoding(reference.image)
        return _target.features(encoding)[self.sam_encodings.cells(reference.mask, encoding)].mean(0)

    def predict(self, reference: Reference, image: Named, step: Steps) -> Prediction:
        """Two points; one guided pass; two refinements, as IPSeg's cascade has them."""
        from ipseg.baselines import _target

        encoding, cells, over = self.sam_encodings.compared(reference.learnt, image, step)
        points = _target.extremes(over, negative=True)
        with step("mask", 0.8):
            decoder = self.guided(over, reference.learnt, encoding)
            first = self.sam_encodings.segmenter.predict(encoding, points, decoder=decoder)
            mask = refinement.after(self.sam_encodings.segmenter, encoding, points, first.logits[0]).masks[0]
        return Prediction(mask, points, _target.to_similarity(cells, encoding))

    def guided(self, over: Any, target: Any, encoding: Any) -> Any:
        """The decoder with both guides; the similarity is standardised over the image, then brought to the cells."""
        from torch.nn import functional

        from ipseg.baselines._guided import guided_decoder

        standard = (over - over.mean()) / over.std()
        grid = encoding.embedding.shape[-2:]
        guidance = functional.interpolate(standard[None, None], grid, mode="bilinear", align_corners=False)
        return guided_decoder(self.sam_encodings.segmenter.sam.mask_decoder, guidance.sigmoid().flatten(), target)


class OnParts(Baseline):
    """PerSAM's similarity and points on an engine without SAM.

    The two points are the centres of the most and the least similar cell. A segmenter that takes log odds gets the
    similarity in standard deviations, 0 halfway between the two points, in place of the guided attention; another one
    gets the points alone.
    """

    title, variant, about = TITLE, ON_PARTS, ELSEWHERE

    def learn(self, reference: Reference, step: Steps) -> Any:
        """The mean of the reference's cells in the first layer of the engine's features, (C,)."""
        with step("features", 0.2, self.encodings.has("features", reference.image)):
            layer = self.encodings.features(reference.image)[0]
        share = geometry.to_cells(reference.mask, layer.frame)
        return prototype.average([layer], share >= min(0.5, float(share.max())))[layer.name]

    def predict(self, reference: Reference, image: Named, step: Steps) -> Prediction:
        """Cosine, two points, and the engine's segmenter."""
        with step("features", 0.1, self.encodings.has("features", image)):
            layer = self.encodings.features(image)[0]
        with step("encoding", 0.3, self.encodings.has("encoding", image)):
            encoding = self.encodings.encoding(image)
        with step("similarity", 0.6):
            values = to_numpy(similarity.cosine(reference.learnt, layer.values))
            found = Similarity(values, cells_inside(layer.frame), layer.frame)
        points = _two(found)
        with step("mask", 0.8):
            segmenter = self.encodings.segmenter
            if segmenter.accepts_prior:
                inside = values[found.inside]
                halfway = (inside.max() + inside.min()) / 2
                odds = (values - halfway) / (inside.std() + 1e-6)
                mask = refinement.ranked(segmenter, encoding, points, odds.astype(np.float32)).masks[0]
            else:
                mask = refinement.cascade(segmenter, encoding, points).masks[0]
        return Prediction(mask, points, found)


def build(settings: Settings, engine: IPSeg) -> Baseline:
    """PerSAM where the engine has a SAM of segment-anything, else its similarity and points on the engine's parts."""
    return PerSAM(engine) if engine.segmenter.is_sam else OnParts(engine.encodings)


def _two(similarity_map: Similarity) -> Points:
    """The centres of the most and the least similar cell on the image."""
    cells = np.argwhere(similarity_map.inside)[:, ::-1]
    values = similarity_map.values[similarity_map.inside]
    most, least = (cells[[index]].astype(float) for index in (values.argmax(), values.argmin()))
    return Points(*(geometry.cells_to_image(each, similarity_map.frame) for each in (most, least)))
