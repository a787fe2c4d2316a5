"""NPZ files from outside: arrays come back as they were; what is no plain array is refused before it is unpacked."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from ipseg.core import npz

GOOD = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "halves": np.float16([1.5]),
    "bools": np.ones((2, 2, 2), bool),
    "scalar": np.array(7, np.int64),
    "none": np.zeros((0, 3), np.uint8),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


def saved(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def zipped(members: dict[str, bytes], **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def read(data: bytes, max_bytes: int = 10**6, max_members: int = 100):
    return npz.read(io.BytesIO(data), max_bytes=max_bytes, max_members=max_members)


def header(descr: str = "<f4", shape: str = "(2,)") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"


def test_arrays_come_back_as_they_were():
    found = read(saved(**GOOD))
    assert found.keys() == GOOD.keys()
    for name, array in GOOD.items():
        assert found[name].dtype == array.dtype
        assert found[name].flags.writeable
        np.testing.assert_array_equal(found[name], array)


def test_the_hand_made_header_of_these_tests_is_read():
    np.testing.assert_array_equal(read(zipped({"a.npy": npy(header(), b"\0" * 8)}))["a"], [0, 0])


BAD = {
    "empty": b"",
    "text": b"not a zip at all, but long enough to hold the last record of one",
    "cut short": saved(**GOOD)[:-30],
    "no array": zipped({"a.txt": b"text"}),
    "folder": zipped({"../a.npy": npy(header(), b"\0" * 8)}),
    "objects": zipped({"a.npy": npy(header("|O", "(1,)"), pickle.dumps([1]))}),
    "texts": saved(a=np.array(["text"])),
    "complex": saved(a=np.array([1j])),
    "records": saved(a=np.zeros(1, [("x", "f4")])),
    "five axes": saved(a=np.zeros((1,) * 5)),
    "more than stated": zipped({"a.npy": npy(header(), b"\0" * 12)}),
    "less than stated": zipped({"a.npy": npy(header(shape="(1000000000000,)"), b"\0" * 8)}),
    "negative": zipped({"a.npy": npy(header(shape="(-2, -1)"), b"\0" * 8)}),
    "no header": zipped({"a.npy": b"\x93NUMPY\x01\x00\xff\xff"}),
    "code": zipped({"a.npy": npy("__import__('os').getcwd()")}),
    "other version": zipped({"a.npy": b"\x93NUMPY\x03\x00" + b"\0" * 80}),
    "other compression": zipped({"a.npy": npy(header(), b"\0" * 8)}).replace(b"\x08\x00", b"\x0c\x00"),
    "commented": zipped({"a.npy": npy(header(), b"\0" * 8)})[:-2] + b"\x04\x00text",
    "damaged": saved(a=np.arange(999.0))[:200] + b"\0" * 8 + saved(a=np.arange(999.0))[208:],
    "encrypted": None,
    "doubled": None,
}
BAD["doubled"] = zipped({name: npy(header(), b"\0" * 8) for name in ("a.npy", "b.npy")}).replace(b"b.npy", b"a.npy")
flagged = bytearray(zipped({"a.npy": npy(header(), b"\0" * 8)}))
for record, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
    flagged[flagged.index(record) + at] |= 1
BAD["encrypted"] = bytes(flagged)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_plain_array_is_refused(name):
    with pytest.raises(npz.NPZError):
        read(BAD[name])


def test_no_more_is_unpacked_than_allowed():
    bomb = saved(a=np.zeros(10**7, np.uint8))
    assert len(bomb) < 20_000
    with pytest.raises(npz.NPZError, match="too large"):
        read(bomb)
    with pytest.raises(npz.NPZError, match="too many"):
        read(zipped({f"a{number}.npy": b"" for number in range(101)}))
    with pytest.raises(npz.NPZError, match="too many"):  # refused by the size of the list, before it is read
        read(zipped({f"{number:0120}.npy": b"" for number in range(1000)}))


def test_a_member_that_understates_its_size_is_no_larger():
    data = bytearray(zipped({"a.npy": npy(header(shape="(2500000,)"), b"\0" * 10**7)}))
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 200)
    with pytest.raises(npz.NPZError):
        read(bytes(data))
