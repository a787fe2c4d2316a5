"""The base model inside autodistill itself."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ipseg.core.types import ImageError

pytest.importorskip(
    "autodistill.detection",
    reason="needs autodistill, whose opencv-python takes the place of opencv-python-headless: ipseg[autodistill]",
)
pytestmark = pytest.mark.filterwarnings("ignore")  # of autodistill and what it imports

import supervision as sv

from ipseg.labelling.adapters.autodistill import ExampleImages, IPSegModel

RED, BLUE = (200, 30, 40), (50, 90, 210)


@pytest.fixture
def model(shown, engine):
    return IPSegModel(ExampleImages(shown), engine)


def test_the_ontology_is_the_classes(model):
    assert model.ontology.classes() == ["apple", "sky"]
    assert model.ontology.promptToClass(model.ontology.prompts()[1]) == "sky"
    assert model.ontology.classToPrompt("apple") is model.ontology.prompts()[0]


def test_arrays_are_blue_green_red_and_paths_and_pil_images_are_not(model, scene_of, tmp_path):
    image, truth = scene_of(RED)
    Image.fromarray(image).save(tmp_path / "a.png")
    for given in (np.ascontiguousarray(image[..., ::-1]), str(tmp_path / "a.png"), Image.fromarray(image)):
        found = model.predict(given)
        assert isinstance(found, sv.Detections)
        assert found.class_id.tolist() == [0]
        assert found.confidence.shape == (1,)
        assert (found.mask[0] & truth).sum() / (found.mask[0] | truth).sum() > 0.9


def test_an_image_that_cannot_be_used_is_one_message(model, tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        model.predict(str(tmp_path / "none.png"))
    with pytest.raises(ImageError, match="imread"):
        model.predict(None)


def test_label_writes_a_dataset_that_can_be_read(model, scene_of, tmp_path):
    (tmp_path / "images").mkdir()
    for number, colour in enumerate((RED, BLUE, RED, BLUE, RED)):
        Image.fromarray(scene_of(colour)[0]).save(tmp_path / "images" / f"{number}.png")
    dataset = model.label(str(tmp_path / "images"), extension=".png", output_folder=str(tmp_path / "out"))
    assert dataset.classes == ["apple", "sky"]
    found = {}
    for part in ("train", "valid"):
        folder = tmp_path / "out" / part
        read = sv.DetectionDataset.from_yolo(
            str(folder / "images"), str(folder / "labels"), str(tmp_path / "out" / "data.yaml")
        )
        found |= {path.rpartition("/")[2][0]: detections.class_id.tolist() for path, _, detections in read}
    assert found == {"0": [0], "1": [1], "2": [0], "3": [1], "4": [0]}
