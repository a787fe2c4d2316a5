"""The list of a run: written while results come in, and at the end."""

from __future__ import annotations

import pytest

from ipseg.cli import _files


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def listing(path, results, clock) -> _files.Listing:
    return _files.Listing(path, lambda: str(results), clock=clock)


def test_the_list_is_written_when_it_is_due_and_at_the_end(tmp_path):
    path, results, clock = tmp_path / "list.json", [], Clock()
    with listing(path, results, clock) as made:
        results.append(1)
        made.update()
        assert not path.exists()
        clock.now += _files.EVERY
        made.update()
        assert path.read_text() == "[1]"
        results.append(2)
        made.update()
        assert path.read_text() == "[1]"
    assert path.read_text() == "[1, 2]"


def test_a_list_that_takes_long_is_written_less_often(tmp_path):
    path, clock = tmp_path / "list.json", Clock()
    written = []

    def slow() -> str:
        clock.now += 2
        written.append(clock.now)
        return "text"

    with _files.Listing(path, slow, clock=clock) as made:
        for _ in range(100):
            clock.now += 1
            made.update()
    assert len(written) <= 1 + 1 + 100 * _files.SHARE


@pytest.mark.parametrize("updated", [True, False])
def test_an_error_leaves_what_was_added_and_without_any_the_earlier_list(tmp_path, updated):
    path = tmp_path / "list.json"
    path.write_text("earlier")
    made = listing(path, [1], Clock()).__enter__()
    if updated:
        made.update()
    made.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert path.read_text() == ("[1]" if updated else "earlier")


def test_without_a_result_an_empty_list_is_written(tmp_path):
    with listing(tmp_path / "list.json", [], Clock()):
        pass
    assert (tmp_path / "list.json").read_text() == "[]"
