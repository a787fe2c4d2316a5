"""Which part of the work belongs to this process: shards of a job array, and processes of ``accelerate launch``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ipseg.core.types import SettingError

T = TypeVar("T")
RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")  # those that accelerate reads
SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


@dataclass(frozen=True)
class Share:
    """Every ``of``-th item from ``number`` on, counted from 0."""

    number: int = 0
    of: int = 1

    def select(self, items: Sequence[T]) -> list[T]:
        """The items of this share, in order."""
        return list(items[self.number :: self.of])

    @property
    def label(self) -> str:
        """``"0-of-2"``."""
        return f"{self.number}-of-{self.of}"


def parse(text: str) -> Share:
    """``"i/n"``, i from 0. Raises :class:`SettingError` for anything else."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise SettingError(f'--shard is "{text}"; give i/n with i from 0 to n - 1, such as 0/4.')
    return Share(int(number), int(of))


def launched(shard: Share, environment: Mapping[str, str] = os.environ) -> Share:
    """The part of a shard that falls to this process of ``accelerate launch``, ``torchrun`` or MPI; else the shard.

    The launcher says so with a rank and a number of processes in the environment.
    """
    rank, world = _number(environment, RANKS, 0), _number(environment, SIZES, 1)
    if not 0 <= rank < world:
        return shard
    return Share(shard.number + shard.of * rank, shard.of * world)


def choose_device(environment: Mapping[str, str] = os.environ) -> None:
    """Make the GPU of this process torch's current one, where a launcher started several processes on a machine."""
    local = _number(environment, ("LOCAL_RANK",), -1)
    if _number(environment, SIZES, 1) < 2 or local < 0:
        return
    try:
        import torch
    except ImportError:
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(local % torch.cuda.device_count())


def _number(environment: Mapping[str, str], names: Sequence[str], default: int) -> int:
    """The first of these variables that is a whole number."""
    found = (environment[name] for name in names if environment.get(name, "").isdecimal())
    return int(next(found, default))
