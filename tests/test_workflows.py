"""The workflows run pinned code with the least rights, and one of them searches for known faults."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))  # config.yml is none
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_there_are_workflows():
    assert {path.stem for path in WORKFLOWS} >= {"test", "audit", "release"}


def test_only_a_tag_of_a_version_is_published():
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    assert release[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}  # YAML reads "on" as true
    writing = [name for name, job in release["jobs"].items() if "write" in job["permissions"].values()]
    assert writing == ["publish"]
    assert "password" not in str(release)


def test_a_tag_that_is_not_the_version_is_refused():
    tag = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v0.0.0", "PATH": os.environ["PATH"]}
    done = subprocess.run([ROOT / ".ci" / "package"], env=tag, capture_output=True, text=True)
    assert done.returncode == 1
    assert "they have to agree" in done.stderr


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem
)
def test_an_issue_form_has_what_github_asks_for(path):
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field["validations"]["required"] for field in fields)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_with_their_version_beside(path):
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.fullmatch(r"\s*- uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_may_read_and_nothing_else(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        if job["permissions"] == {"id-token": "write"}:  # a trusted publisher: it uploads what another job has built
            assert job["environment"] == "pypi"
            assert job["needs"] == "build"
            assert not any("run" in step or "checkout" in step["uses"] for step in job["steps"])
            continue
        assert job["permissions"] == {"contents": "read"}
        checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert checkouts
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_text_of_a_visitor_reaches_a_shell(path):
    """A title or branch name inside ``run`` would be a command."""
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        assert not any("${{" in step.get("run", "") for step in job["steps"])
    assert "pull_request_target" not in path.read_text()


def test_the_audit_asks_for_the_oldest_versions_that_are_admitted(tmp_path):
    """Its pattern turns every range into one version."""
    (pattern,) = re.findall(r"sed -E '(.+)' \"\$list\"", (ROOT / ".ci" / "audit").read_text())
    for file in ("requirements.txt", "space/requirements.txt"):
        done = subprocess.run(["sed", "-E", pattern, str(ROOT / file)], capture_output=True, text=True, check=True)
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        assert len(lines) > 10
        assert all(re.fullmatch(r"[\w-]+(\[\w+\])?==[\d.]+\s*", line) for line in lines), lines
