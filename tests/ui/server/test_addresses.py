"""An image by its address: private ones are refused without a connection, and what comes is checked."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import local_hub
import pytest

from ipseg.core.types import ImageError
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server import addresses
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.tabs.segment.handlers import SegmentHandlers
from tests.ui.conftest import finished

PORT = "PORT"  # of a server on this machine
REFUSED = (
    "http://127.0.0.1:PORT/a.png", "http://localhost:PORT/a.png", "http://[::1]:PORT/a.png", "http://0.0.0.0:PORT/a.png",
    "http://2130706433:PORT/a.png", "http://[::ffff:127.0.0.1]:PORT/a.png", "http://10.0.0.1/a.png",
    "http://192.168.1.1/a.png", "http://169.254.169.254/latest/meta-data", "http://100.64.0.1/a.png",
    "http://localtest.invalid:PORT/a.png", "http://ada:secret@example.org/a.png", "http://printer/a.png",
    "file:///etc/passwd", "ftp://example.org/a.png", "data:image/png;base64,AAAA", "/etc/passwd", "",
    "http://[", "a" * 3000,
)  # fmt: skip


def downloaded(address: str, folder: Path) -> str:
    return finished(addresses.download_image(address, str(folder)))


@pytest.mark.parametrize("address", REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_public_is_refused_without_a_connection(address, tmp_path, one_message):
    with local_hub.serving() as server:
        server.files["/a.png"] = b"secret"
        port = server.url.rsplit(":", 1)[1]
        with pytest.raises(ImageError) as caught:
            downloaded(address.replace(PORT, port), tmp_path)
        assert server.asked == []
    one_message(caught.value)
    assert str(caught.value) == addresses.NOT_PUBLIC
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("headers", [{}, {"x-forwarded-for": "203.0.113.5"}])
def test_a_page_for_others_downloads_nothing(headers, scene, save, tmp_path, served):
    """Neither where its operator forbids it nor for whoever comes through a proxy."""
    served(save(tmp_path / "image.png", scene[0]))
    pool = EnginePool(EngineSpec("offline"), fetches=bool(headers))
    tab = SimpleNamespace(pool=pool, page=SimpleNamespace(prompts=SimpleNamespace(GRADIO_CACHE=str(tmp_path))))
    call = SegmentHandlers.by_address(tab, "https://example.org/a.png", None, SimpleNamespace(headers=headers))
    with pytest.raises(gr.Error, match="downloads no images for its visitors"):
        finished(call)


@pytest.fixture
def served(monkeypatch, tmp_path):
    """Has Gradio's download bring a file of this machine, after a pause."""

    def serve(file: Path, pause: float = 0.0) -> None:
        async def download(address, cache):
            await asyncio.sleep(pause)
            return shutil.copy(file, Path(cache) / "brought.png")

        monkeypatch.setattr(addresses.processing_utils, "async_ssrf_protected_download", download)

    return serve


def test_an_image_is_brought(served, tmp_path, scene, save):
    (tmp_path / "cache").mkdir()
    served(save(tmp_path / "image.png", scene[0]))
    assert Path(downloaded(" https://example.org/image.png ", tmp_path / "cache")).is_file()


def test_what_is_no_image_too_large_or_too_slow_gets_its_message(
    served, tmp_path, scene, save, monkeypatch, one_message
):
    (tmp_path / "cache").mkdir()
    (tmp_path / "page.html").write_text("<html>")
    image = save(tmp_path / "image.png", scene[0])
    for file, pause, most, words in (
        (tmp_path / "page.html", 0.0, 10**6, "is not an image"),
        (image, 0.0, 10, "is larger than"),
        (image, 5.0, 10**6, addresses.FAILED),
        (tmp_path / "absent.png", 0.0, 10**6, addresses.FAILED),
    ):
        served(file, pause)
        monkeypatch.setattr(addresses, "MAX_BYTES", most)
        monkeypatch.setattr(addresses, "SECONDS", 0.2)
        with pytest.raises(ImageError, match=words) as caught:
            downloaded("https://example.org/image.png", tmp_path / "cache")
        one_message(caught.value)
        assert [*(tmp_path / "cache").iterdir()] == []
