"""Plain data as JSON, and values between processes as bytes.

Between processes tensors travel as numpy arrays, whatever device they are on at either end.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import sys
from collections.abc import Mapping
from typing import Any


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Plain data as JSON (RFC 8259): numbers that are not finite become null, what is no plain data its text."""
    return json.dumps(_finite(value), indent=indent, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


def pack(value: Any) -> bytes:
    """``value`` for another process of this program; its tensors, however deep, travel as arrays of the CPU."""
    buffer = io.BytesIO()
    _Packer(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


def unpack(packed: bytes, device: Any = "cpu") -> Any:
    """What :func:`pack` packed, in this very program; its tensors on ``device``."""
    return _Unpacker(io.BytesIO(packed), device).load()


class _Packer(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(obj, torch.Tensor):
            return None
        return obj.detach().cpu().numpy()


class _Unpacker(pickle.Unpickler):  # only ever given what the other end of this program packed
    def __init__(self, file: io.BytesIO, device: Any) -> None:
        super().__init__(file)
        self._device = device

    def persistent_load(self, pid: Any) -> Any:
        import torch

        return torch.from_numpy(pid).to(self._device)
