"""GroupViT (Xu et al., 2022a), trained on images with captions: it finds what text names, without a prompt image.

For Table 2, zero-shot segmentation, where the names come from the dataset. The image is squashed to 448 x 448 pixels
(the released evaluation scales its shorter side to 448); each pixel belongs to the group with the highest
attention to it, each group to the names nearest to it, of the five nearest to the whole image. The mask is resized to
the image's own size, nearest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg import weights
from ipseg.baselines import _networks
from ipseg.baselines._baseline import Baseline, Prediction, Reference
from ipseg.core import geometry
from ipseg.core.choices import check_choice
from ipseg.core.pixels import normalise
from ipseg.core.types import ImageArray, SettingError
from ipseg.method.encodings import Named
from ipseg.method.pipeline import IPSeg
from ipseg.method.steps import Steps

TITLE = "GroupViT"
PAPER = "Xu et al., GroupViT: Semantic Segmentation Emerges from Text Supervision, CVPR 2022"
TEMPLATE = "a photo of a {}."
LIKELY = 5  # names that an image may hold
UNUSED = "GroupViT goes by the name of the object, so the prompt image and its mask were not used."

WEIGHTS = (
    {
        "name": "groupvit",
        "title": "GroupViT",
        "source": "nvidia/groupvit-gcc-yfcc",
        "files": (
            ("config.json",),
            ("model.safetensors", "pytorch_model.bin"),
            ("vocab.json",),
            ("merges.txt",),
            ("tokenizer_config.json",),
        ),
        "bytes": 226_000_000,
        "licence": "see the model's page",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    names: tuple[str, ...] = ()  # of all classes, as a dataset has them
    target: str = ""  # the one of them that is wanted
    background: float = 0.0  # a pixel whose best name is less likely than this is none of them; 0.95 where released
    size: int = 448  # pixels along a side of the network's square input, a multiple of 16


class GroupViT(Baseline):
    """GroupViT on the images of an engine; no part of the engine's is used."""

    title = TITLE

    def __init__(self, engine: IPSeg, network: Any, settings: Settings) -> None:
        super().__init__(engine.encodings)
        self.engine, self.network, self.settings = engine, network, settings

    def predict(self, reference: Reference, image: Named, step: Steps) -> Prediction:
        """Where the wanted name is the best of all."""
        with step("network", 0.1):
            network, tokens = self.network()
        with step("mask", 0.3):
            chances = _networks.run(self.engine, self._chances, network, tokens, image.pixels)
        names, limit = self.settings.names, min(self.settings.background, float(chances.max()))
        inside = (chances.argmax(axis=0) == names.index(self.settings.target)) & (chances.max(axis=0) >= limit)
        frame = geometry.squash_frame(image.pixels.shape[:2], inside.shape)
        mask = geometry.to_image(inside, frame, smooth=False) > 0
        return Prediction(mask, score=float(chances.max(axis=0)[inside].mean()) if inside.any() else 0.0)

    def _reference(self, image: Named, mask: Any) -> Reference:
        everything = np.ones(image.pixels.shape[:2], dtype=bool)
        return Reference(image, everything, given=False, notices=(UNUSED,))

    def _chances(self, network: Any, tokens: Any, image: ImageArray) -> NDArray[np.float32]:
        """How likely each pixel is of each name: (names, size, size)."""
        from transformers.models.groupvit.modeling_groupvit import get_grouping_from_attentions

        where = _networks.device(self.engine)
        pixels = _pixels(image, self.settings.size).to(where)
        seen = network(**tokens.to(where), pixel_values=pixels, output_attentions=True)
        vision = seen.vision_model_output
        groups = network.visual_projection(vision.last_hidden_state[0])
        groups = groups / groups.norm(dim=-1, keepdim=True)
        scale = network.logit_scale.exp().clamp(max=100)
        affinity = affinities(*(scale * each @ seen.text_embeds.T for each in (groups, seen.image_embeds[0])))
        nearest = get_grouping_from_attentions(vision.attentions, pixels.shape[2:])[0].argmax(dim=0)
        return affinity[nearest].permute(2, 0, 1).float().cpu().numpy()


def affinities(groups: Any, whole: Any) -> Any:
    """How likely each group is of each name: (groups, names).

    ``groups`` (groups, names) and ``whole`` (names,) are logits of the groups and of the whole image.
    """
    import torch

    likely = torch.zeros_like(whole, dtype=torch.bool)
    likely[whole.topk(min(LIKELY, len(whole))).indices] = True
    return groups.masked_fill(~likely, float("-inf")).softmax(dim=-1) * groups.softmax(dim=-1)


def build(settings: Settings, engine: IPSeg) -> GroupViT:
    """GroupViT on the images of an engine.

    Raises :class:`~ipseg.core.types.SettingError` without names, or for a target that is none of them,
    :class:`~ipseg.weights.WeightError` when its weights are missing.
    """
    settings = replace(settings, names=tuple(settings.names))
    if not settings.names:
        raise SettingError("GroupViT finds what text names; give it names and a target, as a dataset does.")
    check_choice(settings.target, settings.names, 'There is no target "{}" among the names')
    if settings.size < 16 or settings.size % 16:
        raise SettingError(f"size is {settings.size}; give a multiple of 16 pixels.")

    def read() -> tuple[Any, Any]:
        from transformers import CLIPTokenizer, GroupViTModel

        network = enlarged(weights.pretrained(GroupViTModel, "groupvit"), settings.size)
        with weights.checked("groupvit") as folder:
            tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        return _networks.placed(engine, network), tokenizer

    loaded = _networks.lazily(engine, "groupvit", read, settings.size)

    def with_names() -> tuple[Any, Any]:
        network, tokenizer = loaded()
        texts = [TEMPLATE.format(name) for name in settings.names]
        return network, tokenizer(texts, return_tensors="pt", padding=True)

    return GroupViT(engine, with_names, settings)


def enlarged(network: Any, size: int) -> Any:
    """The network for images of ``size`` x ``size``: its places interpolated once, bicubic."""
    import torch

    shown = network.vision_model.embeddings
    cells = (size // shown.patch_size) ** 2
    with torch.no_grad():
        places = shown.interpolate_pos_encoding(torch.empty(1, cells, shown.position_embeddings.shape[-1]), size, size)
    shown.position_embeddings = torch.nn.Parameter(places.clone(), requires_grad=False)
    shown.patch_embeddings.image_size = (size, size)
    return network


def _pixels(image: ImageArray, size: int) -> Any:
    import torch

    square = geometry.squash(image, (size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(normalise(square))
