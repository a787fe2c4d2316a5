"""The preset "offline" with every size halved or less: the same code in a quarter of the time.

For whatever is not about the masks themselves. ``python tests/small_engine.py app.py ...`` and
``python tests/small_engine.py -m ipseg ...`` run a program with it.
"""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # as Python sets it for a program of that folder

from ipseg.engine import presets


def offline() -> presets.Preset:
    """The preset on small working images."""
    return replace(
        presets.PRESETS["offline"],
        features=("texture", {"side": 200, "cells": 40, "channels": 512}),
        saliency=("boundary", {"side": 200, "coarse": 100, "fine": 250}),
        segmenter=("graphcut", {"side": 200, "regions": 200, "proposal_side": 100, "outline_side": 400}),
    )


def compact() -> presets.Preset:
    """The preset "compact" on smaller images, and a segmenter of smaller crops: the same code in half the time."""
    preset = presets.PRESETS["compact"]
    (extractor, features), (name, segmenter) = preset.features, preset.segmenter
    return replace(
        preset,
        features=(extractor, {**features, "side": 480, "also": (256,)}),
        segmenter=(name, {**segmenter, "image_side": 480, "side": 160, "cut_side": 100, "crop_side": 128}),
    )


if __name__ == "__main__":
    presets.PRESETS["offline"] = offline()  # type: ignore[index]
    sys.argv.pop(0)
    if sys.argv[0] == "-m":
        sys.argv.pop(0)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
