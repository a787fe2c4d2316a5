"""One run on disk: the record of all that decides it, its episodes, and one file with the mask of each.

::

    RUN/run.json                 settings, dataset, engine, versions, commit
    RUN/episodes.jsonl           one episode a line, in order
    RUN/masks/012/012345.json    the prediction of episode 12345: its mask as compressed run lengths of COCO

A file is written whole or not at all, and says nothing about time or place: a run that is stopped and continued, or
spread over processes, ends with the same files.
"""

from __future__ import annotations

import functools
import json
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ipseg import version
from ipseg.core import plugins, rle, store
from ipseg.core.serialize import to_json
from ipseg.core.store import Codec, ResultStore, atomic_write, code_version, writing
from ipseg.core.types import InputError, Mask, SettingError
from ipseg.datasets import Dataset
from ipseg.engine.protocol import Engine
from ipseg.evaluation import prompt_sets
from ipseg.evaluation.metrics import Pixels

FOLDER = 1000  # predictions in one folder
PACKAGES = (
    *("numpy", "scipy", "scikit-image", "scikit-learn", "opencv-python-headless", "pillow", "onnxruntime"),
    *("torch", "torchvision", "transformers", "diffusers", "segment-anything", "pot"),
)
Record = dict[str, Any]


@dataclass(frozen=True)
class Prediction:
    """What a method predicted for one episode."""

    mask: Mask  # (H, W) bool: the best guess; empty where the method failed
    status: str  # of :class:`ipseg.core.status.Status`, or "failed"
    score: float  # the method's own, in [0, 1]
    pixels: Pixels | None = None  # against the truth, at the image's own size: for the progress of a run
    error: str = ""  # why it failed, one message


def _encode(prediction: Prediction) -> bytes:
    record: Record = {
        "status": prediction.status,
        "score": round(float(prediction.score), 6),
        "size": list(prediction.mask.shape),
        "counts": rle.compress(rle.encode(prediction.mask)),
    }
    if prediction.pixels is not None:
        record["pixels"] = list(vars(prediction.pixels).values())
    if prediction.error:
        record["error"] = prediction.error
    return to_json(record).encode()


def _decode(data: bytes) -> Prediction:
    record = json.loads(data)
    height, width = record["size"]
    pixels = Pixels(*record["pixels"]) if "pixels" in record else None
    mask = rle.decode(rle.decompress(record["counts"]), (height, width))
    return Prediction(mask, record["status"], record["score"], pixels, record.get("error", ""))


PREDICTION: Codec[Prediction] = Codec(".json", _encode, _decode)


class Run:
    """A run that exists: :meth:`create` makes or continues one, :meth:`open` reads one."""

    def __init__(self, folder: Path, record: Mapping[str, Any]) -> None:
        self.folder, self.record = folder, record

    @classmethod
    def create(cls, folder: Path, record: Record, dataset: Dataset, *, overwrite: bool = False) -> Run:
        """Make a run, or continue one with the same settings.

        Raises :class:`InputError` that names what differs when there is one with other settings; ``overwrite`` removes
        it. Raises :class:`~ipseg.core.store.OutputError` when the folder cannot be written.
        """
        plain = json.loads(to_json(record))
        store.check_writable(folder, "choose another --out")
        path = folder / "run.json"
        if path.exists():
            known = cls.open(folder).record
            changed = differences(known["settings"], plain["settings"])
            if not changed:
                store.remove_partials(folder, below=True)
                return cls(folder, known)
            if not overwrite:
                named = "; ".join(changed[:4]) + (f"; and {len(changed) - 4} more" if len(changed) > 4 else "")
                raise InputError(
                    f"{folder} is a run with other settings ({named}); choose another --out, or --overwrite."
                )
        elif any(folder.iterdir()) and not (folder / "masks").is_dir():
            raise InputError(f"{folder} is no folder of a run and is not empty; choose another --out.")
        if overwrite:
            shutil.rmtree(folder / "masks", ignore_errors=True)
        lines = "".join(f"{to_json(episode.record())}\n" for episode in dataset.episodes)
        for file, text in ((folder / "episodes.jsonl", lines), (path, to_json(plain, indent=2) + "\n")):
            with writing(file, "choose another --out"):
                atomic_write(file, text)
        return cls(folder, plain)

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Read a run. Raises :class:`InputError` when the folder holds none."""
        try:
            record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            record["settings"]["dataset"]["name"], record["title"], record["data"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} is no run; make one with ipseg predict --out {folder}.") from error
        return cls(folder, record)

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that decides the predictions, but the images."""
        return self.record["settings"]

    def dataset(self, data: Path | None = None) -> Dataset:
        """The dataset of the run; ``data`` where its folder has moved.

        Raises :class:`InputError` when its episodes are not those of the run.
        """
        asked = dict(self.settings["dataset"])
        name, chosen = asked.pop("name"), asked.pop("prompt_set", None)
        dataset = plugins.build("datasets", name, data=Path(data or self.record["data"]), **asked)
        if chosen is not None:
            dataset = prompt_sets.apply(dataset, chosen["name"], chosen["prompts"])
        if dataset.digest() != self.settings["episodes"]:
            raise InputError(
                f"The episodes of {data or self.record['data']} are not those of {self.folder}; give --data."
            )
        return dataset

    def load(self, number: int) -> Prediction | None:
        """The prediction of an episode, by its number; None when there is none or its file is damaged."""
        return self._store(number).get(f"{number:06}")

    def has(self, number: int) -> bool:
        """Whether there is a prediction for an episode."""
        return self.load(number) is not None

    def save(self, number: int, prediction: Prediction) -> None:
        """Save the prediction of an episode. Raises :class:`~ipseg.core.store.OutputError`."""
        self._store(number).put(f"{number:06}", prediction)

    def _store(self, number: int) -> ResultStore[Prediction]:
        folder = self.folder / "masks" / f"{number // FOLDER:03}"
        return ResultStore(folder, PREDICTION, max_bytes=None, optional=False)


def differences(one: Mapping[str, Any], other: Mapping[str, Any], place: str = "") -> list[str]:
    """What differs between two nested settings: ``"method.k: 32, now 16"``."""
    found = []
    for key in sorted({*one, *other}):
        before, after = one.get(key), other.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{place}{key}.")
        elif before != after:
            found.append(f"{place}{key}: {_short(before)}, now {_short(after)}")
    return found


def _short(value: Any) -> str:
    text = to_json(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def describe(
    engine: Engine,
    dataset: Dataset,
    data: Path,
    *,
    method: str,
    title: str,
    method_settings: Mapping[str, Any],
    given: bool,
    weights: Mapping[str, Any] | None = None,
) -> Record:
    """The record of a run: ``settings`` decide the predictions, the rest says where they come from.

    ``given``: whether the method sees the mask of the prompt. ``weights``: of the method, beside the engine's.
    """
    return {
        "title": title,
        "settings": {
            "method": {"name": method, **method_settings},
            "prompt_mask": "given" if given else "none",
            **of_engine(engine, weights),
            "dataset": {"name": dataset.name, **dataset.settings},
            "episodes": dataset.digest(),
        },
        "data": str(data.resolve()),
        "protocol": dataset.protocol.text,
        "versions": versions(),
        "commit": commit(),
    }


def of_engine(engine: Engine, weights: Mapping[str, Any] | None = None) -> Record:
    """All of an engine and of this program that decides a result, on whichever of several equal GPUs it runs.

    ``weights``: of the method, beside the engine's.
    """
    record = dict(engine.info.record)
    placement = dict(record.pop("placement", {}))
    placement["device"] = str(placement.get("device", "cpu")).partition(":")[0]  # whichever of several equal ones
    used = {**dict(record.pop("weights", {}) or {}), **(weights or {})}
    identities = {name: {key: each[key] for key in each if key != "path"} for name, each in used.items()}
    return {
        "engine": {"name": engine.info.name, **record, "placement": placement},
        "config": vars(engine.config),
        "scorer": repr(engine.scorer),
        "weights": identities,
        "code": code_version(),
    }


def versions() -> dict[str, str]:
    """Versions of this package, of Python, and of the packages that may decide a result."""
    found = {"ipseg": version.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def commit() -> str:
    """The commit of this package's source, with ``+`` where files differ from it; "" outside a git checkout."""
    git, place = shutil.which("git"), Path(version.__file__).parent
    if git is None:
        return ""
    asked = (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "--", "."])
    answers = [
        subprocess.run([git, "-C", str(place), *each], capture_output=True, text=True, check=False)  # noqa: S603
        for each in asked
    ]
    if any(answer.returncode for answer in answers):
        return ""
    return answers[0].stdout.strip() + ("+" if answers[1].stdout.strip() else "")


def check_limit(limit: int | None) -> None:
    """Raise :class:`SettingError` for a limit that is no count."""
    if limit is not None and limit < 1:
        raise SettingError(f"--limit is {limit}; give 1 or more.")
