"""The options of every command that needs an engine, and the engine that they describe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipseg import weights
from ipseg.engine import choice, options
from ipseg.engine.options import Options
from ipseg.engine.placement import DTYPES, MODES, Placement
from ipseg.engine.presets import PRESETS
from ipseg.method.pipeline import IPSeg
from ipseg.method.refinement import REFINEMENTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which engine answers, what of it shall be otherwise, and where its models run."""
    group = parser.add_argument_group("engine", "`python -m ipseg weights` lists the weights and what is present")
    group.add_argument(
        "--preset",
        choices=[*PRESETS, "best"],
        default="offline",
        help="which engine answers; best: the best that this machine can run with the weights it has",
    )
    group.add_argument("--features", metavar="F", default="", help=_listed("features", "or several, joined by +"))
    group.add_argument(
        "--sd-weight", metavar="W", type=float, help="weight of Stable Diffusion beside 1 (released: 0.1)"
    )
    group.add_argument(
        "--timestep", metavar="T", type=int, help="of Stable Diffusion, 0 to 999 (paper 50, released 100)"
    )
    group.add_argument("--saliency", metavar="S", default="", help=_listed("saliency"))
    group.add_argument("--segmenter", metavar="M", default="", help=_listed("segmenters"))
    group.add_argument("--refinement", choices=list(REFINEMENTS), default="", help="how points become a mask")
    group.add_argument("--placement", choices=MODES, default="auto", help="where models run")
    group.add_argument("--dtype", choices=DTYPES, default="auto", help="of the models' heavy parts")
    group.add_argument("--weights-dir", metavar="DIR", type=Path, help="a folder of weights brought by hand")


@contextmanager
def built(arguments: argparse.Namespace) -> Iterator[IPSeg]:
    """The engine, and within the block the folder of weights it came from."""
    with weights.using(arguments.weights_dir):
        yield make(arguments)


def make(arguments: argparse.Namespace) -> IPSeg:
    """A new engine of what was chosen. Raises InputError when it cannot be built here."""
    placement: Any = Placement(arguments.placement, dtype=arguments.dtype, notify=_notice)
    chosen, reason = chosen_options(arguments, placement)
    if reason:
        _notice(reason)
    return options.load(chosen, placement=placement if options.resolve(chosen).weights else None)


def chosen_options(arguments: argparse.Namespace, placement: Any = None) -> tuple[Options, str]:
    """What was chosen, with "best" resolved, and why it is the best."""
    preset, reason = choice.pick(placement) if arguments.preset == "best" else (arguments.preset, "")
    names = ("features", "sd_weight", "timestep", "saliency", "segmenter", "refinement")
    return Options(preset, **{name: getattr(arguments, name) for name in names}), reason


def _listed(kind: str, more: str = "") -> str:
    known = ", ".join(options.choices(kind))
    return f"instead of the preset's own: {known}{'; ' + more if more else ''}"


def _notice(sentence: str) -> None:
    print(f"ipseg: {sentence}", file=sys.stderr)
