"""The folder and the tables of long jobs."""

from __future__ import annotations

import shutil
import stat
from types import SimpleNamespace

import pytest

from ipseg.ui import _jobs
from ipseg.ui._jobs import Jobs


def visitor(name: str) -> SimpleNamespace:
    return SimpleNamespace(session_hash=name)


def test_a_folder_that_was_cleaned_away_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(_jobs.tempfile, "tempdir", str(tmp_path))
    jobs = Jobs()
    for _ in range(2):
        with jobs.workplace() as folder:
            (folder / "masks.zip").touch()
        assert jobs.answers.is_dir()
        assert stat.S_IMODE(jobs.answers.parent.stat().st_mode) == 0o700
        shutil.rmtree(jobs.answers.parent)
    shutil.rmtree(jobs.answers)
    assert jobs.answers.is_dir()


def test_answers_go_after_an_hour(tmp_path, monkeypatch):
    monkeypatch.setattr(_jobs.tempfile, "tempdir", str(tmp_path))
    now = [_jobs.time.time()]
    jobs = Jobs(lambda: now[0])
    (jobs.answers / "one").mkdir()
    assert [each.name for each in jobs.answers.iterdir()] == ["one"]
    now[0] += _jobs.SAVED_SECONDS + 1
    assert not list(jobs.answers.iterdir())


def test_another_job_may_remove_an_answer_at_any_moment(tmp_path, monkeypatch):
    monkeypatch.setattr(_jobs.tempfile, "tempdir", str(tmp_path))
    jobs = Jobs()
    (jobs.answers / "one").mkdir()
    path = type(tmp_path)
    iterdir = path.iterdir

    def racing(folder):
        found = list(iterdir(folder))
        for each in found:
            shutil.rmtree(each)
        return iter(found)

    monkeypatch.setattr(path, "iterdir", racing)
    assert jobs.answers.is_dir()

    def gone(folder):
        raise FileNotFoundError(folder)

    monkeypatch.setattr(path, "iterdir", gone)
    assert jobs.answers.is_dir()


def test_the_table_of_early_stops_is_bounded_in_names_length_and_time():
    now = [0.0]
    jobs = Jobs(lambda: now[0])
    for number in range(_jobs.MOST_EARLY + 50):
        jobs.stop(visitor(f"{number}" + "x" * 10_000))
    assert len(jobs._early) == _jobs.MOST_EARLY
    assert max(map(len, jobs._early)) <= 32
    now[0] = _jobs.SAVED_SECONDS + 1
    jobs.stop(visitor("later"))
    assert len(jobs._early) == 1


@pytest.mark.parametrize("early", [True, False])
def test_a_stop_reaches_its_own_visitor_alone(early):
    jobs, mine, other = Jobs(), visitor("mine"), visitor("other")
    if early:
        jobs.stop(mine)
    with jobs.running(mine, 60) as first, jobs.running(other, 60) as second:
        if not early:
            jobs.stop(mine)
        assert first.ended
        assert not second.ended
    assert not jobs._running
    jobs.stop(mine)
    jobs.arm(mine)
    with jobs.running(mine, 60) as again:
        assert not again.ended
