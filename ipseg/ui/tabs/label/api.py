"""The endpoint /label: example images of several classes and images; labels as data and as an archive."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ipseg.annotations import formats
from ipseg.core.choices import check_choice
from ipseg.core.types import SettingError
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.jobs import Jobs
from ipseg.ui.server.limits import Watch
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import UNDER_WAY
from ipseg.ui.tabs.label import jobs, render
from ipseg.ui.tabs.label.layout import Layout
from ipseg.ui.tabs.label.session import Request, Review, remove
from ipseg.ui.widgets.arguments import engine_of, parameters_of
from ipseg.ui.widgets.controls import Controls
from ipseg.ui.widgets.inputs import gallery_input

COCO = "coco"
NOT_LABELLED = "The run was stopped before this image; label it again."
STRINGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}


def build(pool: EnginePool, controls: Controls, page: Layout, running: Jobs) -> None:
    """One endpoint, with hidden components."""
    examples = gallery_input(label="Example images", visible=False)
    classes = _strings("The class of each example image")
    chosen = _strings("Formats of the archive")
    data = gr.JSON(label="The labels as COCO", visible=False)
    archive = gr.File(label="Labels (ZIP)", visible=False)
    facts = gr.JSON(label="Each image", visible=False)
    with_images = gr.Checkbox(False, label="The images in the archive", visible=False)
    button = gr.Button(visible=False)
    button.click(
        _labelled(pool, running, archive),
        [examples, classes, page.files],
        [data, archive, facts],
        inputs_kwargs={
            **controls.by_name,
            "export": chosen,
            "with_images": with_images,
            "frames_per_second": page.per_second,
        },
        api_name="label",
        **JOBS,
    )


def _strings(label: str) -> gr.Dropdown:
    """A list of texts, typed as that."""
    component = gr.Dropdown([], label=label, multiselect=True, allow_custom_value=True, visible=False)
    component.api_info = lambda: STRINGS  # of a dropdown it lists the choices, of which there are none
    return component


def by_class(paths: Sequence[str], names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The paths of each class, in the order of their first example. Raises SettingError for counts that differ."""
    if len(paths) != len(names):
        raise SettingError(
            f"There are {len(paths)} example images and {len(names)} classes; give the class of each image."
        )
    found: dict[str, list[str]] = {}
    for path, name in zip(paths, names, strict=True):
        found.setdefault(jobs.tidy(str(name)), []).append(path)
    return list(found.items())


def _labelled(pool: EnginePool, running: Jobs, archive: gr.File) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    def label(
        examples: list[Any] | None,
        classes: list[str] | None,
        images: list[str] | None,
        export: list[str] | None = None,
        with_images: bool = False,
        frames_per_second: float = 3.0,
        request: gr.Request = None,  # Gradio fills it in
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Label images with several classes, each shown by example images: every instance, its class and its mask.

        The first output is the labels as COCO JSON, masks as compressed run lengths; the second the same as a ZIP; the
        third lists the images with the number of instances, or the error of one that could not be labelled. A run that
        is stopped (/stop, with its session_hash) returns what is labelled.

        Args:
            examples: images that show the classes, at most 8 of a class
            classes: the class of each example image, in their order, such as ["mug", "mug", "cup"]
            images: the images to label: files, zips of them, or clips, whose instances get track ids
            export: formats of the archive, such as ["coco", "yolo"]; empty: coco
            with_images: whether the images are in the archive too, as readers of yolo, voc and labelme want them
            frames_per_second: frames of each second of a clip that are labelled
        """
        with error_messages(), running.running(request, pool.limits.many) as watch:
            asked = _request(examples, classes, images, settings)
            wanted = list(export or [COCO])
            for name in wanted:
                check_choice(name, formats.names(), 'There is no format "{}"')
            review = jobs.start(asked, images or (), watch, per_second=frames_per_second)
            try:
                facts = _facts(pool, review, watch, progress)
                made = _packed(review, wanted, with_images, running, archive)
                return _as_coco(review, running), made, facts
            finally:
                remove(review)

    return label


def _request(
    examples: Sequence[Any] | None, classes: Sequence[str] | None, images: Sequence[str] | None, settings: Any
) -> Request:
    """What is asked for. Raises InputError for what cannot be."""
    spec, parameters = engine_of(settings), parameters_of(settings)
    given = by_class([path for path, _ in examples or ()], classes or ())
    jobs.check(given, images)
    shown = tuple((name, tuple((path, None) for path in paths)) for name, paths in given)
    return Request(shown, spec, parameters)


def _facts(pool: EnginePool, review: Review, watch: Watch, progress: gr.Progress) -> list[dict[str, Any]]:
    """Label the images: the number of instances of each, or its error. Raises ImageError where all have one."""
    facts: list[dict[str, Any]] = []
    for image in jobs.run(pool, review, watch):
        one = {"error": image.error} if image.error else {"instances": len(image.instances)}
        facts.append({"image": image.name, **one})
        progress(max(UNDER_WAY, len(facts) / len(review.items)), desc=image.name)
    if not facts:
        watch.check()
    labelled = {fact["image"] for fact in facts}
    facts += [{"image": name, "error": NOT_LABELLED} for name in review.items if name not in labelled]
    jobs.unless_all_failed([fact.get("error", "") for fact in facts])
    return facts


def _packed(review: Review, wanted: Sequence[str], with_images: bool, running: Jobs, archive: gr.File) -> Any:
    """The archive with the labels in some formats."""
    with running.workplace() as folder:
        items = review.items if with_images else None
        return render.archive(review.labels, wanted, 0.0, folder, archive, items)


def _as_coco(review: Review, running: Jobs) -> Any:
    """The labels as COCO JSON."""
    with running.workplace() as folder:
        formats.export(review.labels, folder / "export", [COCO], images="none")
        return json.loads(next((folder / "export").rglob("*.json")).read_text("utf-8"))
