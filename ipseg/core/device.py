"""The CPU as a :class:`ipseg.core.types.Device`, for parts that are built on their own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any


class CPU:
    """Models stay where they are, in float32, and nothing is shared."""

    overlaps = False

    @property
    def device(self) -> Any:
        """``torch.device("cpu")``."""
        import torch

        return torch.device("cpu")

    @property
    def dtype(self) -> Any:
        """``torch.float32``."""
        import torch

        return torch.float32

    def place(self, model: Any, *parts: Any, dtype: Any = None) -> Any:
        """The torch module in float32, or its ``parts`` in ``dtype``; in evaluation mode."""
        for part in parts or (model,):
            part.to(dtype=dtype or self.dtype)
        return model.eval()

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """``make()``."""
        return make()

    def run(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """``function(*arguments, **settings)``."""
        return function(*arguments, **settings)

    def run_alone(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """``function(*arguments, **settings)``."""
        return function(*arguments, **settings)

    def at_once(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results of the calls, one after another."""
        return [call() for call in calls]

    def guard(self, kind: str, part: Any) -> Any:
        """The part itself."""
        return part

    def describe(self) -> dict[str, str]:
        """For the record of a run."""
        return {"mode": "cpu", "device": "cpu", "dtype": "float32"}
