"""The progress of an engine as the progress bar of the page."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from ipseg.ui.server.limits import ONE, Watch

STEPS = {
    "models": "Loading the models",
    "prompt": "Encoding the prompt",
    "features": "Computing features",
    "saliency": "Computing the saliency",
    "similarity": "Computing the similarity",
    "points": "Choosing points",
    "encoding": "Encoding for the segmenter",
    "mask": "Segmenting",
    "candidates": "Choosing among candidate masks",
    "instances": "Finding more instances",
}
UNDER_WAY = 0.01  # the least share that is shown: Gradio names no step without one


def reporter(progress: gr.Progress, seconds: float = ONE) -> Callable[[float, str], None]:
    """The engine's progress as the page's progress bar; ends the job when the visitor has left or after ``seconds``.

    Create it when the job starts, and call it inside :func:`error_messages`.
    """
    watch = Watch(seconds)

    def report(share: float, step: str) -> None:
        watch.check()
        progress(max(share, UNDER_WAY), desc=STEPS.get(step, step))

    return report
