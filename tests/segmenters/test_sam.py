from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from networks import SAM_SIDE, small_sam, threads_agree
from segment_anything import SamPredictor, sam_model_registry

from ipseg import weights
from ipseg.core import (
    cache,
    plugins,
)
from ipseg.core.types import Points, SettingError
from ipseg.method import refinement
from ipseg.segmenters.sam import SegmentAnything

SIZE = (91, 133)
IMAGE, _ = scene("sam", *SIZE)
POINTS = Points(
    np.array([[60.5, 40.25], [70, 50]], dtype=np.float32), np.array([[5, 8.5], [120, 80]], dtype=np.float32)
)
NONE = Points(np.empty((0, 2), dtype=np.float32), np.empty((0, 2), dtype=np.float32))


@pytest.fixture(scope="module")
def sam():
    return small_sam(side=SAM_SIDE)


@pytest.fixture(scope="module")
def segmenter(sam):
    return SegmentAnything(sam)


@pytest.fixture(scope="module")
def encoding(segmenter):
    return segmenter.encode(IMAGE)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("box", [None, (10.0, 12.0, 100.0, 80.0)])
def test_agrees_with_the_package_s_own_predictor(sam, segmenter, encoding, several, box):
    predictor = SamPredictor(sam)
    predictor.set_image(IMAGE)
    xy, labels = np.concatenate([POINTS.positive, POINTS.negative]), np.array([1, 1, 0, 0])
    mask = np.sin(np.arange(256 * 256, dtype=np.float32)).reshape(256, 256)
    theirs = predictor.predict(xy, labels, None if box is None else np.array(box), mask[None], several)
    ours = segmenter.predict(encoding, POINTS, mask_logits=mask, box=box, several=several)
    assert (ours.masks == theirs[0]).mean() > 0.999  # Pillow's and torchvision's resizing may round differently
    np.testing.assert_allclose(ours.scores, theirs[1], atol=1e-4)
    np.testing.assert_allclose(ours.logits, theirs[2], atol=1e-3)


@pytest.mark.parametrize("squash", [False, True])
def test_masks_have_the_image_s_size(sam, squash):
    segmenter = SegmentAnything(sam, squash=squash)
    encoding = segmenter.encode(IMAGE)
    assert encoding.input_size == ((SAM_SIDE, SAM_SIDE) if squash else (701, SAM_SIDE))
    answer = segmenter.predict(encoding, POINTS, several=True)
    assert answer.masks.shape == (3, *SIZE)
    assert answer.logits.shape == (3, 256, 256)
    assert answer.logits.dtype == answer.scores.dtype == np.float32


def test_an_encoder_in_half_precision_answers_much_the_same(segmenter, encoding):
    half = small_sam(side=SAM_SIDE)
    half.image_encoder.bfloat16()
    segmenter_in_half = SegmentAnything(half)
    theirs = segmenter_in_half.encode(IMAGE)
    assert theirs.embedding.dtype == torch.float32
    asked = [each.predict(own, POINTS) for each, own in ((segmenter, encoding), (segmenter_in_half, theirs))]
    assert np.corrcoef(*(answer.logits.ravel() for answer in asked))[0, 1] > 0.99


def test_the_encoding_is_frozen_and_the_cache_knows_its_size(encoding):
    with pytest.raises(FrozenInstanceError):
        encoding.input_size = (1, 1)
    assert cache.nbytes(encoding) == 256 * 64 * 64 * 4


def test_threads_share_one_model(segmenter):
    threads_agree(segmenter, IMAGE, POINTS)


@pytest.mark.parametrize("points", [NONE, Points(NONE.positive, POINTS.negative)])
def test_without_a_positive_point_nothing_is_found(segmenter, encoding, points):
    answer = segmenter.predict(encoding, points, several=True)
    assert answer.masks.shape == (3, *SIZE)
    assert not answer.masks.any()
    assert not refinement.cascade(segmenter, encoding, points).masks[0].any()


def test_a_box_is_enough(segmenter, encoding):
    assert segmenter.predict(encoding, NONE, box=(10.0, 10.0, 90.0, 80.0)).scores[0] != 0


@pytest.mark.slow
def test_full_size_loads_from_a_checkpoint(tmp_path, monkeypatch):
    published, generator = sam_model_registry["vit_b"](), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in published.parameters():  # of what it starts with, some is the same in every network
            value.uniform_(generator=generator)
    path = tmp_path / "made_up.pth"
    torch.save(published.state_dict(), path)
    monkeypatch.setattr(weights, "locate", lambda name: {"sam_vit_b": path}[name])
    segmenter = plugins.build("segmenters", "sam", model="vit_b")
    held = published.state_dict()
    assert all(torch.equal(value, held[name]) for name, value in segmenter.sam.state_dict().items())
    for name in ("pixel_mean", "pixel_std"):
        assert torch.equal(getattr(segmenter.sam, name), getattr(published, name))


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path, sam):
    torch.save(sam.state_dict(), tmp_path / "sam_vit_b_01ec64.pth")
    with weights.using(tmp_path), pytest.raises(weights.WeightError, match="sha256"):
        plugins.build("segmenters", "sam", model="vit_b")


def test_another_network_is_refused(tmp_path, sam, monkeypatch):
    torch.save(sam.state_dict(), tmp_path / "made_up.pth")
    monkeypatch.setattr(weights, "locate", lambda name: tmp_path / "made_up.pth")
    with pytest.raises(weights.WeightError, match="not those of SAM ViT-B"):
        plugins.build("segmenters", "sam", model="vit_b")


def test_an_unknown_size_is_refused():
    with pytest.raises(SettingError, match="choose one of: vit_b, vit_l, vit_h"):
        plugins.build("segmenters", "sam", model="vit_g")
