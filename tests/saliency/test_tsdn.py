import numpy as np
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from networks import tsdn

from ipseg import weights
from ipseg.core import plugins
from ipseg.saliency.tsdn import TSDN


@pytest.fixture(scope="module")
def network():
    return tsdn()


@pytest.mark.parametrize("size", [(61, 97), (97, 61), (16, 16), (400, 32)])
def test_answers_in_the_image_s_pixels(network, size):
    image, _ = scene("tsdn", *size)
    image.setflags(write=False)
    shown = TSDN(network, size=64)(image)
    assert shown.shape == size
    assert shown.dtype == np.float32
    assert shown.min() >= 0
    assert shown.max() <= 1


def test_same_image_same_answer(network):
    image, _ = scene("tsdn", 50, 70)
    method = TSDN(network, size=64)
    assert (method(image) == method(image)).all()


def test_logits_are_at_the_network_s_own_size(network):
    assert TSDN(network, size=96).logits(scene("tsdn", 50, 70)[0]).shape == (1, 1, 96, 96)


@pytest.mark.slow
def test_loads_from_a_checkpoint_and_runs_at_its_size(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "cornet_rgb_duts_tr.pth")
    image, _ = scene("tsdn", 120, 90)
    with weights.using(tmp_path):
        loaded = plugins.build("saliency", "tsdn")
    assert (loaded(image) == TSDN(network)(image)).all()


def test_another_network_is_refused(network, tmp_path):
    torch.save(network.encoder.state_dict(), tmp_path / "cornet_rgb_duts_tr.pth")
    with weights.using(tmp_path), pytest.raises(weights.WeightError, match="not those of TSDN"):
        plugins.build("saliency", "tsdn")


def test_the_map_comes_back_to_the_image_bilinear():
    class Halves(torch.nn.Module):
        """0 on the left half, the logit of 0.9 on the right."""

        def forward(self, pixels):
            return torch.tensor([0.0, np.log(9)]).expand(1, 1, 2, 2).float()

    shown = TSDN(Halves(), size=2)(np.zeros((3, 4, 3), np.uint8))
    np.testing.assert_allclose(shown, [[0.5, 0.6, 0.8, 0.9]] * 3, atol=1e-6)
