"""Every dataset reads its released layout, names what is missing, and draws the same episodes each time."""

from __future__ import annotations

import collections
import hashlib
import os
import pickle
import warnings

import layouts
import numpy as np
import pytest

from ipseg.core import plugins
from ipseg.core.types import InputError, MaskError
from ipseg.datasets import _folders, _prompts, coco20i
from ipseg.datasets._episodes import Annotated, MaskFile, Segments, missing, spread

RELEASED = (  # sha256 of the released lists of episodes, fold by fold
    "a541685c1982a9bbee4c6e6d5cd70655723e6aafd02dd42e75c0d328d322eacb",
    "bd5235d7e6e2103ff9b4b6928f6dc38a27322c99ce38f4f7008ac9b4bd3aa2f3",
    "4a49c51303578c47479ac67a7ab095c9a39e7cf9b8ac6966e35f2dd05028a540",
    "ac25c7257d1e01a9a5471c10833e2bf84e9db993999257d1056d211d0b280d0f",
)
EXPECTED = {  # episodes, classes, folds of the small folders
    "fss1000": (20, 2, 1),
    "lvis92i": (100, 10, 10),
    "paco_part": (60, 8, 4),
    "pascal_part": (15, 2, 1),
    "davis2017": (9, 3, 1),
    "coco_stuff": (6, 2, 1),
    "pascal_voc": (6, 2, 1),
    "pascal_context": (6, 2, 1),
    "perseg": (6, 3, 1),
    "folder": (18, 3, 1),
    "examples": (18, 3, 1),
    "coco": (6, 2, 1),
}
SHORT = {"lvis92i": {"episodes": 10}, "paco_part": {"episodes": 15}, "pascal_part": {"episodes": 15}}


def small(name: str, folder):
    make = {"folder": layouts.perseg, "examples": layouts.perseg}.get(name) or getattr(layouts, name)
    return make(folder)


def build(name: str, folder, **settings):
    return plugins.build("datasets", name, data=folder, **{**SHORT.get(name, {}), **settings})


def test_every_dataset_is_shown():
    assert plugins.names("datasets") == sorted([*EXPECTED, "coco20i"])


@pytest.mark.parametrize("name", EXPECTED)
def test_episodes_of_the_released_layout(name, tmp_path):
    if name in ("lvis92i", "paco_part", "pascal_part", "coco"):
        pytest.importorskip("pycocotools", reason="needs pycocotools: pip install 'ipseg[evaluation]'")
    found = build(name, small(name, tmp_path))
    classes, folds = ({getattr(each, field) for each in found.episodes} for field in ("category", "fold"))
    assert (len(found.episodes), len(classes), len(folds)) == EXPECTED[name]
    assert len({episode.name for episode in found.episodes}) == len(found.episodes)
    assert missing(found.episodes) == []
    for episode in found.episodes[:12]:
        assert episode.prompt.name != episode.input.name
        for side in (episode.prompt, episode.input):
            image, truth = side.pixels(), side.mask()
            assert truth.mask.shape == image.shape[:2]
            coloured = np.ptp(image.astype(int), axis=-1) > 60  # the ellipse
            expected = coloured if truth.ignored is None else coloured & ~truth.ignored
            if name == "davis2017" and episode.category.startswith("two"):
                half = np.arange(image.shape[1]) < 28
                expected = expected & (half if episode.category.endswith("1") else ~half)
            assert np.count_nonzero(truth.mask ^ expected) <= 0.1 * np.count_nonzero(expected)
    again = build(name, tmp_path)
    assert again.digest() == found.digest()
    assert found.name == name
    assert found.protocol.text


@pytest.mark.parametrize("name", plugins.names("datasets"))
def test_what_is_missing_is_named_with_where_to_get_it(name, tmp_path):
    module = plugins.module("datasets", name)
    with pytest.raises(InputError) as caught:
        build(name, tmp_path)
    text = str(caught.value)
    assert module.SOURCE in text or "PerSeg's layout" in text or "--set annotations" in text
    assert module.TITLE
    assert module.LICENCE
    assert plugins.docstring("datasets", name)
    with pytest.raises(InputError, match="nowhere"):
        build(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["fss1000", "lvis92i", "paco_part", "coco", "pascal_voc"])
def test_another_seed_draws_other_pairs(name, tmp_path):
    small(name, tmp_path)
    digests = {build(name, tmp_path, seed=seed).digest() for seed in range(4)}
    assert len(digests) > 1


@pytest.mark.parametrize("fold", range(4))
def test_the_episodes_of_coco20i_are_the_released_ones(fold):
    lines = "".join(f"{category} {shown} {prompt}\n" for category, shown, prompt in coco20i.released(fold))
    assert hashlib.sha256(lines.encode()).hexdigest() == RELEASED[fold]


def test_coco20i_reads_the_released_masks(tmp_path):
    layouts.coco20i_folders(tmp_path)
    found = build("coco20i", tmp_path, fold=1)
    assert len(found.episodes) == 1000
    assert len(build("coco20i", tmp_path).episodes) == 4000
    assert len(missing(found.episodes[:2])) == 8
    layouts.coco20i(tmp_path, found.episodes[:2], {name: at for at, name in enumerate(coco20i.NAMES)})
    assert missing(found.episodes[:2]) == []
    episode = found.episodes[0]
    assert (episode.category, episode.fold) == (coco20i.NAMES[73], 1)
    assert episode.input.name == "val2014/COCO_val2014_000000154095.jpg"
    np.testing.assert_array_equal(episode.input.mask().mask, layouts.scene(0)[1])
    with pytest.raises(InputError, match="no fold 4; choose 0 to 3"):
        build("coco20i", tmp_path, fold=4)


def test_coco20i_with_another_seed_follows_the_released_rule(tmp_path):
    layouts.coco20i_folders(tmp_path)
    with pytest.raises(InputError, match=r"splits/val/fold0\.pkl"):
        build("coco20i", tmp_path, fold=0, seed=1)
    images = {category: [f"val2014/{category}_{each}.jpg" for each in range(3)] for category in range(0, 80, 4)}
    file = tmp_path / "COCO2014/splits/val/fold0.pkl"
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps(images))
    found = build("coco20i", tmp_path, fold=0, seed=1)
    np.random.seed(1)  # noqa: NPY002 - the released loader draws from numpy's global generator
    for episode in found.episodes[:50]:
        category = np.random.choice(list(range(0, 80, 4)), 1, replace=False)[0]  # noqa: NPY002
        shown = np.random.choice(images[category], 1, replace=False)[0]  # noqa: NPY002
        while True:
            prompt = np.random.choice(images[category], 1, replace=False)[0]  # noqa: NPY002
            if prompt != shown:
                break
        assert (episode.input.name, episode.prompt.name) == (shown, prompt)
        assert episode.category == coco20i.NAMES[category]


def test_the_folds_of_lvis_take_every_tenth_category(tmp_path):
    found = build("lvis92i", layouts.lvis92i(tmp_path), fold=4)
    known = [number + 100 for number in range(20) if number != 3]  # one has a single image
    assert {episode.category for episode in found.episodes} == {str(known[4])}
    assert len(found.episodes) == 10


def test_parts_are_cut_to_their_object(tmp_path):
    pytest.importorskip("pycocotools", reason="needs pycocotools: pip install 'ipseg[evaluation]'")
    for name, box in (("paco_part", (4, 2, 52, 38)), ("pascal_part", (4, 2, 52, 38))):
        episode = build(name, small(name, tmp_path)).episodes[0]
        assert episode.input.crop == box
        assert episode.input.pixels().shape == (36, 48, 3)
        assert episode.input.mask().mask.shape == (36, 48)
        assert episode.input.key.endswith("[4,2,52,38]")


def test_the_border_of_davis_is_left_out_and_the_ends_of_a_sequence(tmp_path):
    found = build("davis2017", layouts.davis2017(tmp_path))
    assert {episode.prompt.image.stem for episode in found.episodes} == {"00000"}
    assert {episode.input.image.stem for episode in found.episodes} == {"00001", "00002", "00003"}
    assert {episode.unit for episode in found.episodes} == {"bear", "two-cats"}


def test_void_is_ignored(tmp_path):
    for name in ("coco_stuff", "pascal_voc", "pascal_context"):
        truth = build(name, small(name, tmp_path / name)).episodes[0].input.mask()
        assert truth.ignored is not None
        assert truth.ignored[:2].all()
        assert not truth.ignored[2:].any()
    pytest.importorskip("pycocotools", reason="needs pycocotools: pip install 'ipseg[evaluation]'")
    truth = build("coco", layouts.coco(tmp_path / "coco")).episodes[0].input.mask()
    assert truth.ignored[:3, :9].all()


class Danger:
    def __reduce__(self):
        return os.system, ("echo danger",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_plain_data_are_read(protocol, tmp_path):
    plain = {
        "a": [1, 2.5, True, None, b"bytes", {"b": (1, "é")}],
        "b": np.arange(4),
        "c": np.float64(2),
        "d": collections.OrderedDict(e=1),
        "f": {1, 2},
        "g": collections.defaultdict(list, h=[1]),
    }
    file = tmp_path / "plain.pkl"
    file.write_bytes(pickle.dumps(plain, protocol))
    read = _folders.read_pickle(file)
    np.testing.assert_array_equal(read.pop("b"), plain.pop("b"))
    assert read == plain


@pytest.mark.parametrize("made", [Danger(), os.getcwd, print, np.load], ids=["reduce", "getcwd", "print", "load"])
def test_pickles_that_ask_for_more_are_refused(made, tmp_path, capfd):
    file = tmp_path / "bad.pkl"
    file.write_bytes(pickle.dumps({"a": made}))
    with pytest.raises(InputError, match="asks for"):
        _folders.read_pickle(file)
    assert "danger" not in capfd.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"no pickle", b"\x80\x05K\x01"])
def test_pickles_that_are_damaged_are_refused(content, tmp_path):
    file = tmp_path / "bad.pkl"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"bad.pkl is no pickle"):
        _folders.read_pickle(file)


def test_segmentations_are_drawn_as_the_coco_api_draws_them():
    coco = pytest.importorskip("pycocotools.mask", reason="needs pycocotools: pip install 'ipseg[evaluation]'")
    polygon = [[3.2, 4.1, 30.7, 5.5, 20.0, 33.3]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pycocotools itself
        expected = coco.decode(coco.merge(coco.frPyObjects(polygon, 40, 56))).astype(bool)
    np.testing.assert_array_equal(Segments((polygon,)).read((40, 56), 1).mask, expected)
    mask = layouts.scene(0)[1]
    for compressed in (False, True):
        lengths = layouts.run_lengths(mask, compressed=compressed)
        np.testing.assert_array_equal(Segments((lengths, polygon)).read((40, 56), 1).mask, mask | expected)
    assert not Segments(([[1, 2], [1, 2, 3, 4]],)).read((40, 56), 1).mask.any()
    with pytest.raises(MaskError, match="56x40 pixels but its image is 40x56"):
        Segments((lengths,)).read((56, 40), 1)
    for bad in ({"size": [4, 4]}, [["a"]], 5, [[1, 2, 3, 4, 5, 6, 7]]):
        with pytest.raises(MaskError, match="COCO's form"):
            Segments((bad,)).read((40, 56), 1)


def test_at_most_so_many_evenly_spread():
    assert spread(range(10), None) == list(range(10))
    assert spread(range(10), 20) == list(range(10))
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert spread(range(10), 1) == [0]


def test_the_conditions_of_a_prompt():
    mask = np.zeros((40, 40), bool)
    assert _prompts.conditions(mask) == -1
    mask[10:20, 10:20] = True
    assert _prompts.conditions(mask) == 3
    mask[25:30, 10:20] = True  # a second part, a third of the whole
    assert _prompts.conditions(mask) == 2
    mask[0, 0] = True  # touches the border
    assert _prompts.conditions(mask) == 1
    assert _prompts.conditions(np.ones((40, 40), bool)) == 1  # single, but not complete and not clear


def test_prompts_are_drawn_among_the_good_ones(tmp_path):
    def side(number: int, mask: np.ndarray) -> Annotated:
        image = layouts.save(tmp_path / f"{number}.jpg", np.zeros((40, 40, 3), np.uint8))
        truth = layouts.save(tmp_path / f"{number}.png", mask.astype(np.uint8) * 255)
        return Annotated(f"{number}", image, MaskFile(truth))

    good, bad, empty = np.zeros((40, 40), bool), np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    good[10:20, 10:20], bad[:5, :5] = True, True
    sides = [side(number, good if number in (2, 5, 6) else bad) for number in range(8)]
    first, second = _prompts.draw({"a": sides, "alone": sides[:1], "none": [side(9, empty)] * 2}, seed=0, sets=2)
    assert set(first) == set(second) == {"a"}
    assert {each.name for pair in (first["a"], second["a"]) for each in pair} == {"2", "5", "6"}
    assert first["a"][1].name == second["a"][0].name
    fallback = _prompts.draw({"a": [*sides[:2], side(9, empty)]}, seed=0)[0]["a"]
    assert {each.name for each in fallback} == {"0", "1"}
    drawn = {_prompts.draw({"a": sides}, seed)[0]["a"][0].name for seed in range(8)}
    assert drawn == {"2", "5", "6"}


def test_a_folder_with_a_part_of_a_dataset_says_so(tmp_path):
    assert build("perseg", small("perseg", tmp_path / "perseg")).lacks() == "3 of 40 classes"
    assert build("fss1000", small("fss1000", tmp_path / "fss")).lacks() == "2 of 240 classes"
    assert build("pascal_voc", small("pascal_voc", tmp_path / "voc")).lacks() == "2 of 5 classes"
    assert build("folder", tmp_path / "perseg").lacks() == ""
    layouts.coco20i_folders(tmp_path)
    assert build("coco20i", tmp_path).lacks() == build("coco20i", tmp_path, fold=2).lacks() == ""


@pytest.mark.parametrize("name", plugins.names("datasets"))
def test_the_page_evaluation_has_source_and_licence_of_each_dataset(name, root):
    module = plugins.module("datasets", name)
    page = (root / "docs/evaluation.md").read_text()
    assert f"| `{name}` | {module.TITLE} | {module.PROTOCOL.text} | {module.SOURCE} | {module.LICENCE} |" in page
