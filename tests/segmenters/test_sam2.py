import numpy as np
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from networks import small_sam2, small_sam2_processor, small_sam2_video, threads_agree
from transformers import Sam2Processor

from ipseg import weights
from ipseg.core import (
    cache,
    plugins,
)
from ipseg.core.types import Points, SettingError
from ipseg.method import refinement
from ipseg.segmenters.sam2 import SegmentAnything2

SIZE = (91, 133)
IMAGE, _ = scene("sam2", *SIZE)
POINTS = Points(np.array([[60.5, 40.25], [70, 50]], dtype=np.float32), np.array([[5, 8.5]], dtype=np.float32))
NONE = Points(np.empty((0, 2), dtype=np.float32), np.empty((0, 2), dtype=np.float32))


@pytest.fixture(scope="module")
def model():
    return small_sam2()


@pytest.fixture(scope="module")
def segmenter(model):
    return SegmentAnything2(model, small_sam2_processor())


@pytest.fixture(scope="module")
def encoding(segmenter):
    return segmenter.encode(IMAGE)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("box", [None, [10.0, 12.0, 100.0, 80.0]])
def test_agrees_with_the_published_use(model, segmenter, encoding, several, box):
    processor = Sam2Processor(small_sam2_processor())
    inputs = processor(
        images=IMAGE,
        input_points=[[[*POINTS.positive.tolist(), *POINTS.negative.tolist()]]],
        input_labels=[[[1, 1, 0]]],
        input_boxes=None if box is None else [[box]],
        return_tensors="pt",
    )
    sizes = inputs.pop("original_sizes")
    mask = np.sin(np.arange(32 * 32, dtype=np.float32)).reshape(32, 32)
    with torch.inference_mode():
        theirs = model(**inputs, input_masks=torch.from_numpy(mask)[None, None], multimask_output=several)
    masks = processor.post_process_masks(theirs.pred_masks, sizes)[0][0].numpy()
    ours = segmenter.predict(encoding, POINTS, mask_logits=mask, box=box, several=several)
    np.testing.assert_array_equal(ours.masks, masks)
    np.testing.assert_allclose(ours.scores, theirs.iou_scores[0, 0].numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.logits, theirs.pred_masks[0, 0].numpy(), atol=1e-4)


def test_masks_have_the_image_s_size(segmenter, encoding):
    answer = segmenter.predict(encoding, POINTS, several=True)
    assert answer.masks.shape == (3, *SIZE)
    assert answer.logits.shape == (3, 32, 32)
    assert answer.logits.dtype == answer.scores.dtype == np.float32
    assert refinement.cascade(segmenter, encoding, POINTS).masks[0].shape == SIZE


def test_an_encoder_in_half_precision_answers_much_the_same(segmenter, encoding):
    half = small_sam2()
    half.vision_encoder.bfloat16()
    segmenter_in_half = SegmentAnything2(half, small_sam2_processor())
    theirs = segmenter_in_half.encode(IMAGE)
    assert all(values.dtype == torch.float32 for values in theirs.embeddings)
    asked = [each.predict(own, POINTS) for each, own in ((segmenter, encoding), (segmenter_in_half, theirs))]
    assert np.corrcoef(*(answer.logits.ravel() for answer in asked))[0, 1] > 0.99


def test_the_cache_knows_the_size_of_an_encoding(encoding):
    assert cache.nbytes(encoding) == 4 * (4 * 32 * 32 + 8 * 16 * 16 + 32 * 8 * 8)


def test_threads_share_one_model(segmenter):
    threads_agree(segmenter, IMAGE, POINTS)


def test_without_a_positive_point_nothing_is_found(segmenter, encoding):
    assert not segmenter.predict(encoding, NONE, several=True).masks.any()
    assert not refinement.cascade(segmenter, encoding, NONE).masks[0].any()


def test_loads_the_published_folder(tmp_path):
    published = small_sam2_video()
    published.save_pretrained(tmp_path / "sam2.1-hiera-small")
    small_sam2_processor().save_pretrained(tmp_path / "sam2.1-hiera-small")
    with weights.using(tmp_path):
        loaded = plugins.build("segmenters", "sam2", model="small")
    held = published.state_dict()
    assert all(torch.equal(value, held[name]) for name, value in loaded.model.state_dict().items())
    assert loaded.predict(loaded.encode(IMAGE), POINTS).masks.shape == (1, *SIZE)


def test_missing_weights_say_how_to_get_them(tmp_path, hub_home):
    hub_home(tmp_path)
    with pytest.raises(weights.WeightError, match=r"python -m ipseg weights fetch sam2\.1-hiera-tiny"):
        plugins.build("segmenters", "sam2")


def test_an_unknown_size_is_refused():
    with pytest.raises(SettingError, match="choose one of: tiny, small, base-plus, large"):
        plugins.build("segmenters", "sam2", model="huge")


def test_a_box_is_enough(model, segmenter, encoding):
    box = [10.0, 12.0, 100.0, 80.0]
    inputs = Sam2Processor(small_sam2_processor())(images=IMAGE, input_boxes=[[box]], return_tensors="pt")
    inputs.pop("original_sizes")
    with torch.inference_mode():
        theirs = model(**inputs, multimask_output=True)
    ours = segmenter.predict(encoding, NONE, box=tuple(box), several=True)
    np.testing.assert_allclose(ours.logits, theirs.pred_masks[0, 0].numpy(), atol=1e-4)
