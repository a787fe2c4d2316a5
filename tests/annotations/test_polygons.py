"""Polygons that are drawn as exactly the mask, with its holes, by every reader that fills by the even-odd rule."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from ipseg.annotations import polygons


def mask_of(text: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in line.strip()] for line in text.strip().splitlines()])


RING = mask_of("""
    .....
    .###.
    .#.#.
    .###.
    .....""")
PIXEL = mask_of("""
    ...
    ..#""")


def filled(parts, size) -> np.ndarray:
    """By OpenCV, as ultralytics and supervision draw."""
    mask = np.zeros(size, np.uint8)
    for each in parts:
        part = np.zeros(size, np.uint8)
        cv2.fillPoly(part, [each.astype(np.int32)], 1)
        mask |= part
    return mask.astype(bool)


def drawn(parts, size) -> np.ndarray:
    """By Pillow, as labelme draws."""
    mask = np.zeros(size, bool)
    for each in parts:
        image = Image.new("L", size[::-1])
        ImageDraw.Draw(image).polygon([tuple(map(float, point)) for point in each], outline=1, fill=1)
        mask |= np.asarray(image) > 0
    return mask


def random_masks() -> list[np.ndarray]:
    rng, masks = np.random.default_rng(7), []
    for share in (0.3, 0.6, 0.85, 0.95):
        for _ in range(12):
            masks.append(rng.random(tuple(rng.integers(1, 22, 2))) < share)
            smooth = cv2.GaussianBlur(rng.random((20, 17)).astype(np.float32), (0, 0), 1.5)
            masks.append(smooth > np.median(smooth))
    return [mask for mask in masks if mask.any()]


def test_a_ring_is_one_polygon_with_its_hole():
    (polygon,) = polygons.corners(RING)
    x, y = polygon.T.astype(float)
    assert abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2 == 8  # the shoelace formula: 9 - 1 pixels
    assert polygon.min() == 1
    assert polygon.max() == 4
    (polygon,) = polygons.centres(RING)
    assert (polygon.min(), polygon.max()) == (1, 3)
    np.testing.assert_array_equal(filled([polygon], RING.shape), RING)


def test_one_pixel_in_the_corner():
    assert [each.tolist() for each in polygons.centres(PIXEL)] == [[[2, 1], [2, 1], [2, 1]]]
    (square,) = polygons.corners(PIXEL)
    assert sorted(map(tuple, square.tolist())) == [(2, 1), (2, 2), (3, 1), (3, 2)]


def test_the_full_image_is_its_rectangle():
    (whole,) = polygons.corners(np.ones((3, 5), bool))
    assert sorted(map(tuple, whole.tolist())) == [(0, 0), (0, 3), (5, 0), (5, 3)]


def test_every_mask_comes_back_exactly():
    for mask in random_masks():
        parts = polygons.centres(mask)
        np.testing.assert_array_equal(filled(parts, mask.shape), mask)
        np.testing.assert_array_equal(drawn(parts, mask.shape), mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools itself
def test_pycocotools_draws_the_corners_exactly():
    coco = pytest.importorskip("pycocotools.mask", reason="needs pycocotools: pip install 'ipseg[dev]'")
    for mask in random_masks():
        height, width = mask.shape
        parts = coco.frPyObjects(
            [each.ravel().astype(float).tolist() for each in polygons.corners(mask)], height, width
        )
        np.testing.assert_array_equal(coco.decode(coco.merge(parts)).astype(bool), mask)


def test_parts_joined_to_one_add_a_line_at_most():
    for mask in random_masks():
        parts = polygons.centres(mask)
        found = filled([polygons.as_one(parts)], mask.shape)
        assert (found | mask == found).all() or len(parts) > 1
    apart = mask_of("""
        ##....
        ##..##
        ....##""")
    joined = filled([polygons.as_one(polygons.centres(apart))], apart.shape)
    np.testing.assert_array_equal(
        joined,
        mask_of("""
        ##....
        ######
        ....##"""),
    )


def test_parts_of_many_vertices_are_joined_in_little_memory():
    rng = np.random.default_rng(3)
    angles = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    rough = np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.integers(900, 1000, (4000, 1))
    parts = [(rough + centre).astype(np.int32) for centre in (1000, 3500)]
    tracemalloc.start()
    joined = polygons.as_one(parts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(joined) == 8002
    assert peak < 8 * 2**20  # all distances would take 256 MB


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match="not empty"):
        polygons.centres(np.zeros((3, 3), bool))
