"""Scores equal those of the released evaluators, keep to algebra, and their intervals cover what they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipseg.datasets import Annotated, Episode, EvaluationProtocol, MaskFile
from ipseg.evaluation import scoring
from ipseg.evaluation.metrics import Pixels, boundary_f, count, resized
from ipseg.evaluation.scoring import Scored, score

CLASSES = EvaluationProtocol("sums per class", accuracy=True)
OBJECTS = EvaluationProtocol("sums per object", accuracy=True, unit="objects")
FRAMES = EvaluationProtocol("frames", frames=True, boundary=True, unit="sequences")


@pytest.fixture(scope="module")
def golden(root):
    """What the released evaluators say, and the masks that they were given."""
    arrays = dict(np.load(root / "tests/golden/metrics.npz"))
    for name in ("fewshot_pred", "fewshot_gt", "perseg_pred", "perseg_gt", "davis_ann", "davis_seg"):
        width = arrays[f"{name.partition('_')[0]}_shape"][-1]
        arrays[name] = np.unpackbits(arrays[name], axis=-1)[..., :width].astype(bool)
    return arrays


def episode(name: str, category: str, fold: int = 0, unit: str = "") -> Episode:
    side = Annotated(name, Path(name), MaskFile(Path(name)))
    return Episode(name, side, side, category, fold, unit)


def scored(name: str, category: str, predicted, truth, fold: int = 0, unit: str = "", boundary=None) -> Scored:
    return Scored(episode(name, category, fold, unit), count(predicted, truth), boundary)


def square(top: int, left: int, side: int = 10) -> np.ndarray:
    mask = np.zeros((40, 50), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_few_shot_scores_are_those_of_the_released_meter(golden):
    masks = zip(golden["fewshot_pred"], golden["fewshot_gt"], golden["fewshot_class"], strict=True)
    found = score([scored(str(at), f"{each[2]:02}", *each[:2]) for at, each in enumerate(masks)], CLASSES)
    assert 100 * found.metrics["miou"].value == pytest.approx(float(golden["fewshot_miou"]), abs=1e-4)
    assert 100 * found.metrics["fb_iou"].value == pytest.approx(float(golden["fewshot_fb_iou"]), abs=1e-4)


def test_perseg_scores_are_those_of_the_released_script(golden):
    named = list(zip(golden["perseg_names"], golden["perseg_pred"], golden["perseg_gt"], strict=True))
    every = [scored(name, name.split("/")[0], *masks) for name, *masks in named]
    found = score([each for each in every if not each.episode.name.endswith("/00")], OBJECTS)
    assert 100 * found.metrics["miou"].value == pytest.approx(float(golden["perseg_miou"]), abs=1e-6)
    assert 100 * found.metrics["macc"].value == pytest.approx(float(golden["perseg_macc"]), abs=1e-6)
    images = score(every, OBJECTS).metrics["image_miou"]
    assert 100 * images.value == pytest.approx(float(golden["perseg_per_image_miou"]), abs=1e-9)


def test_j_and_f_are_those_of_the_released_evaluation(golden):
    rows = []
    for number, (truth, predicted) in enumerate(zip(golden["davis_ann"], golden["davis_seg"], strict=True)):
        f = boundary_f(predicted, truth)
        assert f == pytest.approx(golden["davis_f"][number], abs=1e-12)
        assert count(predicted, truth).iou == pytest.approx(golden["davis_j"][number], abs=1e-12)
        rows.append(scored(f"{number}", "bear/1", predicted, truth, unit="bear", boundary=f))
    found = score(rows, FRAMES)
    assert found.metrics["j"].value == pytest.approx(golden["davis_j"].mean())
    assert found.metrics["f"].value == pytest.approx(golden["davis_f"].mean())


def test_counts_agree_with_pycocotools(golden):
    masks = list(zip(golden["fewshot_pred"], golden["fewshot_gt"], strict=True))
    coco = pytest.importorskip("pycocotools.mask", reason="needs pycocotools: pip install 'ipseg[evaluation]'")
    for predicted, truth in masks[:10]:
        one, other = (coco.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in (predicted, truth))
        expected = coco.iou([one], [other], [False])[0, 0]
        assert count(predicted, truth).iou == pytest.approx(expected)


@pytest.fixture(scope="module")
def torchmetrics():
    pytest.importorskip("torch", reason="torchmetrics needs the extra [models]")
    return pytest.importorskip("torchmetrics.functional.classification", reason="needs torchmetrics: the extra [dev]")


def pixels(masks) -> Any:
    """Masks of any sizes as one tensor of 0 and 1."""
    import torch

    return torch.from_numpy(np.concatenate([np.ravel(mask) for mask in masks]).astype(np.int64))


def test_class_iou_accuracy_and_fb_iou_agree_with_torchmetrics(golden, torchmetrics):
    """Jaccard index and recall of the pixels of a class together; Jaccard indices of both values over all of them."""
    predicted, truth, number = (golden[f"fewshot_{name}"] for name in ("pred", "gt", "class"))
    rows = [
        scored(str(at), f"{name:02}", *masks)
        for at, (name, *masks) in enumerate(zip(number, predicted, truth, strict=True))
    ]
    found = score(rows, CLASSES)
    ious, recalls = [], []
    for name in np.unique(number):
        given = pixels(predicted[number == name]), pixels(truth[number == name])
        ious.append(float(torchmetrics.binary_jaccard_index(*given)))
        recalls.append(float(torchmetrics.binary_recall(*given)))
    assert [each.iou for each in found.classes] == pytest.approx(ious, abs=1e-6)
    assert found.metrics["miou"].value == pytest.approx(np.mean(ious), abs=1e-6)
    assert found.metrics["macc"].value == pytest.approx(np.mean(recalls), abs=1e-6)
    both = torchmetrics.multiclass_jaccard_index(pixels(predicted), pixels(truth), num_classes=2, average=None)
    assert found.metrics["fb_iou"].value == pytest.approx(float(both.mean()), abs=1e-6)


def test_the_iou_of_images_and_frames_agrees_with_torchmetrics_also_beside_void(golden, torchmetrics):
    masks = list(zip(golden["davis_seg"], golden["davis_ann"], strict=True))
    masks = [each for each in masks if np.any(each)]  # two empty masks score 1 here, as in DAVIS, and 0 there
    frames = [float(torchmetrics.binary_jaccard_index(pixels([one]), pixels([other]))) for one, other in masks]
    rows = [scored(f"{at}", "bear/1", *each, unit="bear", boundary=1.0) for at, each in enumerate(masks)]
    found = score(rows, FRAMES)
    assert found.metrics["j"].value == pytest.approx(np.mean(frames), abs=1e-6)
    assert found.metrics["image_miou"].value == pytest.approx(np.mean(frames), abs=1e-6)
    ignored = np.random.default_rng(0).random(masks[0][0].shape) < 0.3
    for one, other in masks:
        labels = pixels([np.where(ignored, 255, other)])
        expected = torchmetrics.binary_jaccard_index(pixels([one]), labels, ignore_index=255)
        assert count(one, other, ignored).iou == pytest.approx(float(expected), abs=1e-6)


def test_sums_by_algebra():
    a, b, empty = square(0, 0), square(0, 5), square(0, 0) & False
    rows = [scored("1", "cat", a, a), scored("2", "cat", a, b), scored("3", "dog", empty, a)]
    found = score(rows, CLASSES)
    cat = (100 + 50) / (100 + 150)
    assert found.metrics["miou"].value == pytest.approx((cat + 0) / 2)
    assert found.metrics["image_miou"].value == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert found.metrics["macc"].value == pytest.approx((150 / 200 + 0) / 2)
    outside = (1900 + 1850 + 1900) / (1900 + 1950 + 2000)
    assert found.metrics["fb_iou"].value == pytest.approx((150 / 350 + outside) / 2)
    assert [(each.category, each.episodes) for each in found.classes] == [("cat", 2), ("dog", 1)]
    assert [each.iou for each in found.classes] == pytest.approx([cat, 0])


def test_folds_are_averaged_last():
    a, b = square(0, 0), square(0, 5)
    rows = [scored("1", "x", a, a, 0), scored("2", "y", a, a, 0), scored("3", "z", a, b, 1)]
    found = score(rows, CLASSES)
    assert found.folds == pytest.approx({0: 1.0, 1: 1 / 3})
    assert found.metrics["miou"].value == pytest.approx((1 + 1 / 3) / 2)
    assert found.metrics["fb_iou"].value == pytest.approx((1 + (1 / 3 + 1850 / 1950) / 2) / 2)


def test_frames_are_averaged_within_an_object_first():
    a, b = square(0, 0), square(0, 5)
    rows = [
        scored("1", "bear/1", a, a, unit="bear", boundary=1.0),
        scored("2", "bear/1", a, b, unit="bear", boundary=0.5),
        scored("3", "cat/1", a, b, unit="cat", boundary=0.0),
    ]
    found = score(rows, FRAMES)
    assert found.metrics["j"].value == pytest.approx(((1 + 1 / 3) / 2 + 1 / 3) / 2)
    assert found.metrics["f"].value == pytest.approx((0.75 + 0) / 2)


def test_ignored_pixels_are_in_no_count():
    a, b = square(0, 0), square(0, 5)
    ignored = square(0, 0, 5)
    assert count(a, b, ignored) == Pixels(50, 125, 100, 1850, 1925)
    assert count(a, a, ~a) == Pixels(100, 100, 100, 0, 0)
    with pytest.raises(ValueError, match="one size"):
        count(a, b.T)


def test_a_mask_is_squashed_as_torch_interpolates():
    torch = pytest.importorskip("torch", reason="the rule is that of torch")
    random = np.random.default_rng(0)
    for size in ((13, 29), (480, 640), (518, 1024), (1300, 77)):
        mask = random.random(size) < 0.5
        for side in (60, 518, 1024):
            expected = torch.nn.functional.interpolate(torch.from_numpy(mask[None, None].astype(np.float32)), side)
            np.testing.assert_array_equal(resized(mask, side), expected[0, 0].numpy() > 0)


def test_nothing_to_score():
    with pytest.raises(ValueError, match="at least one"):
        score([], CLASSES)


def test_equal_predictions_have_a_narrow_interval():
    a = square(0, 0)
    for protocol in (CLASSES, OBJECTS):
        found = score([scored(str(at), f"{at % 3}", a, a, unit=f"{at % 3}") for at in range(9)], protocol)
        assert {(each.low, each.high) for each in found.metrics.values()} == {(1.0, 1.0)}


def test_the_bootstrap_of_objects_is_that_of_their_mean():
    random = np.random.default_rng(3)
    shares = random.integers(0, 101, 40)
    rows = []
    for number, share in enumerate(shares):
        pixels = Pixels(int(share), 100, 100, 0, 0)
        for each in range(3):
            rows.append(Scored(episode(f"{number}/{each}", f"{number}", unit=f"{number}"), pixels))
    found = score(rows, OBJECTS, samples=4000).metrics["miou"]
    deviation = shares.std() / 100 / np.sqrt(40)
    assert found.value == pytest.approx(shares.mean() / 100)
    assert found.low == pytest.approx(found.value - 1.96 * deviation, abs=0.15 * deviation)
    assert found.high == pytest.approx(found.value + 1.96 * deviation, abs=0.15 * deviation)


def test_episodes_are_resampled_within_their_fold():
    a, b = square(0, 0), square(0, 5)
    rows = [scored(f"{at}", "x", a, a, 0) for at in range(5)] + [scored(f"{at}-", "y", a, b, 1) for at in range(5)]
    found = score(rows, CLASSES).metrics["miou"]
    assert (found.low, found.high) == pytest.approx((2 / 3, 2 / 3))  # neither fold can lose a class


def test_sequences_are_resampled_whole():
    a, b = square(0, 0), square(0, 5)
    rows = []
    for number in range(12):
        good = number % 2
        for each in range(4):
            rows.append(scored(f"{number}/{each}", f"{number}/1", a, a if good else b, unit=f"{number}", boundary=good))
    wide = score(rows, FRAMES).metrics["f"]
    assert wide.value == pytest.approx(0.5)
    assert wide.high - wide.low > 0.4  # twelve sequences; forty-eight frames would give half of it


def test_intervals_repeat_with_the_seed():
    random = np.random.default_rng(0)
    rows = [scored(f"{at}", f"{at % 4}", random.random((20, 20)) < 0.5, square(0, 0)[:20, :20]) for at in range(30)]
    first, again, other = (score(rows, CLASSES, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.metrics["miou"].value == other.metrics["miou"].value
    assert first.metrics["miou"].low != other.metrics["miou"].low
    assert first.metrics["miou"].low < first.metrics["miou"].value < first.metrics["miou"].high


def test_the_running_miou_ends_at_the_score():
    random = np.random.default_rng(1)
    rows = [
        scored(f"{at}", f"{at % 4}", random.random((20, 20)) < 0.5, square(0, 0)[:20, :20], at % 2) for at in range(30)
    ]
    add = scoring.running_miou([(row.episode, row.pixels) for row in rows[:10]])
    values = [add(row.episode, row.pixels) for row in rows[10:]]
    assert values[-1] == pytest.approx(score(rows, CLASSES).metrics["miou"].value)
