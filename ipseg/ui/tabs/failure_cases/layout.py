"""The components of the tab "Failure cases"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from ipseg.studies.galleries import FailureCase
from ipseg.ui.widgets import running

INTRO = (
    "The method works from **one image of one single, complete, clearly seen object**. Here are prompts that break "
    "that rule, and images that are hard with a good prompt: what goes wrong, why, and what helps, measured with the "
    "engine that answers here."
)
FIRST = "hidden"  # the case that is chosen first: one where correcting the prompt helps
WAITING = """<div class="waiting start"><b>What goes wrong, and what helps</b>
<ol><li>Choose a <b>prompt that breaks the rule</b>, or a <b>hard image</b>.</li>
<li>Its result is shown beside the one with what helps: a corrected prompt, a second one, or a negative one.</li>
</ol></div>"""
RESULTS = ("case-broken", "case-broken-answer", "case-mended", "case-mended-answer")  # names of the images


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    which: dict[str, gr.Gallery]  # by "rule" and "hard": prompts that break the rule, and hard images
    case: gr.Dropdown
    run: gr.Button
    stop: gr.Button
    verdict: gr.HTML
    images: tuple[gr.Image, ...]  # in the order of RESULTS


def by_kind(cases: Mapping[str, FailureCase]) -> dict[str, list[str]]:
    """The names of the cases whose prompt breaks the rule, and of those whose image is hard."""
    return {
        "rule": [name for name, case in cases.items() if case.rule],
        "hard": [name for name, case in cases.items() if not case.rule],
    }


def layout(cases: Mapping[str, FailureCase]) -> Layout:
    """Lay the components out inside the tab that is open. ``cases``: at least one."""
    names = by_kind(cases)
    with gr.Row(elem_id="failure"):
        with gr.Column(scale=5, min_width=320, elem_id="case-inputs"):
            which = {
                "rule": _choice([(str(cases[name].prompt.image), cases[name].title) for name in names["rule"]],
                                "Prompts that break the rule", "cases"),
                "hard": _choice([(str(cases[name].input.image), cases[name].title) for name in names["hard"]],
                                "Hard images", "hard-cases"),
            }  # fmt: skip
            titles = [(each.title, name) for name, each in cases.items()]
            first = FIRST if FIRST in cases else next(iter(cases))
            case = gr.Dropdown(titles, value=first, label="Case", elem_id="case")
            run, stop = running.buttons("Segment this case", "case-run", "case-verdict")
        with gr.Column(scale=8, min_width=320, elem_id="case-result", elem_classes=["of-inputs"]):
            verdict = gr.HTML(WAITING, elem_id="case-verdict", container=False, padding=False)
            with gr.Row(elem_id="case-images"):
                images = tuple(_image(name) for name in RESULTS)
    return Layout(which, case, run, stop, verdict, images)


def _choice(shown: list[tuple[str, str]], label: str, name: str) -> gr.Gallery:
    return gr.Gallery(
        shown,
        label=label,
        columns=5,
        object_fit="cover",
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id=name,
        elem_classes=["cases"],
    )


def _image(name: str) -> gr.Image:
    return gr.Image(
        label="Result",
        alt_text="Result",
        elem_id=name,
        height=270,
        interactive=False,
        min_width=260,
        buttons=["download", "fullscreen"],
    )
