"""Grids of settings: those of Tables 3 to 7 of the paper, and any product of changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ipseg.core.types import SettingError
from ipseg.engine.spec import FIELDS

GRIDS = ("3", "4", "5", "6", "7")
NUMBERS = ("k", "clusters")  # of the method; every other change is a field of EngineSpec, or an extension
EXTENSION = "extension"  # NAME as `ipseg predict --extension` takes it; "none": none


@dataclass(frozen=True)
class Setting:
    """One setting of a grid: what differs from the preset."""

    name: str  # of its folder
    changes: Mapping[str, Any] = field(default_factory=dict)  # fields of EngineSpec, and "extension"
    k: int | None = None
    clusters: int | None = None
    prompt_mask: str = "none"
    prompt_set: str = ""  # of the manifest


def of_table(table: str, sets: Sequence[str] = ()) -> list[Setting]:
    """The settings of one of :data:`GRIDS`, in the paper's order; ``sets`` are names of prompt sets, for Table 5.

    Table 6 keeps the preset's saliency method in its middle row, whatever it is. Raises :class:`SettingError` for
    Table 5 without sets, KeyError for another table.
    """
    if table == "5":
        if not sets:
            raise SettingError("Table 5 compares prompt sets; give their manifest with --prompt-sets.")
        return [Setting(f"set-{name}", prompt_set=name) for name in sets]
    numbers = ((32, 32), (32, 16), (32, 8), (32, 4), (32, 2), (4, 4), (8, 4), (16, 4), (64, 4))
    sources = {"sd": "stable_diffusion", "dinov2": "dinov2", "dinov2-sd": "dinov2+stable_diffusion"}
    return {
        "3": [Setting(name, {"features": features}) for name, features in sources.items()],
        "4": [Setting(f"k{k}-c{clusters}", k=k, clusters=clusters) for k, clusters in numbers],
        "6": [Setting("no-filter", {"saliency": "none"}), Setting("filter"), Setting("given", prompt_mask="given")],
        "7": [Setting(name, {"features": f"{name}+stable_diffusion"}) for name in ("mae", "clip", "dinov2")],
    }[table]


def of_product(varied: Mapping[str, Sequence[Any]]) -> list[Setting]:
    """Every combination of the values: of ``k``, ``clusters`` and fields of EngineSpec.

    Raises :class:`SettingError` for a name that is none of them.
    """
    known = (*NUMBERS, EXTENSION, *(name for name in FIELDS if name != "preset"))
    unknown = sorted(set(varied) - set(known))
    if unknown or not varied:
        raise SettingError(f"There is no {', '.join(unknown) or 'setting'} to vary; there are: {', '.join(known)}.")
    settings = []
    for values in product(*varied.values()):
        chosen = dict(zip(varied, values, strict=True))
        name = "_".join(f"{key}-{str(value).replace('/', '-')}" for key, value in chosen.items())
        if chosen.get(EXTENSION) == "none":
            del chosen[EXTENSION]
        numbers = {key: chosen.pop(key) for key in NUMBERS if key in chosen}
        settings.append(Setting(name, chosen, **numbers))
    return settings
