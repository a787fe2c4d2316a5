"""Prompt sets (Table 5): one prompt image for each class of a dataset, in place of the prompts of its episodes.

A manifest is JSON::

    {"format": "ipseg-prompt-sets-1", "dataset": NAME, "settings": {...}, "rule": TEXT, "seed": N,
     "sets": {"1": {CLASS: [PROMPT, SECOND]}, "2": ...}}

``PROMPT`` and ``SECOND`` are keys of images (:attr:`ipseg.datasets.Annotated.key`); the second takes the
prompt's place in the episode whose input is the prompt itself, so that no image is its own prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipseg.core.types import InputError
from ipseg.datasets import PROMPT_RULE, Dataset, draw_prompts

FORMAT = "ipseg-prompt-sets-1"
PromptSet = Mapping[str, Sequence[str]]


def make(dataset: Dataset, seed: int = 0, sets: int = 3) -> dict[str, Any]:
    """A manifest of so many sets, drawn by :data:`ipseg.datasets.PROMPT_RULE` among the images of the episodes.

    Raises :class:`InputError` when no class has two images.
    """
    drawn = draw_prompts(dataset.candidates(), seed, sets)
    if not drawn or not drawn[0]:
        raise InputError(f"No class of {dataset.name} has two images that show it, so no prompt set can be drawn.")
    return {
        "format": FORMAT,
        "dataset": dataset.name,
        "settings": dict(dataset.settings),
        "rule": PROMPT_RULE,
        "seed": seed,
        "sets": {
            str(number): {category: [prompt.key, second.key] for category, (prompt, second) in chosen.items()}
            for number, chosen in enumerate(drawn, 1)
        },
    }


def read(path: Path, name: str = "") -> tuple[str, PromptSet]:
    """The name and the prompts of one set of a manifest; without a name, of its first.

    Raises :class:`InputError` when the file is no manifest or has no such set.
    """
    sets = _sets(path)
    chosen = name or next(iter(sets), "")
    if chosen not in sets:
        raise InputError(f'{path.name} has no set "{chosen}"; choose one of: {", ".join(sets) or "none"}.')
    return chosen, sets[chosen]


def names(path: Path) -> tuple[str, ...]:
    """The names of the sets of a manifest. Raises :class:`InputError` when the file is none."""
    return tuple(_sets(path))


def _sets(path: Path) -> Mapping[str, PromptSet]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return manifest["sets"] if manifest["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path.name} is no manifest of prompt sets; make one with ipseg prompts.") from error


def apply(dataset: Dataset, name: str, prompts: PromptSet) -> Dataset:
    """The dataset with the prompts of a set. Raises :class:`InputError` when it does not fit the dataset."""
    sides = {(name, side.key): side for name, group in dataset.candidates().items() for side in group}
    episodes = []
    for episode in dataset.episodes:
        listed = (sides.get((episode.category, key)) for key in prompts.get(episode.category, ()))
        usable = [side for side in listed if side is not None and side.name != episode.input.name]
        if not usable:
            raise InputError(
                f'The prompt set "{name}" has no prompt for {episode.category} that is an image of {dataset.name}; '
                "make one with ipseg prompts."
            )
        episodes.append(replace(episode, prompt=usable[0]))
    return replace(
        dataset,
        episodes=tuple(episodes),
        settings={**dataset.settings, "prompt_set": {"name": name, "prompts": dict(prompts)}},
    )
