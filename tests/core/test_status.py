"""The three states as values."""

from __future__ import annotations

import json

from ipseg.core.status import Status


def test_a_state_is_its_text():
    assert list(Status) == ["detected", "uncertain", "not_detected"]
    assert json.dumps(Status.NOT_DETECTED) == '"not_detected"'
    assert [status.words for status in Status] == ["detected", "uncertain", "not detected"]
    assert [status.has_mask for status in Status] == [True, True, False]
