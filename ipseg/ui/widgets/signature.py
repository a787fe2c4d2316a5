"""The arguments of every handler beside its images: the engine, and often the numbers of the method.

Gradio reads an endpoint's arguments, and what they mean, from the signature and docstring of its handler. Here they
are written once::

    @with_engine(parameters=True)
    def segment(prompts: list[Any] | None, *, spec: EngineSpec, parameters: Parameters, progress=gr.Progress()):

is called by Gradio as ``segment(prompts, k, clusters, threshold, reject_threshold, preset, ..., progress)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from inspect import Parameter
from typing import Any

from ipseg.engine.presets import DEFAULT
from ipseg.engine.spec import FIELDS
from ipseg.ui.server.errors import error_messages
from ipseg.ui.widgets.controls import chosen
from ipseg.ui.widgets.inputs import parameters as parameters_of

ENGINE = {  # the arguments, in the order of the sidebar: their types, defaults and meanings
    "preset": (str, DEFAULT, "which engine runs"),
    "features": (list[str] | None, None, "feature extractors instead of the default of the preset"),
    "sd_weight": (
        float | None,
        None,
        "weight of Stable Diffusion, the others being 1; empty: default of the preset",
    ),
    "timestep": (float | None, None, "of Stable Diffusion, 0 to 999; empty: default of the preset"),
    "saliency": (str | None, None, "saliency method instead of the default of the preset"),
    "segmenter": (str | None, None, "segmenter instead of the default of the preset"),
    "refinement": (str | None, None, "how points become a mask, if not as in the preset"),
}
NUMBERS = {
    "k": (
        float | None,
        None,
        "most and least similar cells, each 1 to 256; empty: the preset's, as the next three",
    ),
    "clusters": (float | None, None, "positive and negative points, each 1 to 32, at most k"),
    "threshold": (float | None, None, "detected from this score on, 0 to 1"),
    "reject_threshold": (
        float | None,
        None,
        "not detected below this score, 0 to 1; above the threshold it counts as that",
    ),
}
MADE = ("spec", "parameters")  # what a handler gets instead


def with_engine(*, parameters: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: Gradio sees a handler's own arguments and then the engine's; the handler gets ``spec``, EngineSpec.

    ``parameters``: whether k, clusters and the two thresholds come before the engine's; the handler gets them as
    ``parameters``, :class:`ipseg.method.config.Parameters`. One out of range gets an error message.
    What else is behind the star, a request or a progress, stays the last. The docstring ends with the arguments.
    """
    added = {**(NUMBERS if parameters else {}), **ENGINE}

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        signature = _signature(handler, added)

        def own(values: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
            bound = signature.bind(*values, **named)
            bound.apply_defaults()
            given = dict(bound.arguments)
            made: dict[str, Any] = {"spec": chosen([given.pop(name) for name in FIELDS])}
            if parameters:
                with error_messages():
                    made["parameters"] = parameters_of(*(given.pop(name) for name in NUMBERS))
            return given | made

        shown: Any = _wrapped(handler, own)
        shown.__signature__ = signature
        hints = {one.name: one.annotation for one in signature.parameters.values()}
        shown.__annotations__ = {**hints, "return": signature.return_annotation}
        described = "".join(f"\n    {name}: {meaning}" for name, (_, _, meaning) in added.items())
        shown.__doc__ = f"{inspect.getdoc(handler)}{described}"
        return shown

    return decorate


def _signature(handler: Callable[..., Any], added: dict[str, tuple[Any, Any, str]]) -> inspect.Signature:
    """The handler's own arguments, those that are added, and last what was behind the star."""
    signature = inspect.signature(handler, eval_str=True)
    plain = Parameter.POSITIONAL_OR_KEYWORD
    mine = [one for one in signature.parameters.values() if one.kind is plain]
    last = [one.replace(kind=plain) for one in signature.parameters.values() if one.kind is not plain]
    engine = [Parameter(name, plain, default=value, annotation=kind) for name, (kind, value, _) in added.items()]
    return signature.replace(parameters=[*mine, *engine, *(one for one in last if one.name not in MADE)])


def _wrapped(handler: Callable[..., Any], own: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """The handler with its own arguments made of all; one that yields stays one that yields, as Gradio checks it."""
    if inspect.isgeneratorfunction(handler):

        @wraps(handler)
        def yielding(*values: Any, **named: Any) -> Iterator[Any]:
            yield from handler(**own(values, named))

        return yielding

    @wraps(handler)
    def answering(*values: Any, **named: Any) -> Any:
        return handler(**own(values, named))

    return answering
