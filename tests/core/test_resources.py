"""A lack of memory or room is one message, and no fault of the input."""

from __future__ import annotations

import errno

import pytest

from ipseg.core import resources
from ipseg.core.resources import ResourceError
from ipseg.core.types import ImageError


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "quota exceeded")]
)
def test_a_shortage_is_one_message(error, one_message):
    with pytest.raises(ResourceError) as caught, resources.named():
        raise error
    one_message(caught.value)
    wrapped = ValueError("within a library")
    wrapped.__cause__ = error
    assert resources.message(wrapped) == str(caught.value)


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), ImageError("Not an image; give one."), KeyError(1)])
def test_other_errors_stay(error):
    with pytest.raises(type(error)), resources.named():
        raise error
    assert resources.message(error) == ""
