"""What visitors read names no folder of the server; the log may."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from ipseg import weights
from ipseg.core.types import InputError
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server import downloads
from ipseg.ui.server.downloads import progress_of
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.ablation import render as ablation
from ipseg.ui.tabs.batch.handlers import stop_of
from ipseg.ui.tabs.compare import render as rows
from ipseg.ui.widgets import engine_state

ERROR = weights.WeightError("/srv/models/a/x.pth is damaged; fetch it again.")
SAID = "x.pth is damaged; fetch it again."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/weights/x.pth has", "x.pth has"),
        ("in (/srv/weights/x.pth)", "in (x.pth)"),
        ("'/srv/weights/x.pth': no", "'x.pth': no"),
        ("folder /data, and /a/b/", "folder data, and "),
        ("~/weights/x.pth and C:\\Users\\ada\\x.pth", "x.pth and x.pth"),
        (f"{Path.home()}/x", "x"),
        (f"{tempfile.gettempdir()}/gradio/1/x.png", "x.png"),
        (f"{Path(__file__).parents[3]} lacks", "folder lacks"),
        ("/srv/my weights/a b/x.pth has", "x.pth has"),
        ("https://a.example/b/c.pth and facebook/dinov2 and/or 1/2", None),
        ("`python -m ipseg weights fetch light`", None),
        ("a.jpg is 1x1 pixels; give one of 16x16.", None),
    ],
)
def test_a_path_becomes_its_last_part(text, shown):
    assert without_folders(text, ["/srv/my weights/a b"]) == (text if shown is None else shown)


def test_an_error_of_a_job_names_no_folder():
    with pytest.raises(gr.Error) as raised, error_messages():
        raise ERROR
    assert raised.value.message == SAID


def test_weights_that_are_not_whole_are_named_without_their_folder(tmp_path, capsys, hub_home):
    hub_home(tmp_path)
    brought = tmp_path / "my weights"
    (brought / "dinov2-small").mkdir(parents=True)
    (brought / "dinov2-small" / "config.json").write_text("{}")
    pool = EnginePool(EngineSpec(), weights_dir=brought)
    with pytest.raises(weights.WeightError) as raised, pool.using_weights():
        weights.locate("dinov2_small")
    assert "dinov2-small" in str(raised.value)
    for folder in (tmp_path.name, "my weights", " /"):
        assert folder not in str(raised.value)
    assert str(brought) in capsys.readouterr().out


def test_the_line_about_the_engine_names_no_folder(monkeypatch):
    def lacks(pool, chosen):
        raise InputError("/srv/models/x.pth is damaged.")

    monkeypatch.setattr(EnginePool, "lacks", lacks)
    assert "srv" not in engine_state.describe(EnginePool(EngineSpec()), EngineSpec())


def test_a_download_that_fails_names_no_folder(tmp_path, monkeypatch):
    brought = tmp_path / "my weights"

    def fetch(name, progress):
        raise weights.WeightError(f"{brought}/x.pth cannot be written; choose another folder.")

    monkeypatch.setattr(weights, "fetch", fetch)
    pool = EnginePool(EngineSpec(), weights_dir=brought, fetches=True)
    monkeypatch.setattr(EnginePool, "absent", lambda pool, now: [weights.get("dinov2_small")])
    with pytest.raises(weights.WeightError) as raised:
        list(progress_of(pool, EngineSpec("light")))
    assert str(raised.value) == "x.pth cannot be written; choose another folder."


def test_a_method_that_cannot_answer_names_no_folder():
    entry = SimpleNamespace(error=str(ERROR), record=lambda: {"error": str(ERROR)}, label="M", result=None)
    assert rows._entry_record(entry) == {"error": SAID}
    assert "srv" not in rows._line(entry, "", None, False, ("Method", "Area", "Score", "Time"))


def test_every_tab_shows_errors_through_the_one_function():
    """A text of an error that is shown as it is would be one that was forgotten."""
    for module in (ablation, rows, downloads, engine_state):
        for line in inspect.getsource(module).splitlines():
            if "escape(" in line and "error" in line:
                assert "without_folders" in line, line


class TestFetching:
    """Whether a visitor may have weights downloaded."""

    def test_not_through_a_proxy(self):
        pool = EnginePool(EngineSpec(), fetches=True)
        near, far = (SimpleNamespace(headers=headers) for headers in ({"host": "x"}, {"X-Forwarded-For": "1.2.3.4"}))
        assert pool.for_request(near) is pool
        assert pool.for_request(None) is pool
        seen = pool.for_request(far)
        assert not seen.fetches
        assert seen.absent(EngineSpec("light")) == []
        assert pool.fetches  # others still may
        assert seen.downloading is pool.downloading


def _jobs(*stops):
    """A pool whose jobs are stopped by these functions."""
    return SimpleNamespace(jobs=[SimpleNamespace(stop=stop) for stop in stops])


class TestStop:
    """A stop that could not stop anything says so."""

    @pytest.mark.parametrize("request_", [None, SimpleNamespace(), SimpleNamespace(session_hash=None)])
    def test_without_a_session(self, request_):
        with pytest.raises(gr.Error, match="Nothing was stopped"):
            stop_of(_jobs(lambda request: pytest.fail("it was stopped")))(request_)

    def test_with_one(self):
        stopped = []
        stop_of(_jobs(stopped.append, stopped.append))(SimpleNamespace(session_hash="a"))
        assert len(stopped) == 2  # a batch and a labelling
