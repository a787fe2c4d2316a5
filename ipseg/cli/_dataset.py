"""The arguments that choose a dataset, and the dataset that they describe."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ipseg.core import plugins
from ipseg.core.types import SettingError
from ipseg.datasets import Dataset
from ipseg.evaluation import pair_lists, prompt_sets


def add_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """``--dataset``, ``--data``, ``--fold``, ``--seed``, ``--pairs`` and ``--set``."""
    group = parser.add_argument_group("dataset", "`python -m ipseg datasets` lists them with their layouts")
    group.add_argument("--dataset", metavar="NAME", required=required, choices=plugins.names("datasets"), help=_known())
    group.add_argument("--data", metavar="DIR", type=Path, required=required, help="the folder of its files")
    group.add_argument("--fold", metavar="N", type=int, help="one fold of a dataset that has several, from 0")
    group.add_argument("--seed", metavar="N", type=int, help="of the pairs or prompts that are drawn")
    group.add_argument(
        "--pairs", metavar="FILE", type=Path, help="a list of `ipseg pairs` that the episodes must be equal to"
    )
    group.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="another setting of the dataset; repeatable"
    )


def build(arguments: argparse.Namespace) -> Dataset:
    """Raises :class:`SettingError` for a setting that the dataset has not, InputError for a folder that is not it."""
    settings: dict[str, Any] = pairs(arguments.set, "--set")
    settings |= {name: getattr(arguments, name) for name in ("fold", "seed") if getattr(arguments, name) is not None}
    dataset = plugins.build("datasets", arguments.dataset, data=arguments.data, **settings)
    if arguments.pairs is not None:
        pair_lists.check(dataset, pair_lists.read(arguments.pairs), arguments.pairs.name)
    pair_lists.check_shipped(dataset)
    return dataset


def add_prompt_set(parser: argparse.ArgumentParser) -> None:
    """``--prompt-set``."""
    parser.add_argument(
        "--prompt-set",
        metavar="FILE[:NAME]",
        default="",
        help="one prompt per class from a manifest of `ipseg prompts`, in place of the dataset's",
    )


def with_prompt_set(dataset: Dataset, text: str) -> Dataset:
    """The dataset with the prompts that ``FILE[:NAME]`` names; itself for ""."""
    if not text:
        return dataset
    path, name = (text, "") if Path(text).is_file() else (text.rpartition(":")[0], text.rpartition(":")[2])
    chosen, prompts = prompt_sets.read(Path(path or text), name)
    return prompt_sets.apply(dataset, chosen, prompts)


def pairs(given: Iterable[str], option: str) -> dict[str, Any]:
    """``["a=1", "b=text"]`` as a mapping; a value that is a Python literal is that, else a text."""
    found: dict[str, Any] = {}
    for text in given:
        key, equal, value = text.partition("=")
        if not equal or not key.isidentifier():
            raise SettingError(f'{option} is "{text}"; give KEY=VALUE.')
        try:
            found[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[key] = value
    return found


def settings_of(kind: str, name: str) -> list[str]:
    """The names of the settings of a plug-in."""
    return [field.name for field in fields(plugins.module(kind, name).Settings)]


def _known() -> str:
    return ", ".join(plugins.names("datasets"))
