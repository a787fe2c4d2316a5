"""The prompt: images of an object made ready once, used on any number of input images, and saved in a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import chain
from typing import Any

from ipseg.core import images
from ipseg.core.images import Source
from ipseg.core.masks import GivenMask, with_masks
from ipseg.core.types import FeatureMap, InputError, InputFeatures, MaskError, Scorer, View
from ipseg.method import saved_prompt
from ipseg.method.config import Parameters
from ipseg.method.marks import Marks, of_each
from ipseg.method.saved_prompt import MadeBy, PromptFileError, SavedPrompt


@dataclass(frozen=True, repr=False)
class Prompt:
    """One or more images of an object, made ready once and used on any number of input images."""

    views: tuple[View, ...]
    model: Any = None  # what the engine's scorer made of them: see :meth:`Scorer.model`; None: an engine has yet to
    notices: tuple[str, ...] = ()  # what a person should know, one message each
    name: str = ""  # of the object
    negative: Prompt | None = None  # what is not meant, used where ``engine.segment`` is given no other
    parameters: Parameters = field(default_factory=Parameters)  # to segment with where the call names no others
    made_by: MadeBy = field(default_factory=MadeBy)  # the engine that made the model
    saved: SavedPrompt | None = None  # the file it was read from, with the models of every engine

    def __post_init__(self) -> None:
        if not self.views:
            raise ValueError("expected at least one image in a prompt, got none")

    @property
    def source(self) -> str:
        """Where the mask of the first image comes from: ``"given"`` or ``"saliency"``."""
        return "given" if self.views[0].given else "saliency"

    def __repr__(self) -> str:
        named = f"name={self.name!r}, " if self.name else ""
        sizes = ", ".join(str(view.image.shape[:2]) for view in self.views)
        negative = f", negative={len(self.negative.views)}" if self.negative else ""
        notices = f", notices={len(self.notices)}" if self.notices else ""
        return f"Prompt({named}images=[{sizes}], source={self.source!r}{negative}{notices})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file (``.npz``) from which :meth:`load` and ``engine.prompt`` make the same prompt again.

        It holds the images at a longest side of at most 1280 pixels, without loss, with their masks; the model of this
        engine and those of every engine that the prompt was loaded with; what is not meant; the name; the parameters.
        A file of that name is replaced. Raises :class:`~ipseg.core.types.InputError` for an engine whose model cannot
        be saved, for too many images, and where the file cannot be written.
        """
        saved_prompt.write(path, self.to_saved())

    @classmethod
    def load(cls, path: str | os.PathLike[str] | bytes) -> Prompt:
        """Read a file of :meth:`save`, or the bytes of one.

        Its model is that of whichever engine uses it: the saved one where this engine made it, with which masks are
        those of the original images to the bit, else made anew of the saved images, with a notice. ``engine.prompt``
        does that once; ``engine.segment`` does it for a prompt as it is loaded. No code is run, whatever the file
        holds. Raises :class:`~ipseg.core.types.InputError` for what is no saved prompt, damaged, or too large.
        """
        return cls.of_saved(saved_prompt.read(path))

    @classmethod
    def of_saved(cls, saved: SavedPrompt) -> Prompt:
        """The prompt of a file's content; its views are those of the last engine that saved it."""
        negative = cls.of_saved(saved.negative) if saved.negative else None
        views = saved.views(saved.models[-1])
        return cls(views, None, (), saved.name, negative, saved.parameters, saved=saved)

    def to_saved(self) -> SavedPrompt:
        """The content of its file. Raises :class:`~ipseg.core.types.InputError` as :meth:`save` does."""
        if not saved_prompt.is_name(self.name):
            most, shown = saved_prompt.MAX_NAME, repr(self.name[:40])
            raise PromptFileError(f"{shown} is no name of an object; give at most {most} printable characters.")
        models = self.saved.models if self.saved else ()
        saved = self.saved.images if self.saved else tuple(map(saved_prompt.save_image, self.views))
        if self.model is not None:
            others = tuple(each for each in models if each.made_by.key != self.made_by.key)
            models = (*others, saved_prompt.save_model(self.made_by, self.model, self.views, saved))
        negative = replace(self.negative, negative=None).to_saved() if self.negative else None
        return SavedPrompt(saved, models, self.name, negative, self.parameters)

    def fingerprint(self) -> str:
        """A name for all of a prompt that decides a mask: equal models, parameters and negatives, equal names.

        Of one that was loaded and has no model yet, the images and the masks that were given count in its place.
        """
        shown: Any = self.model
        if shown is None and self.saved:
            shown = tuple((one.image, one.mask) for one in self.saved.images)
        types = {**saved_prompt.model_types(), "Parameters": Parameters}
        negative = self.negative.fingerprint() if self.negative else None
        return saved_prompt.fingerprint((shown, negative, self.parameters), types)

    def sources(self) -> Iterator[tuple[Any, GivenMask | None]]:
        """Its images, each with the mask that was given or None, as ``engine.prompt`` takes them."""
        for view in self.views:
            yield view.image, GivenMask(view.saliency > 0.5) if view.given else None


PromptSource = Source | Prompt
"""An image of a prompt, or a saved prompt: the path of its file, or the prompt itself."""


@dataclass(frozen=True)
class GivenPrompt:
    """What ``engine.prompt`` was given, with the images of saved prompts among it in their place."""

    sources: Any  # images, or one image
    masks: Any  # as :func:`ipseg.core.masks.with_masks` takes them
    marks: tuple[Marks, ...] = ()  # of each image; () for none
    prompts: tuple[Prompt, ...] = ()  # the saved prompts among it
    alone: bool = False  # whether one prompt is all of it

    def about(self, negative_of: Callable[[list[Any], list[Any]], Prompt]) -> dict[str, Any]:
        """Name, parameters and negative prompt of the saved prompts, as fields of :class:`Prompt`.

        Of several, the first name and the first parameters that are there, and all negative prompts together, of which
        ``negative_of`` makes one of its images and masks.
        """
        if not self.prompts:
            return {}
        pairs = [pair for each in self.prompts if each.negative for pair in each.negative.sources()]
        parameters = [each.parameters for each in self.prompts if each.parameters != Parameters()]
        return {
            "name": next((each.name for each in self.prompts if each.name), ""),
            "parameters": parameters[0] if parameters else Parameters(),
            "negative": negative_of(*map(list, zip(*pairs, strict=True))) if pairs else None,
        }


def open_given(prompt_images: Any, masks: Any = None, boxes: Any = None, points: Any = None) -> GivenPrompt:
    """Find the saved prompts, paths of files that end in ``.npz`` and :class:`Prompt`, among images of a prompt.

    ``boxes``, ``points``: see :func:`ipseg.method.marks.of_each`. Raises :class:`~ipseg.core.types.MaskError` for a
    mask or marks given with a saved prompt, and what :meth:`Prompt.load` and :func:`~ipseg.method.marks.of_each` raise.
    """
    listed = isinstance(prompt_images, list | tuple)
    given: list[Any] = list(prompt_images) if listed else [prompt_images]
    marks = () if boxes is None and points is None else tuple(of_each(len(given), boxes, points))
    if not any(isinstance(each, Prompt) or saved_prompt.is_saved(each) for each in given):
        return GivenPrompt(prompt_images, masks, marks)
    own: list[Any] = list(masks) if isinstance(masks, list | tuple) else [masks] * (len(given) if masks is None else 1)
    if len(own) != len(given):
        raise MaskError(
            f"Got {len(given)} prompt images and {len(own)} masks; give as many, with None where there is none."
        )
    sources: list[tuple[Any, Any, Marks]] = []
    found = []
    for each, mask, mark in zip(given, own, marks or [Marks()] * len(given), strict=True):
        if not (isinstance(each, Prompt) or saved_prompt.is_saved(each)):
            sources.append((each, mask, mark))
            continue
        if mask is not None or not mark.empty:
            label = images.label_of(each, "The prompt")
            raise MaskError(
                f"{label} is a saved prompt, which has its own masks; give an image, or leave the mask out."
            )
        prompt = each if isinstance(each, Prompt) else Prompt.load(each)
        found.append(prompt)
        sources += [(*pair, Marks()) for pair in prompt.sources()]
    images_of, masks_of, marks_of = map(list, zip(*sources, strict=True))
    return GivenPrompt(images_of, masks_of, tuple(marks_of), tuple(found), len(given) == 1)


@dataclass(frozen=True)
class OpenedPrompt:
    """Prompt images, each opened once, and saved prompts, as ``engine.prompt`` takes them."""

    sources: list[Any]  # (H, W, 3) uint8 arrays and :class:`Prompt`
    masks: list[GivenMask | None]  # of each

    @property
    def saved(self) -> bool:
        """Whether a saved prompt is among them."""
        return any(isinstance(each, Prompt) for each in self.sources)

    @property
    def name(self) -> str:
        """The name of the object in the first saved prompt that has one; else ""."""
        return next((each.name for each in self.sources if isinstance(each, Prompt) and each.name), "")

    def content(self, made: Any) -> list[str]:
        """What of them decides a mask, for :func:`ipseg.core.store.run_key`; ``made`` is the prompt made of them."""
        shown = zip(self.sources, self.masks, strict=True)
        names = [
            images.fingerprint(image, mask.mask if mask else None)
            for image, mask in shown
            if not isinstance(image, Prompt)
        ]
        return [*names, made.fingerprint()] if self.saved else names


def open_prompt(
    prompt_images: Sequence[Any],
    masks: Sequence[Any],
    *,
    mask_value: int | None = None,
    report: Callable[[], None] = lambda: None,
) -> OpenedPrompt:
    """Open prompt images with their masks, and the saved prompts among them, for which the mask has to be None.

    ``report`` is called before each file is opened, and may raise. Raises what :func:`open_given` and
    :func:`ipseg.core.masks.with_masks` raise.
    """
    found: list[tuple[Any, GivenMask | None]] = []
    for each, mask in zip(prompt_images, masks, strict=True):
        if isinstance(each, Prompt) or saved_prompt.is_saved(each):
            report()
            found += [(prompt, None) for prompt in open_given([each], [mask]).prompts]
        else:
            found += with_masks(each, mask, mask_value=mask_value, report=report)
    return OpenedPrompt([source for source, _ in found], [mask for _, mask in found])


def fitted(engine: Any, prompt: Prompt, negative: Prompt | None = None) -> tuple[Prompt, Prompt | None]:
    """A prompt with a model, and the negative prompt likewise: ``negative``, or by default the prompt's own.

    One that was loaded and given to no engine yet gets a model of this engine, once.
    """
    negative = negative or prompt.negative
    return _fitted(engine, prompt), negative and _fitted(engine, negative)


def _fitted(engine: Any, prompt: Prompt) -> Prompt:
    if prompt.model is not None:
        return prompt
    if prompt.saved is None:
        raise ValueError("expected a prompt with a model, or one of a file, got neither")
    key = f"prompt {MadeBy.of(engine).key}", id(prompt.saved)  # an id is of one object while the cache refers to it
    bare = replace(prompt, negative=None)
    _, found = engine.encodings.cache.get(key, lambda: (prompt.saved, fit(engine, bare, engine.prompt)))
    return replace(found, parameters=prompt.parameters, name=prompt.name, negative=prompt.negative)


Compared = tuple[Any, InputFeatures, Any]
"""What a scorer compares: the model of a prompt, an input image, and the model of a negative prompt or None."""


def models_with(scorer: Scorer, prompt: Prompt, image: InputFeatures, negative: Prompt | None) -> Compared:
    """The models of a prompt and of a negative prompt, to be compared with an image. Raises as :func:`model_of`."""
    other = model_of(negative, scorer, image.features) if negative else None
    return model_of(prompt, scorer, image.features), image, other


def model_of(prompt: Prompt, scorer: Scorer, layers: Sequence[FeatureMap]) -> Any:
    """The model of a prompt, to be compared with these layers of an input image.

    In a model, every mapping is by feature layer, and the last axis of its arrays is the layer's channels. Raises
    :class:`~ipseg.core.types.InputError` for the model of other layers: of another engine, or of a damaged file.
    """
    channels = {layer.name: int(layer.values.shape[-1]) for layer in layers}
    wrong = [each for each in _mappings(prompt.model) if each and not _is_of(each, channels, scorer)]
    if wrong:
        raise InputError(
            "The prompt was made of other features than those of this engine, or its file is damaged; give its images "
            "to engine.prompt of this engine, or make the file again."
        )
    return prompt.model


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """The mappings in a model."""
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, tuple | list):
        yield from chain.from_iterable(map(_mappings, value))
    elif is_dataclass(value):
        yield from chain.from_iterable(_mappings(getattr(value, each.name)) for each in fields(value))


def _is_of(values: Mapping[str, Any], channels: Mapping[str, int], scorer: Scorer) -> bool:
    """Whether all compared layers are there, and each array has the channels of its layer."""
    compared = set(scorer.layer_weights([*channels])) <= values.keys()
    return compared and all(_has(each, channels[name]) for name, each in values.items() if name in channels)


def _has(value: Any, channels: int) -> bool:
    """Whether an array, or each of several, has so many channels."""
    if isinstance(value, tuple | list):
        return all(_has(each, channels) for each in value)
    return bool(value.shape) and value.shape[-1] == channels


def fit(engine: Any, prompt: Prompt, make: Callable[[list[Any], list[Any]], Prompt]) -> Prompt:
    """A prompt with a model of this engine, and likewise its negative prompt.

    The one it has, where the engine made it; the saved one, where that is so; else, with a notice, the model of what
    ``make`` makes of its images and masks.
    """
    made_by = MadeBy.of(engine)
    negative = fit(engine, prompt.negative, make) if prompt.negative else None
    known = made_by.key and made_by.key == prompt.made_by.key and prompt.model is not None
    if known:
        return prompt if negative is prompt.negative else replace(prompt, negative=negative)
    for model in prompt.saved.models if prompt.saved and made_by.key else ():
        if model.made_by.key == made_by.key:
            placement = engine.info.placement
            try:
                value = model.decode(placement.device if placement else "cpu")
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise PromptFileError(f"The saved prompt is damaged; {saved_prompt.AGAIN}.") from error
            views = prompt.saved.views(model)  # type: ignore[union-attr]
            return replace(prompt, views=views, model=value, made_by=made_by, negative=negative)
    sources, masks = map(list, zip(*prompt.sources(), strict=True))
    made = make(sources, masks)
    notices = (*made.notices, _made_anew(prompt, made_by))
    return replace(prompt, views=made.views, model=made.model, made_by=made_by, notices=notices, negative=negative)


def _made_anew(prompt: Prompt, made_by: MadeBy) -> str:
    models = prompt.saved.models if prompt.saved else ()
    others = [f"{each.made_by.engine} of ipseg {each.made_by.version}" for each in models] or ["another engine"]
    name = f"The prompt of {prompt.name}" if prompt.name else "The prompt"
    return (
        f"{name} was made by {' and '.join(dict.fromkeys(others))}, not by this engine ({made_by.engine} of ipseg "
        f"{made_by.version}) as it is now, so its model was made anew of its images."
    )
