"""List the models' weights and download them.

Without arguments, a table of all of them: size, licence, and path. `weights fetch light` downloads what a preset needs,
`weights fetch dinov2_base` one model; files that exist are checked, and interrupted downloads continue. Of each file
without a published sha256, that of its first use is recorded and a later change is refused; `weights forget
dinov2_base` deletes what was recorded, so that the next use counts as the first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ipseg import weights
from ipseg.core.types import SettingError

UNIT = {"unit": "B", "unit_scale": True, "unit_divisor": 1000}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("action", nargs="?", choices=("list", "fetch", "forget"), default="list", help="what to do")
    parser.add_argument("names", nargs="*", metavar="PRESET|NAME", help="presets, or names of the table")
    parser.add_argument(
        "--weights-dir", type=Path, metavar="DIR", help="a folder of weights, searched before the Hugging Face cache"
    )
    parser.add_argument(
        "--revision", metavar="COMMIT", help="take this revision of the Hub repository, not the table's"
    )


def run(arguments: argparse.Namespace) -> int:
    """0 when all went well, 1 with a message for each that could not be fetched."""
    if arguments.action != "list" and not arguments.names:
        raise SettingError(
            f"Say what to {arguments.action}: {', '.join(_presets())}, or a name that `python -m ipseg weights` lists."
        )
    names = _expanded(arguments.names) if arguments.names else list(weights.WEIGHTS)
    if arguments.action == "forget":
        return _forget(names)
    revisions = dict.fromkeys(names, arguments.revision) if arguments.revision else {}
    with weights.using(arguments.weights_dir, revisions):
        return _fetch(names) if arguments.action == "fetch" else _list(names)


def _list(names: Sequence[str]) -> int:
    rows = [("name", "size", "licence", "where")]
    for name in names:
        weight, path = weights.get(name), weights.find(name)
        rows.append((name, weights.readable_size(weight.bytes), weight.licence, str(path or "-")))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))
    print()
    for name, needed in _presets().items():
        absent = [one for one in needed if weights.find(one) is None]
        print(f"{name}: {', '.join(needed)}; {'absent: ' + ', '.join(absent) if absent else 'all here'}")
    return 0


def _fetch(names: Sequence[str]) -> int:
    failed = 0
    for name in names:
        weight = weights.get(name)
        print(f"{weight.title}: {weights.readable_size(weight.bytes)}, {weight.licence}")
        bar = _Bar()
        try:
            path = weights.fetch(name, progress=bar)
        except weights.WeightError as error:
            bar.close()
            print(f"ipseg: {error}", file=sys.stderr)
            failed = 1
        else:
            bar.close()
            print(f"  {path}")
    return failed


def _forget(names: Sequence[str]) -> int:
    for name in names:
        count = weights.forget(name)
        print(f"{name}: {count} recorded {'entry' if count == 1 else 'entries'} deleted")
    return 0


class _Bar:
    """One bar on the terminal for each file, as downloads report them."""

    def __init__(self) -> None:
        self._file, self._bar = "", None

    def __call__(self, file: str, done: int, total: int) -> None:
        if file != self._file:
            from tqdm import tqdm

            self.close()
            self._file, self._bar = file, tqdm(desc=f"  {file}", total=total or None, **UNIT)
        if self._bar is not None:
            self._bar.total = total or self._bar.total
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Close the bar, leaving its last state on the terminal."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _presets() -> dict[str, tuple[str, ...]]:
    from ipseg.engine.presets import PRESETS

    return {name: preset.weights for name, preset in PRESETS.items() if preset.weights}


def _expanded(names: Sequence[str]) -> list[str]:
    """Presets replaced by what they need, each name once."""
    presets = _presets()
    unknown = [name for name in names if name not in presets and name not in weights.WEIGHTS]
    if unknown:
        known = f"the presets {', '.join(presets)}, and {', '.join(weights.WEIGHTS)}"
        raise SettingError(f"There are no weights for {', '.join(unknown)}; there are {known}.")
    return list(dict.fromkeys(one for name in names for one in presets.get(name, (name,))))
