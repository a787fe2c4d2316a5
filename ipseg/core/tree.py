"""Nested values as a JSON tree and plain arrays, and back: no pickles, and only types that the reader lists.

A value is None, a bool, a number, a text, an array, a torch tensor, a tuple, a list, a mapping with texts as keys, or a
dataclass whose type is listed by name. Arrays come back with the same bytes, floats with the same bits.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Types = Mapping[str, type]
"""The dataclasses that may occur, by the names under which they are saved."""

TENSORS = ("float16", "bfloat16", "float32", "float64")  # of torch, that may occur
HALF = "bfloat16"  # which numpy lacks: its bits are saved


def flatten(value: Any, types: Types) -> tuple[Any, list[NDArray[Any]]]:
    """``value`` as plain data for JSON, with the number of an array in its place, and the arrays in that order.

    Raises TypeError for a type that is not listed.
    """
    arrays: list[NDArray[Any]] = []
    return _flat(value, {kind: name for name, kind in types.items()}, arrays), arrays


class UnknownTypeError(KeyError):
    """A dataclass of a tree that is not listed."""


def restore(tree: Any, arrays: Sequence[NDArray[Any]], types: Types, device: Any = "cpu") -> Any:
    """What :func:`flatten` flattened; tensors on ``device``, or as arrays where that is None (no torch is needed).

    Raises ValueError, TypeError or KeyError for a tree that :func:`flatten` does not make, among them
    :class:`UnknownTypeError`, and what a dataclass raises for fields that it refuses.
    """
    if tree is None or isinstance(tree, bool | int | str):
        return tree
    if isinstance(tree, float):
        if not math.isfinite(tree):
            raise ValueError(f"expected a finite number, got {tree}")
        return tree
    if not isinstance(tree, dict):
        raise ValueError(f"expected a node, got {type(tree).__name__}")
    if tree.keys() == {"type", "fields"}:
        if tree["type"] not in types:
            raise UnknownTypeError(tree["type"])
        kind, given = types[tree["type"]], tree["fields"]
        if given.keys() != {each.name for each in fields(kind)}:
            raise ValueError(f"expected the fields of {kind.__name__}, got {sorted(given)}")
        return kind(**{name: restore(each, arrays, types, device) for name, each in given.items()})
    if tree.keys() == {"mapping"}:
        return {str(key): restore(each, arrays, types, device) for key, each in tree["mapping"].items()}
    if tree.keys() == {"tuple"}:
        return tuple(restore(each, arrays, types, device) for each in tree["tuple"])
    if tree.keys() == {"list"}:
        return [restore(each, arrays, types, device) for each in tree["list"]]
    return _array(tree, arrays, device)


def _flat(value: Any, names: Mapping[type, str], arrays: list[NDArray[Any]]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        plain = value.detach().cpu()
        arrays.append((plain.view(torch.int16) if kind == HALF else plain).numpy())
        return {"array": len(arrays) - 1, "tensor": kind}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("expected texts as keys")
        return {"mapping": {key: _flat(each, names, arrays) for key, each in value.items()}}
    if isinstance(value, tuple | list):
        name = "tuple" if isinstance(value, tuple) else "list"
        return {name: [_flat(each, names, arrays) for each in value]}
    if is_dataclass(value) and type(value) in names:
        given = {each.name: _flat(getattr(value, each.name), names, arrays) for each in fields(value)}
        return {"type": names[type(value)], "fields": given}
    raise TypeError(f"a {type(value).__name__} cannot be saved")


def _array(tree: dict[str, Any], arrays: Sequence[NDArray[Any]], device: Any) -> Any:
    number, kind = tree["array"], tree.get("tensor")
    if not tree.keys() <= {"array", "tensor"} or type(number) is not int or not 0 <= number < len(arrays):
        raise ValueError("expected the number of an array")
    array = arrays[number]
    if kind is None:
        return array
    if kind not in TENSORS or array.dtype != (np.int16 if kind == HALF else kind):
        raise ValueError(f"expected a tensor of floats, got {kind} of {array.dtype}")
    if device is None:
        return (array.astype(np.uint32) << 16).view(np.float32) if kind == HALF else array
    import torch

    tensor = torch.from_numpy(arrays[number])
    return (tensor.view(torch.bfloat16) if kind == HALF else tensor).to(device)
