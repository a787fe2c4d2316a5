"""The example images are whole: every one has its mask, and the galleries' index tells what the scenes say."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples_media"
GALLERIES = EXAMPLES / "galleries"


@pytest.fixture(scope="module")
def rendering():
    """The scenes' data, which need no Blender."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        from rendering import failure_cases, gallery, prompt_sets, scenes, several
    finally:
        sys.path.remove(str(EXAMPLES))
    return gallery, prompt_sets.KINDS, failure_cases.CASES, several.SEVERAL, scenes


@pytest.fixture(scope="module")
def index():
    return json.loads((GALLERIES / "index.json").read_text(encoding="utf-8"))


def entries(index):
    for kind in index["prompt_sets"]:
        yield from (entry for group in kind["sets"] for entry in group["prompts"])
        yield from kind["inputs"]
    yield from (case[role] for case in index["failure_cases"] for role in ("prompt", "input", "mended"))


def cover(entry):
    """Share of the image that its mask covers; the two must be of one size and the mask of 0 and 255 alone."""
    with Image.open(EXAMPLES / entry["image"]) as image, Image.open(EXAMPLES / entry["mask"]) as mask:
        assert (image.format, mask.mode, mask.size) == ("JPEG", "L", image.size), entry
        inside = np.asarray(mask)
    assert set(np.unique(inside)) == {0, 255}, entry
    return (inside == 255).mean()


def test_the_index_agrees_with_the_scenes(rendering, index):
    gallery, kinds, cases, several, _ = rendering
    assert gallery.index(kinds, cases, several) == index


def test_there_are_enough_kinds_sets_and_cases(index):
    assert len(index["prompt_sets"]) >= 8
    assert len(index["failure_cases"]) >= 10
    for kind in index["prompt_sets"]:
        assert [group["set"] for group in kind["sets"]] == ["A", "B", "C"]
        assert 2 <= len(kind["inputs"]) <= 3
    assert {case["rule"] for case in index["failure_cases"]} == {"single", "complete", "clear"}
    names = [case["name"] for case in index["failure_cases"]]
    assert len(set(names)) == len(names)


def test_every_image_has_its_mask_and_a_caption(index):
    for entry in entries(index):
        assert 0.003 < cover(entry) < 0.7, entry
        assert entry["caption"].endswith(".")
        assert "\n" not in entry["caption"]


def test_a_prompt_of_a_set_shows_the_whole_object_and_large(index):
    for kind in index["prompt_sets"]:
        for entry in (entry for group in kind["sets"] for entry in group["prompts"]):
            assert cover(entry) > 0.1, entry
            with Image.open(EXAMPLES / entry["mask"]) as mask:
                inside = np.asarray(mask) > 0
            assert inside[1:-1, 1:-1].sum() == inside.sum(), f"{entry} is cut by the border"


def test_an_image_is_never_both_prompt_and_input(index):
    for kind in index["prompt_sets"]:
        prompts = {entry["image"] for group in kind["sets"] for entry in group["prompts"]}
        assert prompts.isdisjoint(entry["image"] for entry in kind["inputs"])
    for case in index["failure_cases"]:
        assert len({case[role]["image"] for role in ("prompt", "input", "mended")}) == 3, case["name"]


def test_the_folder_holds_what_is_listed_and_stays_small(index):
    shown = [*entries(index), *(one["input"] for one in index["several"])]
    listed = {EXAMPLES / entry[key] for entry in shown for key in ("image", "mask")}
    sheets = {GALLERIES / name for name in ("index.json", "prompt_sets.jpg", "failure_cases.jpg")}
    files = {path for path in GALLERIES.rglob("*") if path.is_file()}
    assert files - listed == sheets
    assert sum(path.stat().st_size for path in files) < 4e6


def test_scenes_are_chosen_by_name_and_by_folder(rendering):
    *_, scenes = rendering
    assert [scene.name for scene in scenes.chosen(["red_mug/00"])] == ["red_mug/00"]
    assert {scene.name.split("/")[1] for scene in scenes.chosen(["galleries"])} == {
        "prompt_sets", "failure_cases", "several",
    }  # fmt: skip
    assert scenes.chosen(None) == list(scenes.SCENES)
    with pytest.raises(ValueError, match="No scene is called red_mu;"):
        scenes.chosen(["red_mu"])


def test_scene_names_are_unique(rendering):
    *_, scenes = rendering
    names = [scene.name for scene in scenes.SCENES]
    assert len(set(names)) == len(names)


def test_an_image_of_several_numbers_each_of_them(index):
    assert len(index["several"]) >= 6
    for one in index["several"]:
        with (
            Image.open(EXAMPLES / one["input"]["image"]) as image,
            Image.open(EXAMPLES / one["input"]["mask"]) as mask,
        ):
            assert (mask.mode, mask.size) == ("L", image.size), one["title"]
            levels, counts = np.unique(np.asarray(mask), return_counts=True)
        assert levels.tolist() == [40 * number for number in range(one["count"] + 1)]
        assert counts.min() > 0.02 * counts.sum(), one["title"]
