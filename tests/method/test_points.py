"""Step 3: which cells become points, in every odd case that is promised."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import geometry
from ipseg.core.types import Frame, Points, SettingError, Similarity
from ipseg.method import points


def similar(values, size=None, frame=None) -> Similarity:
    values = np.asarray(values, np.float32)
    frame = frame or geometry.squash_frame(size or values.shape, values.shape)
    return Similarity(values, geometry.cells_inside(frame), frame)


def bumps(rows=60, columns=60) -> np.ndarray:
    """High around one place, low around another, distinct everywhere."""
    y, x = np.mgrid[:rows, :columns] / (rows, columns)[0]
    high, low = (np.exp(-((y - a) ** 2 + (x - b) ** 2) * 40) for a, b in ((0.3, 0.25), (0.8, 0.7)))
    return high - low + 1e-4 * np.random.default_rng(0).random((rows, columns))


@pytest.mark.parametrize(
    ("k", "clusters", "words"),
    [
        (0, 1, "K is 0; give a whole number from 1 to 256"),
        (257, 4, "K is 257"),
        (-3, 1, "K is -3"),
        (True, 1, "K is True"),
        (32.5, 4, "K is 32.5"),
        (32.0, 4, "K is 32.0"),
        (float("nan"), 4, "K is nan"),
        (None, 4, "K is None"),
        ("32", 4, "K is 32"),
        (32, 0, "c is 0; give a whole number from 1 to 32"),
        (64, 33, "c is 33"),
        (32, -1, "c is -1"),
        (32, True, "c is True"),
        (32, 4.0, "c is 4.0"),
        (32, None, "c is None"),
        (3, 4, "c is 4 but K is 3"),
    ],
)
def test_settings_out_of_range_get_a_message(k, clusters, words, one_message):
    with pytest.raises(SettingError) as caught:
        points.check(k, clusters)
    one_message(caught.value, names=words)


def at(*positive, negative=()) -> Points:
    return Points(np.float32(positive).reshape(-1, 2), np.float32(negative).reshape(-1, 2))


@pytest.mark.parametrize("place", [(0, 0), (40, 30), (0, 30), (40, 0), (12.5, 7)])
def test_a_click_may_be_anywhere_on_the_image_and_its_border(place):
    points.check_inside(at(place), (30, 40))
    points.check_inside(at(negative=[place]), (30, 40))
    points.check_inside(None, (30, 40))


@pytest.mark.parametrize("place", [(-0.5, 7), (40.5, 7), (12, -0.5), (12, 30.5), (35, 35), (float("nan"), 1)])
def test_a_click_off_the_image_is_refused(place, one_message):
    for clicks in (at((1, 1), place), at((1, 1), negative=[place])):
        with pytest.raises(SettingError, match="the image is 40 x 30 pixels large"):
            points.check_inside(clicks, (30, 40))


@pytest.mark.parametrize(
    ("values", "flat"), [([5e-7, 0, 0, 0], True), ([3e-6, 0, 0, 0], False), ([7.000003, 7, 7, 7], True)]
)
def test_differences_within_rounding_are_flat(values, flat):
    assert (len(points.choose(similar([values]), k=1, clusters=1).positive) == 0) == flat


def test_two_cells_are_enough_for_a_point_of_each_kind():
    chosen = points.choose(similar([[1, 0]]), k=1, clusters=1)
    assert chosen.positive.tolist() == [[0.5, 0.5]]
    assert chosen.negative.tolist() == [[1.5, 0.5]]


@pytest.mark.parametrize(("k", "clusters"), [(1, 1), (32, 4), (256, 32), (32, 32), (np.int64(32), np.int32(4))])
def test_the_whole_range_works(k, clusters):
    points.check(k, clusters)
    chosen = points.choose(similar(bumps()), k=k, clusters=clusters)
    for kind in (chosen.positive, chosen.negative):
        assert kind.dtype == np.float32
        assert 1 <= len(kind) <= clusters
        np.testing.assert_array_equal(kind, kind[np.lexsort((kind[:, 0], kind[:, 1]))])


def test_positives_lie_where_it_is_similar_and_negatives_where_it_is_not():
    found = similar(bumps(), size=(600, 600))
    chosen = points.choose(found)
    assert len(chosen.positive) == len(chosen.negative) == 4
    assert np.abs(chosen.positive - (150, 180)).max() < 60
    assert np.abs(chosen.negative - (420, 480)).max() < 60
    for kind, better in ((chosen.positive, np.greater), (chosen.negative, np.less)):
        columns, rows = np.rint(geometry.image_to_cells(kind, found.frame)).astype(int).T
        assert better(found.values[rows, columns], np.median(found.values)).all()


def test_points_by_hand():
    values = np.zeros((4, 6))
    values[1, 4], values[3, 0] = 1, -1
    chosen = points.choose(similar(values, size=(40, 120)), k=1, clusters=1)
    np.testing.assert_array_equal(chosen.positive, [[90, 15]])
    np.testing.assert_array_equal(chosen.negative, [[10, 35]])


def test_one_cluster_is_the_mean():
    most, _ = points.extremes(similar(bumps()), 32)
    np.testing.assert_allclose(points.cluster(most, 1, 0), most.mean(axis=0, keepdims=True), atol=1e-9)


def test_clusters_of_separate_groups_are_their_centres():
    groups = np.array([[1, 1], [3, 1], [20, 2], [20, 4], [5, 30]], float)
    np.testing.assert_allclose(points.cluster(groups, 3, 0), [[2, 1], [20, 3], [5, 30]])


def test_duplicates_count_once_when_few():
    twice = np.array([[3, 5], [3, 5], [1, 2], [3, 5]], float)
    np.testing.assert_array_equal(points.cluster(twice, 4, 0), [[1, 2], [3, 5]])
    np.testing.assert_allclose(points.cluster(twice, 1, 0), [[2.5, 4.25]])


def test_more_clusters_than_cells():
    chosen = points.choose(similar(np.arange(6).reshape(2, 3)), k=32, clusters=32)
    assert len(chosen.positive) == len(chosen.negative) == 3


@pytest.mark.parametrize("value", [0.0, 0.7, -1e6, 1e6])
def test_flat_similarity_gives_no_points(value):
    flat = np.full((9, 9), value, np.float32)
    flat[0, 0] *= 1 + 1e-7
    chosen = points.choose(similar(flat))
    assert chosen.positive.shape == chosen.negative.shape == (0, 2)


def test_one_cell_gives_no_points():
    assert points.choose(similar([[0.5]])).positive.shape == (0, 2)


@pytest.mark.parametrize("shape", [(1, 2), (3, 3), (7, 9)])
def test_few_cells_are_split_in_halves_that_do_not_meet(shape):
    values = np.random.default_rng(0).random(shape)
    most, least = (set(map(tuple, cells)) for cells in points.extremes(similar(values), 256))
    assert len(most) == len(least) == values.size // 2
    assert not most & least
    lowest = min(values[int(row), int(column)] for column, row in most)
    assert all(values[int(row), int(column)] <= lowest for column, row in least)


def test_only_cells_on_the_image():
    frame = geometry.letterbox_frame((20, 60), 12)
    values = np.zeros(frame.grid)
    values[0], values[-1] = 9, -9  # off the image
    values[5, 3], values[6, 8] = 1, -1
    found = similar(values, frame=frame)
    most, least = points.extremes(found, 256)
    assert len(most) == geometry.cells_inside(frame).sum() // 2
    for cells in (most, least):
        assert found.inside[cells[:, 1].astype(int), cells[:, 0].astype(int)].all()
    chosen = points.choose(found, k=1, clusters=1)
    np.testing.assert_allclose([chosen.positive[0], chosen.negative[0]], [[17.5, 7.5], [42.5, 12.5]])


def test_ties_go_to_the_first_in_reading_order():
    values = np.zeros((3, 4))
    values[2, 3] = 1
    most, least = points.extremes(similar(values), 3)
    assert most.tolist() == [[3, 2], [0, 0], [1, 0]]
    assert sorted(least.tolist(), key=lambda cell: cell[::-1]) == [[2, 0], [3, 0], [0, 1]]


def test_ties_do_not_put_a_cell_on_both_sides():
    values = np.zeros((3, 4))
    values[0, 0] = 1
    most, least = (set(map(tuple, cells)) for cells in points.extremes(similar(values), 6))
    assert len(most) == len(least) == 6
    assert not most & least


def test_the_same_twice_and_the_seed_counts():
    found = similar(np.random.default_rng(3).random((60, 60)))
    before = found.values.copy()
    first, second = (points.choose(found, k=128, clusters=8) for _ in range(2))
    np.testing.assert_array_equal(first.positive, second.positive)
    np.testing.assert_array_equal(first.negative, second.negative)
    np.testing.assert_array_equal(found.values, before)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    points.choose(found)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("level", "range_of", "differs"),
    [(0.0, 2e-6, True), (0.0, 5e-7, False), (1000.0, 2e-3, True), (1000.0, 5e-4, False)],
)
def test_a_range_of_a_millionth_of_the_values_is_rounding(level, range_of, differs):
    values = np.full((2, 3), level)
    values[0, 1] += range_of
    frame = Frame((20, 30), (2, 3), (0, 0, 30, 20))
    most, least = points.extremes(Similarity(values, np.ones((2, 3), bool), frame), 1)
    assert most.shape == least.shape == ((1, 2) if differs else (0, 2))
    if differs:
        np.testing.assert_array_equal(most, [[1, 0]])
