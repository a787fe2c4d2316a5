"""Take the README's picture of the page: python examples_media/screenshot.py [FILE] (needs ipseg[dev] and Chromium).

Starts the demo on a free port, presses an example, and keeps what a visitor sees at 1280 pixels.
"""

import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = "The robot behind the car"


def main(target: Path) -> None:
    """Serve, drive, keep."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    demo = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT)  # noqa: S603 - our own server
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url)
        Image.open(io.BytesIO(_shoot(url))).convert("RGB").save(target, quality=88, optimize=True)
    finally:
        demo.terminate()


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("The demo did not answer within a minute.")


def _shoot(url: str) -> bytes:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.get_by_text(EXAMPLE).first.click()
        page.wait_for_selector("#verdict .found, #verdict .missing", timeout=60_000)
        page.wait_for_timeout(2000)  # pictures arrive after the words
        shot = page.screenshot(full_page=True)
        browser.close()
    return shot


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples_media" / "page.jpg")
