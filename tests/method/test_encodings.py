"""What is computed of an image, and when."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core.types import FeatureMap, Frame
from ipseg.engine.guarded import guarded
from ipseg.method.encodings import Encodings, named
from ipseg.saliency.tokencut import TokenCut

IMAGE = named(np.arange(768, dtype=np.int64).astype(np.uint8).reshape(16, 16, 3))
LAYERS = (FeatureMap("layer", np.eye(4, dtype=np.float32).reshape(2, 2, 4), Frame((16, 16), (2, 2), (0, 0, 16, 16))),)


class Device:
    """A placement that says whether a call is under way."""

    busy = False

    def run(self, function, *arguments, **settings):
        self.busy = True
        try:
            return function(*arguments, **settings)
        finally:
            self.busy = False

    run_alone = run


@pytest.mark.parametrize("reads", [True, False])
def test_features_are_computed_only_for_a_method_that_asks_for_them(reads):
    asked = []

    class Saliency:
        reads_features = reads

        def __call__(self, image, features):
            return np.zeros(image.shape[:2], np.float32)

    Encodings(lambda image: asked.append(1) or LAYERS, Saliency(), None).saliency(IMAGE)
    assert len(asked) == reads


def test_features_for_a_saliency_method_are_computed_before_it_has_the_device():
    """Another thread that has begun them may wait for the device: the two would wait for each other."""
    device, seen = Device(), []

    def extract(image):
        seen.append(device.busy)
        return LAYERS

    found = Encodings(extract, guarded("saliency", TokenCut(), device), None).saliency(IMAGE)
    assert seen == [False]
    assert found.shape == (16, 16)


def test_what_a_mask_holds_is_seen_once_for_each_mask():
    asked, left = [], np.zeros((16, 16), bool)
    left[:, :8] = True

    class Extractor:
        def __call__(self, image):
            return LAYERS

        def whole(self, image, mask):
            asked.append(mask.sum())
            return (np.float32([mask.sum()]),)

    encodings = Encodings(Extractor(), None, None)
    found = [encodings.whole(IMAGE, mask)[0][0] for mask in (left, ~left[:, ::-1], left | True)]
    assert found == [128, 128, 256]
    assert asked == [128, 256]
    assert Encodings(lambda image: LAYERS, None, None).whole(IMAGE, left) == ()
