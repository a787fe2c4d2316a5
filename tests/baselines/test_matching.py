"""Matcher's own steps, each against what can be said of it without the released code."""

import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ipseg.baselines import _candidates, _matching, _protocols
from ipseg.core.types import SettingError

ot = pytest.importorskip("ot", reason="Matcher's earth mover's distance needs the extra [models]")
GRID = (6, 8)


def unit(n: int, channels: int = 24, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((n, channels)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_cells_that_moved_are_found_where_they_went():
    features, inside = unit(48), np.zeros(48, bool)
    inside[[9, 10, 17, 18]] = True
    moved = np.random.default_rng(1).permutation(48)
    matches = _matching.match(features, inside, features[moved])
    assert sorted(moved[matches.cells]) == [9, 10, 17, 18]
    assert matches.cost.shape == (4, 48)
    assert matches.cost.min() == pytest.approx(0, abs=1e-6)


def test_of_many_matches_the_better_half_is_cached():
    features, inside = unit(100), np.zeros(100, bool)
    inside[:60] = True
    noise = np.random.default_rng(2).standard_normal(features.shape).astype(np.float32)
    target = features + np.where(np.arange(100) < 30, 0.01, 0.5)[:, None].astype(np.float32) * noise / 5
    found = _matching.match(features, inside, target / np.linalg.norm(target, axis=1, keepdims=True))
    np.testing.assert_array_equal(found.cells, np.arange(30))


def test_a_match_that_does_not_come_back_is_dropped():
    reference = np.array([[1, 0, 0], [0, 1, 0], [0, 0.6, 0.8]], np.float32)
    target = np.array([[1, 0, 0], [0, 0.6, 0.8]], np.float32)  # the second is more like what lies outside
    matches = _matching.match(reference, np.array([True, True, False]), target)
    np.testing.assert_array_equal(matches.cells, [0])


def test_when_no_match_comes_back_all_are_cached():
    reference = np.array([[1, 0], [0, 1]], np.float32)
    matches = _matching.match(reference, np.array([True, False]), np.array([[0, 1]], np.float32))
    np.testing.assert_array_equal(matches.cells, [0])


def test_the_cells_that_a_mask_touches():
    mask = np.zeros((60, 80), bool)
    mask[9, 10] = True
    np.testing.assert_array_equal(np.flatnonzero(_matching.cells_of(mask, GRID)), [1])
    assert _matching.cells_of(np.zeros((60, 80), bool), GRID).all()


def test_purity_and_coverage_count_points():
    mask = np.zeros((60, 80), bool)
    mask[:20, :20] = True  # 4 cells
    points = np.array([[5, 5], [15, 5], [25, 5], [79.9, 59.9], [500, 5]])
    purity, coverage = _matching.purity_and_coverage(mask, _matching.cells_of(mask, GRID), points)
    assert purity == pytest.approx(2 / 4, abs=1e-5)
    assert coverage == pytest.approx(2 / 5, abs=1e-5)


def test_emd_of_the_object_with_itself_is_perfect_and_of_two_cells_is_their_similarity():
    features = unit(10)
    cost = (1 - features @ features.T) / 2
    assert _matching.emd_score(cost, np.ones(10, bool)) == pytest.approx(1, abs=1e-6)
    one = np.arange(10) == 3
    assert _matching.emd_score(cost[:1], one) == pytest.approx((1 + features[0] @ features[3]) / 2, abs=1e-6)


def test_groups_are_drawn_without_a_point_twice_and_the_same_for_the_same_seed():
    points = np.random.default_rng(0).uniform(0, 100, (20, 2)).astype(np.float32)
    groups = _candidates.draw(points, (1, 6), 16, seed=3)
    assert [group.shape for group in groups] == [(16, size, 2) for size in range(1, 7)]
    assert all(len(np.unique(group, axis=0)) == len(group) for group in groups[-1])
    for one, other in zip(groups, _candidates.draw(points, (1, 6), 16, seed=3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(groups[3], _candidates.draw(points, (1, 6), 16, seed=4)[3])


def test_of_few_points_every_group_is_taken():
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    groups = _candidates.draw(points, (4, 6), 30, seed=0)
    assert [group.shape for group in groups] == [(5, 4, 2), (1, 5, 2)]
    assert {tuple(map(tuple, group)) for group in groups[0]} == set(itertools.combinations(map(tuple, points), 4))
    assert [group.shape for group in _candidates.draw(points[:1], (3, 6), 30, seed=0)] == [(1, 1, 2)]


def answers(masks, scores):
    return ((i, np.where(mask, 4.0, -4.0)[None].astype(np.float32), [score]) for i, (mask, score) in enumerate(
        zip(masks, scores, strict=True)
    ))  # fmt: skip


def test_what_is_empty_doubtful_or_shaky_is_not_collected():
    mask = np.zeros((7, 9), bool)
    mask[2:5, 2:6] = True
    pool = _candidates.collect(
        answers([mask, ~mask, np.zeros_like(mask), mask], [0.9, 0.8, 1.0, 0.5]), first=10, iou=0.6
    )
    np.testing.assert_array_equal(pool.group, [10, 11])
    np.testing.assert_array_equal(pool.mask(1), ~mask)
    ramp = np.linspace(-2, 2, 63, dtype=np.float32).reshape(1, 7, 9)
    assert _candidates.collect(iter([(0, ramp, [1.0])]), stability=0.9) is None
    assert len(_candidates.collect(iter([(0, ramp * 100, [1.0])]), stability=0.9)) == 1
    assert _candidates.together([None, None]) is None


def test_of_overlapping_boxes_the_favourite_stays():
    masks = [np.zeros((40, 40), bool) for _ in range(3)]
    masks[0][2:20, 2:20] = masks[1][2:20, 2:21] = masks[2][25:35, 25:35] = True
    pool = _candidates.collect(answers(masks, [-0.5, -0.2, -0.9]))
    assert sorted(_candidates.suppress(pool, 0.65).group) == [1, 2]
    assert _candidates.suppress(pool, 1.0) is pool


PLAIN = _protocols.Protocol(sizes=(1, 1), draws=1)


def test_masks_above_a_share_of_the_best_are_merged():
    emd = [0.5, 1.0, 0.71, 0.69, 0.9].__getitem__
    chosen, best = _protocols.select(np.ones(5), np.ones(5), emd, PLAIN)
    assert (list(chosen), best) == ([1, 4, 2], 1.0)
    assert list(_protocols.select(np.ones(5), np.ones(5), emd, replace(PLAIN, merged=2))[0]) == [1, 4]


def test_masks_near_the_best_are_merged_and_the_best_need_not_be_near():
    near = replace(PLAIN, near=True)
    assert list(_protocols.select(np.ones(4), np.ones(4), [0.95, 0.94, 0.6, 0.2].__getitem__, near)[0]) == [0, 1]
    assert list(_protocols.select(np.ones(2), np.ones(2), [0.3, 0.29].__getitem__, near)[0]) == [0]


def test_a_filter_never_drops_the_highest_and_spares_the_solver():
    asked = []
    protocol = replace(PLAIN, coverage=0.3, purity=0.02)

    def emd(number):
        asked.append(number)
        return 0.5

    coverage, purity = np.array([0.1, 0.2, 0.15]), np.array([0.5, 0.001, 0.001])
    assert list(_protocols.select(purity, coverage, emd, protocol)[0]) == [1]
    assert asked == [1]


def test_the_numbers_that_can_be_chosen():
    numbers = {"draws": None, "dense": None}
    assert _protocols.protocol_of("coco20i", numbers, published=True) is not None
    assert _protocols.protocol_of("coco20i", numbers, published=True).draws == 64
    assert _protocols.protocol_of("coco20i", {"draws": 5, "dense": 0}, published=True).draws == 5
    away = _protocols.protocol_of("lvis92i", numbers, published=False)
    assert (away.dense, away.iou, away.stability) == (0, 0, 0)
    for wrong in ({"draws": 0}, {"dense": -1}, {"draws": 2.5}):
        with pytest.raises(SettingError, match="give a whole number"):
            _protocols.protocol_of("coco20i", wrong, published=True)
    with pytest.raises(SettingError, match="choose one of: coco20i"):
        _protocols.protocol_of("coco", numbers, published=True)


def test_the_earth_movers_distance_imports_no_framework():
    """POT imports every framework that is installed: half a gigabyte in a process that needs none."""
    code = (
        "import sys, numpy as np; from ipseg.baselines._matching import emd_score; "
        "print(emd_score(np.float32([[0, 1]]), np.array([True, False])), 'ot' in sys.modules, 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1.0", "True", "False"]
