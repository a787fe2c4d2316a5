"""Groups of arrays in one flat mapping, to be cached on disk and sent between processes, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ipseg.core.store import Arrays


def packed(groups: Mapping[str, Arrays]) -> Arrays:
    """{group: {part: array}} as {group/part: array}; the name of a part has no slash."""
    return {f"{group}/{part}": array for group, arrays in groups.items() for part, array in arrays.items()}


def unpacked(arrays: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
    """The inverse of :func:`packed`, in the same order."""
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        group, _, part = name.rpartition("/")
        groups.setdefault(group, {})[part] = array
    return groups
