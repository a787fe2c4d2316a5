"""The option that chooses an object in masks with several values."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """``--mask-value``. ``what``: the masks that it is about."""
    parser.add_argument(
        "--mask-value",
        metavar="N",
        type=value,
        help=f"which value of {what} is the object, where there are several: a number, or 0xRRGGBB of a colour",
    )


def value(text: str) -> int:
    """ "8" or "0x800000" as a number; argparse reports what is neither."""
    try:
        number = int(text, 0) if text.lower().startswith("0x") else int(text)
        if number < 0:
            raise ValueError(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no value of a mask; give 8, or 0x800000 of a colour') from None
    return number
