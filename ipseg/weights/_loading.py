"""Weights from a file into a network, checked on the way."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ipseg.weights import _record, _table
from ipseg.weights._errors import WeightError, command
from ipseg.weights._places import commit_key, commit_of, file_key, locate, read_file
from ipseg.weights._table import Weight, get

CHUNK = 2**20


def load_state(
    path: str | Path,
    sha256: str | None = None,
    *,
    name: str = "",
    accept: Callable[[str], bool] | None = None,
    entry: str = "",
    classes: Sequence[type] = (),
) -> dict:
    """The tensors of a file, on the CPU, by name; only those whose name ``accept`` accepts.

    ``name`` is what the table calls the weights, for the command in an error; a single file is known by its own name.
    A training checkpoint holds its tensors under ``entry``, and may hold objects of harmless ``classes`` beside them.

    Before anything is read, the file's sha256 is compared: with the given one, else with the one that the table has,
    else with the one that the file had at its first use. Then safetensors are read one by one; anything else goes
    through ``torch.load(weights_only=True)``, which runs no code.

    Raises :class:`WeightError` when the file is damaged, cut short or not the right one.
    """
    import torch

    path = Path(path)
    single = (weight for weight in _table.WEIGHTS.values() if weight.single and weight.files[0][0] == path.name)
    weight = next(single, _table.WEIGHTS.get(name))
    name = weight.name if weight else name or path.name
    with _verified([_expected(path, name, weight, sha256)]), readable(path, name):
        if path.suffix == ".safetensors":
            return _safetensors(path, accept)
        with torch.serialization.safe_globals(list(classes)):
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        state = state[entry] if entry and isinstance(state, Mapping) and entry in state else state
        if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise WeightError(f"{path} holds no table of weights; bring the file that its makers publish.")
        return {key: value for key, value in state.items() if accept is None or accept(key)}


@contextmanager
def checked(name: str, subfolder: str = "") -> Iterator[Path]:
    """A folder with the files of ``name`` that lie directly in its ``subfolder``, each one checked, and nothing else.

    Every file's sha256 is compared before the block begins, and recorded after it if it was the first use. The folder
    is temporary and holds links, so a reader of folders finds no file that the table does not name. Raises
    :class:`WeightError` when files are missing or changed, or when the block cannot read them.
    """
    weight, found = get(name), locate(name)
    place = found.parent if weight.single else found
    chosen = (read_file(place, choice) for choice in weight.files)
    here = [file for file in chosen if file and PurePosixPath(file).parent == PurePosixPath(subfolder)]
    expected = [_expected(place / file, name, weight) for file in here]
    with _verified(expected), TemporaryDirectory(prefix="ipseg-weights-", ignore_cleanup_errors=True) as folder:
        for file in here:
            _link(place / file, Path(folder) / PurePosixPath(file).name)
        with readable(place / subfolder, name):
            yield Path(folder)


def record(name: str, place: Path) -> None:
    """Compare the files of ``name`` in a folder with what is expected of them, and record what was not recorded yet.

    For files that have just been downloaded and compared with their makers' list. Raises :class:`WeightError`.
    """
    weight = get(name)
    files = [file for choice in weight.files if (file := read_file(place, choice))]
    with _verified([_expected(place / file, name, weight) for file in files]):
        pass


def fill(network: Any, state: Mapping[str, Any], name: str) -> Any:
    """Put ``state`` into a network whose weights are called ``name`` in the table. Every entry must be there and fit.

    Entries that the network does not have are left alone. Returns the network. Raises :class:`WeightError`.
    """
    own = network.state_dict()
    wrong = [key for key in own if key not in state or tuple(state[key].shape) != tuple(own[key].shape)]
    if wrong:
        raise _another_model(name, wrong)
    network.load_state_dict({key: state[key] for key in own}, assign=True)
    return network


def pretrained(kind: Any, name: str, subfolder: str = "", **settings: Any) -> Any:
    """A transformers model from the located folder of ``name``: checked local files, no code from a repository.

    Half-precision files are taken where they are all there is; the model is float32. Raises :class:`WeightError` when
    the files are damaged, or are another model's: a weight is never left at its random start.
    """
    import torch

    with checked(name, subfolder) as folder:
        variant = "fp16" if any(folder.glob("*.fp16.safetensors")) else None
        model, report = kind.from_pretrained(
            folder, local_files_only=True, variant=variant, dtype=torch.float32, output_loading_info=True, **settings
        )
        wrong = [*report["missing_keys"], *report["mismatched_keys"]]
        if wrong:
            raise _another_model(name, [str(key) for key in wrong])
    return model.eval()


def check(path: Path, sha256: str, name: str) -> None:
    """Raise :class:`WeightError`, naming both, unless the file has this sha256."""
    compare(path, digest(path), sha256, name)


def compare(path: Path, found: str, sha256: str, name: str) -> None:
    """As :func:`check`, for a sha256 that is computed already."""
    if found != sha256:
        raise WeightError(
            f"{path} has the sha256 {found}, but that of its makers is {sha256}; delete it and run {command(name)}."
        )


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal. A process reads the file once, and again when it is another one."""
    state = path.stat()
    return _digest(path, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=1024)
def _digest(path: Path, *identity: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Expected:
    """One file, and what is known of it before it is read."""

    path: Path
    name: str  # of the weights
    sha256: str = ""  # published
    key: str = ""  # of the record of first use, where none is published
    commit: tuple[str, str] = ("", "")  # its key and value, where it is known


def _expected(path: Path, name: str, weight: Weight | None, sha256: str | None = None) -> _Expected:
    published = sha256 or (weight.sha256 if weight and weight.single else "")
    if published:
        return _Expected(path, name, published)
    for choice in weight.files if weight else ():
        for file in choice:
            depth = len(PurePosixPath(file).parts)
            if weight and path.parts[-depth:] == PurePosixPath(file).parts:
                place = path.parents[depth - 1]
                commit = commit_of(weight, path if weight.single else place) if weight.on_hub else ""
                return _Expected(path, name, key=file_key(weight, place, choice), commit=(commit_key(weight), commit))
    return _Expected(path, name, key=os.path.abspath(path))


@contextmanager
def _verified(files: Sequence[_Expected]) -> Iterator[None]:
    """Compare each file before the block, and record first uses after it: what cannot be read is not recorded."""
    recorded, first = _record.read(), {}
    for file in files:
        with readable(file.path, file.name):
            found = digest(file.path)
        if file.sha256:
            check(file.path, file.sha256, file.name)
        elif file.key in recorded:
            _compare(file, found, recorded[file.key])
        else:
            first[file.key] = {"name": file.name, "file": file.path.name, "sha256": found}
            if file.commit[1] and file.commit[0] not in recorded:
                first[file.commit[0]] = {"name": file.name, "commit": file.commit[1]}
    yield
    _record.add(first)


def _compare(file: _Expected, found: str, before: Mapping[str, str]) -> None:
    """Raise :class:`WeightError` unless a file is the one that was recorded."""
    if (file.path.name, found) == (before.get("file"), before.get("sha256")):
        return
    was = f"{before.get('file')} with the sha256 {before.get('sha256')}"
    meant = (
        f"run `python -m ipseg weights forget {file.name}`"
        if file.name in _table.WEIGHTS
        else f"delete the entry {file.key} from {_record.path()}"
    )
    raise WeightError(
        f"{file.path} has the sha256 {found}, but at its first use on {before.get('recorded')} it was {was}. If you "
        f"did not change it, delete it and run {command(file.name)}; if the change is meant, {meant}."
    )


def _link(source: Path, target: Path) -> None:
    """A symbolic link, else a hard link, else a copy: not every system lets everybody make them."""
    absolute = Path(os.path.abspath(source))
    for make in (target.symlink_to, target.hardlink_to):
        with suppress(OSError, NotImplementedError):
            make(absolute)
            return
    shutil.copyfile(absolute, target)


def _another_model(name: str, keys: list[str]) -> WeightError:
    title = get(name).title
    return WeightError(
        f"The files called {name} are not those of {title} ({len(keys)} weights are missing or have another shape, "
        f"{keys[0]} first); delete them and run {command(name)}."
    )


def _safetensors(path: Path, accept: Callable[[str], bool] | None) -> dict:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys() if accept is None or accept(key)}  # noqa: SIM118


@contextmanager
def readable(path: Path, name: str):
    """Turn every exception of a file reader into one :class:`WeightError`."""
    try:
        yield
    except (WeightError, MemoryError, ImportError):
        raise
    except Exception as error:  # each format has its own exceptions, and they are no contract
        kind = type(error).__name__
        raise WeightError(
            f"{path} cannot be read ({kind}): it is damaged or cut short; run {command(name)} to fetch it again."
        ) from error
