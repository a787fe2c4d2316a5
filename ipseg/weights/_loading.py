"""Weights from a file into a network, checked on the way."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipseg.weights._errors import WeightError, command
from ipseg.weights._places import locate
from ipseg.weights._table import WEIGHTS, get

CHUNK = 2**20


def load_state(
    path: str | Path, sha256: str | None = None, *, name: str = "", keep: Callable[[str], bool] | None = None
) -> dict:
    """The tensors of a file, on the CPU, by name; only those whose name ``keep`` accepts.

    ``name`` is what the table calls the weights, for the command in an error; a single file is known by its own name.

    safetensors are read one by one. Anything else goes through ``torch.load(weights_only=True)``, which runs no code,
    and only once its sha256 is right: the given one, or the one the table has for a file of this name.

    Raises :class:`WeightError` when the file is damaged, cut short or not the right one.
    """
    import torch

    path = Path(path)
    known = next((weight for weight in WEIGHTS.values() if weight.single and weight.files[0][0] == path.name), None)
    name = known.name if known else name or path.name
    wanted = sha256 or (known.sha256 if known else "")
    if wanted:
        check(path, wanted, name)
    with readable(path, name):
        if path.suffix == ".safetensors":
            return _safetensors(path, keep)
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise WeightError(f"{path} holds no table of weights; bring the file that its makers publish.")
        return {key: value for key, value in state.items() if keep is None or keep(key)}


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
    """A transformers model from the located folder of ``name``: local files only, no code from a repository.

    Half-precision files are taken where they are all there is; the model is float32. Raises :class:`WeightError` when
    the files are damaged, or are another model's: a weight is never left at its random start.
    """
    import torch

    folder = locate(name) / subfolder
    variant = "fp16" if not any(folder.glob("model.safetensors")) and any(folder.glob("*.fp16.safetensors")) else None
    with readable(folder, name):
        model, report = kind.from_pretrained(
            folder, local_files_only=True, variant=variant, dtype=torch.float32, output_loading_info=True, **settings
        )
    wrong = [*report["missing_keys"], *report["mismatched_keys"]]
    if wrong:
        raise _another_model(name, [str(key) for key in wrong])
    return model.eval()


def check(path: Path, sha256: str, name: str) -> None:
    """Raise :class:`WeightError`, naming both, unless the file has this sha256."""
    found = digest(path)
    if found != sha256:
        raise WeightError(
            f"{path} has the sha256 {found}, but that of its makers is {sha256}; delete it and run {command(name)}."
        )


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _another_model(name: str, keys: list[str]) -> WeightError:
    title = get(name).title
    return WeightError(
        f"The files called {name} are not those of {title} ({len(keys)} weights are missing or have another shape, "
        f"{keys[0]} first); delete them and run {command(name)}."
    )


def _safetensors(path: Path, keep: Callable[[str], bool] | None) -> dict:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys() if keep is None or keep(key)}  # noqa: SIM118


@contextmanager
def readable(path: Path, name: str):
    """Whatever the readers of files raise becomes one message."""
    try:
        yield
    except (WeightError, MemoryError, ImportError):
        raise
    except Exception as error:  # each format has its own exceptions, and they are no contract
        kind = type(error).__name__
        raise WeightError(
            f"{path} cannot be read ({kind}): it is damaged or cut short; run {command(name)} to fetch it again."
        ) from error
