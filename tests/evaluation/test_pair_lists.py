"""Lists of pairs: the same from the same annotations on every machine, and what differs is named."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import layouts
import pytest

from ipseg.core import plugins
from ipseg.core.types import InputError
from ipseg.evaluation import pair_lists

DRAWN = ("lvis92i", "paco_part", "pascal_part")
FILES = {"lvis92i": ["lvis_val.pkl"], "paco_part": ["paco_part_train.pkl", "paco_part_val.pkl"]}
FILES["pascal_part"] = ["all_obj_part_to_image.json"]


def build(name: str, data: Path, **settings):
    return plugins.build("datasets", name, data=data, episodes=12, **settings)


@pytest.mark.parametrize("name", DRAWN)
def test_two_copies_of_the_annotations_give_one_list(name, tmp_path):
    made = [pair_lists.make(build(name, getattr(layouts, name)(tmp_path / each))) for each in ("one", "other")]
    assert made[0] == made[1]
    assert sorted(made[0]["annotations"]) == FILES[name]
    assert len(made[0]["annotations"][FILES[name][0]]["sha256"]) == 64
    assert made[0]["settings"]["seed"] == 0
    assert "order of their names" in made[0]["rule"]
    assert made[0]["digest"] != pair_lists.make(build(name, tmp_path / "one", seed=1))["digest"]


def turned(name: str, data: Path) -> None:
    """The images of every category in the other order."""
    if name == "lvis92i":
        path = data / "LVIS/lvis_val.pkl"
        found = pickle.loads(path.read_bytes())  # noqa: S301 - written by the test
        path.write_bytes(pickle.dumps({key: dict(reversed(each.items())) for key, each in found.items()}))
    elif name == "paco_part":
        path = data / "PACO-Part/paco/paco_part_val.pkl"
        found = pickle.loads(path.read_bytes())  # noqa: S301 - written by the test
        found["cid2img"] = {key: each[::-1] for key, each in found["cid2img"].items()}
        found["img2anno"] = dict(reversed(found["img2anno"].items()))
        path.write_bytes(pickle.dumps(found))
    else:
        path = data / "Pascal-Part/VOCdevkit/VOC2010/all_obj_part_to_image.json"
        found = json.loads(path.read_text())
        for each in found["animals"]["object"].values():
            for images in each["part"].values():
                images["val"].reverse()
        path.write_text(json.dumps(found))


@pytest.mark.parametrize("name", DRAWN)
def test_the_order_of_images_in_the_file_does_not_matter(name, tmp_path):
    data = getattr(layouts, name)(tmp_path)
    before = pair_lists.make(build(name, data))
    turned(name, data)
    after = pair_lists.make(build(name, data))
    assert after["episodes"] == before["episodes"]
    assert after["annotations"] != before["annotations"]
    with pytest.raises(InputError, match=rf"{FILES[name][-1]} is not the file that the pairs of a\.json were drawn"):
        pair_lists.check(build(name, data), before, "a.json")


def test_what_differs_from_a_list_is_named(tmp_path):
    data = layouts.lvis92i(tmp_path)
    listed = pair_lists.make(build("lvis92i", data))
    pair_lists.check(build("lvis92i", data), listed, "a.json")
    with pytest.raises(InputError, match="give the same settings"):
        pair_lists.check(build("lvis92i", data, seed=1), listed, "a.json")
    with pytest.raises(InputError, match=r"The episode fold0/0001 is not that of a\.json"):
        pair_lists.check(build("lvis92i", data), {**listed, "episodes": listed["episodes"][:1] * 3}, "a.json")
    with pytest.raises(InputError, match=r"has 120 episodes and a\.json 1"):
        pair_lists.check(build("lvis92i", data), {**listed, "episodes": listed["episodes"][:1]}, "a.json")
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(InputError, match="is no list of pairs"):
        pair_lists.read(tmp_path / "no.json")


def test_a_list_that_comes_with_the_package_is_checked(tmp_path, monkeypatch):
    dataset = build("lvis92i", layouts.lvis92i(tmp_path / "data"))
    pair_lists.check_shipped(dataset)  # there is none
    monkeypatch.setattr(pair_lists.resources, "files", lambda package: tmp_path)
    listed = {**pair_lists.make(dataset), "episodes": []}
    (tmp_path / "episodes").mkdir()
    (tmp_path / "episodes/lvis92i-seed0.json").write_text(json.dumps(listed))
    with pytest.raises(InputError, match=r"lvis92i-seed0\.json 0"):
        pair_lists.check_shipped(dataset)
    listed["settings"] = {**listed["settings"], "episodes": 2300}
    (tmp_path / "episodes/lvis92i-seed0.json").write_text(json.dumps(listed))
    pair_lists.check_shipped(dataset)  # it is of other settings
