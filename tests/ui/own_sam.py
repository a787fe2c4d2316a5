"""`python app.py` whose SAM ViT-B is a small one, from a server on this machine.

`python tests/ui/own_sam.py URL SHA256 BYTES [ARGUMENTS OF app.py]`
"""

import runpy
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import networks
import small_engine

from ipseg import weights
from ipseg.engine import presets
from ipseg.segmenters import sam

url, sha256, size = (sys.argv.pop(1) for _ in range(3))
published = weights.get("sam_vit_b")
weights.WEIGHTS["sam_vit_b"] = replace(published, source=url, sha256=sha256, bytes=int(size))
sam.sam_model_registry["vit_b"] = networks.small_sam
presets.PRESETS["offline"] = small_engine.offline()
runpy.run_path("app.py", run_name="__main__")
