"""Regions of cells that speak for a class, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ipseg.core import geometry
from ipseg.core.types import Similarity
from ipseg.labelling import evidence
from ipseg.labelling.evidence import Evidence
from ipseg.method import presence

FRAME = geometry.squash_frame((60, 80), (6, 8))  # cells of 10x10 pixels


class Scorer:
    """The mean of the cells; the similarity is what it is given."""

    def __init__(self, values=None):
        self.values, self.negative = values, None

    def region_scores(self, models, image, cells, regions, frame):
        assert (len(models), frame) == (len(cells), FRAME)
        return presence.of_regions(cells, regions)

    def similarity(self, model, image, negative):
        self.negative = negative
        return Similarity(self.values, geometry.cells_inside(FRAME), FRAME)


def of(*cells, values=None, negative=None) -> Evidence:
    prompts = [SimpleNamespace(model=n, negative=negative) for n in range(len(cells))]
    return Evidence(Scorer(values), prompts, None, np.float32(cells), FRAME, 0.5, 8)


def block(*places: tuple[slice, slice, float]) -> np.ndarray:
    cells = np.zeros((6, 8), np.float32)
    for rows, columns, score in places:
        cells[rows, columns] = score
    return cells


LEFT, RIGHT = (slice(0, 6), slice(0, 2)), (slice(0, 6), slice(5, 8))


def test_regions_are_connected_by_sides_and_those_with_most_weight_come_first():
    cells = block(
        (*LEFT, 1), (slice(0, 1), slice(4, 8), 1), (slice(4, 5), slice(6, 8), 1), (slice(5, 6), slice(5, 6), 1)
    )
    found = evidence.regions(cells > 0, block((*LEFT, 0.1), (slice(0, 1), slice(4, 8), 0.9)))
    assert [int(one.sum()) for one in found] == [4, 12], "three cells that meet at a corner are two regions, too small"
    assert evidence.regions(cells < 0, cells).shape == (0, 6, 8)
    many = np.zeros((9, 12), bool)
    many[::2, :] = True
    assert len(evidence.regions(many, many.astype(np.float32))) == 4 < 5
    three = block((slice(0, 1), slice(0, 3), 1), (slice(3, 4), slice(0, 2), 1))
    assert [int(one.sum()) for one in evidence.regions(three > 0, three)] == [3], "two cells are no region"


def test_the_best_region_of_a_class_counts_and_cells_below_the_level_do_not():
    both = block((*LEFT, 0.6), (*RIGHT, 0.9), (slice(0, 6), slice(3, 4), 0.4))
    assert of(both, 0 * both).beside(0) == pytest.approx(0.9)
    assert of(both, 0 * both).beside(1) == 0


def test_what_a_mask_holds_is_left_out():
    seen = of(block((*LEFT, 0.6), (*RIGHT, 0.9)))
    mask = np.zeros((60, 80), bool)
    mask[:, 60:] = True
    assert seen.touches(0, mask)
    assert seen.beside(0, [mask]) == pytest.approx(0.6)
    assert seen.beside(0, [mask, ~mask]) == 0
    assert not of(block((*LEFT, 0.6))).touches(0, mask)
    mask[:, 58:60] = True
    assert evidence.reached(mask, FRAME)[0].tolist() == [False] * 5 + [True] * 3, "more than a tenth of a cell"
    tenth = np.zeros((60, 80), bool)
    tenth[0, :10] = tenth[10, :9] = tenth[20:22, :5] = tenth[22, 0] = True  # 10, 9 and 11 pixels of 100
    assert evidence.reached(tenth, FRAME)[:, 0].tolist() == [False, False, True, False, False, False]
    assert not evidence.reached(np.zeros((60, 80), bool), FRAME).any()


def test_the_border_of_a_mask_is_no_region_beside_it_and_what_touches_it_is_one():
    mask = np.zeros((60, 80), bool)
    mask[:, :20] = True
    border = of(block((slice(0, 6), slice(0, 3), 0.9)))
    assert border.beside(0) == pytest.approx(0.9)
    assert border.beside(0, [mask]) == 0
    other = of(block((slice(0, 6), slice(0, 3), 0.9), (slice(2, 4), slice(3, 4), 0.9)))
    assert other.beside(0, [mask]) == pytest.approx(0.9)


def test_the_region_where_the_similarity_is_high_is_scored_by_its_cells():
    cells = block((*LEFT, 0.9), (*RIGHT, 0.1))
    assert of(cells, values=block((*LEFT, 1))).similar(0) == pytest.approx(0.9, abs=0.05)
    assert of(cells, values=block((*RIGHT, 1))).similar(0) == pytest.approx(0.1, abs=0.05)
    assert of(cells, values=block()).similar(0) == 0
    asked = of(cells, values=block((*LEFT, 1)), negative=SimpleNamespace(model="duck"))
    asked.similar(0)
    assert asked.scorer.negative == "duck"


def test_a_cell_at_the_level_speaks_for_a_class():
    assert of(block((*LEFT, 0.5))).beside(0) == 0.5


def test_a_mask_is_scored_for_several_classes_by_its_cells():
    seen = of(block((*LEFT, 0.9)), block((*LEFT, 0.3)), block((*RIGHT, 1)))
    mask = np.zeros((60, 80), bool)
    mask[:, :17] = True
    assert seen.of_mask([0, 1], mask) == pytest.approx([0.9, 0.3])
    assert seen.of_mask([2], mask) == pytest.approx([0])
    small = np.zeros((60, 80), bool)
    small[2:4, 2:4] = True
    assert seen.of_mask([1], small) == pytest.approx([0.3]), "the cell that holds most of it"
    assert seen.of_mask([0], np.zeros((60, 80), bool)) == pytest.approx([0])
