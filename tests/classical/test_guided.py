import numpy as np

from ipseg.classical.guided import guided_filter

STEP = np.zeros((20, 30), np.float32)
STEP[:, 15:] = 1


def test_on_a_flat_guide_it_is_a_mean_of_means():
    values = np.zeros((21, 21), np.float32)
    values[10, 10] = 1
    found = guided_filter(np.full_like(values, 0.5), values, (3, 5), 1e-4)
    across, down = np.array([1, 2, 3, 2, 1]) / 9, np.array([1, 2, 3, 4, 5, 4, 3, 2, 1]) / 25
    np.testing.assert_allclose(found[6:15, 8:13], np.outer(down, across), atol=1e-6)


def test_a_blurred_edge_moves_to_that_of_the_guide():
    blurred = np.clip((np.arange(30, dtype=np.float32) - 10.5) / 8, 0, 1) * np.ones((20, 1), np.float32)
    found = guided_filter(STEP, blurred, (9, 9), 1e-4)
    assert found[10, 14] < 0.3
    assert found[10, 15] > 0.7
    assert abs(found[10, 15] - found[10, 14]) > 4 * np.abs(np.diff(blurred[10])).max()


def test_beyond_the_smoothness_values_that_follow_the_guide_stay():
    np.testing.assert_allclose(guided_filter(STEP, 0.2 + 0.5 * STEP, (7, 7), 1e-6), 0.2 + 0.5 * STEP, atol=1e-4)
    smoothed = guided_filter(STEP, STEP, (7, 7), 10.0)
    assert 0.3 < smoothed[10, 14] < 0.7
