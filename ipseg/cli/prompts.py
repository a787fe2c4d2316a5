"""Draw prompt sets for a dataset: one prompt image per class, by a stated rule and a seed; `--prompt-set` takes them.

The rule is in the manifest that this writes: a prompt shows one single, complete and clear object of its class.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipseg.cli import _dataset, _files
from ipseg.core.serialize import to_json
from ipseg.core.types import SettingError
from ipseg.evaluation import predicting, prompt_sets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg prompts``."""
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the manifest, JSON")
    parser.add_argument("--sets", metavar="N", type=int, default=3, help="how many sets")
    parser.add_argument("--draw-seed", metavar="N", type=int, default=0, help="of the prompts")
    _dataset.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Draw and write."""
    if arguments.sets < 1:
        raise SettingError(f"--sets is {arguments.sets}; give 1 or more.")
    dataset = _dataset.build(arguments)
    predicting.check_files(dataset.episodes)
    manifest = prompt_sets.make(dataset, arguments.draw_seed, arguments.sets)
    _files.make_folder(arguments.out.parent)
    _files.write(arguments.out, to_json(manifest, indent=1) + "\n", "choose another --out")
    classes = len(manifest["sets"]["1"])
    print(f"{arguments.sets} sets of prompts for {classes} classes are in {arguments.out}.")
    return 0
