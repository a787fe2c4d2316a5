"""Datasets as episodes, one file per dataset, found by file name.

A dataset is a module whose docstring states its layout, with ``TITLE`` (its name in a table), ``SOURCE`` (where its
files are), ``LICENCE``, a frozen dataclass ``Settings`` whose first field is ``data``, the folder, and
``build(settings)``, which returns a :class:`~ipseg.datasets.Dataset`. ``build`` checks the folder and raises
:class:`~ipseg.core.types.InputError` that names what is missing and where it is to be had.
"""

from ipseg.datasets._episodes import (
    Annotated,
    Dataset,
    Episode,
    EvaluationProtocol,
    MaskFile,
    Truth,
    missing,
    spread,
)
from ipseg.datasets._prompts import RULE as PROMPT_RULE
from ipseg.datasets._prompts import draw as draw_prompts

__all__ = [
    "PROMPT_RULE",
    "Annotated",
    "Dataset",
    "Episode",
    "EvaluationProtocol",
    "MaskFile",
    "Truth",
    "draw_prompts",
    "missing",
    "spread",
]
