import numpy as np
import pytest

from ipseg.core.vectors import spread, to_numpy, unit

ROWS = np.float32([[3, 4], [0, 0], [0, -2]])
SCALED = np.float32([[0.6, 0.8], [0, 0], [0, -1]])


def test_vectors_are_scaled_to_unit_length_and_zero_ones_stay():
    found = unit(ROWS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, SCALED, rtol=1e-6)
    np.testing.assert_array_equal(unit(ROWS.reshape(1, 3, 2)), found[None])


def test_tensors_are_scaled_as_arrays_are():
    torch = pytest.importorskip("torch")
    found = unit(torch.from_numpy(ROWS))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), SCALED, rtol=1e-6)


def test_tensors_leave_as_float32_arrays():
    torch = pytest.importorskip("torch")
    half = to_numpy(torch.tensor([0.5, 2.0], dtype=torch.bfloat16).requires_grad_())
    assert type(half) is np.ndarray
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half, [0.5, 2])
    assert to_numpy(np.array([1, 2])).dtype == np.float32


def test_rows_are_taken_evenly():
    rows = np.arange(5, dtype=np.float32)[:, None]
    assert spread(rows, 3)[:, 0].tolist() == [0, 2, 4]
    assert spread(rows, 9)[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert spread(rows[:0], 3).shape == (0, 1)
