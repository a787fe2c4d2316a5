"""What Gradio reads of a handler, and what the handler gets."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from gradio.helpers import special_args

from ipseg.engine.spec import FIELDS, EngineSpec
from ipseg.method.config import Parameters
from ipseg.ui.widgets import link
from ipseg.ui.widgets.controls import chosen, values_of
from ipseg.ui.widgets.signature import ENGINE, NUMBERS, with_engine

PROGRESS = gr.Progress()


@with_engine()
def answer(image: str | None, mask: str | None = None, *, spec: EngineSpec, progress: gr.Progress = PROGRESS) -> Any:
    """Answer.

    Args:
        image: the image
        mask: its mask
    """
    return image, mask, spec, progress


@with_engine(parameters=True)
def several(
    images: list[str], *, spec: EngineSpec, parameters: Parameters, request: gr.Request = None
) -> Iterator[tuple[Any, ...]]:
    """Answer one after another.

    Args:
        images: the images
    """
    for image in images:
        yield image, spec, parameters, request


def test_the_arguments_are_those_of_the_sidebar():
    assert (*ENGINE, *NUMBERS) == (*FIELDS, *NUMBERS) == link.NAMES
    assert tuple(NUMBERS) == link.NUMBERS
    assert chosen([default for _, default, _ in ENGINE.values()]) == EngineSpec("compact")


def test_gradio_sees_all_arguments_with_types_and_meanings():
    names = list(inspect.signature(answer).parameters)
    assert names == ["image", "mask", *ENGINE, "progress"]
    assert list(inspect.signature(several).parameters) == ["images", *NUMBERS, *ENGINE, "request"]
    hints = typing.get_type_hints(several)
    assert (hints["features"], hints["k"], hints["request"]) == (list[str] | None, float | None, gr.Request)
    described, meanings, _ = gr.utils.get_function_description(answer)
    assert described == "Answer."
    assert meanings["mask"] == "its mask"
    assert all(meanings[name] == meaning for name, (_, _, meaning) in ENGINE.items())


def test_the_handler_gets_options_and_numbers():
    now = EngineSpec("light", features="dinov2/large", timestep=5)
    assert answer("a", "b", *values_of(now)) == ("a", "b", now, PROGRESS)
    assert answer("a") == ("a", None, EngineSpec("compact"), PROGRESS)
    (first, second) = several(["a", "b"], 5.0, 2.0, 0.5, 0.25, *values_of(now), "request")
    assert first == ("a", now, Parameters(5, 2, 0.5, 0.25), "request")
    assert second[0] == "b"


def test_a_number_out_of_range_is_an_error_message():
    with pytest.raises(gr.Error, match="K is 999"):
        list(several(["a"], 999.0))


def test_gradio_puts_its_own_where_it_belongs():
    values, place, *_ = special_args(answer, inputs=["a", None, *values_of(EngineSpec())])
    assert place == len(values) - 1
    assert isinstance(values[place], gr.Progress)
    values, *_ = special_args(several, inputs=[["a"], 5, 2, 0.5, 0.25, *values_of(EngineSpec())], request="request")
    assert values[-1] == "request"


def test_one_that_yields_is_seen_to_yield():
    assert inspect.isgeneratorfunction(several)
    assert not inspect.isgeneratorfunction(answer)


def test_a_value_too_many_is_refused():
    with pytest.raises(TypeError, match="too many"):
        answer("a", "b", *values_of(EngineSpec()), PROGRESS, "more")
