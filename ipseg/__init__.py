"""ipseg: show it one image of an object; get that object cut out of other images.

engine = ipseg.load()
prompt = engine.prompt("examples_media/Images/red_mug/00.jpg")
result = engine.segment(prompt, "examples_media/Images/red_mug/02.jpg")
result.mask       # (H, W) bool, in the pixels of the image
result.overlay()  # (H, W, 3) uint8
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ipseg.version import __version__

# After each product of matrices the threads of numpy's BLAS wait 25 ms for the next one, at full load, and take a core
# from the networks meanwhile. This is read when numpy is first imported; what is set already stays.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # as a power of two, of clock cycles

if TYPE_CHECKING:
    from ipseg.core.examples import examples_folder
    from ipseg.core.images import open_image
    from ipseg.core.masks import open_mask
    from ipseg.core.result import Result
    from ipseg.core.types import ImageError, InputError, Points
    from ipseg.engine.build import load
    from ipseg.engine.presets import PRESETS
    from ipseg.engine.spec import EngineSpec
    from ipseg.labelling.dataset import label
    from ipseg.labelling.run import Labeller
    from ipseg.method.config import IPSegConfig
    from ipseg.method.pipeline import IPSeg
    from ipseg.method.points import MAX_CLUSTERS, MAX_K
    from ipseg.method.prompt import Prompt

_HOMES = {
    "IPSeg": "method.pipeline",
    "ImageError": "core.types",
    "InputError": "core.types",
    "MAX_CLUSTERS": "method.points",
    "MAX_K": "method.points",
    "IPSegConfig": "method.config",
    "EngineSpec": "engine.spec",
    "PRESETS": "engine.presets",
    "Points": "core.types",
    "Prompt": "method.prompt",
    "Result": "core.result",
    "Labeller": "labelling.run",
    "label": "labelling.dataset",
    "load": "engine.build",
    "examples_folder": "core.examples",
    "open_mask": "core.masks",
    "open_image": "core.images",
}

__all__ = [
    "MAX_CLUSTERS",
    "MAX_K",
    "PRESETS",
    "EngineSpec",
    "IPSeg",
    "IPSegConfig",
    "ImageError",
    "InputError",
    "Labeller",
    "Points",
    "Prompt",
    "Result",
    "__version__",
    "examples_folder",
    "label",
    "load",
    "open_image",
    "open_mask",
]


def __getattr__(name: str) -> Any:
    """The public names load on first use, so that importing the package stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ipseg' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"ipseg.{_HOMES[name]}"), name)
