"""Optional packages: one that is not installed is an error message; any other failed import is a fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from ipseg.core.types import SettingError

DISTRIBUTIONS = {"ot": "pot", "segment_anything": "segment-anything"}  # of modules that are installed by another name


def need(title: str, *modules: str, extra: str = "models") -> None:
    """Raise :class:`SettingError` when a module that ``title`` imports is not installed; ``extra`` installs it."""
    for module in modules:
        if find_spec(module) is None:
            raise SettingError(_message(title, module, extra))


@contextmanager
def needed(title: str, *, extra: str = "models") -> Iterator[None]:
    """A block in which an import of a package that is not installed raises :class:`SettingError`.

    ``title`` is what needs it, as the message calls it, and ``extra`` the extra of ipseg that installs it. A missing
    module of ipseg itself, and a module or name that an installed package lacks, are raised as they are.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "ipseg") or error.name != package:
            raise
        raise SettingError(_message(title, package, extra)) from error


def _message(title: str, module: str, extra: str) -> str:
    missing = DISTRIBUTIONS.get(module, module)
    return f'{title} needs {missing}, which is missing; run pip install "ipseg[{extra}]".'
