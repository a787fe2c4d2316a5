"""The classes of a labelling run: every way to give them, and one message for each fault."""

from __future__ import annotations

import gc
import os
import re
import shutil
import weakref
import zipfile

import numpy as np
import pytest

import ipseg
from ipseg.core import images
from ipseg.core.types import InputError
from ipseg.labelling import examples
from ipseg.labelling.examples import read

pytestmark = pytest.mark.usefixtures("small_offline")

RED, GREEN, BLUE = (200, 30, 40), (40, 170, 60), (50, 90, 210)


@pytest.fixture
def folder(tmp_path, save, make_scene):
    """Two classes: "leaf" with one example, "red apple" with two, of which one has a mask."""
    made = tmp_path / "examples"
    for number in range(2):
        image, mask = make_scene(40, 50, RED, seed=number)
        save(made / "red apple" / f"{number:02}.png", image)
    save(made / "red apple" / "01.mask.png", mask.astype(np.uint8) * 255)
    save(made / "leaf" / "a.jpg", make_scene(40, 50, GREEN)[0])
    return made


def names(found) -> list[tuple[str, list[str], list[str]]]:
    return [
        (one.name, [each.name for each in one.examples], [each.mask_name for each in one.examples]) for one in found
    ]


def prompts(engine, given):
    """What the engine is given as the prompt of each class."""
    examples.prompts(engine, read(given))
    return engine.prompts


def test_a_folder_has_one_folder_per_class(folder, engine, make_scene):
    assert names(read(folder)) == [
        ("leaf", ["leaf/a.jpg"], [""]),
        ("red apple", ["red apple/00.png", "red apple/01.png"], ["", "red apple/01.mask.png"]),
    ]
    (_, leaf), (apples, masks) = prompts(engine, folder)
    assert leaf == [None]
    for number in range(2):
        np.testing.assert_array_equal(apples[number], make_scene(40, 50, RED, seed=number)[0])
    assert masks[0] is None
    np.testing.assert_array_equal(masks[1].mask, make_scene(40, 50, RED, seed=1)[1])


@pytest.mark.parametrize("top", ["", "examples/"])
def test_a_zip_is_read_as_its_folder(folder, tmp_path, top):
    with zipfile.ZipFile(tmp_path / "examples.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, f"{top}{path.relative_to(folder)}")
    found = read(tmp_path / "examples.zip")
    assert [one.name for one in found] == ["leaf", "red apple"]
    assert [one.content for one in found] == [one.content for one in read(folder)]


def test_the_layout_of_datasets_has_the_masks_beside_it(tmp_path, save, make_scene):
    data = tmp_path / "data"
    for name, colour in (("apple", RED), ("sky", BLUE)):
        image, mask = make_scene(40, 50, colour)
        save(data / "Images" / name / "0.jpg", image)
        save(data / "Annotations" / name / "0.png", mask.astype(np.uint8) * 255)
    save(data / "cover.png", image)  # neither this nor that is a class
    save(data / "galleries" / "0.png", image)
    assert names(read(data)) == [
        ("apple", ["Images/apple/0.jpg"], ["Annotations/apple/0.png"]),
        ("sky", ["Images/sky/0.jpg"], ["Annotations/sky/0.png"]),
    ]


def test_a_negative_folder_shows_what_is_not_meant(folder, engine, save, make_scene):
    save(folder / "leaf" / "negative" / "sky.png", make_scene(40, 50, BLUE)[0])
    leaf = read(folder)[0]
    assert [one.name for one in leaf.negative] == ["leaf/negative/sky.png"]
    made = leaf.class_prompt(engine)
    assert made.prompt.colour[1] > 120
    assert made.negative.colour.tolist() == list(BLUE)
    shutil.rmtree(folder / "leaf" / "negative")
    assert len(leaf.content) == 2
    assert leaf.content[:1] == read(folder)[0].content


def test_a_yaml_file_names_files_and_folders(folder, tmp_path, save, make_scene):
    save(tmp_path / "sky.png", make_scene(40, 50, BLUE)[0])
    save(tmp_path / "grass.png", make_scene(40, 50, GREEN, seed=3)[0])
    (tmp_path / "my.yaml").write_text(
        """
classes:
  tree: examples/leaf
  no: sky.png
  1:
    images: [examples/red apple/00.png, examples/red apple/01.png]
    masks: [null, examples/red apple/01.mask.png]
    negative: grass.png
"""
    )
    found = read(tmp_path / "my.yaml")
    assert names(found) == [  # in the order of the file, the names as they are written
        ("tree", ["tree/a.jpg"], [""]),
        ("no", ["no/sky.png"], [""]),
        (
            "1",
            ["examples/red apple/00.png", "examples/red apple/01.png"],
            ["", "examples/red apple/01.mask.png"],
        ),
    ]
    assert [one.name for one in found[2].negative] == ["grass.png"]
    assert found[0].content == read(folder)[0].content


def test_the_yaml_of_the_documentation_is_read(tmp_path, root, save, make_scene):
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", (root / "docs/labelling.md").read_text(), re.M | re.S)
    (tmp_path / "classes.yaml").write_text(shown)
    for number, name in enumerate(("mug_photos/01.jpg", "cup/01.jpg", "cup/02.jpg")):
        image, mask = make_scene(40, 50, RED, seed=number)
        save(tmp_path / name, image)
        save((tmp_path / name).with_suffix(".png"), mask.astype(np.uint8) * 255)
    os.remove(tmp_path / "mug_photos/01.png")
    mug, cup = read(tmp_path)
    assert (mug.name, len(mug.examples), len(mug.negative)) == ("mug", 1, 0)
    assert (cup.name, [each.mask_name for each in cup.examples], len(cup.negative)) == ("cup", ["cup/01.png", ""], 1)


def test_a_classes_yaml_in_a_folder_counts_instead_of_the_folders(folder):
    (folder / "classes.yaml").write_text("classes: {tree: leaf}")
    assert [one.name for one in read(folder)] == ["tree"]


def test_python_gives_images_pairs_and_paths(folder, make_scene):
    image, mask = make_scene(40, 50, BLUE)
    found = read({"sky": (image, mask), "leaf": folder / "leaf", "apple": [make_scene(40, 50, RED)[0]]})
    assert [one.name for one in found] == ["sky", "leaf", "apple"]
    opened, given = found[0].examples[0].open()
    np.testing.assert_array_equal(opened, image)
    np.testing.assert_array_equal(given.mask, mask)
    assert found[1].content == read(folder)[0].content


@pytest.fixture(scope="module")
def saved_prompt(tmp_path_factory, make_scene, small_offline):
    """A saved prompt of the engine without weights."""
    path = tmp_path_factory.mktemp("saved") / "sky.npz"
    ipseg.load("offline").prompt(*make_scene(40, 50, BLUE)).save(path)
    return path


def test_saved_prompts_stand_beside_the_folders(folder, tmp_path, saved_prompt, engine):
    shutil.copy(saved_prompt, folder / "sky.npz")
    found = read(folder)
    assert [one.name for one in found] == ["leaf", "red apple", "sky"]
    offline = ipseg.load("offline")
    made = found[2].class_prompt(offline)
    assert made.prompt.fingerprint() == offline.prompt(saved_prompt).fingerprint()
    (tmp_path / "my.yml").write_text(
        "classes: {sky: examples/sky.npz, blue: {prompt: examples/sky.npz, negative: examples/leaf/a.jpg}}"
    )
    sky, blue = read(tmp_path / "my.yml")
    assert sky.content == found[2].content == blue.content[-len(sky.content) :]
    assert [one.name for one in blue.negative] == ["examples/leaf/a.jpg"]
    with zipfile.ZipFile(tmp_path / "examples.zip", "w") as archive:
        archive.write(folder / "sky.npz", "sky.npz")
        archive.write(folder / "leaf" / "a.jpg", "leaf/a.jpg")
    for source in (saved_prompt, {"sky": saved_prompt}, {"sky": ipseg.Prompt.load(saved_prompt)}):
        assert [one.content for one in read(source)] == [sky.content]
    assert [one.content for one in read(tmp_path / "examples.zip")] == [found[0].content, sky.content]


def test_a_damaged_saved_prompt_is_one_message(folder, saved_prompt, one_message):
    (folder / "sky.npz").write_bytes(saved_prompt.read_bytes()[:500])
    with pytest.raises(InputError) as caught:
        read(folder)
    one_message(caught.value, names="sky.npz", folder=folder)
    shutil.copy(saved_prompt, folder / "leaf" / "sky.npz")
    os.remove(folder / "sky.npz")
    with pytest.raises(InputError, match=r"leaf/sky\.npz is a saved prompt; put it beside the folders"):
        read(folder)


def test_hidden_files_are_no_examples(folder):
    for name in (".DS_Store", "leaf/.hidden.jpg", "leaf/Thumbs.db"):
        (folder / name).write_text("")
    (folder / ".git").mkdir()
    (folder / "README.md").write_text("about the examples")
    assert [one.name for one in read(folder)] == ["leaf", "red apple"]


def test_the_content_is_that_of_the_pixels_and_masks(folder, save, make_scene):
    before = read(folder)
    os.rename(folder / "leaf" / "a.jpg", folder / "leaf" / "b.jpg")
    assert [one.content for one in read(folder)] == [one.content for one in before]
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 10:20] = 255
    save(folder / "red apple" / "01.mask.png", mask)
    assert [new.content == old.content for new, old in zip(read(folder), before, strict=True)] == [True, False]


def test_one_image_may_show_two_classes_where_each_has_its_mask(tmp_path, save, make_scene):
    image, mask = make_scene(40, 50, RED)
    for name, own in (("apple", mask), ("table", ~mask)):
        save(tmp_path / "both" / name / "0.png", image)
        save(tmp_path / "both" / name / "0.mask.png", own.astype(np.uint8) * 255)
    assert [one.name for one in read(tmp_path / "both")] == ["apple", "table"]
    shutil.copy(tmp_path / "both" / "apple" / "0.mask.png", tmp_path / "both" / "table" / "0.mask.png")
    with pytest.raises(InputError, match="are the same image"):
        read(tmp_path / "both")


def empty(folder):
    (folder / "sky").mkdir()


def only_a_mask(folder):
    os.rename(folder / "leaf" / "a.jpg", folder / "leaf" / "a.mask.png")


def one_image_in_two(folder):
    shutil.copy(folder / "leaf" / "a.jpg", folder / "red apple" / "other.jpg")


def unreadable(folder):
    (folder / "leaf" / "b.jpg").write_text("words")


def unreadable_mask(folder):
    (folder / "red apple" / "01.mask.png").write_text("words")


def loose(folder):
    os.rename(folder / "leaf" / "a.jpg", folder / "b.jpg")


def nested(folder):
    (folder / "leaf" / "more").mkdir()
    shutil.copy(folder / "leaf" / "a.jpg", folder / "leaf" / "more" / "b.jpg")


def one_stem(folder):
    shutil.copy(folder / "leaf" / "a.jpg", folder / "leaf" / "a.png")


def in_both(folder):
    (folder / "leaf" / "negative").mkdir()
    shutil.copy(folder / "leaf" / "a.jpg", folder / "leaf" / "negative" / "b.jpg")


def two_cases(folder):
    shutil.copytree(folder / "leaf", folder / "Leaf")


def no_name(folder):
    os.rename(folder / "leaf", folder / 'is "it" a leaf?')


def reserved(folder):
    os.rename(folder / "leaf", folder / "con")


def dead_link(folder):
    (folder / "leaf" / "gone.jpg").symlink_to("nothing.jpg")


FAULTS = {
    empty: 'The class "sky" has no example image',
    only_a_mask: "leaf/a.mask.png is a mask without its image",
    one_image_in_two: 'leaf/a.jpg of the class "leaf" and red apple/other.jpg of the class "red apple" are the same',
    unreadable: "leaf/b.jpg is not an image",
    unreadable_mask: "red apple/01.mask.png is not an image",
    loose: "b.jpg lies outside the folders of the classes",
    nested: 'The class "leaf" holds the folder more',
    one_stem: "leaf/a.jpg and leaf/a.png have one name; name a mask a.mask.png",
    in_both: 'leaf/negative/b.jpg is an example of the class "leaf" and of what is not meant',
    two_cases: 'Two classes are named "Leaf" and "leaf"',
    no_name: 'The class name "is "it" a leaf?" cannot be the name of a file',
    reserved: 'The class name "con" cannot be',
    dead_link: "leaf/gone.jpg is a link to nothing",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_one_message(folder, one_message, fault):
    fault(folder)
    with pytest.raises(InputError) as caught:
        read(folder)
    assert FAULTS[fault] in str(caught.value)
    assert str(caught.value).count(". ") == 0
    assert "\n" not in str(caught.value)
    assert str(folder) not in str(caught.value)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: (path / "only").mkdir(parents=True)])
def test_no_classes_are_one_message(tmp_path, make):
    make(tmp_path / "none")
    with pytest.raises(InputError, match=r"holds no classes; give|has no example image; give"):
        read(tmp_path / "none")


def test_what_is_not_there_is_one_message(tmp_path):
    with pytest.raises(InputError, match=r"do not exist; check the path\.$"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="holds no classes; give"):
        read({})


YAML = {
    "classes: {leaf: {images: leaf, size: 3}}": "unknown key classes.leaf.size",
    "things: {}": "is wrong at classes",
    "classes: []": "is wrong at classes",
    "classes: {}": "holds no classes",
    "classes:": "is wrong at classes",
    "- a\n- b": "is wrong at the whole file",
    "classes: {leaf: leaf, leaf: 'red apple'}": "occurs twice",
    "classes: {leaf: {images: [3]}}": "is wrong at classes.leaf.images.0",
    "classes: {leaf: {}}": "has no example image",
    "classes: {leaf: {images: [leaf/a.jpg, b.jpg], masks: [c.png]}}": "2 images and 1 masks; give a mask or null",
    "classes: {leaf: {images: [leaf/a.jpg], prompt: a.npz}}": "images and a prompt; give one of the two",
    "classes: {leaf: leaf/none.jpg}": "leaf/none.jpg does not exist",
    "classes: {a/b: leaf}": 'The class name "a/b" cannot be',
    "classes: {'': leaf}": 'The class name "" cannot be',
    "classes: [": "is no YAML that can be read (line 1: ",
    "classes: {leaf: !!python/object/apply:os.system [ls]}": "is no YAML that can be read (line 1: could not",
    "a: &a [*a]": "is no YAML that can be read (line 1: found",
    "\0": "is no YAML that can be read",
    "#" * (2**20 + 1): "is no YAML that can be read (larger than 1 MB)",
}


@pytest.mark.parametrize("text", YAML, ids=lambda text: text[:30])
def test_a_fault_in_a_yaml_file_is_one_message(folder, text):
    (folder / "classes.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read(folder)
    assert YAML[text] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_name_of_any_language_is_one(tmp_path, save, scene):
    save(tmp_path / "examples" / "e\u0301tage\u0300re 手" / "0.png", scene[0])  # as some systems compose letters
    assert [one.name for one in read(tmp_path / "examples")] == ["\u00e9tag\u00e8re 手"]


def test_a_class_name_that_is_too_long_is_shortened_in_the_message():
    with pytest.raises(InputError) as caught:
        read({"a" * 200: np.zeros((20, 20, 3), np.uint8)})
    assert "aaaa… cannot" in str(caught.value).replace('"', "")
    assert len(str(caught.value)) < 250


def test_no_example_stays_in_memory(folder, monkeypatch):
    opened = []
    open_image = images.open_image

    def record(*given, **named):
        opened.append(open_image(*given, **named))
        return opened[-1]

    monkeypatch.setattr(images, "open_image", record)
    found = read(folder)
    assert len(opened) == 3
    alive = [weakref.ref(image) for image in opened]
    opened.clear()
    gc.collect()
    assert found
    assert [each() for each in alive] == [None] * 3
