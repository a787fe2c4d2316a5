"""Input components that take what people give: plain lists of files, and numbers that may be left empty."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import gradio as gr
from gradio.components.gallery import GalleryData
from pydantic import ValidationError, model_validator

from ipseg.method.config import Parameters
from ipseg.ui.widgets.images import refuse_unreadable

UNREADABLE = "The images are not readable; give a list of files, each uploaded, as gradio_client.handle_file does it."


class Images(GalleryData):
    """What a gallery is given: its own form, ``[{"image": file, "caption": text}]``, or a plain list of files."""

    @model_validator(mode="before")
    @classmethod
    def _captioned(cls, given: Any) -> Any:
        return [_captioned(each) for each in given] if isinstance(given, list) else given

    @classmethod
    def model_validate(cls, *given: Any, **options: Any) -> Images:
        """As pydantic has it, but what cannot be read gets one message for the caller."""
        try:
            return super().model_validate(*given, **options)
        except ValidationError:
            raise gr.Error(UNREADABLE, title="Please check", print_exception=False) from None


def gallery_input(**layout: Any) -> gr.Gallery:
    """A gallery for images that hands over the uploaded files unopened, as (path, caption)."""
    gallery = gr.Gallery(
        type="filepath",
        file_types=["image"],
        object_fit="contain",
        interactive=True,
        sources=["upload", "webcam", "clipboard"],
        elem_classes=["image-input"],
        buttons=[],
        **layout,
    )
    # On the instance: Gradio writes a stub file beside the source of every subclass; it goes by endings
    gallery.data_model, gallery.preprocess = Images, _paths
    refuse_unreadable(gallery)
    return gallery


def image_files_input(**layout: Any) -> gr.File:
    """Files whose names are not images' names alone: what they hold decides. Handed over unopened, as paths."""
    files = gr.File(file_count="multiple", file_types=["image"], **layout)
    files.preprocess = lambda payload: [file.path for file in payload.root] if payload else None
    return files


def optional_number(value: float | None = None, **layout: Any) -> gr.Number:
    """A number that may be left empty, which is None.

    Gradio's page makes a 0 of None as it starts, but shows "" as empty.
    """
    number: Any = gr.Number(value, **layout)
    read, shown = number.preprocess, number.postprocess
    number.preprocess = lambda payload: None if payload in (None, "") else read(payload)
    number.postprocess = lambda given: "" if given is None else shown(given)
    number.value = number.postprocess(value)
    return number


def may_be_left_out(component: gr.components.Component) -> None:
    """Let the argument of a component be null over the API, which is None, whatever its value on the page."""
    read: Any = component.preprocess
    component.preprocess = lambda payload: None if payload is None else read(payload)


def left_out_by_default(page: gr.Blocks, names: Collection[str]) -> None:
    """Over the API and for tools, the default of the arguments of these names is null, on every endpoint.

    Gradio takes the value with which the page starts. On the instance, as Gradio writes a file beside the source of
    every subclass.
    """
    inner: Any = page.get_api_info

    def get_api_info(*given: Any, **named: Any) -> Any:
        info = inner(*given, **named)
        for endpoint in (*info["named_endpoints"].values(), *info["unnamed_endpoints"].values()):
            for parameter in endpoint["parameters"]:
                if parameter["parameter_name"] in names:
                    parameter |= {"parameter_has_default": True, "parameter_default": None}
        return info

    page.get_api_info = get_api_info


def _paths(payload: Any) -> list[tuple[str, str | None]] | None:
    """(path, caption) of each file of a gallery."""
    given = [(getattr(each, "image", None) or each.video, each.caption) for each in payload.root] if payload else []
    return [(file.path, caption) for file, caption in given] or None


def _captioned(given: Any) -> Any:
    """A file alone as a file without a caption; anything else as it is."""
    return {"image": given, "caption": None} if isinstance(given, dict) and "path" in given else given


def mask_value_input(what: str = "the mask", **layout: Any) -> gr.Number:
    """Which value of a mask is the object, where it has several."""
    return optional_number(
        label=f"Value of the object, if {what} has several objects", info="Empty: there is one", minimum=0, **layout
    )


def whole(number: Any) -> Any:
    """``number`` as an int where it is a whole float, as JSON may have it; anything else as it is, to be refused."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def parameters(
    k: float | None, clusters: float | None, threshold: float | None, reject_threshold: float | None
) -> Parameters:
    """The numbers of the sidebar: None is the engine's own. Raises SettingError for one out of range.

    A reject threshold above the threshold counts as that.
    """
    if threshold is not None and reject_threshold is not None and reject_threshold > threshold:
        reject_threshold = threshold
    return Parameters(whole(k), whole(clusters), threshold, reject_threshold)
