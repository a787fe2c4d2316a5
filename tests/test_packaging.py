"""What is installed, what is declared and what is used are the same."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import ipseg
from ipseg import weights
from ipseg.engine.presets import DEFAULT, PRESETS

FOLDERS = {".ci", ".github", "docs", "examples_media", "ipseg", "space", "tests"}
NAMES = {
    "yaml": "pyyaml",
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "gradio_client": "gradio",  # released with it, in the version that it pins
    "ot": "pot",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}


@pytest.fixture(scope="module")
def project(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def parsed(lines) -> dict[str, str]:
    stripped = (line.split("#")[0].strip() for line in lines)
    requirements = [Requirement(line) for line in stripped if line]
    assert len({each.name for each in requirements}) == len(requirements)
    return {each.name: str(each.specifier) for each in requirements}


def test_requirements_are_the_base_and_the_models(root, project):
    listed = parsed((root / "requirements.txt").read_text().splitlines())
    assert listed == parsed(project["dependencies"] + project["optional-dependencies"]["models"])


def test_every_requirement_has_a_floor_and_a_ceiling(project):
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        for name, specifier in parsed(group).items():
            assert re.fullmatch(r"<\d+,>=\d+(\.\d+)*", specifier), f"{name}{specifier}"


FIXED = {  # the first version without a known fault that reaches this program; pyproject.toml names the advisories
    "filelock": "3.20.3",
    "gradio": "6.25",
    "mcp": "1.28.1",
    "onnx": "1.21",
    "opencv-python-headless": "4.12",
    "pillow": "12.3",
    "pip": "26.1.2",
    "python-multipart": "0.0.27",
    "starlette": "1.3.1",
    "torch": "2.10",
    "transformers": "5.10",
    "diffusers": "0.38",
}


def test_no_version_with_a_known_fault_is_admitted(project):
    lines = project["dependencies"] + project["optional-dependencies"]["models"]
    declared = {each.name: each.specifier for each in map(Requirement, lines)}
    for name, version in FIXED.items():
        floor = next(Version(one.version) for one in declared[name] if one.operator == ">=")
        assert floor >= Version(version), name


def test_what_is_installed_is_admitted(project):
    for line in project["dependencies"] + project["optional-dependencies"]["models"]:
        requirement = Requirement(line)
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            continue
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement.name} {version}"


def test_the_base_needs_no_torch(project):
    assert not {"torch", "torchvision", "transformers", "diffusers"} & set(parsed(project["dependencies"]))


def test_what_is_imported_is_declared(root, project):
    extras = project["optional-dependencies"]
    declared = set(parsed(project["dependencies"]))
    declared |= {name for extra in set(extras) - {"dev", "docs"} for name in parsed(extras[extra])}
    used = set()
    for path in [*(root / "ipseg").rglob("*.py"), root / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                used |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                used.add(node.module.split(".")[0])
    foreign = used - set(sys.stdlib_module_names) - {"ipseg"}
    assert {NAMES.get(name, name).replace("_", "-") for name in foreign} <= declared


def test_every_folder_with_code_is_a_package(root):
    for path in (root / "ipseg").rglob("*.py"):
        assert (path.parent / "__init__.py").is_file(), f"{path.parent} has no __init__.py, so it would be left out"


def test_the_version(root, project):
    assert "version" in project["dynamic"]
    assert str(Version(ipseg.__version__)) == ipseg.__version__
    done = subprocess.run([sys.executable, "-m", "ipseg", "--version"], cwd=root, capture_output=True, text=True)
    assert done.stdout == f"ipseg {ipseg.__version__}\n"
    assert done.returncode == 0


@pytest.mark.skipif(not shutil.which("git"), reason="git is not on this machine")
def test_only_the_folders_that_belong(root):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {Path(line).parts[0] for line in listed.stdout.splitlines() if "/" in line} <= FOLDERS


ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
]


@pytest.mark.parametrize("file", PAGES)
def test_what_a_document_points_at_exists(root, file):
    text = re.sub(r"^```.*?^```", "", (root / file).read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) + re.findall(r'(?:src|href)="([^"#]+)"', text)
    for target in targets:
        if not re.match(r"[a-z]+:", target):
            assert ((root / file).parent / target).exists(), f"{file} points at {target}"


def test_the_makefile_fetches_the_weights_of_the_default(root):
    text = (root / "Makefile").read_text()
    recipes = dict(re.findall(r"^(demo|test):[^\n]*\n((?:\t[^\n]*\n)+)", text, flags=re.MULTILINE))
    assert all(f"ipseg weights fetch {DEFAULT}" in recipes[target] for target in ("demo", "test"))
    assert PRESETS[DEFAULT].weights == ("efficientnet_lite0", "u2netp")


@pytest.mark.parametrize(
    ("file", "heading"),
    [("docs/page.md", "## For whoever serves others"), ("SECURITY.md", "## What an operator must set")],
)
def test_what_the_documents_tell_an_operator_to_set_exists(root, file, heading, capsys):
    from ipseg.ui import serving

    text = (root / file).read_text()
    section = text[text.index(heading) + len(heading) :].split("\n## ")[0]
    flags = set(re.findall(r"--[a-z][a-z-]+", section))
    assert {"--auth", "--allowed-host", "--no-fetch", "--max-seconds", "--max-queue"} <= flags
    with pytest.raises(SystemExit):
        serving.arguments(["--help"])
    known = capsys.readouterr().out
    assert [flag for flag in flags if flag not in known] == []


def test_the_security_policy_tells_the_truth_about_the_table_of_weights(root):

    text = (root / "SECURITY.md").read_text()
    hub = [weight for weight in weights.WEIGHTS.values() if weight.on_hub]
    unpinned = [weight.title.split()[0] for weight in hub if weight.revision == "main"]
    named = re.search(r"of the others \(([^)]+)\)", text)
    assert named is not None
    assert set(named[1].split(", ")) == set(unpinned)
    assert len({weight.source for weight in hub if weight.revision != "main"}) == 11


@pytest.mark.parametrize("file", PAGES)
def test_the_files_that_a_document_names_exist(root, file):
    """Names in backticks such as `ipseg/engine/presets.py`; NAME and * stand for any."""
    named = re.findall(r"`((?:ipseg|tests|space|docs|examples_media|\.ci)/[\w./*-]*)", (root / file).read_text())
    for path in named:
        pattern = re.sub(r"\bNAME\b", "*", path).rstrip("/")
        assert list(root.glob(pattern)), f"{file} names {path}"


@pytest.mark.parametrize("file", PAGES)
def test_the_headings_that_a_document_points_at_exist(root, file):
    """As GitHub names them: in small letters, with hyphens for spaces."""
    for target, heading in re.findall(r"\]\(([^)#\s:]*\.md)?#([^)]+)\)", (root / file).read_text()):
        text = ((root / file).parent / target if target else root / file).read_text()
        found = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
        names = [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found]
        assert heading in names, f"{file} points at {target}#{heading}"
