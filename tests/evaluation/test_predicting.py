"""Runs: one file per episode, each image encoded once, the same files however a run was divided or stopped."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import layouts
import numpy as np
import pytest

from ipseg.core import plugins, rle
from ipseg.core.types import InputError
from ipseg.datasets import Annotated, Episode, missing
from ipseg.engine.presets import PRESETS
from ipseg.engine.processes import Share
from ipseg.evaluation import predicting, prompt_sets, results, runs
from ipseg.evaluation.predicting import Variant, predict
from ipseg.evaluation.runs import Prediction, Run
from ipseg.method import encodings
from ipseg.method.config import EngineInfo
from ipseg.method.pipeline import IPSeg


@dataclass
class Counted:
    """A part that counts what it is asked to encode."""

    part: Any
    images: list = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["part"], name)

    def __call__(self, image, *rest):
        self.images.append(image.tobytes())
        return self.part(image, *rest)

    def encode(self, image):
        self.images.append(image.tobytes())
        return self.part.encode(image)


@pytest.fixture
def counted() -> IPSeg:
    """The engine offline, whose parts count."""
    preset = PRESETS["offline"]
    parts = (
        Counted(plugins.build(kind, name, **settings))
        for kind, (name, settings) in (
            ("features", preset.features),
            ("saliency", preset.saliency),
            ("segmenters", preset.segmenter),
        )
    )
    scorer = plugins.build("scorers", preset.scorer[0], **preset.scorer[1])
    return IPSeg(*parts, scorer, preset.config, info=EngineInfo("counted"))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return layouts.perseg(tmp_path_factory.mktemp("data"))


@pytest.fixture
def dataset(data):
    return plugins.build("datasets", "folder", data=data)


def variant(folder: Path, engine: Any, dataset, data: Path, *, overwrite: bool = False, given: bool = False) -> Variant:
    settings: dict[str, Any] = {}
    record = runs.describe(engine, dataset, data, method="ipseg", title="IPSeg", method_settings=settings, given=given)
    return Variant(Run.create(folder, record, dataset, overwrite=overwrite), lambda category: engine, given)


def tree(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_each_image_is_encoded_once(counted, dataset, data, tmp_path):
    seen = []
    with predicting.with_cache(counted, tmp_path / "tier") as (engine, _):
        made = variant(tmp_path / "run", engine, dataset, data)
        failed = predict([made], dataset.episodes, range(18), report=lambda *done: seen.append(done))
    assert failed == 0
    for part in (counted.features, counted.segmenter):
        assert len(part.images) == len(set(part.images)) == 9
    assert [done for done, of, _ in seen] == list(range(19))
    assert seen[0][2] is None
    score = results.score_run(made.run)
    assert seen[-1][2] == pytest.approx(score.metrics["miou"].value)
    assert score.metrics["miou"].value > 0.9
    assert not (tmp_path / "tier").exists()
    assert len(tree(tmp_path / "run")) == 20


def test_a_small_memory_still_encodes_each_image_once(counted, dataset, data, tmp_path):
    with predicting.with_cache(counted, tmp_path / "tier", memory=0.0003) as (engine, tier):
        made = replace(variant(tmp_path / "run", engine, dataset, data), method=lambda category: Fast(engine))
        predict([made], dataset.episodes, range(18))
        assert tier.bytes <= 300_000
        assert tier.files_bytes > 0
    assert len(counted.features.images) == 9


def test_encodings_go_after_their_last_episode(counted, dataset, data, tmp_path):
    most = []
    with predicting.with_cache(counted, tmp_path / "tier") as (engine, tier):
        made = replace(variant(tmp_path / "run", engine, dataset, data), method=lambda category: Fast(engine))
        predict(
            [made],
            dataset.episodes,
            range(18),
            release=lambda image: tier.discard(lambda key: key[-1] == image),
            report=lambda *done: most.append(len({key[-1] for key in tier.select(lambda key: True)})),
        )
        assert most[-1] == 0
    assert max(most) <= 3  # the images of one object
    assert len(counted.features.images) == 9


def test_sixteen_settings_share_the_encodings(counted, dataset, data, tmp_path):
    numbers = range(1)  # one episode: two images
    with predicting.with_cache(counted, tmp_path / "tier") as (engine, _):
        settings = [(k, clusters) for k in (4, 8, 16, 32) for clusters in (1, 2, 3, 4)]
        variants = [
            variant(
                tmp_path / f"{k}-{clusters}",
                replace(engine, config=replace(engine.config, k=k, clusters=clusters)),
                dataset,
                data,
            )
            for k, clusters in settings
        ]
        predict(variants, dataset.episodes, numbers)
    assert len(counted.features.images) == 2  # once each, for all sixteen
    assert len(counted.segmenter.images) == 2
    assert all(each.run.has(0) for each in variants)
    assert len({each.run.record["settings"]["config"]["k"] for each in variants}) == 4


def test_engines_with_the_same_extractor_share_its_features(counted, dataset, data, tmp_path):
    record = {"features": {"texture": {}}, "saliency": ["boundary", {}], "segmenter": ["graphcut", {}]}
    base = replace(counted, info=EngineInfo("base", record=record))
    plain = plugins.build("saliency", "none")
    other = replace(base, saliency=plain, info=EngineInfo("other", record={**record, "saliency": ["none", {}]}))
    with predicting.with_cache(base, tmp_path / "tier") as (engine, tier):
        changed = predicting.on_cache(other, tier)
        variants = [variant(tmp_path / name, each, dataset, data) for name, each in (("a", engine), ("b", changed))]
        predict(variants, dataset.episodes, range(1))
        foreground = list(tier.select(lambda key: "foreground" in key[0]))
    assert len(counted.features.images) == 2
    assert len(counted.segmenter.images) == 2
    assert len({part for part, _ in foreground}) == 2  # each saliency method has its own


def test_the_settings_of_a_table_share_the_layers_of_each_extractor(counted, dataset, data, tmp_path):
    """Table 3: one extractor, another one, and both; Table 7: others beside one that all have."""
    pytest.importorskip("torch", reason="fusion needs the extra [models]")
    from ipseg.features.fusion import Fusion
    from ipseg.method.scorers.cosine import Cosine

    parts = {name: Counted(Named(counted.features.part, name)) for name in ("first", "second", "third")}
    detector = Counted(counted.saliency.part)
    detector.reads_features = False
    scorer, config = Cosine(), replace(counted.config, refinement="single", consensus=False)

    def engine(*names: str) -> IPSeg:
        record = {"features": {name: {} for name in names}, "saliency": ["one", {}], "segmenter": ["graphcut", {}]}
        features, info = Fusion([parts[name] for name in names], 8), EngineInfo("+".join(names), record=record)
        return IPSeg(features, detector, counted.segmenter, scorer, config, info=info)

    made = [engine("first"), engine("second"), engine("first", "second"), engine("third", "second")]
    with predicting.with_cache(made[0], tmp_path / "tier") as (first, tier):
        engines = [first, *(predicting.on_cache(each, tier) for each in made[1:])]
        variants = [variant(tmp_path / str(at), each, dataset, data) for at, each in enumerate(engines)]
        predict(variants, dataset.episodes, range(1))
        image = encodings.named(dataset.episodes[0].input.pixels())
        assert all(each.encodings.has("features", image) for each in engines)
        layers = [[layer.name for layer in each.encodings.features(image)] for each in engines]
    assert {name: len(part.images) for name, part in parts.items()} == {"first": 2, "second": 2, "third": 2}
    assert len(counted.segmenter.images) == 1  # of the input image
    assert len(detector.images) == 1  # of the prompt image
    assert layers == [["first"], ["second"], ["first", "second"], ["third", "second"]]


@dataclass
class Named:
    """An extractor whose layer has a name of its own."""

    part: Any
    name: str

    def __call__(self, image):
        return tuple(replace(layer, name=self.name) for layer in self.part(image))


def test_many_episodes_over_few_images(counted, dataset, data, tmp_path):
    episodes = [replace(dataset.episodes[at % 18], name=f"{at}") for at in range(120)]
    many = replace(dataset, episodes=tuple(episodes))
    held = []
    with predicting.with_cache(counted, tmp_path / "tier", memory=0.0005) as (engine, tier):
        made = variant(tmp_path / "run", engine, many, data)
        made = replace(made, method=lambda category: Fast(engine))
        predict([made], many.episodes, range(120), report=lambda *done: held.append(tier.bytes))
    assert len(counted.features.images) == 9
    assert max(held) <= 500_000


@dataclass
class Fast:
    """A method that only asks for the encodings of both images."""

    engine: Any

    def prompt(self, image, mask=None):
        from ipseg.method.encodings import named

        self.engine.encodings.features(named(image))

    def segment(self, prompt, image):
        from ipseg.core.result import Result
        from ipseg.core.status import Status
        from ipseg.core.types import Points
        from ipseg.method.encodings import named

        self.engine.encodings.features(named(image))
        nowhere = np.zeros((0, 2), np.float32)
        mask = np.zeros(image.shape[:2], bool)
        return Result(image, mask, Status.DETECTED, 1.0, 0, 0, Points(nowhere, nowhere), None, {})


@pytest.mark.parametrize("stopped", [0, 1, 7])
def test_a_stopped_run_ends_with_the_same_files(stopped, engine, dataset, data, tmp_path):
    predict([variant(tmp_path / "whole", engine, dataset, data)], dataset.episodes, range(18))

    def stop(done: int, of: int, miou: float | None) -> None:
        if done == stopped:
            raise KeyboardInterrupt

    made = variant(tmp_path / "parts", engine, dataset, data)
    with pytest.raises(KeyboardInterrupt):
        predict([made], dataset.episodes, range(18), report=stop)
    damaged = tmp_path / "parts/masks/000/000000.json"
    if damaged.exists():
        damaged.write_bytes(damaged.read_bytes()[:20])
    calls = engine.calls
    predict([variant(tmp_path / "parts", engine, dataset, data)], dataset.episodes, range(18))
    assert engine.calls - calls == 18 - stopped + damaged.parent.joinpath("000000.json").exists() * (stopped > 0)
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")


@pytest.mark.parametrize("of", [2, 3, 30])
def test_shares_end_with_the_same_files(of, engine, dataset, data, tmp_path):
    predict([variant(tmp_path / "whole", engine, dataset, data)], dataset.episodes, range(18))
    for number in range(of):
        numbers = Share(number, of).select(range(18))
        predict([variant(tmp_path / "parts", engine, dataset, data)], dataset.episodes, numbers)
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")


def test_other_settings_are_refused_by_name(engine, dataset, data, tmp_path):
    predict([variant(tmp_path / "run", engine, dataset, data)], dataset.episodes, range(3))
    changed = replace(engine, config=replace(engine.config, k=16))
    with pytest.raises(InputError, match=r"config\.k: 32, now 16\); choose another --out, or --overwrite"):
        variant(tmp_path / "run", changed, dataset, data)
    with pytest.raises(InputError, match='prompt_mask: "none", now "given"'):
        variant(tmp_path / "run", engine, dataset, data, given=True)
    assert Run.open(tmp_path / "run").has(0)
    made = variant(tmp_path / "run", changed, dataset, data, overwrite=True)
    assert not made.run.has(0)
    assert made.run.settings["config"]["k"] == 16


def test_a_folder_of_something_else_is_not_overwritten(engine, dataset, data, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(InputError, match="is no folder of a run"):
        variant(tmp_path, engine, dataset, data, overwrite=True)
    assert (tmp_path / "letters.txt").exists()
    with pytest.raises(InputError, match="is no run"):
        Run.open(tmp_path)


def test_another_data_folder_is_found_and_checked(engine, dataset, data, tmp_path):
    made = variant(tmp_path / "run", engine, dataset, data)
    predict([made], dataset.episodes, range(18))
    moved = layouts.perseg(tmp_path / "moved")
    assert results.score_run(made.run, data=moved).record() == results.score_run(made.run).record()
    (moved / "Annotations/object0/02.png").unlink()
    with pytest.raises(InputError, match="are not those of"):
        results.score_run(made.run, data=moved)


def test_a_run_without_predictions_has_no_score(engine, dataset, data, tmp_path):
    with pytest.raises(InputError, match="no prediction yet"):
        results.score_run(variant(tmp_path / "run", engine, dataset, data).run)


def test_the_mask_of_the_prompt_is_given_to_methods_that_see_it(engine, dataset, data, tmp_path):
    for given in (False, True):
        predict([variant(tmp_path / f"{given}", engine, dataset, data, given=given)], dataset.episodes, range(1))
    (without,), (mask,) = (masks for _, masks in engine.prompts)
    assert without is None
    np.testing.assert_array_equal(mask.mask, dataset.episodes[0].prompt.mask().mask)


def test_an_episode_that_fails_has_an_empty_mask_and_a_reason(engine, dataset, data, tmp_path):
    from ipseg.core.types import ImageError

    def segment(prompt, image):
        raise ImageError("This image cannot be used.")

    made = variant(tmp_path / "run", engine, dataset, data)
    broken = type("Broken", (), {"prompt": engine.prompt, "segment": staticmethod(segment)})()
    assert predict([replace(made, method=lambda category: broken)], dataset.episodes, range(2)) == 2
    found = made.run.load(0)
    assert (found.status, found.error) == ("failed", "This image cannot be used.")
    assert not found.mask.any()
    assert results.score_run(made.run).metrics["miou"].value == 0
    assert predict([made], dataset.episodes, range(2)) == 2  # known failures count again


def test_other_errors_end_the_run(engine, dataset, data, tmp_path):
    def segment(prompt, image):
        raise RuntimeError("a fault of the program")

    broken = type("Broken", (), {"prompt": engine.prompt, "segment": staticmethod(segment)})()
    made = replace(variant(tmp_path / "run", engine, dataset, data), method=lambda category: broken)
    with pytest.raises(RuntimeError, match="a fault"):
        predict([made], dataset.episodes, range(2))
    assert not made.run.has(0)


def test_files_that_are_missing_are_named(dataset, tmp_path):
    episode = dataset.episodes[0]
    gone = replace(episode, input=replace(episode.input, image=tmp_path / "gone.jpg"))
    assert missing([episode, gone]) == [tmp_path / "gone.jpg"]
    with pytest.raises(InputError, match=r"1 files of these episodes are missing: .*gone\.jpg"):
        predicting.check_files([episode, gone])


def test_masks_are_run_lengths_of_coco(engine, dataset, data, tmp_path):
    made = variant(tmp_path / "run", engine, dataset, data)
    predict([made], dataset.episodes, [0])
    record = json.loads((tmp_path / "run/masks/000/000000.json").read_text())
    mask = rle.decode(rle.decompress(record["counts"]), tuple(record["size"]))
    np.testing.assert_array_equal(mask, made.run.load(0).mask)
    lines = (tmp_path / "run/episodes.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [episode.record() for episode in dataset.episodes]
    saved = json.loads((tmp_path / "run/run.json").read_text())
    assert saved["versions"]["numpy"] == np.__version__
    assert saved["settings"]["code"]


def test_a_scale_changes_the_score_and_not_the_run(engine, dataset, data, tmp_path):
    made = variant(tmp_path / "run", engine, dataset, data)
    rng = np.random.default_rng(0)
    for number in range(18):
        made.run.save(number, Prediction(rng.random(layouts.SIZE) < 0.3, "detected", 1.0))
    before = tree(tmp_path / "run")
    own, squashed = (results.score_run(made.run, scale=scale) for scale in (None, 32))
    assert own.metrics["miou"].value != squashed.metrics["miou"].value
    assert squashed.notes["scale"] == "32 x 32"
    assert tree(tmp_path / "run") == before
    with pytest.raises(InputError, match="--scale is 0"):
        results.score_run(made.run, scale=0)


def test_a_mask_of_another_size_is_named(engine, dataset, data, tmp_path):
    made = variant(tmp_path / "run", engine, dataset, data)
    made.run.save(0, Prediction(np.zeros((5, 5), bool), "detected", 1.0))
    with pytest.raises(InputError, match="is not that of the run"):
        results.score_run(made.run)


def test_prompt_sets(dataset, tmp_path):
    manifest = prompt_sets.make(dataset, seed=3, sets=2)
    assert manifest == prompt_sets.make(dataset, seed=3, sets=2)
    assert set(manifest["sets"]) == {"1", "2"}
    assert "single" in manifest["rule"]
    file = tmp_path / "sets.json"
    file.write_text(json.dumps(manifest))
    name, prompts = prompt_sets.read(file)
    assert name == "1"
    applied = prompt_sets.apply(dataset, name, prompts)
    assert [each.name for each in applied.episodes] == [each.name for each in dataset.episodes]
    assert applied.digest() != dataset.digest()
    for episode in applied.episodes:
        first, second = prompts[episode.category]
        assert episode.prompt.key == (second if episode.input.key == first else first)
        assert episode.prompt.name != episode.input.name
    _, other = prompt_sets.read(file, "2")
    assert all(prompts[category][0] != other[category][0] for category in prompts)
    with pytest.raises(InputError, match='no set "9"; choose one of: 1, 2'):
        prompt_sets.read(file, "9")
    with pytest.raises(InputError, match="no prompt for object0"):
        prompt_sets.apply(dataset, "1", {})
    file.write_text("{}")
    with pytest.raises(InputError, match="is no manifest"):
        prompt_sets.read(file)


def test_a_run_knows_its_prompt_set(engine, dataset, data, tmp_path):
    _, prompts = "1", prompt_sets.make(dataset, sets=1)["sets"]["1"]
    applied = prompt_sets.apply(dataset, "1", prompts)
    made = variant(tmp_path / "run", engine, applied, data)
    assert isinstance(applied.episodes[0], Episode)
    assert made.run.dataset().digest() == applied.digest()
    with pytest.raises(InputError, match="run with other settings"):
        variant(tmp_path / "run", engine, dataset, data)


def test_the_next_image_is_read_while_one_is_segmented(counted, dataset, data, tmp_path, monkeypatch):
    first, second = (dataset.episodes[number].input.key for number in (0, 1))
    assert first != second
    read, open_pixels = threading.Event(), Annotated.pixels

    def noticed(self):
        if self.key == second:
            read.set()
        return open_pixels(self)

    class Waiting(Fast):
        """Its answer waits until the image of the next episode is read."""

        def prompt(self, image, mask=None):
            return None

        def segment(self, prompt, image):
            assert read.wait(600)
            return super().segment(prompt, image)

    monkeypatch.setattr(Annotated, "pixels", noticed)
    made = replace(variant(tmp_path / "run", counted, dataset, data), method=lambda category: Waiting(counted))
    assert predict([made], dataset.episodes, range(2)) == 0
