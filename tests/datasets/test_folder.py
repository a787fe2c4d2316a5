"""A folder in PerSeg's layout becomes images and pairs."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core.types import InputError
from ipseg.datasets import folder


def test_samples_are_those_with_an_annotation(perseg_folder):
    found = folder.samples(perseg_folder)
    names = [f"{name}/0{number}" for name in ("apple", "leaf", "sky") for number in range(3)]
    assert [sample.name for sample in found] == names
    for sample in found:
        assert sample.image.is_file()
        assert sample.truth == perseg_folder / "Annotations" / f"{sample.name}.png"


def test_other_suffixes_count_too(perseg_folder, save):
    for suffix in ("jpg", "JPG", "webp"):
        save(perseg_folder / "Images" / "pear" / f"{suffix}.{suffix}", np.zeros((20, 20, 3), np.uint8))
        save(perseg_folder / "Annotations" / "pear" / f"{suffix}.png", np.zeros((20, 20), np.uint8))
    names = [sample.name for sample in folder.samples(perseg_folder) if sample.object == "pear"]
    assert sorted(names) == ["pear/JPG", "pear/jpg", "pear/webp"]


def test_a_folder_named_like_an_image_is_none(perseg_folder, save):
    (perseg_folder / "Images" / "apple" / "07.png").mkdir()
    save(perseg_folder / "Annotations" / "apple" / "07.png", np.zeros((20, 20), np.uint8))
    assert len(folder.samples(perseg_folder)) == 9


def test_a_damaged_image_is_named_with_its_folder(perseg_folder, one_message):
    """Leaving it out would change what is measured."""
    (perseg_folder / "Images" / "apple" / "01.png").write_bytes(b"words")
    with pytest.raises(InputError) as caught:
        folder.build(folder.Settings(data=perseg_folder))
    one_message(caught.value, names="apple/01.png", folder=perseg_folder)


def test_three_objects_with_three_images(perseg_folder):
    found = folder.samples(perseg_folder)
    present, absent = list(folder.pairs(found)), list(folder.pairs(found, absent=True))
    assert (len(present), len(absent)) == (18, 54)
    assert all(episode.present for episode in present)
    assert not any(episode.present for episode in absent)
    pairs = {(episode.prompt.name, episode.query.name) for episode in present + absent}
    assert len(pairs) == 72
    assert all(prompt != query for prompt, query in pairs)


def test_one_image_of_each_object_has_no_pair(perseg_folder):
    alone = [sample for sample in folder.samples(perseg_folder) if sample.name.endswith("00")]
    assert list(folder.pairs(alone)) == []
    assert len(list(folder.pairs(alone, absent=True))) == 6


@pytest.mark.parametrize("make", ["nothing", "only Images", "no pairs", "files"])
def test_another_layout_is_refused(make, tmp_path, save, one_message):
    if make == "only Images":
        save(tmp_path / "Images" / "cat" / "00.jpg", np.zeros((20, 20, 3), np.uint8))
    if make == "no pairs":
        save(tmp_path / "Images" / "cat" / "00.jpg", np.zeros((20, 20, 3), np.uint8))
        save(tmp_path / "Annotations" / "cat" / "01.png", np.zeros((20, 20), np.uint8))
    if make == "files":
        (tmp_path / "Images").write_text("")
        (tmp_path / "Annotations").write_text("")
    with pytest.raises(InputError) as caught:
        folder.samples(tmp_path)
    assert str(caught.value).endswith(".")
    assert "PerSeg's layout" in str(caught.value) or "Images/<object>/NN.jpg" in str(caught.value)
    with pytest.raises(InputError):
        folder.samples(tmp_path / "nowhere")


def test_two_images_of_one_name_are_refused(perseg_folder, save):
    save(perseg_folder / "Images" / "apple" / "00.jpg", np.zeros((40, 56, 3), np.uint8))
    with pytest.raises(InputError, match="apple/00"):
        folder.samples(perseg_folder)
