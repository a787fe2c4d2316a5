"""Minimum cuts on four regions in a row, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.classical import cuts
from ipseg.classical.regions import Regions

LABELS = np.repeat(np.arange(4, dtype=np.int32)[None], 2, axis=0)
PAIRS = np.array([[0, 1], [1, 2], [2, 3]])
ROW = Regions(
    LABELS,
    np.full(4, 2.0),
    np.array([[80.0, 0, 0], [80, 0, 0], [20, 0, 0], [20, 0, 0]]),
    np.stack([(np.arange(4) + 0.5) / 4, np.full(4, 0.25)], axis=1),
    PAIRS,
    np.full(3, 2.0),
    np.array([4.0, 2, 2, 4]),
)
GRAPH = cuts.Graph(ROW, np.array([1.0, 0.1, 1.0]), np.array([0.0, 1.0, 0.0]), np.eye(4, dtype=np.float32))


def graph(*weights: float) -> cuts.Graph:
    return cuts.Graph(ROW, np.array(weights), GRAPH.edges, GRAPH.kernel)


@pytest.mark.parametrize(
    ("weights", "unary", "inside"),
    [
        ((1.0, 0.1, 1.0), [2, -0.5, -0.5, -2], [1, 1, 0, 0]),  # parting costs 0.1 in the middle
        ((0.2, 0.3, 1.0), [2, -0.5, -0.5, -2], [1, 0, 0, 0]),  # 0.2 beside the first
        ((0.0, 0.0, 0.0), [1, -1, 1, -1], [1, 0, 1, 0]),  # free of cost: the signs
        ((9.0, 9.0, 9.0), [1, 1, 1, -2], [1, 1, 1, 1]),  # too dear: the majority
        ((9.0, 9.0, 9.0), [1, 1, 1, -4], [0, 0, 0, 0]),
    ],
)
def test_the_cheapest_cut(weights, unary, inside):
    found = cuts.minimum_cut(graph(*weights), np.array(unary, float))
    assert found.tolist() == [bool(each) for each in inside]


def test_proposals_are_distinct_and_neither_empty_nor_all():
    found = cuts.propose(GRAPH, np.array([1.0, 0.6, -0.6, -1.0]))
    assert [True, True, False, False] in [each.tolist() for each in found]
    assert len({each.tobytes() for each in found}) == len(found)
    assert all(each.any() and not each.all() for each in found)


def test_parts_of_a_mask_are_proposed_alone():
    found = cuts.propose(graph(0.0, 0.0, 0.0), np.array([3.0, -3.0, -3.0, 3.0]), biases=(0.0,), rounds=0)
    assert sorted(each.tolist() for each in found) == [
        [False, False, False, True],
        [True, False, False, False],
        [True, False, False, True],
    ]


def test_contrast_along_the_outline():
    mask = np.array([True, True, False, False])
    assert cuts.outline_contrast(GRAPH, mask) == pytest.approx(1 - 0.2 * 6 / (2 + 6))
    assert cuts.outline_contrast(GRAPH, np.array([True, False, False, False])) == pytest.approx(-0.2 * 4 / (2 + 4))


def test_the_graph_of_two_colours_parts_them_cheaply():
    made = cuts.build(ROW, np.zeros((4, 1)))
    assert made.weights[1] < made.weights[0] == made.weights[2]
    assert made.edges[1] > made.edges[0] == made.edges[2] == 0
    assert made.kernel[0, 1] > made.kernel[1, 2]
    np.testing.assert_allclose(np.diag(made.kernel), 1)


def test_own_colours_pull_a_region_to_its_like():
    alike = cuts.build(ROW, np.zeros((4, 1)))
    pull = cuts.colour_model(alike, np.array([True, False, False, False]), np.array([1.0, 0.0, -1.0, -1.0]))
    assert pull[1] > 0 > pull[2]
    assert np.abs(pull).max() <= 3


def test_probability_of_log_odds():
    np.testing.assert_allclose(cuts.sigmoid(np.array([0.0, np.log(3)])), [0.5, 0.75])
