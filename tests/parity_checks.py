"""What parity means for each kind of golden file: one function per kind, in CHECKS by the beginning of the file's name.

A check reads all it needs from the file's arrays and yields the largest absolute difference of each quantity.
Where the released code chose (an argmax, a set of cells), another choice is an AssertionError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from baselines.parity_matcher import check_matcher
from baselines.parity_persam import check_persam, check_persam_f
from networks import SAM_SIDE, small_sam, tsdn
from numpy.typing import NDArray
from parity_rules import fill_, scene

from ipseg.core import geometry
from ipseg.core.types import Candidates, FeatureMap, Points, Similarity
from ipseg.engine.presets import PRESETS
from ipseg.features.fusion import Fusion
from ipseg.features.stable_diffusion import StableDiffusion
from ipseg.method import points, prototype, refinement, similarity
from ipseg.saliency.tsdn import TSDN
from ipseg.segmenters.sam import SegmentAnything

LAYERS = {"dino": "dinov2"}  # the files' names of layers that are called otherwise here
TEXT_SEED, UNET_SEED, VAE_SEED = 11, 3, 4  # of the small Stable Diffusion

Data = Mapping[str, NDArray]
Differences = Iterator[tuple[str, float]]


def check_tsdn(data: Data, folder: Path) -> Differences:
    """The logits of the saliency network before the sigmoid, average-pooled."""
    method = TSDN(tsdn(int(data.get("seed", 0))))
    logits = method.logits(image_of(data)).numpy()[0]
    yield "logits_pooled", largest(pooled(logits, data["logits_pooled"].shape[-1])[0], data["logits_pooled"])


def check_similarity(data: Data, folder: Path) -> Differences:
    """Cells of the prompt, prototype, similarity of every layer and of all together, and the extremes.

    The settings are those of the preset ``released``.
    """
    released, grid = PRESETS["released"], data["similarity"].shape
    config = released.config
    saliency = data["saliency"].astype(np.float32) / 255
    frame = geometry.squash_frame(saliency.shape, grid)
    cells = prototype.object_cells(
        saliency,
        frame,
        threshold=config.cell_threshold,
        erosion=config.erosion,
        smallest=config.smallest,
        sampling=config.sampling,
    )
    assert np.array_equal(cells, data["cells"]), "other cells were chosen"
    reference, test = (on_image(data, which, grid) for which in ("ref", "test"))
    vectors = prototype.average(reference, cells)
    for layer in test:
        values = similarity.cosine(vectors[layer.name], layer.values)
        name = f"similarity_{next((theirs for theirs, ours in LAYERS.items() if ours == layer.name), layer.name)}"
        yield name, largest(values, data[name])
    fused = similarity.fuse(vectors, test, released.scorer[1]["weights"])
    yield "similarity", largest(fused, data["similarity"])
    cell_similarity = Similarity(fused, geometry.cells_inside(test[0].frame), test[0].frame)
    for name, k in extremes_of(data):
        chosen = points.extremes(cell_similarity, k)[0 if name.startswith("top") else 1]
        ours = (chosen[:, 1] * grid[1] + chosen[:, 0]).astype(int)
        assert same_choice(data["similarity"].ravel(), ours, data[name]), f"other cells in {name}"


def check_diffusion(data: Data, folder: Path) -> Differences:
    """The latent, the fixed noise, and the features of every layer at every timestep in the file."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    config = json.loads((folder / "sd_tiny.json").read_text())
    text = np.random.RandomState(TEXT_SEED).standard_normal((1, 77, config["unet"]["cross_attention_dim"]))
    diffusion = StableDiffusion(
        unet=fill_(UNet2DConditionModel(**config["unet"]), UNET_SEED),
        vae=fill_(AutoencoderKL(**config["vae"]), VAE_SEED),
        context=torch.from_numpy(text).float(),
        schedule=config["scheduler"],
    )
    latent = diffusion.latent(diffusion.pixels(image_of(data)))
    yield "latent", largest(latent[0].numpy(), data["latent"])
    yield "noise", largest(diffusion.noise(latent.shape[-2:])[0].numpy(), data["noise"])
    asked = [(name, *found.groups()) for name in data if (found := re.fullmatch(r"t(\d+)_(\w+)", name))]
    for timestep in sorted({timestep for _, timestep, _ in asked}):
        layers = diffusion.layers(latent, int(timestep))
        for name, at, layer in asked:
            if at == timestep:
                yield name, largest(layers[layer][0].numpy(), data[name])


def check_cascade(data: Data, folder: Path) -> Differences:
    """The three passes in the released script's frame, the image squashed to SAM's square; then in the image's own.

    In the image's own frame a box ends on the image's pixels instead of the square's, so two passes are compared
    there. Where the second pass found nothing, the released script makes up a box without an area; here there is none,
    and the third pass cannot be compared.
    """
    segmenter = SegmentAnything(small_sam(int(data["seed"]), SAM_SIDE), squash=True)
    image = image_of(data)
    side = segmenter.sam.image_encoder.img_size
    square = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    asked = cascade_points(data, square.shape[:2])
    yield "points", largest(np.concatenate([asked.positive, asked.negative]), data["points"])
    passes, mask = run_cascade(segmenter, square, asked)
    box, found = passes[2][0], not np.array_equal(data["box"], [0, side - 1, 0, side - 1])
    assert (box is not None) == found, "one of the two found nothing in the second pass"
    yield from compare_passes(passes[: 3 if found else 2], data)
    if found:
        yield "box", largest(np.array(box), data["box"])
        yield "mask_area", abs(float(mask.mean()) - float(data["mask_area"]))
    passes, _ = run_cascade(segmenter, image, cascade_points(data, image.shape[:2]))
    for name, difference in compare_passes(passes[:2], data):
        yield f"{name} (own frame)", difference


CHECKS: Mapping[str, Callable[[Data, Path], Differences]] = {
    "tsdn_": check_tsdn,
    "sd-": check_diffusion,
    "ipseg_similarity_": check_similarity,
    "ipseg_cascade_": check_cascade,
    "matcher_": check_matcher,
    "persam_f_": check_persam_f,  # before the shorter name that it begins with
    "persam_": check_persam,
}


def image_of(data: Data) -> NDArray[np.uint8]:
    return scene(str(data["scene"]), *(int(n) for n in data["size"]))[0]


def largest(ours: NDArray, theirs: NDArray) -> float:
    assert np.shape(ours) == np.shape(theirs)
    return float(np.abs(np.asarray(ours, dtype=np.float64) - theirs).max())


def pooled(values: NDArray, side: int) -> NDArray:
    """(n, h, w) average-pooled to (n, side, side)."""
    n, height, width = values.shape
    return values.reshape(n, side, height // side, side, width // side).mean(axis=(2, 4))


def on_image(data: Data, which: str, grid: tuple[int, int]) -> list[FeatureMap]:
    """The layers of ``ref`` or ``test``, cut from the letterboxed square to the image."""
    width, height = (int(n) for n in data[f"{which}_size"])
    layers = []
    for name in (key.removeprefix(f"{which}_") for key in data if key.startswith(f"{which}_") and data[key].ndim == 3):
        values = data[f"{which}_{name}"].transpose(1, 2, 0)
        frame = geometry.letterbox_frame((height, width), len(values))
        layers.append(FeatureMap(LAYERS.get(name, name), values, frame))
    return list(Fusion((), grid[0]).joined(layers))


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
    return Points(*(geometry.cells_to_image(data[f"cells_{sign}"], frame) for sign in ("positive", "negative")))


def run_cascade(segmenter, image: NDArray[np.uint8], asked: Points):
    """What each pass was given as its box and what it answered, and the mask that came out."""
    passes: list[tuple[tuple | None, Candidates]] = []

    class Listening:
        def predict(self, *prompts, box=None, **others) -> Candidates:
            passes.append((box, segmenter.predict(*prompts, box=box, **others)))
            return passes[-1][1]

    mask = refinement.cascade(Listening(), segmenter.encode(image), asked).masks[0]
    return passes, mask


def compare_passes(passes, data: Data) -> Differences:
    for i, (_, answer) in enumerate(passes, start=1):
        logits = data[f"pass{i}_logits_pooled"]
        scores = data[f"pass{i}_scores" if f"pass{i}_scores" in data else f"pass{i}_score"]
        yield f"pass{i}_logits", largest(pooled(answer.logits, logits.shape[-1]), logits)
        yield f"pass{i}_scores", largest(answer.scores, scores)
        if f"pass{i}_best" in data:
            assert refinement.best(answer) == int(data[f"pass{i}_best"]), f"another mask was chosen in pass {i}"
