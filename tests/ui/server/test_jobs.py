"""The folder and the tables of long jobs."""

from __future__ import annotations

import shutil
import stat
from types import SimpleNamespace

import pytest
from gradio.context import LocalContext

from ipseg.ui.server import jobs as jobs_module
from ipseg.ui.server.jobs import Jobs


def visitor(name: str) -> SimpleNamespace:
    return SimpleNamespace(session_hash=name)


def test_a_folder_that_was_cleaned_away_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs_module.tempfile, "tempdir", str(tmp_path))
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
    monkeypatch.setattr(jobs_module.tempfile, "tempdir", str(tmp_path))
    now = [jobs_module.time.time()]
    jobs = Jobs(lambda: now[0])
    (jobs.answers / "one").mkdir()
    assert [each.name for each in jobs.answers.iterdir()] == ["one"]
    now[0] += jobs_module.SAVED_SECONDS + 1
    assert not list(jobs.answers.iterdir())


def test_another_job_may_remove_an_answer_at_any_moment(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs_module.tempfile, "tempdir", str(tmp_path))
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


def test_the_tables_of_runs_to_come_are_bounded_in_names_length_and_time():
    now = [0.0]
    jobs = Jobs(lambda: now[0])
    for number in range(jobs_module.MOST_EARLY + 50):
        named = visitor(f"{number}" + "x" * 10_000)
        jobs.arm(named)
        jobs.stop(named)
    for table in (jobs._armed, jobs._early):
        assert len(table) == jobs_module.MOST_EARLY
        assert max(map(len, table)) <= 32
    now[0] = jobs_module.SAVED_SECONDS + 1
    jobs.arm(visitor("later"))
    jobs.stop(visitor("later"))
    assert len(jobs._armed) == len(jobs._early) == 1


@pytest.mark.parametrize("early", [True, False])
def test_a_stop_reaches_its_own_visitor_alone(early):
    jobs, mine, other = Jobs(), visitor("mine"), visitor("other")
    jobs.arm(mine)
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


def test_a_stop_of_nothing_ends_no_later_run():
    jobs, mine = Jobs(), visitor("mine")
    jobs.stop(mine)
    with jobs.running(mine, 60) as watch:
        assert not watch.ended
    jobs.stop(mine)  # it has ended
    with jobs.running(mine, 60) as watch:
        assert not watch.ended


@pytest.fixture
def events(monkeypatch):
    """The events that wait or run, as Gradio's queue has them, and how to run in one of them."""
    table = {
        "mine": SimpleNamespace(session_hash="mine", fn=SimpleNamespace(api_name="batch"), alive=True),
        "other": SimpleNamespace(session_hash="other", fn=SimpleNamespace(api_name="batch"), alive=True),
        "request": SimpleNamespace(session_hash="mine", fn=SimpleNamespace(api_name="segment"), alive=True),
    }
    page = SimpleNamespace(_queue=SimpleNamespace(event_ids_to_events=table))
    tokens = LocalContext.blocks.set(page), LocalContext.event_id.set(None)
    yield table
    LocalContext.blocks.reset(tokens[0])
    LocalContext.event_id.reset(tokens[1])


def test_a_stop_reaches_the_run_that_waits_in_the_queue_and_no_other(events):
    jobs = Jobs()
    jobs.stop(visitor("mine"))
    assert list(jobs._early) == ["mine"]
    for name, stopped in (("other", False), ("mine", True)):
        LocalContext.event_id.set(name)
        with jobs.running(visitor(name), 60) as watch:
            assert watch.ended is stopped
    assert not jobs._early
    events["later"] = events["mine"]
    LocalContext.event_id.set("later")
    with jobs.running(visitor("mine"), 60) as watch:
        assert not watch.ended


def test_jobs_of_other_endpoints_are_stopped_while_they_wait(events):
    events["label"] = SimpleNamespace(session_hash="mine", fn=SimpleNamespace(api_name="label"), alive=True)
    jobs = Jobs(runs=("label",))
    jobs.stop(visitor("mine"))
    assert list(jobs._early) == ["label"]


def test_a_stop_of_a_run_leaves_nothing_behind(events):
    jobs = Jobs()
    LocalContext.event_id.set("mine")
    with jobs.running(visitor("mine"), 60) as watch:
        jobs.stop(visitor("mine"))
        assert watch.ended
    assert not jobs._early
