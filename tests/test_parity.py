"""Parity with the released implementations: every golden file of a folder, within 1e-3 and with the same choices.

The folder is ``tests/golden``, or the one that the environment variable IPSEG_PARITY_DIR names. A file's kind is the
beginning of its name; kinds that are not in CHECKS are left alone. All a check knows it reads from the file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from parity_rules import fill_, scene

from ipseg import geometry, points, prototype, refine, similarity
from ipseg.presets import PRESETS
from ipseg.types import Candidates, FeatureMap, Points, Similarity

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from networks import small_sam, tsdn  # noqa: E402

GOLDEN = Path(__file__).parent / "golden"
FOLDER = Path(os.environ.get("IPSEG_PARITY_DIR", GOLDEN))
LAYERS = {"dino": "dinov2"}  # the files' names of layers that are called otherwise here
LIMIT = 1e-3  # largest absolute difference, float32 on the CPU

Data = Mapping[str, NDArray]
Differences = Iterator[tuple[str, float]]


def check_tsdn(data: Data) -> Differences:
    """The logits of the saliency network before the sigmoid, average-pooled."""
    from ipseg.saliency.tsdn import TSDN

    method = TSDN(tsdn(int(data.get("seed", 0))))
    logits = method.logits(picture_of(data)).numpy()[0]
    yield "logits_pooled", largest(pooled(logits, data["logits_pooled"].shape[-1])[0], data["logits_pooled"])


def check_similarity(data: Data) -> Differences:
    """Cells of the prompt, prototype, similarity of every layer and of all together, and the extremes.

    The settings are those of the preset ``released``.
    """
    method, grid = PRESETS["released"].method, data["similarity"].shape
    saliency = data["saliency"].astype(np.float32) / 255
    frame = geometry.squash_frame(saliency.shape, grid)
    cells = prototype.object_cells(
        saliency,
        frame,
        threshold=method.cell_threshold,
        erosion=method.erosion,
        smallest=method.smallest,
        sampling=method.sampling,
    )
    assert np.array_equal(cells, data["cells"]), "other cells were chosen"
    reference, test = (on_picture(data, which, grid) for which in ("ref", "test"))
    vectors = prototype.average(reference, cells)
    for layer in test:
        values = similarity.cosine(vectors[layer.name], layer.values)
        name = f"similarity_{next((theirs for theirs, ours in LAYERS.items() if ours == layer.name), layer.name)}"
        yield name, largest(values, data[name])
    fused = similarity.fuse(vectors, test, method.weights)
    yield "similarity", largest(fused, data["similarity"])
    likeness = Similarity(fused, geometry.cells_inside(test[0].frame), test[0].frame)
    for name, k in extremes_of(data):
        chosen = points.extremes(likeness, k)[0 if name.startswith("top") else 1]
        ours = (chosen[:, 1] * grid[1] + chosen[:, 0]).astype(int)
        assert same_choice(data["similarity"].ravel(), ours, data[name]), f"other cells in {name}"


def check_diffusion(data: Data) -> Differences:
    """The latent, the fixed noise, and the features of every layer at every timestep in the file."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from ipseg.features.stable_diffusion import StableDiffusion

    beside = FOLDER / "sd_tiny.json"
    config = json.loads((beside if beside.is_file() else GOLDEN / "sd_tiny.json").read_text())
    text = np.random.RandomState(11).standard_normal((1, 77, config["unet"]["cross_attention_dim"]))
    diffusion = StableDiffusion(
        unet=fill_(UNet2DConditionModel(**config["unet"]), 3),
        vae=fill_(AutoencoderKL(**config["vae"]), 4),
        context=torch.from_numpy(text).float(),
        schedule=config["scheduler"],
    )
    latent = diffusion.latent(diffusion.pixels(picture_of(data)))
    yield "latent", largest(latent[0].numpy(), data["latent"])
    yield "noise", largest(diffusion.noise(latent.shape[-2:])[0].numpy(), data["noise"])
    asked = [(name, *found.groups()) for name in data if (found := re.fullmatch(r"t(\d+)_(\w+)", name))]
    for timestep in sorted({timestep for _, timestep, _ in asked}):
        layers = diffusion.layers(latent, int(timestep))
        for name, at, layer in asked:
            if at == timestep:
                yield name, largest(layers[layer][0].numpy(), data[name])


def check_cascade(data: Data) -> Differences:
    """The three passes in the released script's frame, the picture squashed to SAM's square; then in the picture's own.

    In the picture's own frame a box ends on the picture's pixels instead of the square's, so two passes are compared
    there. Where the second pass found nothing, the released script makes up a box without an area; here there is none,
    and the third pass cannot be compared.
    """
    import cv2

    from ipseg.segmenters.sam import SegmentAnything

    segmenter = SegmentAnything(small_sam(int(data["seed"])), squash=True)
    picture = picture_of(data)
    side = segmenter.sam.image_encoder.img_size
    square = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
    asked = cascade_points(data, square.shape[:2])
    yield "points", largest(np.concatenate([asked.positive, asked.negative]), data["points"])
    passes, mask = run_cascade(segmenter, square, asked)
    box, found = passes[2][0], not np.array_equal(data["box"], [0, side - 1, 0, side - 1])
    assert (box is not None) == found, "one of the two found nothing in the second pass"
    yield from compare_passes(passes[: 3 if found else 2], data)
    if found:
        yield "box", largest(np.array(box), data["box"])
        yield "mask_area", abs(float(mask.mean()) - float(data["mask_area"]))
    passes, _ = run_cascade(segmenter, picture, cascade_points(data, picture.shape[:2]))
    for name, difference in compare_passes(passes[:2], data):
        yield f"{name} (own frame)", difference


CHECKS: Mapping[str, Callable[[Data], Differences]] = {
    "tsdn_": check_tsdn,
    "sd-": check_diffusion,
    "ipseg_similarity_": check_similarity,
    "ipseg_cascade_": check_cascade,
}


def files() -> list[Path]:
    return [path for path in sorted(FOLDER.glob("*.npz")) if kind_of(path)]


def kind_of(path: Path) -> str | None:
    return next((kind for kind in CHECKS if path.name.startswith(kind)), None)


def test_the_folder_holds_golden_files():
    assert files(), f"no golden file in {FOLDER}"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_parity(path: Path, capsys: pytest.CaptureFixture[str]):
    with np.load(path, allow_pickle=False) as data:
        differences = dict(CHECKS[kind_of(path)](dict(data)))
    with capsys.disabled():
        worst = max(differences, key=differences.get)
        print(f"\n{path.name}: largest difference {differences[worst]:.1e} ({worst}, of {len(differences)} compared)")
    assert {name: d for name, d in differences.items() if not d <= LIMIT} == {}


def test_saliency_network_has_the_checkpoint_s_keys():
    published = json.loads((GOLDEN / "tsdn_state_dict_keys.json").read_text())
    assert {name: list(value.shape) for name, value in tsdn().state_dict().items()} == published


def picture_of(data: Data) -> NDArray[np.uint8]:
    return scene(str(data["scene"]), *(int(n) for n in data["size"]))[0]


def largest(ours: NDArray, theirs: NDArray) -> float:
    assert np.shape(ours) == np.shape(theirs)
    return float(np.abs(np.asarray(ours, dtype=np.float64) - theirs).max())


def pooled(values: NDArray, side: int) -> NDArray:
    """(n, h, w) average-pooled to (n, side, side)."""
    n, height, width = values.shape
    return values.reshape(n, side, height // side, side, width // side).mean(axis=(2, 4))


def on_picture(data: Data, which: str, grid: tuple[int, int]) -> list[FeatureMap]:
    """The layers of ``ref`` or ``test``, cut from the letterboxed square to the picture."""
    from ipseg.features._dense import onto_picture

    width, height = (int(n) for n in data[f"{which}_size"])
    layers = []
    for name in (key.removeprefix(f"{which}_") for key in data if key.startswith(f"{which}_") and data[key].ndim == 3):
        values = data[f"{which}_{name}"].transpose(1, 2, 0)
        frame = geometry.letterbox_frame((height, width), len(values))
        layers.append(FeatureMap(LAYERS.get(name, name), values, frame))
    return list(onto_picture(layers, grid[0]))


def extremes_of(data: Data) -> Iterator[tuple[str, int]]:
    """``top32`` and ``bottom32``, whatever their number."""
    for name in data:
        if found := re.fullmatch(r"(?:top|bottom)(\d+)", name):
            yield name, int(found[1])


def same_choice(values: NDArray, ours: NDArray, theirs: NDArray) -> bool:
    """Whether two sets of extreme cells are one, or differ in cells alone that tie at the border of the choice.

    Nearest resizing repeats cells, and which of two equal ones a sort takes first is nobody's rule.
    """
    if len(set(ours)) != len(theirs):
        return False
    mine, others = np.setdiff1d(ours, theirs), np.setdiff1d(theirs, ours)
    top = values[theirs].mean() > values.mean()
    border = values[theirs].min() if top else values[theirs].max()
    return bool(np.all(np.abs(values[np.concatenate([mine, others])] - border) <= 1e-6))


def cascade_points(data: Data, size: tuple[int, int]) -> Points:
    frame = geometry.squash_frame(size, (60, 60))
    return Points(*(geometry.cells_to_picture(data[f"cells_{sign}"], frame) for sign in ("positive", "negative")))


def run_cascade(segmenter, picture: NDArray[np.uint8], asked: Points):
    """What each pass was given as its box and what it answered, and the mask that came out."""
    passes: list[tuple[tuple | None, Candidates]] = []

    class Listening:
        def predict(self, *prompts, box=None, **others) -> Candidates:
            passes.append((box, segmenter.predict(*prompts, box=box, **others)))
            return passes[-1][1]

    mask = refine.cascade(Listening(), segmenter.encode(picture), asked)
    return passes, mask


def compare_passes(passes, data: Data) -> Differences:
    for i, (_, answer) in enumerate(passes, start=1):
        logits = data[f"pass{i}_logits_pooled"]
        scores = data[f"pass{i}_scores" if f"pass{i}_scores" in data else f"pass{i}_score"]
        yield f"pass{i}_logits", largest(pooled(answer.logits, logits.shape[-1]), logits)
        yield f"pass{i}_scores", largest(answer.scores, scores)
        if f"pass{i}_best" in data:
            assert refine.best(answer) == int(data[f"pass{i}_best"]), f"another mask was chosen in pass {i}"
