import numpy as np

from ipseg.core.pixels import IMAGENET_MEAN, IMAGENET_STD, denormalise, normalise

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_black_and_white_by_hand():
    found = normalise(np.uint8([[[0, 0, 0], [255, 255, 255]]]))
    assert (found.shape, found.dtype, found.flags.c_contiguous) == ((1, 3, 1, 2), np.float32, True)
    np.testing.assert_allclose(found[0, :, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-6)
    np.testing.assert_allclose(found[0, :, 0, 1], [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225], rtol=1e-6)
    half = (0.5, 0.5, 0.5)
    np.testing.assert_allclose(normalise(IMAGE, half, half)[0], IMAGE.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)
    dark = np.minimum(IMAGE, 100)
    expected = (dark / 100 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(normalise(dark, white=100)[0], expected.transpose(2, 0, 1), atol=1e-5)


def test_back_and_forth():
    np.testing.assert_allclose(denormalise(normalise(IMAGE)[0]), IMAGE / 255, atol=1e-6)
