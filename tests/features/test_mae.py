import numpy as np
import published
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from ipseg import weights
from ipseg.core import (
    geometry,
    plugins,
)

IMAGE, _ = scene("mae", 61, 40)


def test_dense_features_at_any_grid(tmp_path):
    published.mae(tmp_path)
    with weights.using(tmp_path):
        for size, cells in ((64, 4), (112, 7)):
            (layer,) = plugins.build("features", "mae", size=size)(IMAGE)
            assert layer.name == "mae"
            assert layer.frame == geometry.letterbox_frame((61, 40), cells)
            assert layer.values.shape == (cells, cells, 32)


def test_nothing_is_masked_and_nothing_is_shuffled(tmp_path):
    """The same as the blocks applied to all patches in reading order, whatever the random state."""
    model = published.mae(tmp_path).vit
    with weights.using(tmp_path):
        extract = plugins.build("features", "mae", size=64)
    torch.manual_seed(1)
    first = extract(IMAGE)[0].values
    torch.manual_seed(2)
    assert torch.equal(first, extract(IMAGE)[0].values)
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    square = (geometry.letterbox(IMAGE, 64) / 255 - mean) / std
    pixels = torch.from_numpy(square.astype(np.float32)).permute(2, 0, 1)[None]
    places = model.embeddings.position_embeddings
    with torch.no_grad():
        patches = model.embeddings.patch_embeddings(pixels) + places[:, 1:]
        values = torch.cat([model.embeddings.cls_token + places[:, :1], patches], dim=1)
        for layer in model.layers:
            values = layer(values, None)
        expected = model.layernorm(values)[0, 1:]
    np.testing.assert_allclose(first.reshape(16, 32), expected, atol=1e-5)
