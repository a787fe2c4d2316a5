"""TSDN: the unsupervised saliency network of the paper (its 2023b), trained without any label.

The network is the one of the released checkpoint, key for key: a ResNet-50 encoder and a decoder of 64 channels that
multiplies a map of the regions by a map of the edges. The image is resized to 320x320, whatever its aspect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet50

from ipseg import weights
from ipseg.core.geometry import squash
from ipseg.core.pixels import normalise
from ipseg.core.types import Device, ImageArray, LazyFeatures

WIDTH = 64  # channels of the decoder
STAGES = (64, 256, 512, 1024, 2048)  # channels of the encoder's maps, from half the input's size down to a 32nd

WEIGHTS = (
    {
        "name": "tsdn",
        "title": "TSDN",
        "source": "xhk/IPSeg",
        "files": (("cornet_rgb_duts_tr.pth",),),
        "bytes": 114_000_000,
        "licence": "see the model's page",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    size: int = 320  # pixels along a side of the network's square input


class TSDN:
    """The network, on ``device`` already, as a :class:`ipseg.core.types.SaliencyMethod`. Threads may share it."""

    reads_features = False

    def __init__(self, network: nn.Module, *, size: int = 320, device: str | torch.device = "cpu") -> None:
        self.network, self.size, self.device = network.eval(), size, torch.device(device)

    def __call__(self, image: ImageArray, features: LazyFeatures | None = None) -> NDArray[np.float32]:
        """Saliency of an image (H, W, 3) uint8: (H, W) float32 in [0, 1], the sigmoid brought back to its size."""
        with torch.inference_mode():
            shown = torch.sigmoid(self.logits(image))
            back = functional.interpolate(shown, image.shape[:2], mode="bilinear", align_corners=False)
        return back[0, 0].cpu().numpy()

    def logits(self, image: ImageArray) -> Tensor:
        """The network's output before the sigmoid: (1, 1, size, size), on the network's device."""
        square = squash(image, (self.size, self.size), Image.Resampling.BICUBIC)  # as in training
        pixels = torch.from_numpy(normalise(square))
        with torch.inference_mode():
            return self.network(pixels.to(self.device))


class Network(nn.Module):
    """(n, 3, h, w) normalised pixels to (n, 1, h, w) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = resnet50(weights=None)
        self.decoder = Decoder()

    def forward(self, pixels: Tensor) -> Tensor:
        net = self.encoder
        stages = [net.relu(net.bn1(net.conv1(pixels)))]
        below = net.maxpool(stages[0])
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            below = layer(below)
            stages.append(below)
        return _resize(self.decoder(stages), pixels)


class Decoder(nn.Module):
    """The encoder's five maps to logits at the size of the largest: local detail weighed by the region around it."""

    def __init__(self) -> None:
        super().__init__()
        for i, channels in enumerate(STAGES):
            setattr(self, f"adapter{i}", nn.Sequential(*_unit(channels, WIDTH, groups=32)))
        self.region, self.local = Exchange(), Exchange()
        self.gb_conv = nn.Sequential(
            *_unit(WIDTH, 2 * WIDTH, groups=64), _double(), *_unit(2 * WIDTH, WIDTH, groups=32), _double()
        )

    def forward(self, stages: list[Tensor]) -> Tensor:
        x0, x1, x2, x3, x4 = (getattr(self, f"adapter{i}")(stage) for i, stage in enumerate(stages))
        region = self.region(x2, x3, x4)
        local = self.local(x0, x1, self.gb_conv(x4))
        return (local * _resize(region, x0)).sum(dim=1, keepdim=True)


class Exchange(nn.Module):
    """Two neighbouring maps, each let through where it differs from the guide that comes from deeper in the network."""

    def __init__(self) -> None:
        super().__init__()
        self.gconv = nn.Sequential(*_unit(WIDTH, WIDTH, groups=32))
        self.res_conv1 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.res_conv2 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.fuse = nn.Conv2d(3 * WIDTH, WIDTH, 3, padding=1)

    def forward(self, fine: Tensor, coarse: Tensor, guide: Tensor) -> Tensor:
        guide, coarse = _resize(self.gconv(guide), fine), _resize(coarse, fine)
        fine_gate = torch.sigmoid(self.res_conv1(fine - guide))
        coarse_gate = torch.sigmoid(self.res_conv2(coarse - guide))
        return self.fuse(torch.cat([fine * fine_gate, coarse * coarse_gate, guide], dim=1))


def build(settings: Settings, placement: Device) -> TSDN:
    """The released weights in the network. Raises :class:`ipseg.weights.WeightError` when they are missing or wrong."""
    return TSDN(placement.once("tsdn", lambda: _load(placement)), size=settings.size, device=placement.device)


def _load(placement: Device) -> Network:
    with torch.device("meta"):  # no work on weights that are about to be replaced
        network = Network()
    network = weights.fill(network, weights.load_state(weights.locate("tsdn")), "tsdn")
    return placement.place(network, dtype=torch.float32)  # small, and its output is compared with a threshold


def _unit(channels: int, width: int, groups: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(groups, width), nn.ReLU(inplace=True)


def _double() -> nn.Module:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


def _resize(values: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(values, like.shape[-2:], mode="bilinear", align_corners=False)
