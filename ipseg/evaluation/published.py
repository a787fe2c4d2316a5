"""The paper's own figures of Tables 1 to 8, and anchors of 2026: data of ``published.json``, none of it measured here.

All are mIoU in per cent, but J and F of Table 8.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

MASK = "an image and its mask"  # what a method is shown, as the tables have it
TABLES = ("1", "2", "3", "4", "5", "6", "7", "8")


@dataclass(frozen=True)
class Line:
    """One row of a published table."""

    label: str  # a method, or a setting of IPSeg
    source: str  # where it was published
    prompt: str  # what the method is shown; "" where the table has only one kind
    figures: tuple[float | None, ...]  # one for each column
    plugin: str = ""  # the method of this package that runs it
    takes: str = ""  # what is needed to run it


@cache
def _data() -> dict[str, Any]:
    return json.loads(resources.files("ipseg.evaluation").joinpath("published.json").read_text("utf-8"))


def caveat() -> str:
    """Whose figures they are, in a message."""
    return _data()["caveat"]


def table(number: str) -> tuple[str, tuple[str, ...], list[Line]]:
    """Title, columns and rows of one of :data:`TABLES`. Raises KeyError for another one."""
    found = _data()
    if number in found["ablations"]:
        entry = found["ablations"][number]
        title, paper = entry["title"], "the paper"
        rows = [Line(row["method"], paper, "", tuple(row["figures"]), _plugin(row["method"])) for row in entry["rows"]]
        return title, tuple(entry["columns"]), rows
    (title,) = (each for each in found["tables"] if each.startswith(f"Table {number},")) if number in TABLES else ("",)
    entry = found["tables"][title]
    rows = [
        Line(row["method"], row["published"], row["prompt"], tuple(row["figures"]), row["plugin"], row["takes"])
        for row in entry["rows"]
    ]
    return title, tuple(entry["columns"]), rows


def anchors(columns: tuple[str, ...]) -> list[Line]:
    """The anchors of 2026 that have a figure for one of these columns."""
    entry = _data()["anchors"]
    known = entry["columns"]
    lines = []
    for row in entry["rows"]:
        figures = tuple(row["figures"][known.index(column)] if column in known else None for column in columns)
        if any(figure is not None for figure in figures):
            lines.append(Line(row["method"], row["source"], row["prompt"], figures))
    return lines


def sees_mask(plugin: str) -> bool:
    """Whether the tables give a method the mask of its prompt."""
    return any(line.plugin == plugin and line.prompt == MASK for line in table("1")[2])


def weights_of(plugin: str) -> list[str]:
    """The names of the weights that a method takes as published, in :mod:`ipseg.weights`."""
    lines = [line for number in ("1", "2") for line in table(number)[2] if line.plugin == plugin]
    return list(dict.fromkeys(name for line in lines for name in re.findall("`(.*?)`", line.takes)))


def _plugin(method: str) -> str:
    return {"PerSAM": "persam", "IPSeg": "ipseg"}.get(method, "")
