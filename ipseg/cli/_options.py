"""Options that several commands share: of the prompt, of masks with several values, and the numbers of points."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """``--mask-value``. ``what``: the masks that it is about."""
    parser.add_argument(
        "--mask-value",
        metavar="N",
        type=value,
        help=f"which value of {what} is the object, where there are several: a number, or 0xRRGGBB of a colour",
    )


def add_prompt(parser: argparse.ArgumentParser) -> None:
    """``--prompt-mask``, ``--mask-value`` and ``--also``: what belongs to PROMPT."""
    add_prompt_mask(parser)
    add_arguments(parser, "M")
    parser.add_argument(
        "--also", metavar="IMAGE", type=Path, action="append", default=[], help="another prompt image or saved prompt"
    )


def add_prompt_mask(parser: argparse.ArgumentParser) -> None:
    """``--prompt-mask``."""
    parser.add_argument("--prompt-mask", metavar="M", type=Path, help="where the object is in PROMPT (white on black)")


def add_numbers(parser: argparse.ArgumentParser) -> None:
    """``--k`` and ``--clusters``."""
    parser.add_argument("--k", type=int, help="most and least similar cells to gather (1 to 256; default: 32)")
    parser.add_argument("--clusters", type=int, help="points of each kind (1 to 32, at most K; default: 4)")


def value(text: str) -> int:
    """ "8" or "0x800000" as a number; argparse reports what is neither."""
    try:
        number = int(text, 0) if text.lower().startswith("0x") else int(text)
        if number < 0:
            raise ValueError(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no value of a mask; give 8, or 0x800000 of a colour') from None
    return number
