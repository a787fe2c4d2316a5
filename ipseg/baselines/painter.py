"""Painter (Wang et al., 2023a), trained: SegGPT's predecessor and the same network, so it is read into that.

SegGPT adds an embedding of the kind of mask to every token. Painter has none, and zero in its place changes nothing.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipseg import weights
from ipseg.baselines import _networks
from ipseg.baselines._in_context import InContext
from ipseg.method.pipeline import IPSeg

TITLE = "Painter"
PAPER = "Wang et al., Images Speak in Images: A Generalist Painter for In-Context Visual Learning, CVPR 2023"

NAMES = (  # (a name in the checkpoint, the same in SegGPT's network)
    (r"patch_embed\.proj\.", "model.embeddings.patch_embeddings.projection."),
    (r"mask_token$", "model.embeddings.mask_token"),
    (r"segment_token_x$", "model.embeddings.segment_token_input"),
    (r"segment_token_y$", "model.embeddings.segment_token_prompt"),
    (r"pos_embed$", "model.embeddings.position_embeddings"),
    (r"blocks\.(\d+)\.attn\.", r"model.encoder.layers.\1.attention."),
    (r"blocks\.(\d+)\.mlp\.fc", r"model.encoder.layers.\1.mlp.lin"),
    (r"blocks\.(\d+)\.norm1\.", r"model.encoder.layers.\1.layernorm_before."),
    (r"blocks\.(\d+)\.norm2\.", r"model.encoder.layers.\1.layernorm_after."),
    (r"norm\.", "model.encoder.layernorm."),
    (r"decoder_embed\.", "decoder.decoder_embed."),
    (r"decoder_pred\.0\.", "decoder.decoder_pred.conv."),
    (r"decoder_pred\.1\.", "decoder.decoder_pred.layernorm."),
    (r"decoder_pred\.3\.", "decoder.decoder_pred.head."),
)
KINDS = ("semantic", "instance")  # of SegGPT's masks

WEIGHTS = (
    {
        "name": "painter",
        "title": "Painter ViT-L",
        "source": "BAAI/Painter",
        "files": (("painter_vit_large.pth",),),
        "bytes": 1_480_000_000,
        "licence": "MIT",
    },
)


@dataclass(frozen=True)
class Settings:
    """Nothing can be chosen."""


class Painter(InContext):
    """Painter on the images of an engine; of the engine, only the saliency is used, and only without a mask."""

    title = TITLE


def build(settings: Settings, engine: IPSeg) -> Painter:
    """Painter on the images of an engine. Raises :class:`~ipseg.weights.WeightError` when its weights are missing."""

    def read() -> Any:
        from transformers import SegGptConfig

        return _networks.placed(engine, network(load("painter"), SegGptConfig()))

    return Painter(engine, _networks.lazily(engine, "painter", read), KINDS[0])


def load(name: str) -> Mapping[str, Any]:
    """The tensors under "model" of the training checkpoint that is published; it runs no code.

    Beside them it may hold the options of the training in an ``argparse.Namespace``, which is let through.
    """
    return weights.load_state(weights.locate(name), name=name, entry="model", classes=[argparse.Namespace])


def network(state: Mapping[str, Any], config: Any) -> Any:
    """Painter's weights in SegGPT's network. Raises :class:`~ipseg.weights.WeightError` unless every one is there."""
    import torch
    from transformers import SegGptForImageSegmentation

    with torch.device("meta"):  # no work on weights that are about to be replaced
        made = SegGptForImageSegmentation(config)
    named = {renamed(key): value for key, value in state.items()}
    nothing = torch.zeros(1, 1, 1, config.hidden_size)
    named |= {f"model.embeddings.type_token_{kind}": nothing.clone() for kind in KINDS}
    return weights.fill(made, named, "painter").eval()


def renamed(key: str) -> str:
    """What SegGPT's network calls a weight of Painter's."""
    for theirs, ours in NAMES:
        if re.match(theirs, key):
            return re.sub(f"^{theirs}", ours, key)
    return key
