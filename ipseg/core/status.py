"""Whether the object is in the image: the three states of an answer."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What the score says of the object; equal to its text, so ``status == "detected"`` holds, and plain JSON.

    An answer without a mask is not detected. Otherwise it is detected from the threshold on, not detected below the
    reject threshold, and uncertain between the two.
    """

    DETECTED = "detected"
    UNCERTAIN = "uncertain"
    NOT_DETECTED = "not_detected"

    @property
    def has_mask(self) -> bool:
        """Whether the mask is an answer and is written; that of an object that is not detected is a best guess."""
        return self is not Status.NOT_DETECTED

    @property
    def words(self) -> str:
        """As a person reads it: "not detected" without the underscore."""
        return self.value.replace("_", " ")
