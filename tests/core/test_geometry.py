"""Frames convert back and forth without loss, on images of any size and aspect."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ipseg.core import geometry
from ipseg.core.types import Frame

SIZES = [(1, 1), (16, 16), (1, 40), (301, 77), (77, 301), (64, 256), (255, 64), (1080, 1921), (333, 500)]
FRAMES = {
    "letterbox": lambda size: geometry.letterbox_frame(size, 60),
    "letterbox-odd": lambda size: geometry.letterbox_frame(size, 37),
    "squash": lambda size: geometry.squash_frame(size, (60, 60)),
    "squash-odd": lambda size: geometry.squash_frame(size, (13, 41)),
    "aspect": lambda size: geometry.aspect_frame(size, 60),
}
every_frame = pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")


def all_cells(frame: Frame) -> np.ndarray:
    rows, columns = np.mgrid[: frame.grid[0], : frame.grid[1]]
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


def shares(frame: Frame) -> np.ndarray:
    """The area of each cell that lies on the image, in pixels: (rows, columns)."""
    left, top, width, height = *frame.box[:2], *frame.cell
    x, y = left + np.arange(frame.grid[1] + 1) * width, top + np.arange(frame.grid[0] + 1) * height
    across, down = (
        np.diff(np.clip(edges, 0, end)) for edges, end in ((x, frame.image_size[1]), (y, frame.image_size[0]))
    )
    return down[:, None] * across[None, :]


@every_frame
@every_size
def test_cells_to_image_and_back(make, size):
    frame = make(size)
    cells = all_cells(frame)
    points = geometry.cells_to_image(cells, frame)
    assert points.dtype == np.float32
    np.testing.assert_allclose(geometry.image_to_cells(points, frame), cells, atol=2e-3)
    inside = geometry.cells_inside(frame).ravel()
    assert inside.any()
    on = (points >= 0).all(axis=1) & (points < np.array(size)[::-1]).all(axis=1)
    np.testing.assert_array_equal(on, inside)


def test_frames_by_hand():
    frame = geometry.letterbox_frame((20, 40), 4)
    assert frame.box == (0, -10, 40, 30)
    assert frame.cell == (10, 10)
    np.testing.assert_array_equal(geometry.cells_to_image([[0, 0], [3, 1.5]], frame), [[5, -5], [35, 10]])
    np.testing.assert_array_equal(geometry.image_to_cells([[5, -5], [0, 0]], frame), [[0, 0], [-0.5, 0.5]])
    np.testing.assert_array_equal(geometry.cells_inside(frame)[:, 0], [False, True, True, False])
    on_the_edge = geometry.cells_inside(geometry.letterbox_frame((30, 40), 4))  # centres at y = 0, 10, 20 and 30
    np.testing.assert_array_equal(on_the_edge[:, 0], [True, True, True, False])
    on_the_edge = geometry.cells_inside(geometry.letterbox_frame((40, 30), 4))
    np.testing.assert_array_equal(on_the_edge[0], [True, True, True, False])
    frame = geometry.squash_frame((20, 40), (2, 8))
    assert (frame.box, frame.cell) == ((0, 0, 40, 20), (5, 10))
    assert geometry.cells_inside(frame).all()
    assert geometry.aspect_frame((20, 40), 8).grid == (4, 8)
    assert geometry.aspect_frame((40, 20), 8).grid == (8, 4)
    assert geometry.aspect_frame((1, 400), 8).grid == (1, 8)


@pytest.mark.parametrize("size", [size for size in SIZES if min(size) >= 16], ids=lambda size: f"{size[1]}x{size[0]}")
@pytest.mark.parametrize("side", [224, 518])
def test_the_letterboxed_image_agrees_with_its_frame(size, side):
    height, width = size
    scale = side / max(size)
    radius = max(1, 3 / scale)
    x, y = round(width * 0.7), round(height * 0.3)
    rows, columns = np.mgrid[:height, :width] + 0.5
    weight = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * radius**2))
    square = geometry.letterbox((weight * 255).astype(np.uint8)[..., None].repeat(3, axis=2), side)
    assert square.shape == (side, side, 3)
    light = np.where(square[..., 0] > 20, square[..., 0], 0).astype(np.float64)
    found = np.array([(light.sum(axis) * np.arange(side)).sum() for axis in (0, 1)]) / light.sum()
    expected = geometry.image_to_cells([[x, y]], geometry.letterbox_frame(size, side))[0]
    np.testing.assert_allclose(found, expected, atol=0.8)


def test_the_padding_of_a_letterboxed_image_is_black():
    square = geometry.letterbox(np.full((20, 80, 3), 200, np.uint8), 40)
    assert (square[15:25] == 200).all()
    assert not square[:15].any()
    assert not square[25:].any()
    assert geometry.letterbox(np.full((1, 1, 3), 9, np.uint8), 8).shape == (8, 8, 3)


@every_frame
@every_size
def test_to_cells_keeps_the_mean(make, size):
    frame = make(size)
    values = np.random.default_rng(0).random(size, dtype=np.float32)
    cells = geometry.to_cells(values, frame)
    assert (cells.shape, cells.dtype) == (frame.grid, np.float32)
    area = shares(frame)
    assert (cells * area).sum() / area.sum() == pytest.approx(values.mean(), abs=1e-4)
    assert not cells[area <= 1e-6].any()


@pytest.mark.parametrize("leading", [(), (0,), (1,), (2, 3)])
def test_to_cells_takes_several_maps_at_once(leading):
    values = np.random.default_rng(0).random((*leading, 61, 90), dtype=np.float32)
    frame = geometry.squash_frame((61, 90), (6, 15))
    cells = geometry.to_cells(values, frame)
    assert cells.shape == (*leading, 6, 15)
    for place in np.ndindex(leading):
        np.testing.assert_array_equal(cells[place], geometry.to_cells(values[place], frame))


def test_to_cells_is_exact_on_whole_ratios():
    values = np.random.default_rng(0).random((60, 90)).astype(np.float32)
    cells = geometry.to_cells(values, geometry.squash_frame((60, 90), (6, 15)))
    np.testing.assert_allclose(cells, values.reshape(6, 10, 15, 6).mean(axis=(1, 3)), atol=1e-6)
    same = geometry.to_cells(values, geometry.squash_frame((60, 90), (60, 90)))
    np.testing.assert_allclose(same, values, atol=1e-7)
    finer = geometry.to_cells(values, geometry.squash_frame((60, 90), (120, 180)))
    np.testing.assert_allclose(finer, values.repeat(2, axis=0).repeat(2, axis=1), atol=1e-6)


def test_the_bounding_box_holds_every_pixel_of_a_mask():
    mask = np.zeros((9, 12), bool)
    assert geometry.bounding_box(mask) is None
    mask[3, 2] = mask[5, 7] = True
    assert geometry.bounding_box(mask) == (2, 3, 8, 6)
    assert geometry.bounding_box(~mask) == (0, 0, 12, 9)


def test_several_maps_are_averaged_as_each_of_them_is():
    frame, values = geometry.letterbox_frame((9, 14), 4), np.random.default_rng(0).random((2, 3, 9, 14)) > 0.5
    found = geometry.to_cells(values, frame)
    assert found.shape == (2, 3, 4, 4)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_array_equal(found[i, j], geometry.to_cells(values[i, j], frame))


def test_to_cells_averages_over_the_part_on_the_image():
    frame = geometry.letterbox_frame((3, 4), 2)  # two rows of cells of 2x2 pixels; the image covers 1.5 of each
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_allclose(geometry.to_cells(values, frame), [[11 / 6, 23 / 6], [43 / 6, 55 / 6]], atol=1e-5)
    with pytest.raises(ValueError, match=r"expected a map of \(3, 4\), got \(4, 3\)"):
        geometry.to_cells(values.T, frame)


@every_frame
@every_size
@pytest.mark.parametrize("smooth", [True, False])
def test_a_constant_stays_constant(make, size, smooth):
    frame = make(size)
    cells = np.full(frame.grid, 0.3, np.float32)
    image = geometry.to_image(cells, frame, smooth=smooth)
    assert (image.shape, image.dtype) == (size, np.float32)
    np.testing.assert_allclose(image, 0.3, atol=1e-6)
    seen = geometry.to_cells(image, frame)
    np.testing.assert_allclose(seen[shares(frame) > 1e-6], 0.3, atol=1e-5)


@pytest.mark.parametrize("size", [(301, 77), (64, 256), (333, 500)], ids=str)
@every_frame
def test_a_gradient_comes_back(make, size):
    frame = make(size)
    across = np.broadcast_to((np.arange(size[1]) + 0.5) / size[1], size)
    down = np.broadcast_to(((np.arange(size[0]) + 0.5) / size[0])[:, None], size)
    values = (0.6 * across + 0.4 * down).astype(np.float32)
    back = geometry.to_image(geometry.to_cells(values, frame), frame)
    margin = [min(size[0] // 2 - 1, int(np.ceil(frame.cell[1]))), min(size[1] // 2 - 1, int(np.ceil(frame.cell[0])))]
    inner = (slice(2 * margin[0], -2 * margin[0]), slice(2 * margin[1], -2 * margin[1]))
    np.testing.assert_allclose(back[inner], values[inner], atol=2e-3)


def test_nearest_by_hand():
    frame = geometry.squash_frame((2, 4), (1, 2))
    np.testing.assert_array_equal(geometry.to_image(np.array([[1.0, 3.0]]), frame, smooth=False), [[1, 1, 3, 3]] * 2)
    np.testing.assert_allclose(geometry.to_image(np.array([[1.0, 3.0]]), frame), [[1, 1.5, 2.5, 3]] * 2)


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (301, 77), (77, 301), (600, 600), (40, 2000)], ids=str)
@pytest.mark.parametrize("n", [15, 30, 37, 60])
def test_crop_to_image_follows_the_released_rule(size, n):
    values = np.arange(n * n, dtype=np.float32).reshape(n, n, 1)
    s = max(1, int(min(size) / (max(size) / n)))
    covered = range((n - s) // 2, n - (n - s) // 2)
    whole = range(n)
    rows, columns = (covered, whole) if size[0] < size[1] else (whole, covered) if size[1] < size[0] else (whole, whole)
    rows, columns = ([side[len(side) * i // 60] for i in range(60)] for side in (rows, columns))
    expected = [[values[row, column, 0] for column in columns] for row in rows]
    cut = geometry.crop_to_image(values, geometry.letterbox_frame(size, n), (60, 60))
    np.testing.assert_array_equal(cut[..., 0], expected)


def test_crop_to_image_takes_tensors():
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).random((15, 15, 3)).astype(np.float32)
    frame = geometry.letterbox_frame((300, 500), 15)
    cut = geometry.crop_to_image(torch.from_numpy(values), frame, (60, 60))
    assert isinstance(cut, torch.Tensor)
    np.testing.assert_array_equal(cut.numpy(), geometry.crop_to_image(values, frame, (60, 60)))


@every_size
@pytest.mark.parametrize("grid", [(7, 5), (60, 60)])
def test_resampling_keeps_a_linear_map(size, grid):
    """Values that are positions in pixels stay so on the cells of another frame, between the outermost centres."""
    height, width = size
    frame = Frame(size, (13, 17), (-0.2 * width, -0.1 * height, 1.1 * width, 1.3 * height))
    target = geometry.squash_frame(size, grid)
    positions = [geometry.cells_to_image(all_cells(each), each).reshape(*each.grid, 2) for each in (frame, target)]
    found = geometry.resample(positions[0], frame, target)
    assert (found.shape, found.dtype) == ((*grid, 2), np.float32)
    low, high = positions[0].min(axis=(0, 1)), positions[0].max(axis=(0, 1))
    np.testing.assert_allclose(found, positions[1].clip(low, high), rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(geometry.resample(found, target, target), found)


@pytest.mark.parametrize("size", [(40, 161), (40, 400), (4000, 40), (16_000, 40), (17, 100)])
def test_windows_cover_a_thin_image_and_share_at_least_half(size):
    height, width = size
    longer, shorter = max(size), min(size)
    boxes = geometry.windows(size)
    assert len(boxes) > 1
    ends = [(box[0], box[2]) if width > height else (box[1], box[3]) for box in boxes]
    assert (ends[0][0], ends[-1][1]) == (0, longer)
    assert all(last - first == 4 * shorter for first, last in ends)
    assert all(before[1] - after[0] >= 2 * shorter for before, after in pairwise(ends))
    for first in range(0, longer - 2 * shorter + 1, 7):  # what is as long as half a window is whole in one
        assert any(start <= first and first + 2 * shorter <= end for start, end in ends)


@pytest.mark.parametrize("size", [(40, 160), (160, 40), (30, 30)])
def test_an_image_that_is_not_thin_is_one_window(size):
    assert geometry.windows(size) == [(0, 0, size[1], size[0])]
    assert not geometry.is_thin(size)
    assert geometry.window_around(size, (1, 1, 5, 5)) == (0, 0, size[1], size[0])


def test_the_window_around_a_box_is_on_the_image_and_holds_the_box():
    for box in ((0, 3, 10, 8), (395, 0, 400, 40), (100, 0, 350, 40)):
        left, top, right, bottom = geometry.window_around((40, 400), box)
        assert (top, bottom) == (0, 40)
        assert 0 <= left <= box[0]
        assert box[2] <= right <= 400
        assert right - left == max(160, box[2] - box[0])
        turned = geometry.window_around((400, 40), (box[1], box[0], box[3], box[2]))
        assert turned == (0, left, 40, right)
