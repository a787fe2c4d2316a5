"""Where weights are searched: a folder of files brought by hand first, then the cache of the Hugging Face Hub.

The folder is named by ``using(folder=...)`` (the command line's ``--weights-dir``) or IPSEG_WEIGHTS_DIR; the cache by
HF_HOME or HF_HUB_CACHE, which ``huggingface_hub`` reads when it is imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from ipseg.weights import _record
from ipseg.weights._errors import WeightError, command, readable_size
from ipseg.weights._table import Weight, get

POINTERS = (
    b"version https://git-lfs.github.com/spec/",
    b"/annex/objects/",
)  # how a file begins that stands for another
POINTER_BYTES = 1024  # at most
COMMIT = re.compile(r"[0-9a-f]{40}")  # the name of one, in full


@dataclass(frozen=True)
class _Choice:
    folder: Path | None = None
    revisions: Mapping[str, str] = field(default_factory=dict)


_chosen: ContextVar[_Choice | None] = ContextVar("ipseg_weights", default=None)


@contextmanager
def using(folder: str | os.PathLike[str] | None = None, revisions: Mapping[str, str] | None = None) -> Iterator[None]:
    """Within the block, search ``folder`` first, and take these Hub ``revisions`` by name of the weights."""
    before = _chosen.get() or _Choice()
    path = before.folder if folder is None else Path(folder).expanduser()
    token = _chosen.set(_Choice(path, {**before.revisions, **(revisions or {})}))
    try:
        yield
    finally:
        _chosen.reset(token)


def locate(name: str) -> Path:
    """The file, or the folder in the Hub's layout, of weights that are here. Never downloads.

    Raises :class:`WeightError` with the command that fetches them when they are not here, or not all of them.
    """
    weight = get(name)
    found = find(name)
    if found is not None:
        return found
    pointer = _pointer(weight)
    if pointer:
        raise WeightError(
            f"{pointer} is a pointer of git-lfs or git-annex, not the weights of {weight.title}; run `git lfs pull` "
            f"there, or delete it and run {command(name)}."
        )
    part = _incomplete(weight)
    if part:
        lacks = " and ".join(missing(weight, part))
        raise WeightError(f"{weight.title} in {part} lacks {lacks}; run {command(name)} to complete it.")
    raise WeightError(
        f"The weights of {weight.title} ({readable_size(weight.bytes)}, {weight.licence}) are not on this machine; "
        f"run {command(name)}, or bring the files and name their folder with --weights-dir or IPSEG_WEIGHTS_DIR."
    )


def require(names: Iterable[str]) -> None:
    """Raise :class:`WeightError` unless all of these weights are here; its message names every one that is not."""
    absent = [get(name) for name in names if find(name) is None]
    if len(absent) == 1:
        locate(absent[0].name)
    if absent:
        several = [f"{weight.title} ({readable_size(weight.bytes)}, {weight.licence})" for weight in absent]
        names_of = " ".join(weight.name for weight in absent)
        raise WeightError(
            f"The weights of {', '.join(several[:-1])} and {several[-1]} are not on this machine, or not whole; run "
            f"{command(names_of)}, or bring the files and name their folder with --weights-dir or IPSEG_WEIGHTS_DIR."
        )


def find(name: str) -> Path | None:
    """As :func:`locate`, but None where they are not on this machine. Of the files, names are compared.

    An empty file, and a small text that stands for one in a repository of git-lfs or git-annex, count as absent.
    """
    weight = get(name)
    for place in places(weight):
        if not missing(weight, place):
            return place / weight.files[0][0] if weight.single else place
    return None


def describe(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """For the record of a run: source, revision, commit where it is known, sha256 where it is known, and the path.

    The sha256 is that of the makers, else those of the files at their first use, in the order of the table.
    """
    record = {}
    for name in names:
        weight, path = get(name), find(name)
        sha256 = weight.sha256 or (_recorded_sha256(weight, path) if path else "")
        entry = {"source": weight.source, "sha256": sha256, "path": str(path or "")}
        if weight.on_hub:
            entry |= {"revision": revision(weight), "commit": commit_of(weight, path) if path else ""}
        if weight.wheel:
            entry["wheel"] = weight.wheel.requirement  # asked for before the source, where that is a URL
        record[name] = entry
    return record


def revision(weight: Weight) -> str:
    """The Hub revision to take: the one chosen by :func:`using`, else the table's."""
    chosen = _chosen.get()
    return (chosen.revisions if chosen else {}).get(weight.name, weight.revision)


def asked_revision(weight: Weight) -> str:
    """What the Hub is asked for: the commit that the chosen revision had at first use, else the revision."""
    return recorded_commit(weight) or revision(weight)


def recorded_commit(weight: Weight) -> str:
    """The commit that the chosen revision had when it was first used; "" when it was not used yet."""
    return _record.read().get(commit_key(weight), {}).get("commit", "")


def _recorded_sha256(weight: Weight, path: Path) -> str:
    """What the record of first use holds of every file of ``path``, with spaces between; "" where one is not there."""
    place, recorded = path.parent if weight.single else path, _record.read()
    known = [recorded.get(file_key(weight, place, choice), {}).get("sha256", "") for choice in weight.files]
    return " ".join(known) if all(known) else ""


def commit_key(weight: Weight) -> str:
    """What the record of first use calls the commit of the chosen revision."""
    return f"{weight.name}@{revision(weight)}"


def file_key(weight: Weight, place: Path, choice: tuple[str, ...]) -> str:
    """What the record of first use calls one file of ``place``, whichever of the ``choice`` it is.

    In a cache it is the same wherever the cache lies; a folder of files brought by hand is known by its path.
    """
    if any(place.is_relative_to(cache) for cache in (hub_cache(), file_cache())):
        return f"{commit_key(weight)}/{choice[0]}"
    return os.path.abspath(place / choice[0])


def hand_folder() -> Path | None:
    """The folder of files brought by hand, when one is named."""
    chosen = _chosen.get()
    if chosen and chosen.folder:
        return chosen.folder
    named = os.environ.get("IPSEG_WEIGHTS_DIR")
    return Path(named).expanduser() if named else None


def hub_cache() -> Path:
    """The cache that huggingface_hub shares with every other program."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def file_cache() -> Path:
    """Where files lie that do not come from the Hub."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "ipseg"


def folders() -> list[Path]:
    """Every folder in which weights are looked for."""
    return [folder for folder in (hand_folder(), hub_cache(), file_cache()) if folder]


def places(weight: Weight) -> list[Path]:
    """The folders in which its files may lie, the first choice first."""
    found = []
    if folder := hand_folder():
        names = [weight.folder, weight.name, weight.source if weight.on_hub else ""]
        found += [folder / name for name in dict.fromkeys([*names, ""] if weight.single else names)]
    if not weight.on_hub:
        return [*found, file_cache(), *_mirrored(weight)]
    return [*found, *_snapshots(weight)]


def missing(weight: Weight, place: Path) -> list[str]:
    """What a folder lacks, the best name of each."""
    return [choice[0] for choice in weight.files if present(place, choice) is None]


def present(place: Path, choice: tuple[str, ...]) -> str | None:
    """The first file of a choice that lies in a folder."""
    return next((file for file in choice if _is_here(place / file)), None)


def read_file(place: Path, choice: tuple[str, ...]) -> str | None:
    """The file of a choice that is read: the first, but full precision where a folder has both."""
    here = [file for file in choice if _is_here(place / file)]
    return min(here, key=lambda file: ".fp16." in file, default=None)


def _is_here(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0 and not _is_pointer(path)


def _is_pointer(path: Path) -> bool:
    """Whether a file stands for one of git-lfs or git-annex that was not fetched."""
    try:
        if not 0 < path.stat().st_size <= POINTER_BYTES:
            return False
        return path.read_bytes().startswith(POINTERS)
    except OSError:
        return False


def _pointer(weight: Weight) -> Path | None:
    """The first file of some weights that is a pointer."""
    named = [place / file for place in places(weight) for choice in weight.files for file in choice]
    return next((path for path in named if path.is_file() and _is_pointer(path)), None)


def _incomplete(weight: Weight) -> Path | None:
    return next((place for place in places(weight) if len(missing(weight, place)) < len(weight.files)), None)


def _snapshots(weight: Weight) -> list[Path]:
    """The folders of the chosen revision in the Hub's cache: of its commit at first use, then of its commit now.

    Other programs move a branch when they download a newer commit. A cache that was copied may not say which commit a
    branch or tag is: then it is taken from the snapshots that are there, the newest first.
    """
    chosen = revision(weight)
    found = [_snapshot(weight, each) for each in dict.fromkeys([recorded_commit(weight), chosen]) if each]
    if not COMMIT.fullmatch(chosen):
        cached = _cached(weight.source)
        if not any(chosen in each.refs for each in cached):
            found += [_folder(each) for each in cached]
    return list(dict.fromkeys(each for each in found if each))


def _snapshot(weight: Weight, asked: str) -> Path | None:
    """The folder of one revision in the Hub's cache, where it has any of the files."""
    if not hub_cache().is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache

    for file in chain.from_iterable(weight.files):
        path = try_to_load_from_cache(weight.source, file, hub_cache(), asked)
        if isinstance(path, str):
            return Path(path).parents[len(PurePosixPath(file).parts) - 1]
    return None


def _cached(repository: str) -> list[Any]:
    """What ``huggingface_hub`` knows of each snapshot of a repository in its cache, the newest first."""
    if not hub_cache().is_dir():
        return []
    from huggingface_hub import scan_cache_dir

    found = [
        each for each in scan_cache_dir(hub_cache()).repos if (each.repo_type, each.repo_id) == ("model", repository)
    ]
    return sorted((one for each in found for one in each.revisions), key=lambda one: one.last_modified, reverse=True)


def _folder(snapshot: Any) -> Path:
    """Its folder below :func:`hub_cache`, whose links ``huggingface_hub`` follows."""
    return hub_cache() / snapshot.snapshot_path.relative_to(hub_cache().resolve())


def _mirrored(weight: Weight) -> list[Path]:
    """The folders of a mirror in the Hub's cache, of any commit: the file is known by its sha256."""
    if not weight.mirror:
        return []
    owner, name, folder = weight.mirror.split("/", 2)
    return [_folder(each) / folder for each in _cached(f"{owner}/{name}")]


def commit_of(weight: Weight, path: Path) -> str:
    """The commit that a folder or file of the Hub came from; "" where nothing beside it says so.

    ``huggingface_hub`` records it beside the files of a ``local_dir``, and has no public function that reads it.
    """
    if weight.single:
        path = path.parent
    if path.is_relative_to(hub_cache()):  # whose folders are named by their commit
        return path.name
    noted = sorted((path / ".cache" / "huggingface" / "download").rglob("*.metadata"))
    lines = (file.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip() for file in noted)
    return next((line for line in lines if COMMIT.fullmatch(line)), "")
