"""The thresholds of a config: what is allowed, and which hold for a request."""

from __future__ import annotations

import dataclasses
import inspect
from math import inf, nan

import pytest

from ipseg.core.types import SettingError
from ipseg.method.config import IPSegConfig, Parameters
from ipseg.method.pipeline import IPSeg


@pytest.mark.parametrize(("high", "low"), [(0, 0), (1, 0), (1, 1), (0.5, 0.25), (0.5, 0.5)])
def test_thresholds_in_order_from_0_to_1(high, low):
    made = IPSegConfig(threshold=high, reject_threshold=low)
    assert made.thresholds(None, None) == (high, low)
    assert IPSegConfig().thresholds(high, low) == (high, low if high else 0)


@pytest.mark.parametrize(
    ("high", "low", "wrong"),
    [
        (1.01, 0, "The threshold is 1.01"),
        (-0.01, 0, "The threshold is -0.01"),
        (nan, 0, "The threshold is nan"),
        (inf, 0, "The threshold is inf"),
        (0.5, 0.51, "The reject threshold is 0.51"),
        (0.5, -0.01, "The reject threshold is -0.01"),
        (0.5, nan, "The reject threshold is nan"),
    ],
)
def test_other_thresholds_have_an_error_message(high, low, wrong, one_message):
    for ask in (
        lambda: IPSegConfig(threshold=high, reject_threshold=low),
        lambda: dataclasses.replace(IPSegConfig(threshold=1), threshold=high, reject_threshold=low),
        lambda: IPSegConfig(threshold=1).thresholds(high, low),
    ):
        with pytest.raises(SettingError) as raised:
            ask()
        one_message(str(raised.value))
        assert wrong in str(raised.value)


def test_what_is_not_given_is_the_configs_own():
    made = IPSegConfig(threshold=0.5, reject_threshold=0.25)
    assert made.thresholds(0.75, None) == (0.75, 0.25)
    assert made.thresholds(None, 0.125) == (0.5, 0.125)
    assert made.thresholds(0.125, None) == (0.125, 0.125)
    assert made.thresholds(0, None) == made.thresholds(0, 0.125) == (0, 0)
    with pytest.raises(SettingError, match="the threshold, which is"):
        made.thresholds(None, 0.75)


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ({"k": 0}, "K is 0"),
        ({"clusters": 33}, "c is 33"),
        ({"k": 2, "clusters": 3}, "c is 3 but K is 2"),
        ({"threshold": nan}, "The threshold is nan"),
        ({"reject_threshold": 2}, "The reject threshold is 2"),
    ],
)
def test_numbers_of_a_call_are_checked(numbers, wrong, one_message):
    with pytest.raises(SettingError, match=wrong) as raised:
        Parameters(**numbers)
    one_message(str(raised.value))


def test_numbers_of_a_call_are_the_arguments_of_segment():
    named = inspect.signature(IPSeg.segment).parameters
    assert Parameters().arguments() == {name: named[name].default for name in Parameters().arguments()}
    assert Parameters(k=8, threshold=0.5).arguments() == {
        "k": 8,
        "clusters": None,
        "threshold": 0.5,
        "reject_threshold": None,
    }
