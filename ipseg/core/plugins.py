"""Plug-ins are found by their file name: one new file is one new part, and no list has to be extended.

A plug-in module holds a frozen dataclass ``Settings`` with a comment on each default, and ``build(settings)`` which
returns the part. A plug-in with a network has ``build(settings, placement)`` instead: it gives every module to
``placement.place`` and its inputs to ``placement.device``. Names of files that begin with an underscore are helpers,
not plug-ins.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

from ipseg.core.device import CPU
from ipseg.core.types import Device, SettingError

KINDS = ("features", "saliency", "segmenters", "scorers", "baselines", "datasets", "cli", "ui")
PACKAGES = {"scorers": "ipseg.method.scorers"}
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
    return ast.get_docstring(_tree(kind, name)) or ""


def declares(kind: str, name: str, capability: str) -> bool:
    """Whether a class of a plug-in's file has the attribute ``capability = True``, such as ``accepts_prior``.

    The file is read, not imported, so the packages that it needs may be missing.
    """
    classes = (node for node in ast.walk(_tree(kind, name)) if isinstance(node, ast.ClassDef))
    return any(ast.unparse(line) == f"{capability} = True" for each in classes for line in each.body)


def build(kind: str, name: str, *, placement: Device | None = None, **settings: Any) -> Any:
    """Make one part. A setting it does not have is a :class:`SettingError`, not a silent nothing.

    ``placement`` is a :class:`ipseg.engine.placement.Placement`, shared by all parts of an engine; the CPU without one.
    """
    plugin = module(kind, name)
    chosen = _settings(plugin, name, settings)
    if "placement" not in inspect.signature(plugin.build).parameters:
        return plugin.build(chosen)
    where = CPU() if placement is None else placement
    return where.guard(plugin.build(chosen, where))


def method(name: str, engine: Any, **settings: Any) -> Any:
    """Make the method of that name on the parts of an engine, ``"ipseg"`` or a rival: see :mod:`ipseg.baselines`."""
    plugin = module("baselines", name)
    chosen = _settings(plugin, name, settings)
    if hasattr(engine, "make") and name != "ipseg":  # an engine whose networks are in another process
        return engine.make(name, settings)
    return plugin.build(chosen, engine)


def _package(kind: str) -> str:
    return PACKAGES.get(kind, f"ipseg.{kind}")


def _path(kind: str, name: str) -> str:
    known = names(kind)
    if name not in known:
        raise SettingError(f'There is no "{name}" among the {kind}; choose one of: {", ".join(known)}.')
    return f"{_package(kind)}.{name}"


def _tree(kind: str, name: str) -> ast.Module:
    _path(kind, name)
    folders = [Path(folder) for folder in importlib.import_module(_package(kind)).__path__]
    files = [file for folder in folders for file in (folder / f"{name}.py", folder / name / "__init__.py")]
    return ast.parse(next(file for file in files if file.is_file()).read_text(encoding="utf-8"))


def _settings(plugin: ModuleType, name: str, settings: dict[str, Any]) -> Any:
    known = [field.name for field in fields(plugin.Settings)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise SettingError(f'"{name}" has no setting {", ".join(unknown)}; it has: {", ".join(known) or "none"}.')
    return plugin.Settings(**settings)
