"""Small folders in the layouts of the datasets: every image a scene, every mask its ellipse."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
from PIL import Image

from ipseg.core import rle

SIZE = (40, 56)  # (height, width) of every image
COLOURS = ((200, 60, 40), (40, 160, 60), (60, 60, 200), (200, 180, 40))


def scene(seed: int, colour=COLOURS[0], size=SIZE) -> tuple[np.ndarray, np.ndarray]:
    """A grey image with an ellipse of a colour, and the ellipse: (H, W, 3) uint8 and (H, W) bool."""
    random = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[:height, :width]
    centre = random.uniform(0.4, 0.6, 2) * size
    mask = ((y - centre[0]) / (height / 4)) ** 2 + ((x - centre[1]) / (width / 4)) ** 2 < 1
    image = random.integers(110, 130, (*size, 3))
    image[mask] = colour
    return image.astype(np.uint8), mask


def save(path: Path, pixels: np.ndarray, palette: bool = False) -> Path:
    """An image file; with ``palette`` its values are indices of colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image = image.convert("P")
        image.putdata(pixels.ravel().tolist())
        image.putpalette([channel for number in range(256) for channel in (number, 255 - number, number * 7 % 256)])
    image.save(path, quality=95)
    return path


def colour(number: int) -> tuple[int, int, int]:
    return COLOURS[number % len(COLOURS)]


def perseg(folder: Path, objects: int = 3, images: int = 3) -> Path:
    for number in range(objects):
        for each in range(images):
            image, mask = scene(10 * number + each, colour(number))
            save(folder / f"Images/object{number}/{each:02}.jpg", image)
            save(folder / f"Annotations/object{number}/{each:02}.png", mask.astype(np.uint8) * 255)
    return folder


def coco20i(folder: Path, episodes, classes: dict[str, int]) -> Path:
    """The files of some episodes; ``classes`` are numbers of the names."""
    for number, episode in enumerate(episodes):
        for side in (episode.prompt, episode.input):
            image, mask = scene(number, colour(classes[episode.category]))
            save(folder / "COCO2014" / side.name, image)
            name = f"COCO2014/annotations/{Path(side.name).with_suffix('.png')}"
            save(folder / name, np.where(mask, classes[episode.category] + 1, 0).astype(np.uint8))
    return folder


def coco20i_folders(folder: Path) -> Path:
    for name in ("val2014", "annotations/val2014"):
        (folder / "COCO2014" / name).mkdir(parents=True)
    return folder


def fss1000(folder: Path, classes: int = 2) -> Path:
    names = [f"class_{number}" for number in range(classes)]
    for number, name in enumerate(names):
        for each in range(1, 11):
            image, mask = scene(20 * number + each, colour(number))
            save(folder / f"FSS-1000/data/{name}/{each}.jpg", image)
            grey = np.where(mask, 200, 90).astype(np.uint8)
            save(folder / f"FSS-1000/data/{name}/{each}.png", np.dstack([grey] * 3))
    splits = folder / "FSS-1000/splits"
    splits.mkdir()
    (splits / "test.txt").write_text("\n".join(reversed(names)) + "\n")
    return folder


def lvis92i(folder: Path, categories: int = 20, images: int = 3) -> Path:
    listed: dict = {}
    for number in range(categories):
        for each in range(images if number != 3 else 1):
            name = f"val2017/{number:04}{each:08}.jpg"
            image, mask = scene(10 * number + each, colour(number))
            save(folder / "LVIS/coco" / name, image)
            halves = [mask.copy(), mask.copy()]
            halves[0][:, 28:] = False
            halves[1][:, :28] = False
            entry = [{"segmentation": run_lengths(half, compressed=bool(at))} for at, half in enumerate(halves)]
            listed.setdefault(number + 100, {})[name] = {"annotations": entry}
    (folder / "LVIS/lvis_val.pkl").write_bytes(pickle.dumps(listed))
    return folder


def run_lengths(mask: np.ndarray, *, compressed: bool) -> dict:
    counts = rle.encode(mask)
    return {"size": list(mask.shape), "counts": rle.compress(counts).encode() if compressed else counts}


def paco_part(folder: Path, categories: int = 8) -> Path:
    shown: dict = {}
    parts: dict = {}
    for number in range(categories):
        for each in range(3):
            image, mask = scene(10 * number + each, colour(number))
            identity = 1000 * number + each
            path = f"coco/val2017/{identity:012}.jpg"
            save(folder / "PACO-Part" / path, image)
            shown.setdefault(f"part{number}", []).extend([{identity: path}] * 2)  # the released lists repeat images
            row = {"category_id": f"part{number}", "obj_bbox": [4.0, 2.5, 48.0, 36.0]}
            tiny = {**row, "obj_ann_id": 2, "obj_bbox": [0, 0, 8, 8], "segmentation": [[1, 1, 5, 1, 5, 5]]}
            whole = {**row, "obj_ann_id": 1, "segmentation": run_lengths(mask, compressed=True)}
            other = {**row, "category_id": "another", "obj_ann_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}
            parts[identity] = [tiny, whole, other]
    (folder / "PACO-Part/paco").mkdir()
    for split in ("train", "val"):
        file = folder / f"PACO-Part/paco/paco_part_{split}.pkl"
        file.write_bytes(pickle.dumps({"cid2img": shown, "img2anno": parts}))
    return folder


def pascal_part(folder: Path) -> Path:
    root = folder / "Pascal-Part/VOCdevkit/VOC2010"
    objects: dict = {}
    for number, (name, part) in enumerate((("cat", "HEAD"), ("dog", "LEG"), ("aeroplane", "TAIL"))):
        images = [f"2008_{number}{each:05}" for each in range(3)]
        for each, image_id in enumerate(images):
            image, mask = scene(10 * number + each, colour(number))
            save(root / f"JPEGImages/{image_id}.jpg", image)
            box = {"xmin": "4", "ymin": "2", "xmax": "52", "ymax": "38"}
            lengths = run_lengths(mask, compressed=True)
            lengths["counts"] = lengths["counts"].decode()
            bare = {"name": name, "bndbox": box, "parts": [{"name": "EAR", "mask": [lengths]}]}
            whole = {"name": name, "bndbox": box, "parts": [{"name": part, "mask": [lengths]}]}
            file = root / f"Annotations_Part_json_merged_part_classes/{image_id}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps({"object": [bare, whole, {**whole, "name": "wall"}]}))
        objects[name] = {"part": {part: {"train": images[:1], "val": images}, "NONE": {"train": [], "val": images}}}
    nothing = {"object": {}}
    listed = {"animals": {"object": objects}, "indoor": nothing, "person": nothing, "vehicles": nothing}
    (root / "all_obj_part_to_image.json").write_text(json.dumps(listed))
    return folder


def davis2017(folder: Path, frames: int = 5) -> Path:
    root = folder / "DAVIS"
    for number, sequence in enumerate(("bear", "two-cats")):
        for frame in range(frames):
            image, mask = scene(10 * number + frame, colour(number))
            values = mask.astype(np.uint8)
            if number:
                values[:, 28:] *= 2
            save(root / f"JPEGImages/480p/{sequence}/{frame:05}.jpg", image)
            save(root / f"Annotations/480p/{sequence}/{frame:05}.png", values, palette=True)
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/val.txt").write_text("bear\ntwo-cats\n")
    return folder


def coco_stuff(folder: Path) -> Path:
    for number, value in enumerate((33, 20, 99)):  # frisbee, cow, cardboard
        for each in range(4 if number < 2 else 1):
            image, mask = scene(10 * number + each, colour(number))
            labels = np.where(mask, value, 156).astype(np.uint8)
            labels[:2] = 255
            save(folder / f"val2017/{number}{each:011}.jpg", image)
            save(folder / f"stuffthingmaps/val2017/{number}{each:011}.png", labels)
    return folder


def pascal_voc(folder: Path) -> Path:
    return _voc(folder / "VOC2012", "SegmentationClassAug", "Segmentation", (17, 20), 255)


def pascal_context(folder: Path) -> Path:
    return _voc(folder / "VOC2010", "SegmentationClassContext", "SegmentationContext", (20, 15), 0)


def _voc(root: Path, labels: str, lists: str, classes, void: int) -> Path:
    names = []
    for number, value in enumerate(classes):
        for each in range(4):
            name = f"2008_{number}{each:05}"
            image, mask = scene(10 * number + each, colour(number))
            values = np.where(mask, value, 7).astype(np.uint8)
            values[:2] = void
            save(root / f"JPEGImages/{name}.jpg", image)
            save(root / labels / f"{name}.png", values, palette=True)
            names.append(name)
    (root / "ImageSets" / lists).mkdir(parents=True)
    (root / "ImageSets" / lists / "val.txt").write_text("\n".join(names) + "\n")
    return root.parent


def coco(folder: Path) -> Path:
    images, annotations = [], []
    for number in range(2):
        for each in range(3):
            image, mask = scene(10 * number + each, colour(number))
            identity = 10 * number + each
            save(folder / f"images/{identity}.jpg", image)
            images.append({"id": identity, "file_name": f"{identity}.jpg", "width": SIZE[1], "height": SIZE[0]})
            row = {"image_id": identity, "category_id": number + 1}
            lengths = run_lengths(mask, compressed=False)
            annotations.append({**row, "segmentation": lengths, "iscrowd": 0})
            annotations.append({**row, "segmentation": [[0, 0, 9, 0, 9, 3, 0, 3]], "iscrowd": 1})
    categories = [{"id": 1, "name": "apple"}, {"id": 2, "name": "leaf"}]
    found = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(found))
    return folder
