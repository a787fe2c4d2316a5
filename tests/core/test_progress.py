"""Shares of a part as shares of the whole."""

from __future__ import annotations

import pytest

from ipseg.core import progress


def shares(made):
    """What the progress of a part reports at its start, its middle and its end."""
    seen = []
    inner = made(lambda share, step: seen.append((share, step)))
    for share in (0.0, 0.5, 1.0):
        inner(share, "mask")
    assert [step for _, step in seen] == ["mask"] * 3
    return [share for share, _ in seen]


def test_one_of_several_parts():
    assert shares(lambda report: progress.part(report, 1, 4)) == [0.25, 0.375, 0.5]
    assert shares(lambda report: progress.part_of(report, 0, 2)) == [0, 0.25, 0.5]
    assert progress.part_of(None, 0, 2) is None


def test_a_part_between_two_shares():
    assert shares(lambda report: progress.between(report, 0.4, 1.0)) == pytest.approx([0.4, 0.7, 1.0])
