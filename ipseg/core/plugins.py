"""Plug-ins are found by their file name: one new file is one new part, and no list has to be extended.

A plug-in module holds a frozen dataclass ``Settings`` with a comment on each default, and ``build(settings)`` which
returns the part. A plug-in with a network of torch has ``build(settings, placement)`` instead: it gives every module
to ``placement.place`` and its inputs to ``placement.device``.
Files whose names begin with an underscore are helpers, not plug-ins.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ipseg.core.choices import check_choice
from ipseg.core.device import CPU
from ipseg.core.types import Device, SettingError

KINDS = (
    "features",
    "saliency",
    "segmenters",
    "scorers",
    "extensions",
    "baselines",
    "datasets",
    "formats",
    "readers",
    "cli",
    "tabs",
)
PACKAGES = {
    "scorers": "ipseg.method.scorers",
    "extensions": "ipseg.method.extensions",
    "formats": "ipseg.annotations.formats",
    "readers": "ipseg.annotations.readers",
    "tabs": "ipseg.ui.tabs",
}
"""Where a kind lies when not in the package of its own name."""


def names(kind: str) -> list[str]:
    """The plug-ins of one kind (``"features"``, ``"saliency"``, ...), sorted, without importing them."""
    package = importlib.import_module(_package(kind))
    return sorted(found.name for found in pkgutil.iter_modules(package.__path__) if not found.name.startswith("_"))


def module(kind: str, name: str) -> ModuleType:
    """The module of one plug-in. Raises :class:`SettingError` that lists what there is when the name is not known."""
    return importlib.import_module(_path(kind, name))


def docstring(kind: str, name: str) -> str:
    """The docstring of the module of one plug-in, read from its source: the module is not imported.

    Raises :class:`SettingError` when the name is not known.
    """
    return _docstring(*_file(kind, name))


def declares(kind: str, name: str, capability: str) -> bool:
    """Whether a class of a plug-in's file has the attribute ``capability = True``, such as ``accepts_prior``.

    The file is read, not imported, so the packages that it needs may be missing.
    """
    return capability in _declared(*_file(kind, name))


def declaring(kind: str, capability: str) -> list[str]:
    """The plug-ins of one kind that declare a capability, sorted; see :func:`declares`."""
    return [name for name in names(kind) if declares(kind, name, capability)]


def wants_placement(kind: str, name: str) -> bool:
    """Whether a plug-in has models to place. Raises ImportError when its packages are missing."""
    return "placement" in inspect.signature(module(kind, name).build).parameters


def build(kind: str, name: str, *, placement: Device | None = None, **settings: Any) -> Any:
    """Make one part. A setting it does not have is a :class:`SettingError`.

    ``placement`` is where its models run, shared by all parts of an engine; the CPU without one.
    """
    plugin = module(kind, name)
    chosen = _settings(plugin, name, settings)
    if not wants_placement(kind, name):
        return plugin.build(chosen)
    where = CPU() if placement is None else placement
    return where.guard(kind, plugin.build(chosen, where))


def method(name: str, engine: Any, **settings: Any) -> Any:
    """Make the method of that name on the parts of an engine: ``"ipseg"`` or a baseline, see :mod:`ipseg.baselines`.

    ``engine`` is an :class:`ipseg.engine.protocol.Engine`.
    """
    return engine.baseline(name, _settings(module("baselines", name), name, settings))


def _package(kind: str) -> str:
    return PACKAGES.get(kind, f"ipseg.{kind}")


def _path(kind: str, name: str) -> str:
    check_choice(name, names(kind), f'There is no "{{}}" among the {kind}')
    return f"{_package(kind)}.{name}"


def _file(kind: str, name: str) -> tuple[str, int]:
    """The path of a plug-in's file, and when it was changed, in ns."""
    found = importlib.util.find_spec(_path(kind, name))
    origin = found.origin if found and found.origin else ""
    return origin, Path(origin).stat().st_mtime_ns


@cache
def _docstring(path: str, changed: int) -> str:
    return ast.get_docstring(ast.parse(Path(path).read_text(encoding="utf-8"))) or ""


@cache
def _declared(path: str, changed: int) -> frozenset[str]:
    """The attributes that a class of a file has as True."""
    text = Path(path).read_text(encoding="utf-8")
    if " = True" not in text:  # most files; to parse one takes a hundredth of a second
        return frozenset()
    lines = [line for each in ast.parse(text).body if isinstance(each, ast.ClassDef) for line in each.body]
    assigned = [line for line in lines if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)]
    names = (target for line in assigned if line.value.value is True for target in line.targets)  # type: ignore[attr-defined]
    return frozenset(target.id for target in names if isinstance(target, ast.Name))


def _settings(plugin: ModuleType, name: str, settings: dict[str, Any]) -> Any:
    known = [field.name for field in fields(plugin.Settings)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise SettingError(f'"{name}" has no setting {", ".join(unknown)}; it has: {", ".join(known) or "none"}.')
    return plugin.Settings(**settings)
