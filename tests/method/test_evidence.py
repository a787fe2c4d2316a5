"""Why an object is not detected."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.method.evidence import NEGATIVE, scores_without


def blob(colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A square of one colour on noise, and its mask."""
    image = np.random.default_rng(0).integers(90, 130, (96, 96, 3), dtype=np.uint8)
    mask = np.zeros((96, 96), bool)
    mask[30:70, 30:70] = True
    image[mask] = colour
    return image, mask


def test_a_score_without_the_negative_prompt(offline):
    image, mask = blob((200, 40, 40))
    prompt, negative = offline.prompt(image, mask), offline.prompt(image, mask)
    found = scores_without(offline, prompt, image, mask, negative_prompt=negative)
    assert found == {NEGATIVE: pytest.approx(offline.segment(prompt, image).score, abs=0.3)}
    assert found[NEGATIVE] > 0.5
    assert scores_without(offline, prompt, image, mask) == {}


def test_nothing_is_said_of_a_thin_image(offline):
    image, mask = blob((200, 40, 40))
    wide, wide_mask = np.tile(image, (1, 12, 1)), np.tile(mask, (1, 12))
    assert scores_without(offline, offline.prompt(image, mask), wide, wide_mask) is None
