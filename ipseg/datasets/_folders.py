"""What datasets share about their folders: finding them, naming what is missing, reading the released pickles."""

from __future__ import annotations

import collections
import io
import json
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from ipseg.core.types import InputError

T = TypeVar("T")
SHOWN = 4  # missing files that are named


def root(data: Path, *names: str) -> Path:
    """The folder of a dataset: ``data`` itself, or the first of ``names`` below it that exists."""
    return next((data / name for name in names if (data / name).is_dir()), data)


def need(folder: Path, paths: Iterable[str], source: str) -> None:
    """Raise :class:`InputError` that names what of ``paths`` is not below ``folder``, and where to get it."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; {source}.")
    absent = [path for path in paths if not (folder / path).exists()]
    if absent:
        named = ", ".join(absent[:SHOWN]) + (f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else "")
        raise InputError(f"{folder} has no {named}; {source}.")


def check_fold(fold: int | None, folds: int) -> tuple[int, ...]:
    """The folds of a setting: that one, or all of them for None. Raises :class:`InputError` when there is none."""
    if fold is None:
        return tuple(range(folds))
    if not 0 <= fold < folds:
        raise InputError(f"There is no fold {fold}; choose 0 to {folds - 1}, or leave it out for all of them.")
    return (fold,)


def choose(random: np.random.RandomState, items: Sequence[T]) -> T:
    """One item, drawn as ``numpy.random.choice(items, 1, replace=False)[0]`` does in the released loaders."""
    return items[int(random.choice(len(items), 1, replace=False)[0])]


def read_json(path: Path) -> Any:
    """Raises :class:`InputError` when the file is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read as JSON ({error}); download it again.") from error


def read_lines(path: Path) -> list[str]:
    """The first word of each line that has one."""
    return [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_pickle(path: Path) -> Any:
    """A pickle of plain containers, numbers, texts and numpy arrays; nothing in it is ever called.

    Raises :class:`InputError` when it names anything else, or is damaged.
    """
    try:
        return _Plain(io.BytesIO(path.read_bytes())).load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its opcodes meet
        raise InputError(f"{path.name} is no pickle that can be read ({error}); download it again.") from error


class _Plain(pickle.Unpickler):
    """Finds the few names that plain data needs, and no other."""

    def find_class(self, module: str, name: str, /) -> Any:
        module = module.replace("numpy.core", "numpy._core").replace("__builtin__", "builtins")  # older names
        found = _ALLOWED.get((module, name))
        return found if found is not None else self._refuse(module, name)

    def persistent_load(self, pid: Any, /) -> Any:
        return self._refuse("persistent", str(pid))

    @staticmethod
    def _refuse(module: str, name: str) -> NoReturn:
        raise InputError(f"The pickle asks for {module}.{name}, which plain data does not need; do not use this file.")


def _bytes(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as protocols below 3 store them: text in Latin-1."""
    if encoding != "latin1":
        raise InputError("The pickle has bytes in an encoding that plain data does not need; do not use this file.")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): collections.defaultdict,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "bytearray"): bytearray,
    ("_codecs", "encode"): _bytes,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.numeric", "_frombuffer"): np.arange(1).__reduce_ex__(5)[0],
    ("numpy._core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
}
