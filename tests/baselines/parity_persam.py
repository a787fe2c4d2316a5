"""Parity of PerSAM and PerSAM-F, for the files called ``persam_*`` and ``persam_f_*``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from networks import SAM_SIDE, small_sam
from numpy.typing import NDArray
from parity_rules import scene

from ipseg.core import plugins
from ipseg.method.encodings import named
from ipseg.method.pipeline import IPSeg
from ipseg.method.refinement import best
from ipseg.method.scorers.cosine import Cosine
from ipseg.saliency.none import Everything
from ipseg.segmenters.sam import SegmentAnything

Data = Mapping[str, NDArray]
Differences = Iterator[tuple[str, float]]


class Listening:
    """A segmenter that notes what it was asked and what it answered."""

    def __init__(self, segmenter: SegmentAnything) -> None:
        self._segmenter = segmenter
        self.passes: list[tuple[dict, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._segmenter, name)

    def predict(self, encoding, points, **prompts):
        self.passes.append((prompts, self._segmenter.predict(encoding, points, **prompts)))
        return self.passes[-1][1]


def asked(data: Data, name: str, **settings) -> tuple[Any, Any, Any, Listening]:
    """The baseline, its reference, its result, and what SAM was asked for the test image."""
    listening = Listening(SegmentAnything(small_sam(int(data["seed"]), SAM_SIDE)))
    engine = IPSeg(None, Everything(), listening, Cosine())
    baseline = plugins.method(name, engine, **settings)
    image, mask = scene(str(data["scene_ref"]), *(int(n) for n in data["ref_size"]))
    reference = baseline.prompt(image, mask)
    listening.passes.clear()
    test, _ = scene(str(data["scene_test"]), *(int(n) for n in data.get("test_size", data["ref_size"])))
    return baseline, reference, baseline.segment(reference, test), listening


def check_persam(data: Data, folder: Path) -> Differences:
    """Cells, embedding, similarity, the two points, the guided pass and the two refinements."""
    from ipseg.baselines import _target

    baseline, reference, result, listening = asked(data, "persam")
    encoding = baseline.sam_encodings.encoding(reference.image)
    cells = baseline.sam_encodings.cells(reference.mask, encoding)
    assert np.array_equal(cells, data["ref_cells"].astype(bool)), "other cells were chosen"
    yield "target_embedding", largest(reference.learnt.numpy(), data["target_embedding"])
    cell_similarity = _target.cosine(reference.learnt, baseline.sam_encodings.encoding(named(result.image))).numpy()
    yield "similarity_cells", largest(cell_similarity, data["similarity_cells"])
    points = np.concatenate([result.points.positive, result.points.negative])
    assert np.array_equal(points, data["points"]), "other points were chosen"
    assert np.array_equal(np.repeat([1, 0], [len(result.points.positive), len(result.points.negative)]), data["labels"])
    yield from passes(listening, data, (("pass1", None), ("pass2", None), ("pass3", "box")))
    yield "mask", wrong(result.mask, data["mask_packed"])


def check_persam_f(data: Data, folder: Path) -> Differences:
    """The point on the reference, weights and losses, the point on the test image, both boxes, the last pass."""
    _, reference, result, listening = asked(data, "persam_f", epochs=int(data["epochs"]), lr=float(data["lr"]))
    learnt = reference.learnt
    assert np.array_equal(learnt.points.positive, data["ref_point"]), "another point on the reference"
    yield "weights", largest(learnt.weights, data["weights"])
    yield "losses", largest(np.array(learnt.losses), data["losses"])
    assert np.array_equal(result.points.positive, data["test_point"]), "another point on the image"
    yield from passes(listening, data, (("first", None), ("second", "box1"), ("final", "box2")))
    yield "mask", wrong(result.mask, data["mask_packed"])


def passes(listening: Listening, data: Data, names) -> Differences:
    assert len(listening.passes) == len(names)
    for (prompts, answer), (name, box) in zip(listening.passes, names, strict=True):
        if box in data and prompts["box"] is not None:
            yield box, largest(np.array(prompts["box"]), data[box])
        if f"{name}_logits_pooled" in data:
            theirs = data[f"{name}_logits_pooled"]
            n, side = len(answer.logits), theirs.shape[-1]
            blocks = answer.logits.reshape(n, side, answer.logits.shape[1] // side, side, -1)
            yield f"{name}_logits", largest(blocks.mean(axis=(2, 4)), theirs)
        for scores in (f"{name}_scores", f"{name}_score"):
            if scores in data:
                yield scores, largest(answer.scores, data[scores])
        if f"{name}_best" in data:
            assert best(answer) == int(data[f"{name}_best"]), f"another mask was chosen in {name}"


def wrong(mask: NDArray[np.bool_], packed: NDArray[np.uint8]) -> float:
    """The share of the pixels that differ."""
    theirs = np.unpackbits(packed.ravel())[: mask.size].reshape(mask.shape).astype(bool)
    return float((mask != theirs).mean())


def largest(ours: NDArray, theirs: NDArray) -> float:
    assert np.shape(ours) == np.shape(theirs), (np.shape(ours), np.shape(theirs))
    return float(np.abs(np.asarray(ours, dtype=np.float64) - theirs).max())
