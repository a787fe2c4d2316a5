"""How cells get their values from a saliency map: averaged, or, as released, sampled."""

import numpy as np
import pytest

from ipseg.core import geometry
from ipseg.core.types import SettingError
from ipseg.method import prototype

SIZE = (61, 97)


@pytest.mark.parametrize("height", [60, 61, 126, 140, 156, 361, 427, 1999])
def test_sampling_is_torch_s_nearest(height):
    torch = pytest.importorskip("torch")
    rows = np.arange(height, dtype=np.float32)[:, None].repeat(3, axis=1)
    ours = geometry.sample_cells(rows, geometry.squash_frame(rows.shape, (60, 2)))
    theirs = torch.nn.functional.interpolate(torch.from_numpy(rows)[None, None], (60, 2), mode="nearest")[0, 0]
    np.testing.assert_array_equal(ours, theirs.numpy())


def test_cells_off_the_image_are_empty():
    sampled = geometry.sample_cells(np.ones(SIZE), geometry.letterbox_frame(SIZE, 10))  # cells of 9.7 from -18 on
    np.testing.assert_array_equal(sampled.all(axis=1), [False] * 2 + [True] * 7 + [False])
    assert not sampled[[0, 1, 9]].any()


def test_one_pixel_decides_where_cells_are_sampled():
    saliency = np.zeros((60, 60), dtype=np.float32)
    saliency[::6, ::6] = 1
    frame = geometry.squash_frame(saliency.shape, (10, 10))
    assert prototype.object_cells(saliency, frame, sampling="nearest").all()
    assert not prototype.object_cells(saliency, frame, sampling="area").any()


def test_the_border_of_the_grid_does_not_erode():
    frame = geometry.squash_frame(SIZE, (10, 10))
    assert prototype.object_cells(np.ones(SIZE), frame, sampling="nearest").all()


def test_an_unknown_sampling_is_refused():
    with pytest.raises(SettingError, match="choose one of: area, nearest"):
        prototype.object_cells(np.ones(SIZE), geometry.squash_frame(SIZE, (4, 4)), sampling="bicubic")
