"""Results and labels as the Detections of supervision."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.result import Instance, Result
from ipseg.core.status import Status
from ipseg.core.types import Points, SettingError

NO_POINTS = Points(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[top:bottom, left:right] = True
    return mask


def result(mask: np.ndarray, status: Status, instances: tuple[Instance, ...] = ()) -> Result:
    image = np.zeros((*mask.shape, 3), np.uint8)
    return Result(image, mask, status, 0.625, 0.6, 0.4, NO_POINTS, None, {}, instances)


def test_without_supervision_one_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    monkeypatch.delitem(sys.modules, "supervision")
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(SettingError, match=r'needs supervision.*pip install "ipseg\[formats\]"'):
        result(box(1, 2, 3, 4), Status.DETECTED).to_supervision()


class Missing:
    """A finder for which supervision is not installed."""

    def find_spec(self, name, path=None, target=None):
        if name == "supervision":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class TestWithSupervision:
    @pytest.fixture(autouse=True)
    def sv(self):
        return pytest.importorskip("supervision", reason="needs supervision: pip install 'ipseg[formats]'")

    def test_a_mask_is_one_detection(self):
        mask = box(4, 0, 30, 9)
        found = result(mask, Status.UNCERTAIN).to_supervision(class_id=3, class_name="cup")
        assert found.xyxy.tolist() == [[4, 0, 30, 9]]
        np.testing.assert_array_equal(found.mask, mask[None])
        assert found.confidence.tolist() == [0.625]
        assert (found.class_id.tolist(), found.data["class_name"].tolist()) == ([3], ["cup"])
        assert found.data["status"].tolist() == ["uncertain"]

    def test_instances_are_detections_of_their_own(self):
        instances = tuple(
            Instance(mask, NO_POINTS, score, status)
            for mask, score, status in (
                (box(0, 0, 1, 1), 0.875, Status.DETECTED),
                (box(5, 5, 9, 9), 0.25, Status.NOT_DETECTED),
                (box(10, 10, 30, 20), 0.5, Status.UNCERTAIN),
            )
        )
        found = result(box(0, 0, 1, 1), Status.DETECTED, instances).to_supervision()
        assert found.xyxy.tolist() == [[0, 0, 1, 1], [10, 10, 30, 20]]
        assert found.confidence.tolist() == [0.875, 0.5]

    @pytest.mark.parametrize("mask", [box(1, 1, 5, 5), box(0, 0, 0, 0)])
    def test_what_is_not_detected_is_no_detection(self, mask):
        found = result(mask, Status.NOT_DETECTED).to_supervision()
        assert len(found) == 0
        assert found.mask.shape == (0, 20, 30)

    def test_labels_have_the_numbers_of_their_classes_and_tracks(self):
        instances = (
            LabelledInstance("nut", box(1, 1, 5, 5), 0.75, track=4),
            LabelledInstance("cup", box(6, 1, 8, 3), 0.5, Status.UNCERTAIN, track=9),
        )
        found = LabelledImage("a.png", (20, 30), instances).to_supervision(["cup", "nut"])
        assert found.class_id.tolist() == [1, 0]
        assert found.tracker_id.tolist() == [4, 9]
        assert found.data["class_name"].tolist() == ["nut", "cup"]
        assert len(LabelledImage("b.png", (20, 30)).to_supervision(["cup"])) == 0
