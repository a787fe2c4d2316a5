"""SegGPT (Wang et al., 2023b), trained: one prompt image with a mask, through transformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ipseg import weights
from ipseg.baselines import _networks
from ipseg.baselines._in_context import InContext
from ipseg.core.choices import check_choice
from ipseg.method.pipeline import IPSeg

TITLE = "SegGPT"
PAPER = "Wang et al., SegGPT: Segmenting Everything In Context, ICCV 2023"
EMBEDDINGS = ("instance", "semantic")

WEIGHTS = (
    {
        "name": "seggpt",
        "title": "SegGPT ViT-L",
        "source": "BAAI/seggpt-vit-large",
        "bytes": 1_480_000_000,
        "licence": "Apache-2.0",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    embedding: str = "instance"  # the kind of mask that is asked for: instance, as released, or semantic


class SegGPT(InContext):
    """SegGPT on the images of an engine; of the engine, only the saliency is used, and only without a mask."""

    title = TITLE


def build(settings: Settings, engine: IPSeg) -> SegGPT:
    """SegGPT on the images of an engine.

    Raises :class:`~ipseg.core.types.SettingError` for another embedding, :class:`~ipseg.weights.WeightError` when its
    weights are missing.
    """
    check_choice(settings.embedding, EMBEDDINGS, 'There is no embedding "{}"')

    def read() -> Any:
        from transformers import SegGptForImageSegmentation

        return _networks.placed(engine, weights.pretrained(SegGptForImageSegmentation, "seggpt"))

    return SegGPT(engine, _networks.lazily(engine, "seggpt", read), settings.embedding)
