"""Which preset this machine can run: looks at packages, weights and memory, and never downloads anything.

Loading without a name takes the best of them.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

from ipseg import weights
from ipseg.core.types import InputError, SettingError
from ipseg.engine import options, presets
from ipseg.engine.options import Options
from ipseg.engine.presets import PRESETS, Preset
from ipseg.method.pipeline import IPSeg

ORDER = ("paper", "light", "offline")
"""Best first. ``released`` is not among them: it repeats a script, and only who asks for it wants that."""

GPU_SIGNS = [path for path in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg") if os.path.exists(path)]
GPU_SIGNS += [name for name in ("SPACES_ZERO_GPU",) if os.environ.get(name)]
"""Devices of the drivers of CUDA and ROCm, or a Space's word that a GPU is lent for each call. Where there is none,
torch need not be loaded to find no GPU."""

PACKAGES = ("torch", "torchvision", "transformers", "diffusers", "segment_anything", "accelerate")


def load(name: str | None = None, *, placement: Any = None, **changes: Any) -> IPSeg:
    """Build the engine of a preset; without a name, of the best that this machine can run with the weights it has.

    ``changes`` are fields of :class:`ipseg.engine.options.Options`: ``load("paper", segmenter="sam/vit_b")``.
    ``placement`` is an :class:`ipseg.engine.placement.Placement`; without one, a GPU where there is one, else the CPU.
    Nothing is ever downloaded: ``python -m ipseg weights fetch PRESET`` does that. ``info.reason`` of the engine says
    why it was taken. Raises as :func:`ipseg.engine.presets.load` does, and SettingError for a change that is not known.
    """
    unknown = sorted(set(changes) - set(Options.__dataclass_fields__))
    if unknown:
        known = ", ".join(Options.__dataclass_fields__)
        raise SettingError(f"There is no {', '.join(unknown)} to choose; there are: {known}.")
    if name is None and not changes:
        return best(placement)
    preset = name or pick(placement)[0]
    return options.load(Options(preset, **changes), placement=placement)


def best(placement: Any = None) -> IPSeg:
    """The engine of the first preset of :data:`ORDER` that nothing stands in the way of; its ``reason`` says why."""
    passed_over: list[str] = []
    for name in ORDER[:-1]:
        stands = obstacle(name, placement)
        if not stands:
            try:
                chosen = placement or _placement(PRESETS[name])
                return presets.load(name, placement=chosen, reason=_reason(name, passed_over))
            except InputError as error:  # weights that are damaged, a GPU that is too small after all
                stands = str(error).rstrip(".")
        passed_over.append(f"{name}: {stands}.")
    return presets.load(ORDER[-1], reason=_reason(ORDER[-1], passed_over))


def pick(placement: Any = None) -> tuple[str, str]:
    """The first preset of :data:`ORDER` that nothing stands in the way of, and why it is that one. Builds nothing."""
    passed_over: list[str] = []
    for name in ORDER:
        stands = obstacle(name, placement)
        if not stands:
            return name, _reason(name, passed_over)
        passed_over.append(f"{name}: {stands}.")
    raise AssertionError("the last preset of the order needs nothing")


def lacks(preset: Preset, name: str = "") -> str:
    """What a preset needs that is not on this machine, without a full stop; "" when it can be built.

    ``name`` is what the command that fetches it shall say; without one, it names the weights.
    """
    if not preset.weights:
        return ""
    if absent := packages_missing():
        return f'{", ".join(absent)} missing; run pip install "ipseg[models]"'
    missing = [weights.get(one) for one in preset.weights if weights.find(one) is None]
    if not missing:
        return ""
    size = weights.readable_size(sum(one.bytes for one in missing))
    titles = ", ".join(one.title for one in missing)
    wanted = name or " ".join(one.name for one in missing)
    return f"weights of {titles} missing ({size}); run `python -m ipseg weights fetch {wanted}`"


def packages_missing() -> list[str]:
    """The packages of the paper's models that are not installed."""
    return [package for package in PACKAGES if importlib.util.find_spec(package) is None]


def could_run(better_than: str, placement: Any = None) -> str:
    """The best preset, of those better than a named one, that only lacks weights here; "" when there is none.

    Where the named one is not of :data:`ORDER`, none is better.
    """
    better = ORDER[: ORDER.index(better_than)] if better_than in ORDER else ()
    if packages_missing():
        return ""
    fit = (name for name in better if lacks(PRESETS[name]) and not too_much(PRESETS[name], placement))
    return next(fit, "")


def obstacle(name: str, placement: Any = None) -> str:
    """What stands in the way of taking a preset unasked, without a full stop; "" when nothing does."""
    preset = PRESETS[name]
    if lacking := lacks(preset, name):
        return lacking
    return too_much(preset, placement) if preset.weights else ""


def too_much(preset: Preset, placement: Any = None) -> str:
    """What this machine is too small for, without a full stop; "" when a preset is quick enough to be taken unasked."""
    if 0 < memory() < preset.memory:
        return f"needs about {preset.memory:g} GB of memory, here are {memory():.0f}"
    if preset.gpu and gpu_memory(placement) < preset.gpu:
        return f"slow without a GPU of {preset.gpu:g} GB; load it by its name to have it anyway"
    return ""


def memory() -> float:
    """GB of this computer's memory; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return 0.0


def gpu_memory(placement: Any = None) -> float:
    """GB of the memory of the GPU that a placement uses; 0 on the CPU."""
    if not GPU_SIGNS and sys.platform != "darwin":
        return 0.0
    import torch

    device = (placement or _automatic()).device
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory / 1e9
    return memory() if device.type == "mps" else 0.0  # Apple's GPUs share the computer's


def _automatic() -> Any:
    from ipseg.engine.placement import Placement

    return Placement()


def _placement(preset: Preset) -> Any:
    from ipseg.engine.placement import Placement

    small = preset.gpu and gpu_memory() < preset.resident
    return Placement("sequential" if small else "auto")


def _reason(name: str, passed_over: list[str]) -> str:
    return " ".join([f'"{name}" is the best that this machine can run with what it has.', *passed_over])
