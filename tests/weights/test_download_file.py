"""How a single file comes over a network: resumed, checked, and one message when it does not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from ipseg import weights
from ipseg.weights import WeightError, _download, _table

CONTENT = bytes(range(256)) * 5000  # 1.28 MB, more than one block
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def entry(server, monkeypatch):
    """One file at a URL."""
    server.files["/sam.pth"] = CONTENT
    made = _table.Weight("small", "Small SAM", f"{server.url}/sam.pth", (("sam.pth",),), len(CONTENT), "MIT", SHA256)
    monkeypatch.setattr(_table, "WEIGHTS", {**_table.WEIGHTS, "small": made})
    return made


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_file_is_downloaded_with_progress(entry, server, tmp_path, by_hand):
    reports = []
    with weights.using(tmp_path / "hand" if by_hand else None):
        path = weights.fetch("small", progress=lambda *now: reports.append(now))
        assert path == (tmp_path / "hand" if by_hand else tmp_path / "home" / "ipseg") / "sam.pth"
        assert path.read_bytes() == CONTENT
        assert reports[0][1] < reports[-1][1] == reports[-1][2] == len(CONTENT)
        weights.fetch("small")
    assert len(server.asked) == 1  # what is here is not asked for again
    assert [file.name for file in path.parent.iterdir() if not file.name.endswith(".lock")] == ["sam.pth"]


FETCH = """
import sys
from ipseg import weights
from ipseg.weights import _table
url, sha256, size = sys.argv[1:]
made = _table.Weight("small", "Small SAM", url, (("sam.pth",),), int(size), "MIT", sha256)
_table.WEIGHTS = {"small": made}
print(weights.fetch("small"))
"""


def test_two_processes_that_fetch_one_file_do_not_mix_it(entry, server, tmp_path):
    """The second waits for the first and finds its file: the server is asked once."""
    server.pause = 0.3
    order = [sys.executable, "-c", FETCH, entry.source, SHA256, str(len(CONTENT))]
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    both = [subprocess.Popen(order, **pipes) for _ in range(2)]
    said = [each.communicate(timeout=600) for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert (tmp_path / "home" / "ipseg" / "sam.pth").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_who_waits_for_another_download_sees_it_and_can_stop(entry, server, tmp_path, monkeypatch, put_files):
    """The lock is held here, as another process would hold it."""
    monkeypatch.setattr(_download, "WAIT", 0.01)
    part = put_files(tmp_path / "home" / "ipseg", ["sam.pth.part"], CONTENT[:1000]) / "sam.pth.part"
    seen = []

    def stop(*now):
        seen.append(now)
        raise WeightError("The download was stopped.")

    with _download._alone(part, lambda *_: None), pytest.raises(WeightError, match="was stopped"):
        weights.fetch("small", progress=stop)
    assert seen == [("sam.pth", 1000, 0)]
    assert server.asked == []
    assert weights.fetch("small").read_bytes() == CONTENT  # and what was here is gone on with
    assert [asked for _, _, asked in server.asked] == ["bytes=1000-"]


def test_a_download_goes_on_where_it_stopped(entry, server):
    server.cut = 400_000
    with pytest.raises(WeightError, match=r"fetch small` again, it goes on where it stopped"):
        weights.fetch("small")
    assert weights.find("small") is None
    server.cut = None
    assert weights.fetch("small").read_bytes() == CONTENT
    assert [asked for _, _, asked in server.asked] == [None, "bytes=400000-"]


def test_a_download_that_only_lacked_its_check_is_finished(entry, server, tmp_path, put_files):
    put_files(tmp_path / "home" / "ipseg", ["sam.pth.part"], CONTENT)
    assert weights.fetch("small").read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_naming_both(entry, server):
    server.files["/sam.pth"] = CONTENT[::-1]
    with pytest.raises(WeightError) as caught:
        weights.fetch("small")
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in str(caught.value)
    assert weights.find("small") is None
    server.files["/sam.pth"] = CONTENT
    assert weights.fetch("small").read_bytes() == CONTENT


def test_a_damaged_file_is_downloaded_again(entry, tmp_path, put_files):
    put_files(tmp_path / "home" / "ipseg", ["sam.pth"], CONTENT[:-1])
    assert weights.fetch("small").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "message"), [(404, "not found"), (403, "log in and accept"), (503, "answered with the error 503")]
)
def test_what_a_server_refuses_is_one_message(entry, server, status, message):
    server.status = status
    with pytest.raises(WeightError, match=message):
        weights.fetch("small")


def test_no_network_is_one_message(entry, monkeypatch):
    monkeypatch.setattr(_table, "WEIGHTS", {"small": replace(entry, source="http://127.0.0.1:9/sam.pth")})
    with pytest.raises(WeightError, match="check the network and run `python -m ipseg weights fetch small`"):
        weights.fetch("small")


def test_a_full_disk_is_one_message(entry, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_download, "_resume", full)
    with pytest.raises(WeightError, match="disk is full: Small SAM takes 1 MB"):
        weights.fetch("small")


def test_offline_asks_nobody(entry, server, tmp_path, monkeypatch, put_files):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightError, match="HF_HUB_OFFLINE is set"):
        weights.fetch("small")
    put_files(tmp_path / "home" / "ipseg", ["sam.pth"], CONTENT)
    assert weights.fetch("small").is_file()
    assert server.asked == []
