"""Images, folders and a small engine that many tests share."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import re
import shutil
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

# One thread for each process, also for those that tests start: several test processes share the cores, and threads of
# BLAS, OpenMP and OpenCV that wait for each other spin. Before NumPy is imported, which reads them once.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(name, "1")

# Else every process that a test starts compiles the package anew, and every run the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import numpy as np
import pytest
from PIL import Image

from ipseg.annotations.labels import LabelledInstance
from ipseg.core import geometry, images, plugins
from ipseg.core.masks import with_masks
from ipseg.core.result import Instance, Result
from ipseg.core.types import Points, Similarity
from ipseg.method import points, presence
from ipseg.method.config import EngineInfo, IPSegConfig
from ipseg.method.encodings import Encodings
from ipseg.method.scorers.cosine import Cosine

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# The browsers that serve, the quickest first.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
COLOURS = {"apple": (200, 30, 40), "leaf": (40, 170, 60), "sky": (50, 90, 210)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, those with a slow test and those of the page: else one process ends up alone with them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, not {"ui", "space"} & {*item.path.parts}))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What the tests import stays to the end: the garbage collector does not walk it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def draw_scene(height: int = 48, width: int = 64, colour: tuple[int, int, int] = (200, 30, 40), seed: int = 0):
    """An ellipse of one colour on a noisy grey background: (image (H, W, 3) uint8, mask (H, W) bool)."""
    rng = np.random.default_rng(seed)
    image = rng.integers(90, 130, (height, width, 3), dtype=np.uint8)
    y, x = np.mgrid[:height, :width]
    centre = rng.uniform(0.4, 0.6, 2) * (height, width)
    mask = ((y - centre[0]) / (height * 0.25)) ** 2 + ((x - centre[1]) / (width * 0.25)) ** 2 <= 1
    image[mask] = colour
    return image, mask


def _colourfulness(image, features):
    return (np.ptp(image.astype(np.float32), axis=-1) / 255).astype(np.float32)


@dataclass
class ColourEngine:
    """Answers like an engine, knowing nothing but colour: the centre pixel of the prompt, and pixels close to it."""

    config: IPSegConfig = field(default_factory=lambda: IPSegConfig(threshold=0.5, reject_threshold=0.25))
    scorer: Cosine = field(default_factory=Cosine)
    info: EngineInfo = field(default_factory=lambda: EngineInfo("colour"))
    calls: int = 0
    asked: dict = field(default_factory=dict)
    prompts: list = field(default_factory=list)
    encodings: Encodings = field(default_factory=lambda: Encodings(None, _colourfulness, None))

    label, about = "Colour", ""

    def apply(self, given_images, step, *arguments, progress=None):
        return step(self, *arguments, progress)

    def baseline(self, name, settings):
        return plugins.module("baselines", name).build(settings, self)

    def prompt(self, given_images, masks=None, *, mask_value=None, progress=None):
        sources = given_images if isinstance(given_images, list) else [given_images]
        given = masks if isinstance(masks, list) else [masks]
        opened = [image for image, _ in with_masks(given_images, masks, mask_value=mask_value)]
        self.prompts.append((sources, given))
        return _ColourPrompt(opened[0][opened[0].shape[0] // 2, opened[0].shape[1] // 2].astype(int))

    def segment(
        self,
        prompt,
        image,
        *,
        k=None,
        clusters=None,
        threshold=None,
        reject_threshold=None,
        negative_prompt=None,
        clicks=None,
        all_instances=False,
        progress=None,
    ):
        self.calls += 1
        self.asked = {"negative_prompt": negative_prompt, "clicks": clicks}
        k, clusters = (32 if k is None else k), (4 if clusters is None else clusters)
        points.check(k, clusters)
        image = images.open_image(image)
        mask = np.abs(image.astype(int) - prompt.colour).max(axis=-1) < 40
        frame = geometry.aspect_frame(mask.shape, 8)
        inside = geometry.cells_inside(frame)
        similarity = Similarity(geometry.to_cells(mask.astype(np.float32), frame), inside, frame)
        chosen = Points(np.array([[10.25, 20.5]], np.float32), np.array([[1, 2], [3.126, 4]], np.float32))
        limits, score = self.config.thresholds(threshold, reject_threshold), min(1.0, float(mask.mean()) * 8)
        status = presence.status(score, mask, *limits)
        return Result(
            image=image,
            mask=mask,
            status=status,
            score=score,
            threshold=limits[0],
            reject_threshold=limits[1],
            points=chosen,
            similarity=similarity,
            seconds={"features": 0.01, "mask": 0.02},
            instances=(Instance(mask, chosen, score, status),) if all_instances else (),
        )


@dataclass
class _ColourPrompt:
    colour: np.ndarray
    notices: tuple[str, ...] = ()
    negative: None = None
    model: None = None


def label_by_colour(engine, classes, image, *, progress=None, **parameters):
    """A stand-in for the matching of classes: what a :class:`ColourEngine` finds of each, the best score first."""
    found = [(each.name, engine.segment(each.prompt, image, **parameters)) for each in classes]
    there = [(name, result) for name, result in found if result.status.has_mask]
    made = [LabelledInstance(name, result.mask, result.score, result.status) for name, result in there]
    return tuple(sorted(made, key=lambda one: -one.score))


@pytest.fixture(scope="session", autouse=True)
def first_use(tmp_path_factory) -> Iterator[Path]:
    """The record of the weights' hashes is not that of whoever runs the tests."""
    path = tmp_path_factory.mktemp("record") / "first_use.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipseg.weights._record.path", lambda: path)
        yield path


@pytest.fixture(scope="session", autouse=True)
def _certificates() -> Iterator[None]:
    """Those that httpx trusts are read once: every client reads them anew, also where it asks this machine by HTTP."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture
def hub_home(monkeypatch) -> Callable[[Path], None]:
    """A function that makes a folder HF_HOME, here, where ``huggingface_hub`` has read it, and in new processes."""

    def use(home: Path) -> None:
        pytest.importorskip("huggingface_hub.constants")  # reads the environment once: not this one
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "IPSEG_WEIGHTS_DIR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_HOME", str(home))
        monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(home))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))

    return use


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A Chromium of the machine, else Playwright's own, else the browser tests are skipped."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install 'ipseg[dev]'")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except api.Error as error:
            pytest.skip(f"no Chromium here: install one, or run `playwright install chromium` ({str(error)[:80]})")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def make_scene():
    """:func:`draw_scene`."""
    return draw_scene


@pytest.fixture
def scene():
    """One small image of an ellipse and its mask."""
    return draw_scene()


@pytest.fixture
def engine() -> ColourEngine:
    """A new :class:`ColourEngine`."""
    return ColourEngine()


@pytest.fixture(scope="module")
def small_offline() -> Iterator[None]:
    """The engine "offline" of this module works on small images: see :mod:`small_engine`."""
    import small_engine

    from ipseg.engine import presets

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(presets.PRESETS, "offline", small_engine.offline())
        yield


@pytest.fixture(scope="module")
def offline(small_offline):
    """The engine "offline" on small images; one for each module, whose cache begins empty."""
    import ipseg

    return ipseg.load("offline")


@pytest.fixture(scope="module")
def shared_offline(small_offline) -> Iterator[None]:
    """The commands of a module share one small engine "offline" for each change of it: an image is encoded once."""
    from ipseg.engine.build import load

    made = {}

    def shared(preset, **given):
        key = repr({name: value for name, value in given.items() if name != "placement"})
        if preset != "offline":
            return load(preset, **given)
        return made[key] if key in made else made.setdefault(key, load(preset, **given))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipseg.cli._engine.load", shared)
        yield


@pytest.fixture
def perseg_folder(tmp_path: Path) -> Path:
    """Three objects with three images each, in PerSeg's layout, and files that do not belong."""
    folder = tmp_path / "data"
    for name, colour in COLOURS.items():
        for number in range(3):
            image, mask = draw_scene(40, 56 + number, colour, seed=number)
            write(folder / "Images" / name / f"{number:02}.png", image)
            write(folder / "Annotations" / name / f"{number:02}.png", mask.astype(np.uint8) * 255)
    write(folder / "Images" / "apple" / "09.png", draw_scene()[0])  # no annotation
    (folder / "Images" / "apple" / "notes.txt").write_text("not an image")
    return folder


def write(path: Path, pixels: np.ndarray) -> Path:
    """Save an array as an image, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session")
def save():
    """:func:`write`."""
    return write


@pytest.fixture(scope="session")
def encode():
    """An image as the bytes of a file: ``encode(array or PIL image, "JPEG", **options)``."""

    def to_bytes(pixels, kind: str, **options) -> bytes:
        buffer = io.BytesIO()
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return to_bytes


@pytest.fixture(scope="session")
def one_message():
    """Assert that a text is one message which says what to do, and names no folder."""

    def check(text: object, *, names: str = "", folder: object = None) -> None:
        text = str(text)
        assert text.endswith(".")
        assert "\n" not in text
        assert not re.search(r"[.!?] [A-Z]", text), f"more than one message: {text}"
        assert re.search(r"[;,] .*\b(give|save|check|make|paint|choose|download)\b", text), f"no way out: {text}"
        assert names in text
        assert folder is None or str(folder) not in text

    return check


@pytest.fixture
def models():
    """Skips where the paper's models are not installed."""
    from ipseg import weights

    for package in weights.TORCH:
        pytest.importorskip(package, reason="the paper's models need the extra [models]")


@pytest.fixture(scope="session")
def published_weights(tmp_path_factory):
    """Every preset's weights as published, all networks small but TSDN, which has one size."""
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    import networks
    import published

    folder = tmp_path_factory.mktemp("weights")
    for size in ("small", "base"):
        published.dinov2(folder, f"dinov2-{size}")
    published.diffusion(folder)
    networks.small_sam2_video().save_pretrained(folder / "sam2.1-hiera-tiny")
    networks.small_sam2_processor().save_pretrained(folder / "sam2.1-hiera-tiny")
    torch.save(networks.tsdn().state_dict(), folder / "cornet_rgb_duts_tr.pth")
    torch.save(networks.small_sam().state_dict(), folder / "sam_vit_h_4b8939.pth")
    return folder


@pytest.fixture
def small_models(models, published_weights, monkeypatch):
    """The folder of small networks, and a SAM "ViT-H" that is as small as its file."""
    import networks

    from ipseg import weights
    from ipseg.segmenters import sam

    digest = hashlib.sha256((published_weights / "sam_vit_h_4b8939.pth").read_bytes()).hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, "sam_vit_h", replace(weights.get("sam_vit_h"), sha256=digest))
    monkeypatch.setitem(sam.sam_model_registry, "vit_h", networks.small_sam)
    return published_weights
