"""Measure on the examples what goes beyond the paper: all instances, negative prompts, clicks.

python examples_media/beyond.py [PRESET]    # minutes
"""

import itertools
import json
import sys
from pathlib import Path

import cv2
import numpy as np

import ipseg
from ipseg.core.masks import iou

HERE = Path(__file__).resolve().parent
OBJECTS = ("blue_teapot", "cactus", "green_mug", "red_mug", "robot", "toy_car", "yellow_duck")
CLICKS = 5
NOWHERE = np.empty((0, 2), np.float32)


def image(name):
    return HERE / "Images" / f"{name}.jpg"


def truth(name):
    return ipseg.open_mask(HERE / "Annotations" / f"{name}.png")


def instances_mask(path, count):
    """All instances of a label image whose n-th instance has the value 40 n: (H, W) bool."""
    return np.logical_or.reduce([ipseg.open_mask(path, mask_value=40 * number) for number in range(1, count + 1)])


def instances(engine):
    """How many images of several of one object are counted rightly, and the IoU of all instances together."""
    index = json.loads((HERE / "galleries" / "index.json").read_text(encoding="utf-8"))["several"]
    counts, single, all_instances = [], [], []
    for one in index:
        inside = instances_mask(HERE / one["input"]["mask"], one["count"])
        result = engine.segment(
            engine.prompt(HERE / one["prompt"]["image"]), HERE / one["input"]["image"], all_instances=True
        )
        counts.append((len(result.instances), one["count"]))
        single.append(iou(result.mask, inside))
        all_instances.append(iou(result.all_instances, inside))
    right = sum(found == there for found, there in counts)
    print(f"all instances: {right} of {len(counts)} images counted rightly (found / there: ", end="")
    print(", ".join(f"{found}/{there}" for found, there in counts), end="); ")
    print(f"mIoU with all of them {np.mean(all_instances):.3f}, of the single mask {np.mean(single):.3f}")


def negatives(engine):
    """How much of another object is segmented where the prompt's is absent, without and with a prompt that says so."""
    prompts = {name: engine.prompt(image(f"{name}/00"), truth(f"{name}/00")) for name in OBJECTS}
    shares, ious = [], []
    for target, other in itertools.permutations(OBJECTS, 2):
        inside = truth(f"{other}/02")
        results = [
            engine.segment(prompts[target], image(f"{other}/02"), negative_prompt=no) for no in (None, prompts[other])
        ]
        shares.append([(result.mask & inside).sum() / inside.sum() for result in results])
        own = [
            engine.segment(prompts[target], image(f"{target}/02"), negative_prompt=no) for no in (None, prompts[other])
        ]
        ious.append([iou(result.mask, truth(f"{target}/02")) for result in own])
    (without, with_it), (own, with_other) = np.mean(shares, axis=0), np.mean(ious, axis=0)
    print(
        f"negative prompts: {without:.0%} of an object that is not meant is cut out, {with_it:.0%} with an image of it;"
    )
    print(f"    mIoU of the object that is meant {own:.3f}, {with_other:.3f} with an image of something else")


def clicks(engine):
    """The mIoU after each click of one who clicks into the middle of the largest mistake."""
    courses = [_course(engine, name, number) for name in OBJECTS for number in ("02", "03", "04")]
    print(
        "clicks: mIoU "
        + ", ".join(f"{value:.3f}" for value in np.mean(courses, axis=0))
        + f" after 0 to {CLICKS} of them"
    )


def _course(engine, target, number):
    prompt, inside = engine.prompt(image(f"{target}/00")), truth(f"{target}/{number}")
    made, values = ipseg.Points(NOWHERE, NOWHERE), []
    for _ in range(CLICKS + 1):
        result = engine.segment(prompt, image(f"{target}/{number}"), clicks=made)
        values.append(iou(result.mask, inside))
        depth = cv2.distanceTransform(np.pad(result.mask ^ inside, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        place = np.array([[x + 0.5, y + 0.5]], np.float32)
        if inside[y, x]:
            made = ipseg.Points(np.concatenate([made.positive, place]), made.negative)
        else:
            made = ipseg.Points(made.positive, np.concatenate([made.negative, place]))
    return values


if __name__ == "__main__":
    chosen = ipseg.load(sys.argv[1] if len(sys.argv) > 1 else None)
    print(chosen.info.name, chosen.info.reason)
    for measure in (instances, negatives, clicks):
        measure(chosen)
