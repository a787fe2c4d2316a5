"""Nested values as JSON and arrays: the same value comes back, and nothing but what is listed."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from ipseg.core import tree


@dataclass(frozen=True)
class Pair:
    first: object
    second: object = None


TYPES = {"Pair": Pair}


def again(value):
    flat, arrays = tree.flatten(value, TYPES)
    return tree.restore(json.loads(json.dumps(flat, allow_nan=False)), arrays, TYPES)


@pytest.mark.parametrize(
    "value", [None, True, 3, 0.1, "text", (), (1, ("a",)), [1, [2]], {"a": {"b": 2}}, Pair(1, (2,))]
)
def test_plain_values_come_back(value):
    found = again(value)
    assert found == value
    assert type(found) is type(value)


def test_arrays_come_back_to_the_bit_with_their_dtype():
    arrays = {
        "f": np.float32([[0.1, np.pi], [-0.0, 1e-40]]),
        "h": np.float16([1.1]),
        "b": np.ones((0, 3), bool),
        "scalar": np.float32(0.1),
    }
    found = again(Pair(arrays, (np.arange(3),)))
    for name, array in arrays.items():
        assert found.first[name].dtype == array.dtype
        assert found.first[name].tobytes() == array.tobytes()
    np.testing.assert_array_equal(found.second[0], [0, 1, 2])


def test_tensors_come_back_to_the_bit():
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

    for kind in ("float16", "bfloat16", "float32"):
        tensor = torch.linspace(-1, 1, 7).to(getattr(torch, kind))
        (found,) = again((tensor,))
        assert found.dtype == tensor.dtype
        assert torch.equal(found, tensor)


@dataclass(frozen=True)
class Unlisted:
    first: int = 1


@pytest.mark.parametrize("value", [Unlisted(), {1: 2}, {1, 2}, b"bytes", Pair, print])
def test_what_is_not_listed_is_not_saved(value):
    with pytest.raises(TypeError):
        tree.flatten(value, TYPES)


BAD = [
    [1], {}, {"array": 1}, {"array": -1}, {"array": True}, {"array": 0, "other": 1}, {"array": 0, "tensor": "uint8"},
    {"type": "Unlisted", "fields": {}}, {"type": "Pair", "fields": {"first": 1}}, {"type": "Pair", "fields": []},
    {"type": "Pair", "fields": {"first": 1, "second": 2, "third": 3}}, {"type": ["Pair"], "fields": {}},
    {"mapping": [1]}, {"tuple": 5}, {"list": None}, {"pickle": "gASVAA=="},
]  # fmt: skip


@pytest.mark.parametrize("flat", BAD, ids=json.dumps)
def test_a_tree_that_was_not_made_here_is_refused(flat):
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        tree.restore(flat, [np.zeros(2)], TYPES)
