"""What happens inside the method on one pair: features, similarity, saliency, and the numbers K and c.

After Fig. 4 (features as colours), Fig. 5 and 8 with Table 3 (similarity with and without Stable Diffusion), Table 6
(what hides the ground of the prompt) and Table 4 (K and c). Each image is encoded once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ipseg import weights
from ipseg.core import images, plugins, store
from ipseg.core.store import Arrays
from ipseg.core.types import InputError, Mask, Progress
from ipseg.engine.protocol import Engine
from ipseg.evaluation.predict import decides
from ipseg.method.encodings import named
from ipseg.studies.ablation import _layers, _ways
from ipseg.studies.ablation._answers import Answer, answer, none, packed, unpacked
from ipseg.studies.ablation._layers import FUSED, Colours, separation
from ipseg.studies.ablation._ways import CLUSTERS, KS, TRUE, Pair, own_way, settings

__all__ = [
    "CLUSTERS",
    "FUSED",
    "KS",
    "OWN",
    "TRUE",
    "Ablation",
    "Answer",
    "Colours",
    "Pair",
    "look",
    "own_way",
    "separation",
    "settings",
]  # fmt: skip

OWN = "own"  # the engine's own saliency
Once = Callable[[str, Callable[[], Arrays]], Arrays]


@dataclass(frozen=True)
class Ablation:
    """What was seen, step by step."""

    own: Answer  # with everything as the engine has it
    colours: tuple[Colours, ...]  # of each feature layer, and of all fused where there are several
    similarities: Mapping[str, Answer]  # by the names of the scorer's variants; :func:`own_way` is the engine's own
    saliencies: Mapping[str, Answer]  # OWN first, then by the methods' names, then TRUE where that is known
    grid: Mapping[tuple[int, int], Answer]  # by (K, c)
    setting: tuple[int, int]  # the engine's own K and c
    detector: str  # the engine's own saliency method


def look(engine: Engine, pair: Pair, *, folder: Path | None = None, progress: Progress | None = None) -> Ablation:
    """Everything about one pair; what ``folder`` holds of it is read instead. Raises as the engine does."""
    report, once = progress or (lambda share, step: None), _keeper(engine, pair, folder)

    def masks(share: float, step: str) -> None:
        report(0.5 + 0.5 * share, step)

    report(0.02, "prompt")
    own = unpacked(once("own", lambda: _segmented(engine, pair)))[OWN]
    report(0.2, "features")
    colours = _layers.unpacked(once("features", lambda: _colours(engine, pair, own.mask)))
    report(0.25, "similarity")
    alike = unpacked(once("similarity", lambda: _apply(engine, pair, _ways.similarities)))
    report(0.35, "saliency")
    saw = {OWN: own, **dict(_saliencies(engine, pair, once))}
    grid = _grid(once("grid", lambda: _apply(engine, pair, _ways.grid, progress=masks)))
    return Ablation(own, colours, alike, saw, grid, (engine.config.k, engine.config.clusters), _detector(engine))


def _grid(arrays: Arrays) -> dict[tuple[int, int], Answer]:
    found = {tuple(map(int, name.split())): each for name, each in unpacked(arrays).items()}
    return {(k, clusters): each for (k, clusters), each in found.items()}


def _segmented(engine: Engine, pair: Pair) -> Arrays:
    prompt = engine.prompt(pair.prompt)
    return packed({OWN: answer(engine.segment(prompt, pair.image), prompt.views[0].saliency)})


def _colours(engine: Engine, pair: Pair, found: Mask) -> Arrays:
    one, other = (engine.encodings.features(named(picture)) for picture in (pair.prompt, pair.image))
    seen = list(zip(one, other, strict=True))
    if len(seen) > 1:
        shares = engine.scorer.layer_weights([layer.name for layer in one])
        seen.insert(0, (_layers.fused(one, shares), _layers.fused(other, shares)))
    thing = engine.prompt(pair.prompt, pair.thing).views[0].cells
    where = found if pair.truth is None else pair.truth
    return _layers.packed([_layers.coloured(*both, thing, where) for both in seen])


def _apply(
    engine: Engine, pair: Pair, step: Callable[..., Arrays], *given: Any, progress: Progress | None = None
) -> Arrays:
    """``step(engine, pair, *given, progress)`` where the networks of the engine are."""
    return engine.apply([named(pair.prompt), named(pair.image)], step, pair, *given, progress=progress)


def _saliencies(engine: Engine, pair: Pair, once: Once) -> Iterator[tuple[str, Answer]]:
    """Every other way to hide the prompt's background; a method that cannot look takes its message."""
    names = [name for name in plugins.names("saliency") if engine.config.consensus or name != _detector(engine)]
    for name in [*names, *([TRUE] if pair.thing is not None else [])]:
        try:
            for needed in weights.serving(name):
                weights.locate(needed)
            found = once(f"saliency-{name}", partial(_apply, engine, pair, _ways.hidden, name))
            yield name, unpacked(found)[name]
        except InputError as error:
            yield name, none(str(error))
        except ImportError as error:
            yield name, none(f'{name} needs {error.name}, which is missing; run pip install "ipseg[models]".')


def _detector(engine: Engine) -> str:
    return str(next(iter(engine.info.record.get("saliency", ())), ""))


def _keeper(engine: Engine, pair: Pair, folder: Path | None) -> Once:
    """What computes a part of a look, or reads it where there is a folder that holds it."""
    if folder is None:
        return lambda part, compute: compute()
    digest = hashlib.blake2b(decides(engine), digest_size=16)
    digest.update(images.fingerprint(pair.prompt, pair.image, pair.thing, pair.truth).encode())

    def once(part: str, compute: Callable[[], Arrays]) -> Arrays:
        path = folder / f"{digest.hexdigest()}-{part}.npz"
        found = store.load(path)
        if not found:
            found = compute()
            store.save(path, found)
        return found

    return once
