"""The arguments of every command that needs an engine, and the engine that they describe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipseg import weights
from ipseg.engine.build import load
from ipseg.engine.placement import COMPILER, DTYPES, MODES, Placement
from ipseg.engine.presets import DEFAULT, FALLBACK
from ipseg.engine.spec import FIELDS, PRESET_CHOICES, choices
from ipseg.method.pipeline import IPSeg
from ipseg.method.refinement import REFINEMENTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The preset, what differs from it, and where its models run."""
    group = parser.add_argument_group("engine", "`python -m ipseg weights` lists the weights and what is present")
    group.add_argument(
        "--preset",
        choices=PRESET_CHOICES,
        help=f"which engine answers (default: {DEFAULT}, and {FALLBACK} where its weights are absent); best: the best "
        "that this machine can run with the weights it has",
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
    add_options(group)
    group.add_argument("--weights-dir", metavar="DIR", type=Path, help="a folder of weights brought by hand")


def add_options(group: argparse._ActionsContainer) -> None:
    """The options of a placement that are not measured on a GPU."""
    group.add_argument(
        "--streams", action="store_true", help="on a GPU with CUDA, run the encoders of an image at once"
    )
    group.add_argument(
        "--compile",
        dest="compiler",
        action="store_const",
        const=COMPILER,
        default="",
        help="the models' heavy parts through torch.compile: a slow start, then faster or not (see bench)",
    )


def options_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What :class:`Placement` takes of the arguments, beside its mode."""
    return {name: getattr(arguments, name) for name in ("dtype", "streams", "compiler")}


@contextmanager
def built(arguments: argparse.Namespace) -> Iterator[IPSeg]:
    """The engine of the arguments, and within the block the folder of weights it came from.

    Raises InputError when it cannot be built here.
    """
    placement = Placement(arguments.placement, **options_of(arguments), notify=_notice)
    changes = {name: getattr(arguments, name) for name in FIELDS if name != "preset"}
    with weights.using(arguments.weights_dir):
        engine = load(arguments.preset, placement=placement, **changes)
        if engine.info.reason:
            _notice(engine.info.reason)
        yield engine


def _listed(kind: str, more: str = "") -> str:
    known = ", ".join(choices(kind))
    return f"instead of the preset's: {known}{'; ' + more if more else ''}"


def _notice(message: str) -> None:
    print(f"ipseg: {message}", file=sys.stderr)
