import published
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from ipseg import weights
from ipseg.core import (
    geometry,
    plugins,
)
from ipseg.core.types import SettingError

IMAGE, _ = scene("clip", 61, 40)


def test_dense_features_at_any_grid(tmp_path):
    whole = published.clip(tmp_path)
    with weights.using(tmp_path):
        for size, cells in ((64, 4), (112, 7)):
            extract = plugins.build("features", "clip", size=size)
            (layer,) = extract(IMAGE)
            assert layer.name == "clip"
            assert layer.frame == geometry.letterbox_frame((61, 40), cells)
            assert layer.values.shape == (cells, cells, 32)
            assert torch.equal(layer.values, extract(IMAGE)[0].values)
    held = whole.vision_model.state_dict()
    assert all(torch.equal(value, held[name]) for name, value in extract.model.state_dict().items())


def test_a_size_that_is_no_multiple_of_the_patch_is_refused(tmp_path):
    published.clip(tmp_path)
    with weights.using(tmp_path), pytest.raises(SettingError, match="multiple of 16"):
        plugins.build("features", "clip", size=100)
