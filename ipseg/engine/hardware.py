"""What this machine can run: packages, weights, memory and GPU. Nothing is built or downloaded here."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from types import MappingProxyType

from ipseg import weights
from ipseg.core.types import Device, SettingError
from ipseg.engine.placement import Placement
from ipseg.engine.presets import BEST_ORDER, DEFAULT, FALLBACK, PRESETS, Preset

GPU_SIGNS = [path for path in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg") if os.path.exists(path)]
GPU_SIGNS += [name for name in ("SPACES_ZERO_GPU",) if os.environ.get(name)]
"""Devices of the drivers of CUDA and ROCm, or the variable of a Space whose GPU is lent for each call. Where there is
none, torch need not be imported to find no GPU."""


def default() -> tuple[str, str]:
    """The preset where none is named, and why where it is not :data:`~ipseg.engine.presets.DEFAULT`.

    That one needs weights; where they are absent, :data:`~ipseg.engine.presets.FALLBACK` is taken, and the reason says
    which command fetches them. Nothing is downloaded.
    """
    lacking = lacks(PRESETS[DEFAULT], DEFAULT)
    return (FALLBACK, f'"{FALLBACK}" answers instead of "{DEFAULT}": {lacking}.') if lacking else (DEFAULT, "")


def best(placement: Device | None = None, failed: Mapping[str, str] = MappingProxyType({})) -> tuple[str, str]:
    """The first preset of :data:`~ipseg.engine.presets.BEST_ORDER` that can run here, and why it is that one.

    ``failed`` are presets that could not be built after all, each with its error message: they are passed over.
    Raises SettingError when none can run.
    """
    passed_over: list[str] = []
    for name in BEST_ORDER:
        reason = failed.get(name, "").rstrip(".") or obstacle(name, placement)
        if not reason:
            return name, " ".join([f'"{name}" is the best that this machine can run with what it has.', *passed_over])
        passed_over.append(f"{name}: {reason}.")
    raise SettingError(f"No preset can run here; choose one by its name. {' '.join(passed_over)}")


def obstacle(name: str, placement: Device | None = None) -> str:
    """Why a preset is not taken unasked, without a full stop; "" when it can run."""
    preset = PRESETS[name]
    return lacks(preset, name) or too_large(preset, placement)


def lacks(preset: Preset, name: str = "") -> str:
    """The packages and weights that a preset needs and that are missing here, without a full stop; "" when none are.

    ``name`` is the preset that the command in the text fetches; without one, the command names the weights.
    """
    if absent := packages_missing(preset):
        extras = ",".join(dict.fromkeys(weights.get(one).extra for one in preset.weights))
        return f'{", ".join(absent)} missing; run pip install "ipseg[{extras}]"'
    missing = weights_missing(preset)
    if not missing:
        return ""
    size = weights.readable_size(sum(one.bytes for one in missing))
    titles = ", ".join(one.title for one in missing)
    wanted = name or " ".join(one.name for one in missing)
    return f"weights of {titles} missing ({size}); run `python -m ipseg weights fetch {wanted}`"


def packages_missing(preset: Preset) -> list[str]:
    """The packages that the models of a preset need and that are not installed."""
    needed = dict.fromkeys(package for one in preset.weights for package in weights.get(one).packages)
    return [package for package in needed if not installed(package)]


def installed(package: str) -> bool:
    """Whether a package can be imported, by that name."""
    return importlib.util.find_spec(package) is not None


def weights_missing(preset: Preset) -> list[weights.Weight]:
    """The weights that a preset needs and that are not here."""
    return [weights.get(one) for one in preset.weights if weights.find(one) is None]


def could_run(better_than: str, placement: Device | None = None) -> str:
    """The best preset, of those better than a named one, that lacks nothing but weights; "" when there is none.

    The default one comes before all others: its weights are small. Where the named one is not of
    :data:`~ipseg.engine.presets.BEST_ORDER`, none is better.
    """
    better = BEST_ORDER[: BEST_ORDER.index(better_than)] if better_than in BEST_ORDER else ()
    order = sorted(better, key=lambda name: name != DEFAULT)  # stable: the others stay in their order
    fit = (name for name in order if not packages_missing(PRESETS[name]) and weights_missing(PRESETS[name]))
    return next((name for name in fit if not too_large(PRESETS[name], placement)), "")


def too_large(preset: Preset, placement: Device | None = None) -> str:
    """Why a preset is too slow or too large to be taken unasked, without a full stop; "" when it is not."""
    if 0 < memory() < preset.memory:
        return f"needs about {preset.memory:g} GB of memory, here are {memory():.0f}"
    if preset.gpu and gpu_memory(placement) < preset.gpu:
        return f"slow without a GPU of {preset.gpu:g} GB; load it by its name to have it anyway"
    return ""


def fitting(preset: Preset) -> Placement:
    """The placement for a preset where none is given: its models take turns on a GPU that cannot hold all of them."""
    small = preset.gpu and 0 < gpu_memory() < preset.resident
    return Placement("sequential" if small else "auto")


def memory() -> float:
    """GB of main memory; 0 where the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return 0.0


def gpu_memory(placement: Device | None = None) -> float:
    """GB of memory of the GPU that a placement uses, by default the automatic one; 0 on the CPU or without torch."""
    if (not GPU_SIGNS and sys.platform != "darwin") or not installed("torch"):
        return 0.0
    import torch

    device = (placement or Placement()).device
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory / 1e9
    return memory() if device.type == "mps" else 0.0  # Apple's GPUs share main memory
