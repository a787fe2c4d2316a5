"""Values between processes: tensors arrive, however deep."""

import numpy as np
import pytest

from ipseg.core import geometry, serialize
from ipseg.core.types import FeatureMap, SettingError

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")


def test_tensors_travel_as_arrays():
    values = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    sent = {"layers": (FeatureMap("a", values, geometry.squash_frame((20, 30), (2, 3))),), "plain": np.ones(3)}
    packed = serialize.pack(sent)
    assert b"torch" not in packed
    got = serialize.unpack(packed)
    assert torch.equal(got["layers"][0].values, values)
    assert got["layers"][0].frame == sent["layers"][0].frame
    np.testing.assert_array_equal(got["plain"], sent["plain"])


def test_tensors_come_out_where_they_are_wanted():
    assert serialize.unpack(serialize.pack([torch.ones(2)]), "meta")[0].device.type == "meta"


def test_what_is_made_without_gradients_may_be_used_with_them():
    with torch.inference_mode():
        made = torch.ones(2)
    got = serialize.unpack(serialize.pack(made))
    assert not got.is_inference()


def test_an_error_keeps_its_message():
    error = serialize.unpack(serialize.pack(SettingError("K is 0; give a whole number from 1.")))
    assert isinstance(error, SettingError)
    assert str(error) == "K is 0; give a whole number from 1."


def test_json_without_numbers_that_are_none():
    text = serialize.to_json({"score": float("nan"), "points": [(1.5, float("inf"))], "at": {"n": -float("inf")}})
    assert text == '{"score": null, "points": [[1.5, null]], "at": {"n": null}}'
    assert serialize.to_json([1, "a", None, True], indent=1) == '[\n 1,\n "a",\n null,\n true\n]'
