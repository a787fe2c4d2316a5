"""A lack of memory or room is one message, and no fault of the input."""

from __future__ import annotations

import errno

import pytest

from ipseg import __main__ as command_line
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


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOSPC, "full")])
def test_the_command_line_says_so_and_ends_with_1(error, monkeypatch, capsys, scene, save, tmp_path, one_message):
    from ipseg.cli import _engine

    def built(_):
        raise error

    monkeypatch.setattr(_engine, "built", built)
    image = save(tmp_path / "a.png", scene[0])
    assert command_line.main(["segment", str(image), str(image), "--output", str(tmp_path / "mask.png")]) == 1
    reported = capsys.readouterr().err.strip().removeprefix("ipseg: ")
    one_message(reported)


def test_an_image_without_memory_does_not_end_a_run(monkeypatch, engine, scene, save, tmp_path, capsys):
    from contextlib import nullcontext

    from ipseg.cli import _engine

    segment = engine.segment

    def short_once(*given, **named):
        monkeypatch.setattr(engine, "segment", segment)
        raise MemoryError

    monkeypatch.setattr(engine, "segment", short_once)
    monkeypatch.setattr(_engine, "built", lambda _: nullcontext(engine))
    first, second = (save(tmp_path / name, scene[0]) for name in ("a.png", "b.png"))
    out = tmp_path / "out"
    assert command_line.main(["segment", str(first), str(first), str(second), "--output", str(out)]) == 1
    assert [file.name for file in out.glob("*.png")] == ["b.png"]
    assert resources.NO_MEMORY in capsys.readouterr().err
