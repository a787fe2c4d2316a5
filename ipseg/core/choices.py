"""Settings that name one of several choices, and the error message that lists them."""

from __future__ import annotations

from collections.abc import Iterable

from ipseg.core.types import SettingError


def check_choice(value: object, known: Iterable[str], message: str) -> None:
    """Raise :class:`SettingError` that lists the ``known`` names unless ``value`` is one of them.

    ``message`` states what there is not, with ``{}`` for the value: ``'There is no preset "{}"'``.
    """
    names = list(known)
    if value not in names:
        raise SettingError(f"{message.format(value)}; choose one of: {', '.join(names)}.")
