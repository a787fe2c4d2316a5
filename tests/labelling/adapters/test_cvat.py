"""The auto-annotation function as cvat-cli loads it, its shapes as the SDK checks and reads them."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image

from ipseg.core.types import ImageError
from ipseg.labelling.examples import ExamplesError

cvataa = pytest.importorskip("cvat_sdk.auto_annotation", reason="needs cvat-cli: pip install 'ipseg[cvat]'")
from cvat_cli._internal.common import FunctionLoader
from cvat_sdk import models
from cvat_sdk.auto_annotation.driver import _AnnotationMapper, _DetectionFunctionContextImpl
from cvat_sdk.masks import decode_mask

RED, BLUE, GREY = (200, 30, 40), (50, 90, 210), (90, 90, 90)
MODULE = "ipseg.labelling.adapters.cvat"


@pytest.fixture
def function(shown, engine):
    return FunctionLoader(MODULE, None, {"examples": str(shown), "engine": engine}).load()


def context(**more):
    return _DetectionFunctionContextImpl(frame_name="shelf/01.png", **more)


def remapped(function, shapes, kind="mask", **more):
    """The shapes after the checks that the SDK makes before it uploads them to a task with these labels."""
    labels = [
        models.Label(id=number, name=name, type=kind, attributes=[], sublabels=[])
        for number, name in ((70, "sky"), (71, "apple"))
    ]
    more = {"conv_mask_to_poly": False, **more}
    mapper = _AnnotationMapper(logging.getLogger(), function.spec.labels, labels, allow_unmatched_labels=False, **more)
    tags, checked = mapper.validate_and_remap(shapes, 5)
    assert tags == []
    return checked


def test_the_masks_of_an_image(function, scene_of):
    image, truth = scene_of(RED)
    (shape,) = remapped(function, function.detect(context(), Image.fromarray(image)))
    assert (shape.label_id, shape.frame, shape.type.value) == (71, 5, "mask")
    assert 0 < shape.score <= 1
    mask = decode_mask(shape.points, image_width=64, image_height=48)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_polygons_where_cvat_asks_for_them(function, scene_of):
    image, truth = scene_of(BLUE)
    shapes = function.detect(context(conv_mask_to_poly=True), Image.fromarray(image))
    (shape,) = remapped(function, shapes, "polygon", conv_mask_to_poly=True)
    assert (shape.label_id, shape.type.value) == (70, "polygon")
    x, y = np.array(shape.points).reshape(-1, 2).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area == pytest.approx(truth.sum(), rel=0.1)


def test_the_confidence_threshold_of_cvat_counts(function, scene_of):
    image = Image.fromarray(scene_of(RED)[0])
    (shape,) = function.detect(context(), image)
    assert function.detect(context(conf_threshold=shape.score), image)
    assert function.detect(context(conf_threshold=np.nextafter(shape.score, 2)), image) == []


def test_nothing_found_is_no_shape(function, scene_of):
    assert function.detect(context(), Image.fromarray(scene_of(GREY)[0])) == []


def test_an_image_that_cannot_be_used_is_one_message(function):
    with pytest.raises(ImageError, match=r"01\.png is 8x8 pixels"):
        function.detect(context(), Image.new("RGB", (8, 8)))


def test_examples_that_are_not_there_are_one_message(tmp_path):
    with pytest.raises(ExamplesError, match="do not exist"):
        FunctionLoader(MODULE, None, {"examples": str(tmp_path / "none")}).load()
