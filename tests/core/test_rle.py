"""Run lengths: by algebra, and as pycocotools reads them where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import rle


def test_counts_run_down_the_columns_and_begin_outside():
    mask = np.array([[1, 0, 0], [1, 1, 0]], bool)
    assert rle.encode(mask) == [0, 2, 1, 1, 2]
    assert rle.encode(~mask) == [2, 1, 1, 2]
    assert rle.encode(np.zeros((2, 3), bool)) == [6]
    assert rle.encode(np.ones((2, 3), bool)) == [0, 6]
    assert rle.encode(np.array([[True]])) == [0, 1]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 5), (40, 31)])
def test_what_is_encoded_comes_back(size):
    rng = np.random.default_rng(0)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        mask = rng.random(size) < share
        counts = rle.encode(mask)
        assert sum(counts) == mask.size
        assert sum(counts[1::2]) == mask.sum()
        assert all(count > 0 for count in counts[1:])
        np.testing.assert_array_equal(rle.decode(counts, size), mask)


@pytest.mark.parametrize("counts", [[5], [7], [8, -2], []])
def test_counts_of_another_size_are_refused(counts):
    with pytest.raises(ValueError, match="sum to 2"):
        rle.decode(counts, (2, 3))


@pytest.mark.parametrize("size", [(1, 1), (40, 31), (200, 300)])
def test_the_compressed_form_comes_back(size):
    rng = np.random.default_rng(1)
    for share in (0.0, 0.001, 0.5, 1.0):
        counts = rle.encode(rng.random(size) < share)
        assert rle.decompress(rle.compress(counts)) == counts


@pytest.mark.parametrize("size", [(7, 5), (200, 300)])
def test_the_compressed_form_is_that_of_pycocotools(size):
    mask_of = pytest.importorskip("pycocotools.mask", reason="needs pycocotools: pip install 'ipseg[dev]'")
    rng = np.random.default_rng(2)
    for share in (0.0, 0.001, 0.5, 0.999, 1.0):
        mask = rng.random(size) < share
        expected = mask_of.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        assert rle.compress(rle.encode(mask)) == expected
        assert rle.decompress(expected) == rle.encode(mask)


@pytest.mark.parametrize("text", ["é", "!", "P", "0P"])
def test_what_is_no_compressed_form_is_refused(text):
    with pytest.raises(ValueError, match="run lengths"):
        rle.decompress(text)
