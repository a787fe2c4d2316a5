"""Every call of a guarded plug-in goes through the placement, and reaches the plug-in as it was made."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from ipseg.core import types
from ipseg.core.types import Points
from ipseg.engine.guarded import GuardedFeatures, GuardedSAM, GuardedSegmenter, guarded

IMAGE = np.zeros((2, 3, 3), np.uint8)
NOWHERE = Points(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32))


class Counting:
    """A placement that counts the calls which go through it."""

    def __init__(self):
        self.runs = 0

    def run(self, function, *arguments, **settings):
        self.runs += 1
        return function(*arguments, **settings)

    run_alone = run


class Features:
    """An extractor with all that is optional."""

    density = True

    def __call__(self, image):
        return ("layers", image)

    def prompt_layers(self, image):
        return ("prompt layers", image)

    def whole(self, image, mask):
        return ("whole", image, mask)

    def native(self, image):
        return ("native", image)


class Segmenter:
    """A segmenter whose answers are what it was asked."""

    accepts_prior = True
    is_sam = False

    def encode(self, image):
        return ("encoding", image)

    def predict(self, encoding, points, **request):
        return encoding, points, request

    def proposals(self, encoding):
        return ("proposals", encoding)


class SAM(Segmenter):
    """The same with what a SAM has beside."""

    accepts_prior = False
    is_sam = True
    sam, device, squash = "module", "cuda:0", True

    def unsquashed(self):
        other = SAM()
        other.squash = False
        return other

    def enlarge(self, encoding, logits, size=None):
        return encoding, logits, size


@pytest.fixture
def placement():
    return Counting()


def test_features(placement):
    part = guarded("features", Features(), placement)
    assert part.density
    assert placement.runs == 0
    assert part(IMAGE) == ("layers", IMAGE)
    assert part.prompt_layers(IMAGE) == ("prompt layers", IMAGE)
    assert part.native(IMAGE) == ("native", IMAGE)
    assert part.whole(IMAGE, "mask") == ("whole", IMAGE, "mask")
    assert placement.runs == 4


def test_features_without_what_is_optional(placement):
    class Plain:
        density = False

        def __call__(self, image):
            return ("layers", image)

    part = guarded("features", Plain(), placement)
    assert not part.density
    assert part.prompt_layers(IMAGE) == ()
    assert part.whole(IMAGE, "mask") == ()
    assert part.native(IMAGE) == ("layers", IMAGE)


def test_saliency(placement):
    part = guarded("saliency", lambda image, features: (image, features()), placement)
    assert part(IMAGE, lambda: "features") == (IMAGE, "features")
    assert placement.runs == 1


@pytest.mark.parametrize("kind", [Segmenter, SAM])
def test_a_segmenter(placement, kind):
    part = guarded("segmenters", kind(), placement)
    assert (part.accepts_prior, part.is_sam) == (kind.accepts_prior, kind.is_sam)
    assert placement.runs == 0
    assert part.encode(IMAGE) == ("encoding", IMAGE)
    asked = {"mask_logits": None, "prior": None, "box": (0, 0, 1, 1), "several": True, "decoder": "own"}
    assert part.predict("encoding", NOWHERE, **asked) == ("encoding", NOWHERE, asked)
    assert part.proposals("encoding") == ("proposals", "encoding")
    assert placement.runs == 3


def test_a_segmenter_without_proposals(placement):
    class Plain:
        is_sam = False

    assert guarded("segmenters", Plain(), placement).proposals("encoding") == ()


def test_a_sam_beside(placement):
    part = guarded("segmenters", SAM(), placement)
    assert (part.sam, part.device, part.squash) == ("module", "cuda:0", True)
    assert part.enlarge("encoding", "logits", (2, 3)) == ("encoding", "logits", (2, 3))
    assert placement.runs == 1
    other = part.unsquashed()
    assert not other.squash
    other.encode(IMAGE)
    assert placement.runs == 2


@pytest.mark.parametrize(
    ("protocol", "made"),
    [
        (types.FeatureExtractor, GuardedFeatures),
        (types.Segmenter, GuardedSegmenter),
        (types.SAMSegmenter, GuardedSAM),
    ],
)
def test_whatever_a_protocol_has_a_guarded_plug_in_has_too(protocol, made):
    wanted = {name for name in dir(protocol) if not name.startswith("_")} | set(inspect.get_annotations(protocol))
    assert {name for name in wanted if not hasattr(made, name)} == set()
