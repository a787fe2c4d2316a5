"""What many classes cost on one image beside one class: rows for ``ipseg bench``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipseg.core.types import ImageArray
from ipseg.labelling.matching import ClassPrompt, label_image
from ipseg.method.pipeline import IPSeg
from ipseg.studies import speed
from ipseg.studies.speed import Row


def measure(engine: IPSeg, prompt: ImageArray, image: ImageArray, *, classes: int, repeat: int = 1) -> list[Row]:
    """One class, and ``classes`` of them, on a new input image: both (H, W, 3) uint8. Without classes no row.

    The first class is what ``prompt`` shows; the others are boxes of it in different places, so that many are alike.
    """
    if classes < 1:
        return []
    parts = speed.prompts_on(engine, prompt, classes - 1) if classes > 1 else ()
    prompts = [engine.prompt(prompt), *parts]
    given = [ClassPrompt(f"{number}", each) for number, each in enumerate(prompts)]

    def labelled(count: int) -> Callable[[], Callable[[], Any]]:
        def prepare() -> Callable[[], Any]:
            speed.forget(engine)
            return lambda: label_image(engine, given[:count], image)

        return prepare

    return [
        speed.timed(f"{count} class{'es' * (count > 1)} on one image", labelled(count), 1, repeat)
        for count in dict.fromkeys((1, classes))
    ]
