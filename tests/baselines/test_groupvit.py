"""GroupViT on a small network with made-up weights: names in, a mask out."""

import numpy as np
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
pytest.importorskip("transformers", reason="the paper's models need the extra [models]")

import published
from networks import small_groupvit

import ipseg
from ipseg import weights
from ipseg.baselines import groupvit
from ipseg.core import plugins
from ipseg.core.types import SettingError

pytestmark = pytest.mark.usefixtures("small_offline")

IMAGE, _ = scene("input", 120, 83)
NAMES = ("cow", "motorbike", "sofa", "cat")


@pytest.fixture(scope="module")
def engine(small_offline):
    return ipseg.load("offline")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("weights")
    published.tokenizer(home / "groupvit-gcc-yfcc")
    small_groupvit().save_pretrained(home / "groupvit-gcc-yfcc")
    return home


def build(engine, folder, **settings):
    with weights.using(folder):
        return plugins.method("groupvit", engine, **({"names": NAMES, "target": "cat", "size": 96} | settings))


def test_without_names_it_says_what_it_wants(engine, one_message):
    for settings in (
        {},
        {"names": NAMES},
        {"names": NAMES, "target": "dog"},
        {"names": NAMES, "target": "cat", "size": 9},
    ):
        with pytest.raises(SettingError) as error:
            plugins.method("groupvit", engine, **settings)
        one_message(error.value)


def test_without_its_weights_it_says_what_it_takes(engine, tmp_path, monkeypatch, hub_home):
    hub_home(tmp_path)
    monkeypatch.setenv("IPSEG_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(weights.WeightError, match="weights fetch groupvit"):
        plugins.method("groupvit", engine, names=NAMES, target="cat")


def test_every_pixel_has_one_name(engine, folder):
    masks = []
    for name in NAMES:
        method = build(engine, folder, target=name)
        prompt = method.prompt(IMAGE)
        assert prompt.notices == (groupvit.UNUSED,)
        masks.append(method.segment(prompt, IMAGE).mask)
    assert {mask.shape for mask in masks} == {(120, 83)}
    assert (np.sum(masks, axis=0) == 1).all()


def test_what_is_like_no_name_is_background(engine, folder):
    sure = [build(engine, folder, target=name, background=0.95) for name in NAMES]
    covered = np.sum([method.segment(method.prompt(IMAGE), IMAGE).mask for method in sure], axis=0)
    assert covered.max() <= 1
    assert covered.any()  # the best group is never background


def test_only_what_the_image_is_like_may_be_in_it():
    whole = torch.tensor([6.0, 5, 4, 3, 2, 1])
    groups = torch.tensor([[0.0, 0, 0, 0, 0, 9]])
    chances = groupvit.affinities(groups, whole)
    assert chances[0, 5] == 0
    torch.testing.assert_close(chances[0, :5], torch.full((5,), 0.2) * groups.softmax(-1)[0, 0])


def test_its_places_are_interpolated_and_its_own_size_is_left_as_it_is():
    network = small_groupvit()
    before = network.vision_model.embeddings.position_embeddings.clone()
    same = groupvit.enlarged(network, 64).vision_model.embeddings.position_embeddings
    assert torch.equal(before, same)
    larger = groupvit.enlarged(network, 96).vision_model.embeddings.position_embeddings
    assert larger.shape == (1, 36, 32)
