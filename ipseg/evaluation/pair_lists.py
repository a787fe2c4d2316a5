"""Lists of pairs: the episodes of a dataset as a file, to show that a run elsewhere has the same ones.

For LVIS-92i, PACO-Part and Pascal-Part no list was published. Theirs is drawn from the reader's own copy of the
annotations, by the rule in the docstring of the dataset, and is the same on every machine for the same files. A list is
JSON::

    {"format": "ipseg-pairs-1", "dataset": NAME, "settings": {...}, "rule": TEXT, "digest": HASH,
     "annotations": {FILE: {"bytes": N, "sha256": HASH}}, "episodes": [{"name", "prompt", "input", "class", ...}]}

A list in the folder ``episodes`` of :mod:`ipseg.datasets`, ``<dataset>-seed<N>.json``, comes with the package, and the
dataset is checked against it whenever it is built with that seed.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ipseg.core import plugins
from ipseg.core.types import InputError
from ipseg.datasets import Dataset

FORMAT = "ipseg-pairs-1"


def make(dataset: Dataset) -> dict[str, Any]:
    """The list of a dataset's episodes, as plain data."""
    described = inspect.getdoc(plugins.module("datasets", dataset.name)) or ""
    return {
        "format": FORMAT,
        "dataset": dataset.name,
        "settings": dict(dataset.settings),
        "rule": " ".join(described.split("\n\n")[-1].split()),
        "digest": dataset.digest(),
        "annotations": {path.name: fingerprint(path) for path in dataset.annotations},
        "episodes": [episode.record() for episode in dataset.episodes],
    }


def fingerprint(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def read(path: Path) -> dict[str, Any]:
    """A list from its file. Raises :class:`InputError` when it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT or not isinstance(found["episodes"], list):
            raise ValueError("another format")
        found["dataset"], found["settings"], found["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path.name} is no list of pairs ({error}); make one with ipseg pairs.") from error
    return found


def check(dataset: Dataset, listed: Mapping[str, Any], name: str) -> None:
    """Raise :class:`InputError` that says what differs between a dataset and a list, which ``name`` names.

    First the settings, then the annotation files, then the episodes.
    """
    if (listed["dataset"], dict(listed["settings"])) != (dataset.name, json.loads(json.dumps(dict(dataset.settings)))):
        raise InputError(
            f"{name} lists pairs of {listed['dataset']} with {listed['settings']}, and this is {dataset.name} with "
            f"{dict(dataset.settings)}; give the same settings."
        )
    for path in dataset.annotations:
        expected = listed["annotations"].get(path.name)
        if expected is not None and expected != fingerprint(path):
            raise InputError(
                f"{path.name} is not the file that the pairs of {name} were drawn from: it has {path.stat().st_size} "
                f"bytes and that one {expected['bytes']}, or another content; download it again."
            )
    for own, other in zip((episode.record() for episode in dataset.episodes), listed["episodes"], strict=False):
        if own != other:
            raise InputError(f"The episode {own['name']} is not that of {name}; check the folder and the annotations.")
    if len(dataset.episodes) != len(listed["episodes"]):
        counts = f"{len(dataset.episodes)} episodes and {name} {len(listed['episodes'])}"
        raise InputError(f"{dataset.name} has {counts}; check the folder and the annotations.")


def check_shipped(dataset: Dataset) -> None:
    """:func:`check` against the list that comes with the package for these settings; nothing where there is none."""
    file = f"{dataset.name}-seed{dataset.settings.get('seed', 0)}.json"
    shipped = resources.files("ipseg.datasets").joinpath("episodes", file)
    if shipped.is_file():
        listed = json.loads(shipped.read_text("utf-8"))
        if dict(listed["settings"]) == dict(dataset.settings):
            check(dataset, listed, file)
