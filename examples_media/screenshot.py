"""Take the screenshots of the README: python examples_media/screenshot.py [FOLDER] (needs ipseg[dev] and Chromium).

Starts the demo on a free port, uses each tab as a visitor would, and saves screenshots 1280 pixels wide.
"""

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from ipseg import weights
from ipseg.engine.presets import DEFAULT, PRESETS

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "examples_media" / "Images"
MASKS = ROOT / "examples_media" / "Annotations"


def segment(page: Page) -> None:
    """An example."""
    page.get_by_text("Robot", exact=True).first.click()
    page.wait_for_selector("#verdict :is(.detected, .uncertain, .not-detected)", timeout=60_000)


def compare(page: Page) -> None:
    """IPSeg, PerSAM and Matcher on one prompt, with the true mask."""
    page.get_by_role("tab", name="Compare").click()
    page.set_input_files("#compare-prompt input[type=file]", str(IMAGES / "yellow_duck" / "00.jpg"))
    page.set_input_files("#compare-images input[type=file]", str(IMAGES / "yellow_duck" / "02.jpg"))
    page.wait_for_selector("#compare-images img")
    page.get_by_label("Matcher", exact=True).check()
    page.get_by_text("Ground truth (optional)").click()
    page.set_input_files("#compare-truths input[type=file]", str(MASKS / "yellow_duck" / "02.png"))
    page.wait_for_selector("#compare-truths .file-preview")
    page.get_by_text("Ground truth (optional)").click()
    page.click("#compare-run")
    page.wait_for_selector("#compare-table table", timeout=120_000)
    page.wait_for_selector("#compare-answers img")


def all_instances(page: Page) -> None:
    """All instances of an object."""
    page.get_by_text("Every robot").first.click()
    page.wait_for_selector("#numbered img", timeout=60_000)


def prompt_sets(page: Page) -> None:
    """One kind of object under three prompt sets."""
    page.get_by_role("tab", name="Prompt sets").click()
    page.click("#sets-run")
    page.wait_for_selector("#sets-verdict table", timeout=90_000)
    page.wait_for_function("document.querySelectorAll('#sets-answers img').length >= 8")


def failure_cases(page: Page) -> None:
    """A broken prompt beside the one that mends it."""
    page.get_by_role("tab", name="Failure cases").click()
    page.wait_for_selector("#cases img")
    page.locator("#cases button img").nth(1).click()
    page.wait_for_selector("#case-verdict .finding", timeout=60_000)


def inside(page: Page) -> None:
    """Every step on one pair."""
    page.get_by_role("tab", name="Ablation").click()
    page.wait_for_selector("#ablation-run")
    page.locator("#ablation-examples button").first.click()
    page.wait_for_selector("#ablation-grid .heat td.own", timeout=120_000)
    page.wait_for_selector("#ablation-patch-image img", timeout=60_000)


def batch(page: Page) -> None:
    """An object cut out of a handful of images."""
    page.get_by_role("tab", name="Batch and video").click()
    page.set_input_files("#batch-prompts input[type=file]", str(IMAGES / "toy_car" / "00.jpg"))
    page.wait_for_selector("#batch-prompts img")
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{name}_{number}.jpg" for name in ("toy_car", "robot") for number in ("01", "02", "03")]
        files = [shutil.copy(IMAGES / name[:-7] / name[-6:], Path(folder) / name) for name in names]
        page.set_input_files("#batch-files input[type=file]", files)
        page.wait_for_selector("#batch-files .file-preview")
        page.click("#batch-run")
        page.wait_for_selector("#batch-status .detected", timeout=90_000)


def label(page: Page) -> None:
    """Three classes in six images, the image with the lowest score opened."""
    page.get_by_role("tab", name="Label", exact=True).click()
    page.wait_for_selector("#label-examples img")
    page.locator("#label-examples button img").first.click()
    page.wait_for_selector("#label-status .detected", timeout=120_000)
    page.locator("#label-gallery button img").first.click()
    page.wait_for_selector("#label-image img")


SHOTS = {
    "page.jpg": segment,
    "compare.jpg": compare,
    "tabs/every.jpg": all_instances,
    "tabs/prompt_sets.jpg": prompt_sets,
    "tabs/failure_cases.jpg": failure_cases,
    "tabs/ablation.jpg": inside,
    "tabs/batch.jpg": batch,
    "tabs/label.jpg": label,
}


def main(folder: Path) -> None:
    """Serve the demo, use each tab, save the screenshots."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:  # the default's weights and no others: every machine shows the same
        for name in PRESETS[DEFAULT].weights:
            (Path(home) / weights.locate(name).name).symlink_to(weights.locate(name))
        environment = {**os.environ, "HF_HOME": home, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": home}
        environment["IPSEG_WEIGHTS_DIR"] = home
        command = [sys.executable, "app.py", "--port", str(port), "--no-fetch"]
        demo = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603 - our own server
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url)
            for name, act in SHOTS.items():
                shot = Image.open(io.BytesIO(_shoot(url, act))).convert("RGB")
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shot.save(folder / name, quality=86, optimize=True)
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


def _shoot(url: str, act) -> bytes:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_selector("#run")
        act(page)
        page.wait_for_timeout(2500)  # images arrive after the text
        shot = page.screenshot(full_page=True)
        browser.close()
    return shot


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples_media")
