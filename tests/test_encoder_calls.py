"""No encoder runs twice for an image, whoever asks, and none runs whose result is not read."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

import ipseg
from ipseg import weights
from ipseg.__main__ import main
from ipseg.batch.image_set import run
from ipseg.batch.inputs import gather
from ipseg.batch.predictions import Predictor
from ipseg.core import images
from ipseg.core.types import Points
from ipseg.datasets import folder
from ipseg.engine.session import SegmentSession
from ipseg.engine.spec import FIELDS, EngineSpec
from ipseg.evaluation.predict import predict
from ipseg.features.efficientnet import OBJECT_SIDE, place
from ipseg.labelling.matching import ClassPrompt, label_image
from ipseg.method.pipeline import IPSeg
from ipseg.studies import comparison
from ipseg.ui import build as build_page
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.widgets import gallery_views
from ipseg.ui.widgets.controls import values_of
from tests.ui.conftest import finished

pytestmark = pytest.mark.usefixtures("small_offline")


class Counted:
    """A part of an engine that counts its encoder's calls by the content of the image."""

    def __init__(self, part, calls, kind):
        self.part, self.calls, self.kind = part, calls, kind

    def __getattr__(self, name):
        return getattr(self.part, name)

    def __call__(self, image, *more):
        self.calls[self.kind, images.fingerprint(image)] += 1
        return self.part(image, *more)

    def encode(self, image):
        return Counted.__call__(replaced(self, self.part.encode), image)


def replaced(counted, part):
    return Counted(part, counted.calls, counted.kind)


@pytest.fixture
def counted():
    """An engine and the calls of its encoders, by kind and image."""
    calls: Counter[tuple[str, str]] = Counter()
    made = ipseg.load("offline")
    parts = {name: Counted(getattr(made, name), calls, name) for name in ("features", "saliency", "segmenter")}
    return replace(made, **parts), calls


def test_an_image_is_encoded_once_however_many_classes_are_labelled(counted, perseg_folder):
    engine, calls = counted
    folder = perseg_folder / "Images"
    examples = {name: folder / name / "00.png" for name in ("apple", "leaf", "sky")}
    labelled = [folder / name / "01.png" for name in examples]
    found = list(ipseg.label(examples, labelled, engine=engine, workers=3))
    assert [[one.label for one in image.instances][:1] for image in found] == [["apple"], ["leaf"], ["sky"]]
    whole = [images.fingerprint(images.open_image(file)) for file in (*examples.values(), *labelled)]
    for kind in ("features", "segmenter"):
        assert [calls[kind, name] for name in whole[3:]] == [1] * 3
    assert max(calls[kind, name] for kind, name in calls if name in whole) == 1


def test_a_hundred_classes_take_one_encoding_and_few_segmentations(counted, make_scene, monkeypatch):
    engine, calls = counted
    colours = [(200, 30, 40), (40, 170, 60), (50, 90, 210), (220, 200, 40), (150, 40, 180)]
    shown = [engine.prompt(make_scene(colour=colour, seed=seed)[0]) for colour in colours for seed in range(4)]
    classes = [ClassPrompt(f"{number}", shown[number % len(shown)]) for number in range(100)]
    image, segmented = make_scene(seed=9)[0], []
    before, segment = Counter(calls), IPSeg.segment
    monkeypatch.setattr(IPSeg, "segment", lambda self, *a, **b: segmented.append(1) or segment(self, *a, **b))
    found = label_image(engine, classes, image)
    assert [int(one.label) % 20 // 4 for one in found] == [0], "one of the red ones"
    assert len(segmented) <= 3
    name = images.fingerprint(image)
    assert {kind: count for (kind, of), count in (calls - before).items() if of == name} == {
        "features": 1, "saliency": 1, "segmenter": 1,
    }  # fmt: skip


def test_page_command_line_comparison_and_evaluation_share_the_encodings(counted, perseg_folder, tmp_path):
    engine, calls = counted
    files = sorted((perseg_folder / "Images" / "apple").glob("0[0-2].png"))
    opened = [images.open_image(file) for file in files]
    session = SegmentSession.of(engine, [files[0]], [None], [files[2]], all_instances=True)  # page, API, command line
    click = Points(np.float32([[20, 20]]), np.empty((0, 2), np.float32))
    for clicks in (None, click):
        session.segment(files[1], clicks=clicks)
    list(run(Predictor(engine, opened[:1]), gather(files)))  # batch
    prepared = comparison.prepare(engine, ["ipseg", "persam"], opened[0])
    assert all(entry.result for each in comparison.compare(prepared, opened[1:]) for entry in each.entries)
    every = folder.pairs(folder.samples(perseg_folder))
    episodes = [each for each in every if each.query.name.startswith("apple")]
    assert len(list(predict(engine, episodes, tmp_path / "runs" / "one"))) == len(episodes) > 2
    assert {kind for kind, _ in calls} == {"features", "saliency", "segmenter"}
    assert max(calls.values()) == 1, calls


def test_a_given_mask_and_one_object_take_no_more_than_they_need(counted, make_scene):
    """No saliency map where a mask says what is meant, no proposals where one mask is asked for."""
    engine, calls = counted
    (prompt, mask), (image, _) = make_scene(), make_scene(seed=1)
    made = engine.prompt(prompt, mask)
    assert dict(calls) == {("features", images.fingerprint(prompt)): 1}
    asked, engine.segmenter.part = [], Asked(engine.segmenter.part)
    asked = engine.segmenter.part.asked
    engine.segment(made, image)
    assert "proposals" not in asked
    engine.segment(made, image, all_instances=True)
    assert max(calls.values()) == 1


class Asked:
    """A segmenter that notes which of its methods are called."""

    def __init__(self, part):
        self.part, self.asked = part, []

    def __getattr__(self, name):
        self.asked.append(name)
        return getattr(self.part, name)


@pytest.fixture
def endpoints(counted, monkeypatch, tmp_path):
    """The handlers of the page's endpoints by name, over the engine that counts."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    monkeypatch.setattr("ipseg.engine.build.build", lambda *_, **__: counted[0])

    async def built():
        return build_page(EnginePool(EngineSpec("offline")))

    page = finished(built())
    return {each.api_name: each.fn for each in page.fns.values() if each.api_name}


@pytest.fixture
def apples(perseg_folder):
    return [str(file) for file in sorted((perseg_folder / "Images" / "apple").glob("0[0-2].png"))]


CHOSEN = dict(zip(FIELDS, values_of(EngineSpec("offline")), strict=True))
NUMBERS = {"k": 8, "clusters": 2, "threshold": 0.2, "reject_threshold": 0.1}


def test_the_jobs_and_studies_of_the_page_share_the_encodings(counted, endpoints, apples):
    calls, (first, second, third) = counted[1], apples
    masks = [*endpoints["batch"]([(first, None)], [second, third], **NUMBERS, **CHOSEN)][-1]
    assert masks[-1], "files to download"
    examples, leaf = [(first, None), (third.replace("apple", "leaf"), None)], second.replace("apple", "leaf")
    _, _, facts = endpoints["label"](examples, ["apple", "leaf"], [second, leaf], **NUMBERS, **CHOSEN)
    assert [each.get("instances", 0) > 0 for each in facts] == [True, True], facts
    endpoints["ablation"](first, second, **CHOSEN)
    endpoints["patch_similarity"](first, second, 20, 20, **CHOSEN)
    kinds, cases = gallery_views.contents()
    endpoints["prompt_sets"](next(iter(kinds)), [(first, None), (third, None)], [(second, None)], **CHOSEN)
    endpoints["failure_cases"](next(iter(cases)), **CHOSEN)
    assert {kind for kind, _ in calls} == {"features", "saliency", "segmenter"}
    assert max(calls.values()) == 1, calls


def test_the_endpoints_of_the_page_share_the_encodings(counted, endpoints, apples):
    calls, event, (first, second, third) = counted[1], endpoints, apples
    numbers, chosen = NUMBERS, CHOSEN
    prompts, both = [(first, None)], [(second, None), (third, None)]
    for clicks in (None, [[20, 20, 1]]):
        assert event["segment"](prompts, second, clicks=clicks, **numbers, **chosen)[0]["engine"] == "offline"
    _, _, facts = event["segment_all"](prompts, both, all_instances=True, **numbers, **chosen)
    assert [each["image"] for each in facts] == ["01", "02"]
    event["compare"](first, both, ["ipseg", "persam"], **chosen)
    assert {kind for kind, _ in calls} == {"features", "saliency", "segmenter"}
    assert max(calls.values()) == 1, calls


def test_the_commands_share_the_encodings(counted, perseg_folder, monkeypatch, tmp_path, capsys):
    engine, calls = counted

    @contextmanager
    def built(_):
        yield engine

    monkeypatch.setattr("ipseg.cli._engine.built", built)
    apples = perseg_folder / "Images" / "apple"
    first, second, third = (str(file) for file in sorted(apples.glob("0[0-2].png")))
    for command in (
        ["segment", first, second, third, "--output", str(tmp_path / "masks"), "--negative", third],
        ["batch", first, second, third, "--output", str(tmp_path / "batch")],
        ["compare", first, second, "--methods", "ipseg,persam", "--output", str(tmp_path / "comparison")],
        ["prompt", "create", str(tmp_path / "apple.npz"), first],
        ["segment", str(tmp_path / "apple.npz"), second, "--output", str(tmp_path / "mask.png")],
    ):
        assert main(command) == 0, capsys.readouterr().err
    assert {kind for kind, _ in calls} == {"features", "saliency", "segmenter"}
    assert max(calls.values()) == 1, calls
    calls.clear()
    data = ["--dataset", "folder", "--data", str(perseg_folder), "--limit", "8"]
    for method in ("ipseg", "persam"):
        code = main(["predict", *data, "--method", method, "--out", str(tmp_path / method)])
        assert code == 0, capsys.readouterr().err
        assert max(calls.values()) == 1, calls  # a run has a cache of its own, with files on disk
        calls.clear()


def test_the_networks_of_the_paper_run_once_for_an_image_and_not_in_vain(small_models, make_scene, monkeypatch):
    """As `released`, with small networks of the published layout."""
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    import networks

    from ipseg.engine import presets

    small = networks.on_small_pictures(presets.PRESETS["released"])
    monkeypatch.setitem(presets.PRESETS, "released", small)
    ran: Counter[str] = Counter()
    hook = torch.nn.modules.module.register_module_forward_hook(lambda module, *_: ran.update([type(module).__name__]))
    names = {"dinov2": "Dinov2Model", "vae": "Latent", "unet": "Layers", "tsdn": "Network", "sam": "ImageEncoderViT"}

    def since(before):
        return {name: count for name, kind in names.items() if (count := ran[kind] - before[kind])}

    (prompt, _), (image, _) = make_scene(), make_scene(seed=1)
    try:
        with weights.using(small_models):
            engine = ipseg.load("released")
        made = engine.prompt(prompt)
        assert since(Counter()) == {"dinov2": 1, "vae": 1, "unet": 1, "tsdn": 1}  # its mask needs no segmenter
        before = ran.copy()
        engine.segment(made, image)
        assert since(before) == {"dinov2": 1, "vae": 1, "unet": 1, "sam": 1}  # nobody reads its saliency map
        before = ran.copy()
        click = Points(np.float32([[30, 20]]), np.empty((0, 2), np.float32))
        for settings in ({"k": 64}, {"clusters": 2}, {"threshold": 0.0}, {"clicks": click}):
            engine.segment(made, image, **settings)
        assert since(before) == {}
        prepared = comparison.prepare(engine, ["ipseg", "persam"], prompt)
        list(comparison.compare(prepared, [image]))
        assert since(before) == {"sam": 2}  # PerSAM scales and pads its images, as the released script does not
    finally:
        hook.remove()


OBJECT = (1, 3, OBJECT_SIDE, OBJECT_SIDE)  # a mask's object, seen as a whole


def test_the_networks_of_compact_run_once_for_an_image_and_not_in_vain(make_scene):
    """Needs the weights: `make test` fetches them."""
    prompt, image = (make_scene(96, 128, seed=seed)[0] for seed in (0, 1))
    sizes = {name: place(prompt.shape[:2], side, 16).size for name, side in (("features", 960), ("finer", 480))}
    whole = {"saliency": (1, 3, 320, 320), **{name: (1, 3, *size) for name, size in sizes.items()}}
    with weights.counting() as passes:
        engine = ipseg.load("compact")
        made = engine.prompt(prompt)
        assert sorted(passes.shapes) == sorted([*whole.values(), OBJECT])
        before = len(passes.shapes)
        engine.segment(made, image)
        of_input = passes.shapes[before:]
        assert whole["finer"] not in of_input  # only a prompt's finer layers are read
        assert of_input.count(OBJECT) == 1
        crops = [shape for shape in of_input if shape not in whole.values() and shape != OBJECT]
        assert len(of_input) == 3 + len(crops)
        assert len(crops) <= 2
        settled = len(passes.shapes)
        click = Points(np.float32([[60, 50]]), np.empty((0, 2), np.float32))
        for settings in ({"k": 64}, {"clusters": 2}, {"threshold": 0.0}):
            engine.segment(made, image, **settings)
        assert OBJECT not in passes.shapes[settled:]  # the mask is the same
        engine.segment(made, image, clicks=click)
        prepared = comparison.prepare(engine, ["ipseg", "persam"], prompt)
        list(comparison.compare(prepared, [image]))
        again = [shape for shape in passes.shapes[settled:] if shape in whole.values()]
        assert again == []  # crops follow the points of a method; whole images are encoded once
