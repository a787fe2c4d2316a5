"""The weights of the paper's models: what each file is, its path, its download, and its reading.

This package is the only network code of the project, and only :func:`fetch` uses it. Importing it loads no framework.

    weights.locate("dinov2_base")   # Path; a WeightError says how to get it when it is missing
    weights.fetch("dinov2_base")    # downloads what is missing, checks it, returns the same Path
"""

from ipseg.weights._download import DownloadProgress, fetch
from ipseg.weights._errors import WeightError, readable_size
from ipseg.weights._legacy import legacy_state
from ipseg.weights._loading import check, checked, fill, load_state, pretrained, readable
from ipseg.weights._onnx import OnnxNetwork, Passes, counting, read, release_memory
from ipseg.weights._places import describe, find, folders, locate, missing, require, revision, using
from ipseg.weights._record import forget
from ipseg.weights._table import TORCH, WEIGHTS, Weight, Wheel, get, models, serving

__all__ = [
    "TORCH",
    "WEIGHTS",
    "DownloadProgress",
    "OnnxNetwork",
    "Passes",
    "Weight",
    "WeightError",
    "Wheel",
    "check",
    "checked",
    "counting",
    "describe",
    "fetch",
    "fill",
    "find",
    "folders",
    "forget",
    "get",
    "legacy_state",
    "load_state",
    "locate",
    "missing",
    "models",
    "pretrained",
    "read",
    "readable",
    "readable_size",
    "release_memory",
    "require",
    "revision",
    "serving",
    "using",
]
