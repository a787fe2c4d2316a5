"""Parity of Matcher's patch matching and of its mask scores, for the files called ``matcher_*``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipseg.baselines import _matching, _patches
from ipseg.core import geometry


def check_matcher(data: Mapping[str, NDArray], folder: Path) -> Iterator[tuple[str, float]]:
    """The matched points, which must be the same, their box, and what each candidate mask scores."""
    cells, shape = data["ref_cells"].astype(bool), tuple(int(n) for n in data["masks_shape"])
    matches = _matching.match(data["ref_features"], cells.ravel(), data["target_features"])
    places = _patches.centres(matches.cells, geometry.squash_frame(shape[1:], cells.shape))
    theirs = data["matched_points"]
    assert np.array_equal(places[_by_row(places)], theirs[_by_row(theirs)]), "other points were matched"
    yield "box", _largest(_matching.box_around(places), data["box"])
    masks = np.unpackbits(data["masks"], axis=-1)[..., : shape[2]].astype(bool)
    assert masks.shape == shape
    touched = [_matching.cells_of(mask, cells.shape) for mask in masks]
    local = [_matching.purity_and_coverage(*both, places) for both in zip(masks, touched, strict=True)]
    purity, coverage = zip(*local, strict=True)
    yield "purity", _largest(purity, data["purity"])
    yield "coverage", _largest(coverage, data["coverage"])
    yield "emd", _largest([_matching.emd_score(matches.cost, each) for each in touched], data["emd"])


def _by_row(points: NDArray) -> NDArray[np.intp]:
    return np.lexsort((points[:, 0], points[:, 1]))


def _largest(ours, theirs: NDArray) -> float:
    assert np.shape(ours) == np.shape(theirs)
    return float(np.abs(np.asarray(ours, dtype=np.float64) - theirs).max())
