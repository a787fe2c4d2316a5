"""Shares of the work: of shards, and of launched processes."""

from __future__ import annotations

import pytest

from ipseg.core.types import InputError
from ipseg.engine import processes
from ipseg.engine.processes import Share


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "a/b", "1/0", "1/2/3"])
def test_shares_that_are_none(text):
    with pytest.raises(InputError, match="--shard"):
        processes.parse(text)


def test_the_shares_of_launched_processes_are_all_of_a_shard():
    items = list(range(23))
    for shard in (Share(), Share(1, 3)):
        found = []
        for rank in range(4):
            environment = {"RANK": f"{rank}", "WORLD_SIZE": "4", "LOCAL_RANK": f"{rank}"}
            found += processes.launched(shard, environment).select(items)
        assert sorted(found) == shard.select(items)
    assert processes.launched(Share(1, 3), {}) == Share(1, 3)
    assert processes.launched(Share(1, 3), {"WORLD_SIZE": "no number"}) == Share(1, 3)
    assert processes.launched(Share(), {"PMI_RANK": "1", "PMI_SIZE": "2"}) == Share(1, 2)
