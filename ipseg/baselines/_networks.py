"""The network of a baseline: located when the baseline is built, read on first use, shared through the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipseg import weights
from ipseg.core import packages
from ipseg.method.pipeline import IPSeg


def lazily(engine: IPSeg, name: str, read: Callable[[], Any], *settings: Any) -> Callable[[], Any]:
    """``read()`` on first use, cached by the engine under ``settings`` and ``name``, which is that of its weights.

    They are looked for at once, and later in the same place. Raises :class:`~ipseg.weights.WeightError` with what it
    takes when they are not here, :class:`~ipseg.core.types.SettingError` when the packages of the models are not.
    """
    packages.need(weights.get(name).title, "torch", "transformers")
    folder = weights.locate(name).parent

    def build() -> Any:
        with weights.using(folder):
            return read()

    return lambda: engine.encodings.cache.get((name, "network", *settings), build)


def placed(engine: IPSeg, network: Any) -> Any:
    """A torch module where the engine's models run, in float32, as these networks are published."""
    import torch

    if engine.info.placement is not None:
        engine.info.placement.place(network, dtype=torch.float32)
    return network.eval()


def run(engine: IPSeg, function: Callable[..., Any], *arguments: Any) -> Any:
    """A function of networks, one call at a time; without gradients."""
    import torch

    with torch.inference_mode():
        if engine.info.placement is None:
            return function(*arguments)
        return engine.info.placement.run_alone(function, *arguments)


def device(engine: IPSeg) -> Any:
    """Where the inputs go."""
    return "cpu" if engine.info.placement is None else engine.info.placement.device
