"""The paper's comparison, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import geometry, plugins
from ipseg.core.types import FeatureMap, InputFeatures, PromptFeatures
from ipseg.method.scorers.cosine import Cosine, Settings

FRAME = geometry.squash_frame((10, 20), (1, 2))


def layers(*values) -> tuple[FeatureMap, ...]:
    """Layers "a", "b", ... of two cells side by side."""
    return tuple(FeatureMap(name, np.float32([each]), FRAME) for name, each in zip("abc", values, strict=False))


def prompt(*values, cells=(True, False)) -> PromptFeatures:
    return PromptFeatures(layers(*values), lambda frame: np.array([cells]))


def searched(*values) -> InputFeatures:
    return InputFeatures(layers(*values), lambda: pytest.fail("the cosine needs no saliency of the input"))


def test_the_prototype_is_the_mean_over_cells_and_images():
    model = Cosine().model([prompt([[2, 0], [0, 8]]), prompt([[0, 4], [6, 0]], cells=(True, True))])
    np.testing.assert_allclose(model.foreground["a"], [(2 + 3) / 2, (0 + 2) / 2])
    np.testing.assert_allclose(model.background["a"], [(0 + 3) / 2, (8 + 2) / 2])  # the second image is all object


def test_similarity_is_the_weighted_sum_of_cosines():
    model = Cosine().model([prompt([[3, 0], [0, 1]], [[1, 0], [0, 1]])])
    image = searched([[5, 0], [3, 4]], [[0, 2], [7, 0]])
    np.testing.assert_allclose(Cosine().similarity(model, image, None).values, [[1 + 0, 0.6 + 1]], atol=1e-6)
    weighted = Cosine(Settings({"a": 1.0, "b": 0.03})).similarity(model, image, None)
    np.testing.assert_allclose(weighted.values, [[1, 0.63]], atol=1e-6)
    assert weighted.inside.all()
    assert weighted.frame == FRAME


def test_only_what_the_negative_prompt_explains_better_scores_less():
    model, other = (Cosine().model([prompt([vector, [9, 9]])]) for vector in ([1, 0], [0, 1]))
    image = searched([[1, 0], [0.6, 0.8]])
    scores = Cosine(Settings(negative=2.0)).similarity(model, image, other).values
    np.testing.assert_allclose(scores, [[1, 0.6 - 2 * 0.2]], atol=1e-6)
    np.testing.assert_allclose(Cosine().similarity(model, image, other).values, [[1, 0.6 - 4 * 0.2]], atol=1e-6)


def test_it_scores_no_masks_and_knows_presence():
    model = Cosine().model([prompt([[1, 0], [0, 1]])])
    image = searched([[1, 0], [0, 1]])
    mask = np.zeros((10, 20), bool)
    mask[:, :10] = True
    assert Cosine().mask_scores(model, image, None, mask[None]) is None
    assert Cosine().presence(model, image, None, mask) == pytest.approx(1)
    assert Cosine().presence(model, image, None, ~mask) == pytest.approx(0)


def test_layers_on_grids_of_their_own_are_averaged_there():
    fine = FeatureMap("fine", np.float32([[[1], [2], [4], [8]]]), geometry.squash_frame((10, 20), (1, 4)))
    image = PromptFeatures((*layers([[1], [5]]), fine), lambda frame: np.arange(frame.grid[1])[None] < 1)
    model = Cosine().model([image])
    assert (model.foreground["a"], model.foreground["fine"]) == (1, 1)
    assert (model.background["a"], model.background["fine"]) == (5, pytest.approx(14 / 3))


def test_it_is_found_by_name():
    assert plugins.build("scorers", "cosine", weights={"a": 2.0}) == Cosine(Settings({"a": 2.0}))


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (("a",), {"a": ("a",)}),
        (("a", "b"), {"fused": ("a", "b"), "a": ("a",), "b": ("b",)}),
        (("s3", "s4"), {"fused": ("s3", "s4"), "s3": ("s3",), "s4": ("s4",)}),
        (("a", "s3"), {"without sd": ("a",), "with sd": ("a", "s3"), "sd": ("s3",)}),
        (
            ("a", "s3", "s4"),
            {"without sd": ("a",), "with sd": ("a", "s3", "s4"), "sd": ("s3", "s4"), "s3": ("s3",), "s4": ("s4",)},
        ),
    ],
)
def test_variants_are_the_layers_together_without_diffusion_and_alone(used, expected):
    found = Cosine().variants(used)
    assert {name: tuple(each.settings.weights) for name, each in found.items()} == expected
    assert list(found) == list(expected)


def test_variants_keep_the_weights_of_layers_together_and_a_layer_alone_has_the_weight_1():
    found = Cosine(Settings({"a": 0.5, "b": 2.0}, negative=3.0)).variants(["a", "b"])
    assert {name: each.settings for name, each in found.items()} == {
        "fused": Settings({"a": 0.5, "b": 2.0}, negative=3.0),
        "a": Settings({"a": 1.0}, negative=3.0),
        "b": Settings({"b": 1.0}, negative=3.0),
    }
