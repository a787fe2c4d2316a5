"""What the galleries are made of, and their index: frozen data, and no Blender, so that anything may read it."""

import json
from dataclasses import dataclass

from .scene import Scene

ROOT = "galleries"


@dataclass(frozen=True)
class Shown:
    """An image that is rendered elsewhere, by its scene's name, with what a gallery says of it."""

    name: str
    caption: str


@dataclass(frozen=True)
class Kind:
    """One kind of object: a scene for each prompt set, and the inputs that all sets share."""

    name: str
    title: str
    sets: dict[str, tuple[Scene, ...]]
    inputs: tuple[Scene | Shown, ...]


@dataclass(frozen=True)
class Case:
    """A prompt that breaks the rule, what it is to find, and the prompt that mends it."""

    name: str
    title: str
    kind: str
    rule: str  # the word of the rule that is broken: single, complete or clear
    broken: str  # how, in one message
    prompt: Scene
    input: Shown
    mended: Shown


def files(name):
    """Image and mask of a scene, relative to the folder of the examples; a gallery keeps the two side by side."""
    if name.startswith(f"{ROOT}/"):
        return f"{name}.jpg", f"{name}.png"
    return f"Images/{name}.jpg", f"Annotations/{name}.png"


def entry(shown):
    image, mask = files(shown.name)
    return {"image": image, "mask": mask, "caption": shown.caption}


def index(kinds, cases, several):
    """Everything a page needs to show the galleries, as plain data."""
    prompt_sets = [
        {
            "kind": kind.name,
            "title": kind.title,
            "sets": [{"set": name, "prompts": [entry(s) for s in scenes]} for name, scenes in kind.sets.items()],
            "inputs": [entry(shown) for shown in kind.inputs],
        }
        for kind in kinds
    ]
    failure_cases = [
        {key: getattr(case, key) for key in ("name", "title", "kind", "rule", "broken")}
        | {key: entry(getattr(case, key)) for key in ("prompt", "input", "mended")}
        for case in cases
    ]
    together = [
        {"title": one.title, "count": one.count, "prompt": entry(one.prompt), "input": entry(one.input)}
        for one in several
    ]
    return {"prompt_sets": prompt_sets, "failure_cases": failure_cases, "several": together}


def write_index(folder, kinds, cases, several):
    path = folder / ROOT / "index.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(index(kinds, cases, several), indent=1) + "\n", encoding="utf-8")
    return path
