"""A prompt that was saved is the same prompt: to the bit on the engine that made it, made anew on another one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import draw_scene

import ipseg
from ipseg.core import geometry, plugins
from ipseg.core.types import Frame, InputError, MaskError, Prototype, View
from ipseg.engine.session import SegmentSession
from ipseg.labelling.matching import ClassPrompt, label_image
from ipseg.method import saved_prompt
from ipseg.method.config import EngineInfo, Parameters
from ipseg.method.encodings import named
from ipseg.method.prompt import Prompt
from ipseg.method.saved_prompt import MadeBy, PromptFileError

pytestmark = pytest.mark.usefixtures("small_offline")

BLUE = (40, 60, 200)


@pytest.fixture(scope="module")
def other(small_offline):
    """Another engine: the same parts with another scorer."""
    return ipseg.load("offline", refinement="single")


@pytest.fixture
def shown(make_scene):
    """Two prompt images, and a mask of the second."""
    (first, _), (second, mask) = make_scene(seed=1), make_scene(seed=2)
    return [first, second], [None, mask]


@pytest.fixture
def path(tmp_path, offline, shown):
    """A file with the prompt of ``shown``."""
    offline.prompt(*shown).save(tmp_path / "mug.npz")
    return tmp_path / "mug.npz"


def same(one, two):
    assert one.score == two.score
    assert np.array_equal(one.mask, two.mask)
    assert np.array_equal(one.similarity.values, two.similarity.values)


def test_the_engine_that_saved_it_gives_the_masks_of_the_original_images(offline, shown, path, scene):
    original, loaded = offline.prompt(*shown), offline.prompt(path)
    assert loaded.notices == original.notices
    expected = offline.segment(original, scene[0], all_instances=True)
    for prompt in (loaded, Prompt.load(path), Prompt.load(path.read_bytes())):
        found = offline.segment(prompt, scene[0], all_instances=True)
        same(found, expected)
        assert len(found.instances) == len(expected.instances)
    assert loaded.fingerprint() == offline.prompt([str(path)]).fingerprint() == original.fingerprint()


def test_the_saved_model_is_used_and_not_one_of_the_saved_images(offline, path, monkeypatch):
    monkeypatch.setattr(type(offline), "prompt_of", lambda *_: pytest.fail("made anew"))
    assert offline.prompt(path).model is not None


def test_images_masks_and_maps_come_back(offline, shown, path):
    original, loaded = offline.prompt(*shown), Prompt.load(path)
    assert [view.given for view in loaded.views] == [False, True]
    for one, two in zip(original.views, loaded.views, strict=True):
        assert np.array_equal(one.image, two.image)
        assert np.array_equal(one.cells, two.cells)
        assert one.frame == two.frame
        np.testing.assert_allclose(one.saliency, two.saliency, atol=0.5 / 255 + 1e-6)
    assert np.array_equal(loaded.views[1].saliency, shown[1][1])


def test_another_engine_makes_its_model_of_the_saved_images_with_a_notice(other, shown, path, scene, one_message):
    loaded = other.prompt(path)
    assert len(loaded.notices) == 1
    assert "offline of ipseg" in loaded.notices[0]
    same(other.segment(loaded, scene[0]), other.segment(other.prompt(*shown), scene[0]))
    same(other.segment(Prompt.load(path), scene[0]), other.segment(loaded, scene[0]))


def test_an_engine_without_a_record_never_takes_a_saved_model(offline, shown, tmp_path):
    bare = replace(offline, info=EngineInfo())
    bare.prompt(*shown).save(tmp_path / "bare.npz")
    for engine in (bare, offline):
        assert len(engine.prompt(tmp_path / "bare.npz").notices) == 1
    assert MadeBy.of(bare).key == ""


def test_models_of_several_engines_are_in_one_file(offline, other, path, tmp_path):
    both = tmp_path / "both.npz"
    other.prompt(path).save(both)
    assert offline.prompt(both).notices == other.prompt(both).notices == ()
    other.prompt(both).save(both)  # once more: nothing is doubled
    described = saved_prompt.describe(saved_prompt.read(both))
    assert [each["engine"] for each in described["engines"]] == ["offline", "offline, refinement=single"]
    Prompt.load(both).save(tmp_path / "copy.npz")
    assert saved_prompt.describe(saved_prompt.read(tmp_path / "copy.npz")) == described


def test_a_loaded_prompt_gets_its_model_once(other, path, scene, monkeypatch):
    loaded, made = Prompt.load(path), []
    prompt_of = type(other).prompt_of
    monkeypatch.setattr(type(other), "prompt_of", lambda *a, **k: made.append(1) or prompt_of(*a, **k))
    for image in (scene[0], scene[0][::-1].copy()):
        other.segment(loaded, image)
    other.segment(replace(loaded, parameters=Parameters(threshold=0.75)), scene[0])
    assert len(made) == 1


def test_a_large_image_is_saved_smaller_and_masks_are_still_those_of_the_original(
    offline, make_scene, tmp_path, scene, monkeypatch
):
    monkeypatch.setattr(saved_prompt, "SIDE", 64)
    image, mask = make_scene(height=110, width=170)
    original = offline.prompt([image, image], [mask, None])
    original.save(tmp_path / "large.npz")
    loaded = offline.prompt(tmp_path / "large.npz")
    assert [view.image.shape for view in loaded.views] == [(41, 64, 3)] * 2
    assert [each.size for each in loaded.saved.images] == [(110, 170)] * 2
    assert loaded.views[0].frame.image_size == (41, 64)
    covered = geometry.to_image(loaded.views[0].cells, loaded.views[0].frame) > 0.5
    assert (covered & (loaded.views[0].saliency > 0.5)).sum() > 0.8 * covered.sum()
    assert abs(loaded.views[0].saliency.mean() - mask.mean()) < 0.01
    same(offline.segment(loaded, scene[0]), offline.segment(original, scene[0]))


@pytest.mark.parametrize(
    ("size", "saved"),
    [((48, 64), (48, 64)), ((1280, 960), (1280, 960)), ((2560, 1280), (1280, 640)), ((16, 6000), (16, 6000))],
)
def test_the_size_of_a_saved_image(size, saved):
    assert saved_prompt.saved_size(size) == saved
    assert min(saved_prompt.saved_size((16384, 41))) == 16


def test_a_thin_mask_does_not_vanish(offline):
    image, mask = np.zeros((40, 4000, 3), np.uint8), np.zeros((40, 4000), bool)
    mask[7, 5] = True
    view = View(
        image, mask.astype(np.float32), True, np.ones((1, 1), bool), Frame((40, 4000), (1, 1), (0, 0, 4000, 40))
    )
    assert saved_prompt.save_image(view).mask.any()


def test_what_is_not_meant_is_saved_and_used(offline, shown, make_scene, tmp_path, scene):
    blue, _ = make_scene(colour=BLUE, seed=3)
    negative = offline.prompt(blue)
    replace(offline.prompt(*shown), negative=negative, name="mug").save(tmp_path / "mug.npz")
    expected = offline.segment(offline.prompt(*shown), scene[0], negative_prompt=negative)
    for loaded in (offline.prompt(tmp_path / "mug.npz"), Prompt.load(tmp_path / "mug.npz")):
        assert loaded.name == "mug"
        same(offline.segment(loaded, scene[0]), expected)
    instead = offline.segment(loaded, scene[0], negative_prompt=offline.prompt(shown[0][1]))
    assert not np.array_equal(instead.similarity.values, expected.similarity.values)


def test_the_name_of_a_loaded_prompt_is_that_of_its_images_and_masks(offline, other, shown, path, tmp_path):
    name = Prompt.load(path).fingerprint()
    other.prompt(path).save(path)  # with the model of another engine
    assert Prompt.load(path).fingerprint() == name
    for number, (images, masks) in enumerate([(shown[0][::-1], [None, None]), (shown[0], [None, None])]):
        offline.prompt(images, masks).save(tmp_path / f"{number}.npz")
        assert Prompt.load(tmp_path / f"{number}.npz").fingerprint() != name


def test_parameters_are_saved_and_a_call_replaces_them(offline, shown, tmp_path, scene):
    parameters = Parameters(k=8, clusters=2, threshold=0.75, reject_threshold=0.5)
    replace(offline.prompt(*shown), parameters=parameters).save(tmp_path / "mug.npz")
    loaded = offline.prompt(tmp_path / "mug.npz")
    own = offline.segment(loaded, scene[0])
    assert (own.threshold, own.reject_threshold) == (0.75, 0.5)
    assert len(own.points.positive) <= 2
    lower = offline.segment(loaded, scene[0], threshold=0.25)
    assert (lower.threshold, lower.reject_threshold) == (0.25, 0.25)
    assert offline.segment(loaded, scene[0], threshold=0).reject_threshold == 0
    assert offline.segment(loaded, scene[0], threshold=0.9, reject_threshold=0.1).reject_threshold == 0.1
    with pytest.raises(InputError, match="number from 0 to 1"):
        offline.segment(loaded, scene[0], threshold=2)
    assert loaded.fingerprint() != offline.prompt(*shown).fingerprint()


def test_a_saved_prompt_among_images_counts_with_its_images_and_masks(offline, shown, path, make_scene, scene):
    third = make_scene(seed=5)[0]
    negative = offline.prompt(make_scene(colour=BLUE)[0])
    prompt = replace(offline.prompt(path), negative=negative, name="mug")
    joined = offline.prompt([prompt, third])
    expected = offline.prompt([*shown[0], third], [*shown[1], None])
    assert (len(joined.views), joined.name, len(joined.negative.views)) == (3, "mug", 1)
    same(offline.segment(replace(joined, negative=None), scene[0]), offline.segment(expected, scene[0]))
    assert len(offline.prompt([path, prompt]).views) == 4


def test_negative_images_join_those_of_the_file(offline, shown, make_scene, tmp_path, scene):
    blue, green = (make_scene(colour=colour, seed=3)[0] for colour in (BLUE, (60, 160, 60)))
    replace(offline.prompt(*shown), negative=offline.prompt(blue)).save(tmp_path / "mug.npz")
    session = SegmentSession.of(offline, [tmp_path / "mug.npz"], None, [green])
    assert len(session.negative_prompt.views) == 2
    expected = offline.segment(offline.prompt(*shown), scene[0], negative_prompt=offline.prompt([blue, green]))
    same(session.segment(scene[0]), expected)


def test_a_mask_for_a_saved_prompt_is_refused(offline, path, shown, one_message):
    for masks in (shown[1][1], [shown[1][1]]):
        with pytest.raises(MaskError) as error:
            offline.prompt(path, masks)
        one_message(error.value, names="mug.npz")
    with pytest.raises(MaskError, match="Got 2 prompt images and 1 masks"):
        offline.prompt([path, shown[0][0]], [None])


def test_a_prompt_of_one_engine_is_made_anew_by_another(offline, other, shown, scene):
    prompt = other.prompt(offline.prompt(*shown))
    same(other.segment(prompt, scene[0]), other.segment(other.prompt(*shown), scene[0]))
    own = offline.prompt(*shown)
    assert offline.prompt(own) is own


def test_a_prompt_says_what_it_holds(offline, shown, path):
    assert repr(Prompt.load(path)) == "Prompt(images=[(48, 64), (48, 64)], source='saliency')"
    negative = offline.prompt(shown[0][0])
    assert repr(replace(negative, name="mug", negative=negative)).startswith("Prompt(name='mug', images=[(48, 64)]")
    with pytest.raises(ValueError, match="at least one image in a prompt, got none"):
        Prompt(())


# Models of every scorer


@pytest.mark.parametrize("name", plugins.names("scorers"))
def test_the_model_of_every_scorer_can_be_saved(name, offline, shown, tmp_path, scene):
    engine = replace(
        offline, scorer=plugins.build("scorers", name), config=replace(offline.config, refinement="single")
    )
    prompt = engine.prompt(*shown)
    prompt.save(tmp_path / "mug.npz")
    loaded = engine.prompt(tmp_path / "mug.npz")
    assert loaded.notices == prompt.notices
    assert type(loaded.model) is type(prompt.model)
    same(engine.segment(loaded, scene[0]), engine.segment(prompt, scene[0]))


def test_the_models_of_extensions_can_be_saved(offline, shown, tmp_path):
    cosine = replace(
        offline, scorer=plugins.build("scorers", "cosine"), config=replace(offline.config, refinement="single")
    )
    tried = 0
    for name in plugins.names("extensions"):
        try:
            engine = plugins.build("extensions", name)(cosine)
        except InputError:  # not for these parts
            continue
        if engine.scorer == cosine.scorer:  # whose models are those of the test above
            continue
        prompt = engine.prompt(*shown)
        prompt.save(tmp_path / f"{name}.npz")
        assert engine.prompt(tmp_path / f"{name}.npz").fingerprint() == prompt.fingerprint()
        tried += 1
    assert tried


def test_tensors_are_saved(offline, shown, tmp_path):
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    prompt = offline.prompt(*shown)
    layer = next(iter(prompt.model.foreground))
    half = torch.linspace(0, 1, 9).to(torch.bfloat16)
    replace(prompt, model=Prototype({layer: half})).save(tmp_path / "mug.npz")
    assert torch.equal(offline.prompt(tmp_path / "mug.npz").model.foreground[layer], half)


@pytest.mark.parametrize("name", ["two\nlines", "m" * 201, "\x1b[31m"])
def test_a_name_that_cannot_be_shown_is_one_message(name, offline, shown, tmp_path, one_message):
    with pytest.raises(PromptFileError) as error:
        replace(offline.prompt(shown[0][0]), name=name).save(tmp_path / "mug.npz")
    one_message(error.value)


def test_a_model_that_cannot_be_saved_is_one_message(offline, shown, tmp_path, one_message):
    prompt = replace(offline.prompt(*shown), model={1, 2})
    with pytest.raises(PromptFileError) as error:
        prompt.save(tmp_path / "mug.npz")
    one_message(error.value)
    assert not (tmp_path / "mug.npz").exists()


# Files


def test_a_file_needs_its_ending_and_a_folder(offline, shown, tmp_path, one_message):
    prompt = offline.prompt(shown[0][0])
    for name in ("mug.zip", "mug", "no folder/mug.npz"):
        with pytest.raises(InputError) as error:
            prompt.save(tmp_path / name)
        one_message(error.value, folder=tmp_path)


def test_too_many_images_are_refused(offline, shown, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_prompt, "MAX_IMAGES", 2)
    negative = offline.prompt(shown[0][0])
    offline.prompt(*shown).save(tmp_path / "mug.npz")
    with pytest.raises(PromptFileError, match="3 images; give at most 2"):
        replace(offline.prompt(*shown), negative=negative).save(tmp_path / "mug.npz")
    monkeypatch.setattr(saved_prompt, "MAX_IMAGES", 1)
    with pytest.raises(PromptFileError, match="damaged"):
        Prompt.load(tmp_path / "mug.npz")


def edited(path, change) -> bytes:
    """The bytes of the file after ``change`` of its JSON and its members."""
    with np.load(path) as found:
        members = dict(found)
    about = json.loads(members["about"].tobytes())
    change(about, members)
    if "about" in members:
        members["about"] = members.pop("deep", np.frombuffer(json.dumps(about).encode(), np.uint8))
    np.savez(path, **members)
    return path.read_bytes()


def fields(about):
    return about["prompt"]["fields"]


def model(about):
    return fields(about)["models"]["tuple"][0]["fields"]


def box(about):
    return model(about)["views"]["tuple"][0]["fields"]["box"]


CHANGES = {
    "foreign": lambda about, members: members.pop("about"),
    "other format": lambda about, members: about.update(format="other"),
    "other version": lambda about, members: about.update(version=2),
    "no prompt": lambda about, members: about.pop("prompt"),
    "a number": lambda about, members: about.update(prompt=3),
    "no images": lambda about, members: fields(about)["images"].update(tuple=[]),
    "no models": lambda about, members: fields(about)["models"].update(tuple=[]),
    "another type": lambda about, members: fields(about)["images"]["tuple"][0].update(type="Parameters"),
    "an unlisted type": lambda about, members: about["prompt"].update(type="os.system"),
    "more views": lambda about, members: model(about)["views"]["tuple"].pop(),
    "no map": lambda about, members: model(about)["views"]["tuple"][0]["fields"].update(saliency=None),
    "threshold": lambda about, members: fields(about)["parameters"]["fields"].update(threshold=7),
    "a missing array": lambda about, members: members.pop(max(each for each in members if each.startswith("array"))),
    "no image": lambda about, members: members.update(png_0=np.zeros(99, np.uint8)),
    "a name of two lines": lambda about, members: fields(about).update(name="mug\nipseg: all is well."),
    "an engine of two lines": lambda about, members: model(about)["made_by"]["fields"].update(engine="a\nb"),
    "settings": lambda about, members: model(about)["made_by"]["fields"].update(settings="{"),
    "other settings": lambda about, members: model(about)["made_by"]["fields"].update(settings="[]"),
    "deep": lambda about, members: members.update(deep=np.frombuffer(b'{"a":' * 10**5, np.uint8)),
    "an endless box": lambda about, members: box(about).update(tuple=[0, 0, float("inf"), 40]),
    "a box far away": lambda about, members: box(about).update(tuple=[0, 0, 10**400, 40]),
    "not finite": lambda about, members: members.update(
        {name: each * np.nan for name, each in members.items() if each.dtype.kind == "f"}
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_damaged_or_foreign_file_is_one_message(name, path, one_message):
    data = edited(path, CHANGES[name])
    with pytest.raises(PromptFileError) as error:
        Prompt.load(path)
    one_message(error.value, names="mug.npz", folder=path.parent)
    with pytest.raises(PromptFileError):
        Prompt.load(data)


def test_a_damaged_model_is_one_message(path, offline, one_message):
    edited(path, lambda about, members: model(about).update(tree='{"type": "Prototype", "fields": {}}'))
    for read in (Prompt.load, offline.prompt):
        with pytest.raises(PromptFileError) as error:
            read(path)
        one_message(error.value)


def test_a_model_of_a_type_that_is_not_known_here_is_made_anew(path, offline, other, one_message):
    """Such as that of a scorer which is not installed: the file serves other engines all the same."""
    edited(path, lambda about, members: model(about).update(tree='{"type": "future.Model", "fields": {}}'))
    assert other.prompt(path).notices
    with pytest.raises(PromptFileError) as error:  # the key says that it is of this engine, which has no such type
        offline.prompt(path)
    one_message(error.value)


# Arrays of a model


def rewritten(data, target, change) -> None:
    """Write the file of a prompt, of which ``data`` are the bytes, with ``change(place, array)`` of its model's."""
    target.write_bytes(data)
    found = []

    def rename(node, at):
        """Give every array of the tree a number of its own, and note where it is."""
        if isinstance(node, dict) and "array" in node:
            found.append(("/".join(at), node["array"]))
            return
        for key, each in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            rename(each, at if key in ("fields", "mapping", "tuple", "list", "type") else [*at, str(key)])

    def edit(about, members):
        saved = model(about)
        tree = json.loads(saved["tree"])
        rename(tree, [])
        arrays = [node["array"] for node in saved["arrays"]["tuple"]]
        for place, number in found:
            name = f"array_{arrays[number]}"
            if name in members:
                members[name] = change(place, members[name])

    edited(target, edit)


PLACES = {
    "density": ("foreground/texture", "background/texture", "descriptors/0"),
    "nearest": ("foreground/texture/0", "background/texture", "semantic", "colours/0", "colours/1"),
}
WRONG = {
    "one channel less": lambda array: np.ascontiguousarray(array[..., 1:]),
    "an axis more": lambda array: array[None],
    "an axis less": lambda array: np.ascontiguousarray(array[..., 0]),
    "no numbers": lambda array: array[..., :0],
    "whole numbers": lambda array: array.astype(np.int32),
    "NaN": lambda array: np.where(np.arange(array.shape[-1]) == 0, np.nan, array).astype(array.dtype),
    "infinite": lambda array: np.full_like(array, np.inf),
}


@pytest.fixture(scope="module", params=PLACES)
def saving(request, offline, tmp_path_factory):
    """An engine of each kind of model, the bytes of a file that it saved, and the places of the model's arrays."""
    config = replace(offline.config, refinement="single")
    engine = replace(offline, scorer=plugins.build("scorers", request.param), config=config)
    path = tmp_path_factory.mktemp("saved") / "mug.npz"
    engine.prompt(draw_scene(seed=1)[0]).save(path)
    return engine, path.read_bytes(), PLACES[request.param]


def test_the_arrays_of_a_model_are_those_that_are_tried(saving, tmp_path):
    engine, data, places = saving
    seen = []
    rewritten(data, tmp_path / "mug.npz", lambda place, array: seen.append(place) or array)
    assert set(seen) == set(places)
    assert not engine.prompt(tmp_path / "mug.npz").notices


@pytest.mark.parametrize("name", WRONG)
def test_an_array_of_a_model_that_is_wrong_is_one_message(name, saving, tmp_path, one_message):
    _, data, places = saving
    path = tmp_path / "mug.npz"
    for wrong in places:
        rewritten(data, path, lambda place, array, at=wrong: WRONG[name](array) if place == at else array)
        with pytest.raises(PromptFileError) as error:
            Prompt.load(path)
        one_message(error.value, names="mug.npz")


def test_a_model_of_other_channels_than_the_features_is_one_message(saving, tmp_path, scene, one_message):
    """All of its arrays agree, so that only the features of an image can tell."""
    engine, data, _ = saving
    shorter, path = WRONG["one channel less"], tmp_path / "mug.npz"
    rewritten(data, path, lambda place, array: array if place.startswith("colours") else shorter(array))
    loaded = engine.prompt(path)
    asked = (
        lambda: engine.segment(loaded, scene[0]),
        lambda: engine.segment(engine.prompt(scene[0]), scene[0], negative_prompt=loaded),
        lambda: engine.mask_score(loaded, named(scene[0]), scene[1]),
        lambda: label_image(engine, [ClassPrompt("mug", loaded)], scene[0]),
    )
    for ask in asked:
        with pytest.raises(InputError, match="other features") as error:
            ask()
        one_message(error.value)


def test_a_model_of_another_layer_is_one_message(saving, tmp_path, scene):
    engine, data, _ = saving
    path = tmp_path / "mug.npz"
    path.write_bytes(data)
    edited(
        path, lambda about, members: model(about).update(tree=model(about)["tree"].replace('"texture"', '"another"'))
    )
    with pytest.raises(InputError, match="other features"):
        engine.segment(engine.prompt(path), scene[0])


def test_a_tensor_of_half_precision_that_is_not_finite_is_one_message(offline, shown, tmp_path):
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    prompt = offline.prompt(*shown)
    for value in (torch.nan, torch.inf):
        wrong = torch.full((9,), value).to(torch.bfloat16)
        with pytest.raises(ValueError, match="finite tensors"):
            replace(prompt, model=Prototype({"texture": wrong})).save(tmp_path / "mug.npz")


def test_a_png_of_too_many_pixels_is_not_decoded(path, encode, monkeypatch):
    bomb = encode(np.zeros((6000, 6000, 3), np.uint8), "PNG")
    monkeypatch.setattr(saved_prompt, "MAX_PIXELS", 10**7)
    monkeypatch.setattr("ipseg.core.images.decode", lambda *_: pytest.fail("decoded"))
    edited(path, lambda about, members: members.update(png_9=np.frombuffer(bomb, np.uint8)))
    with pytest.raises(PromptFileError, match="damaged"):
        Prompt.load(path)


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5, 0.99])
def test_a_file_cut_short_is_one_message(kept, path, one_message):
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(PromptFileError) as error:
        Prompt.load(path)
    one_message(error.value, names="mug.npz")


def test_a_large_file_is_not_read(path, monkeypatch):
    monkeypatch.setattr(saved_prompt, "MAX_BYTES", 1000)
    with pytest.raises(PromptFileError, match="larger than"):
        Prompt.load(path)


def test_what_is_no_file_is_one_message(tmp_path, offline, one_message):
    (tmp_path / "folder.npz").mkdir()
    for name in ("missing.npz", "folder.npz"):
        with pytest.raises(PromptFileError) as error:
            offline.prompt(tmp_path / name)
        one_message(error.value, names=name, folder=tmp_path)


def test_pickles_are_never_read(path):
    class Harmful:
        def __reduce__(self):
            return pytest.fail, ("ran",)

    with np.load(path) as found:
        members = {**found, "array_99": np.array([Harmful()], dtype=object)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Harmful, "__reduce__", lambda self: (print, ("harmless",)))
        np.savez(path, **members)
    with pytest.raises(PromptFileError):
        Prompt.load(path)
