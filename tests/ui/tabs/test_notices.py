"""What was assumed about a mask is said in every tab that takes one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ipseg.core.status import Status
from ipseg.ui.tabs.ablation import handlers as ablation
from ipseg.ui.tabs.ablation import render as ablation_render
from ipseg.ui.tabs.compare import handlers as compare
from ipseg.ui.tabs.compare import render as compare_render

ASSUMED = "fits its image both upright and as the file stores it"


@pytest.fixture
def turned(tmp_path, scene) -> tuple[str, str]:
    """An image that EXIF turns by 180 degrees, and a mask of its size, which may be turned or not."""
    exif = Image.Exif()
    exif[274] = 3
    image, mask = tmp_path / "turned.png", tmp_path / "mask.png"
    Image.fromarray(scene[0]).save(image, exif=exif)
    drawn = np.zeros(scene[1].shape, np.uint8)
    drawn[5:20, 5:30] = 255
    Image.fromarray(drawn).save(mask)
    return str(image), str(mask)


def test_compare(turned):
    image, mask = turned
    values, images = (None, None), [(image, None)]
    inputs = compare._opened(image, images, ["ipseg", "persam"], mask, None, [mask], values, lambda: None)
    (notice,) = inputs.notices  # of the prompt's mask and of the truth: the same file, said once
    assert ASSUMED in notice
    found = [SimpleNamespace(truth=None, entries=[], answered=[], agreement={}, results={})]
    assert ASSUMED in compare_render.table(found, ["turned.png"], "offline", inputs.notices)
    assert compare_render.record(found, ["turned.png"], "offline", inputs.notices)["notices"] == [notice]
    assert ASSUMED not in compare_render.table(found, ["turned.png"], "offline")


def test_ablation(turned, monkeypatch):
    image, mask = turned
    pair, notices = ablation._opened((image, image), (mask, mask), None, lambda: None)
    assert pair.prompt_mask is not None
    assert ASSUMED in notices[0]
    own = SimpleNamespace(status=Status.DETECTED, mask=pair.truth)
    monkeypatch.setattr(ablation_render.View, "iou", lambda self, one: 1.0)
    view = ablation_render.View(SimpleNamespace(own=own), pair, False, notices)
    assert ASSUMED in ablation_render.verdict(view, "offline")
