"""torch's old format is read without torch, and a pickle that is anything but a table of tensors is refused."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from typing import ClassVar

import numpy as np
import pytest

from ipseg import weights
from ipseg.weights import _legacy

MAGIC, VERSION, SIZES = 0x1950A86A20F9469CFC6C, 1001, {"short": 2, "int": 4, "long": 8}


class Name:
    """Stands for ``module.name`` in a pickle, without importing it."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Storage:
    def __init__(self, kind, key, size, view=None):
        self.reference = ("storage", Name("torch", kind), key, "cpu", size, view)


class Tensor:
    def __init__(self, storage, offset=0, shape=(2, 3), strides=(3, 1)):
        self.given = (storage, offset, shape, strides, False, OrderedDict())


class Writer(pickle._Pickler):
    """Writes tensors as torch did, from the text of their names."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def persistent_id(self, value):
        return value.reference if isinstance(value, Storage) else None

    def write_name(self, value):
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())

    def write_tensor(self, value):
        self.write_name(Name("torch._utils", "_rebuild_tensor_v2"))
        self.save(value.given)
        self.write(pickle.REDUCE)

    dispatch[Name] = write_name
    dispatch[Tensor] = write_tensor


def written(state, storages, magic=MAGIC):
    """A file: ``storages`` is a mapping of key to array."""
    file = io.BytesIO()
    for value in (magic, VERSION, SIZES, state, list(storages)):
        Writer(file, protocol=2).dump(value)
    for values in storages.values():
        file.write(len(values).to_bytes(8, "little") + values.tobytes())
    return file.getvalue()


FLOATS = np.arange(10, dtype="<f4")


def test_parts_of_storages():
    storage = Storage("FloatStorage", "7", 10)
    state = OrderedDict(
        plain=Tensor(storage),
        shared=Tensor(storage, 4, (6,), (1,)),
        turned=Tensor(storage, 0, (3, 2), (1, 3)),
        one=Tensor(storage, 9, (), ()),
        none=Tensor(storage, 10, (0, 2), (2, 1)),
        whole=Tensor(Storage("LongStorage", "8", 1), 0, (), ()),
    )
    found = weights.legacy_state(written(state, {"7": FLOATS, "8": np.array([2**40], "<i8")}))
    assert list(found) == list(state)
    np.testing.assert_array_equal(found["plain"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(found["shared"], [4, 5, 6, 7, 8, 9])
    np.testing.assert_array_equal(found["turned"], [[0, 3], [1, 4], [2, 5]])
    assert (found["one"], found["whole"], found["none"].shape) == (9, 2**40, (0, 2))
    assert (found["plain"].dtype, found["whole"].dtype) == (np.float32, np.int64)
    found["plain"][0, 0] = 99  # a copy
    assert found["turned"][0, 0] == 0


def test_what_torch_writes(tmp_path):
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = network.state_dict()
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    found = weights.legacy_state((tmp_path / "old.pth").read_bytes())
    assert list(found) == list(state)
    for name, values in state.items():
        np.testing.assert_array_equal(found[name], values.numpy())


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", range(5))
def test_a_malicious_pickle_is_refused_wherever_it_stands(tmp_path, place):
    path, parts = tmp_path / "made", [MAGIC, VERSION, SIZES, OrderedDict(), []]
    parts[place] = Evil(path)
    data = b"".join(pickle.dumps(part, protocol=2) for part in parts)
    pickle.loads(pickle.dumps(Evil(tmp_path / "proof")))  # noqa: S301
    assert (tmp_path / "proof").exists()
    with pytest.raises(pickle.UnpicklingError, match="mkdir is not allowed"):
        weights.legacy_state(data)
    assert not path.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch", "FloatStorage.from_file"),
        ("collections", "OrderedDict.fromkeys"),
        ("ipseg.weights._legacy", "_Reader"),
    ],
)
def test_exactly_four_names_are_allowed(module, name):
    assert len(_legacy.ALLOWED) == 4
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        weights.legacy_state(written(OrderedDict(a=Name(module, name)), {}))


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor(Storage("FloatStorage", "7", 10), 5),
        Tensor(Storage("FloatStorage", "7", 10), 0, (2, 3), (2**40, 1)),
        Tensor(Storage("FloatStorage", "7", 10), 5, (2, 3), (-1, 1)),
        Tensor(Storage("FloatStorage", "7", 10), -1, (2,), (1,)),
        Tensor(Storage("FloatStorage", "7", 10), 0, (2, 3), (1,)),
        Tensor(Storage("FloatStorage", "7", 11)),
        Tensor(Storage("FloatStorage", "7", 10, ("1", 0, 2))),
        Tensor(7),
        "no tensor",
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(tensor):
    with pytest.raises((ValueError, AttributeError, pickle.UnpicklingError)):
        weights.legacy_state(written(OrderedDict(a=tensor), {"7": FLOATS}))


@pytest.mark.parametrize("length", [0, 10, 60, -1])
def test_a_file_that_is_cut_short_is_refused(length):
    data = written(OrderedDict(a=Tensor(Storage("FloatStorage", "7", 10))), {"7": FLOATS})
    with pytest.raises((EOFError, ValueError, pickle.UnpicklingError)):
        weights.legacy_state(data[:length])


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="format before its zip files"):
        weights.legacy_state(written(OrderedDict(), {}, magic=1))
