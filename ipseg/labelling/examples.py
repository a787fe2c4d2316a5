"""The classes of a labelling run, each shown by a few example images, from a folder, a zip, a YAML file or Python.

A folder (or a zip) has one folder per class, or saved prompts (``ipseg prompt``), or both::

    examples/mug/01.jpg             an example; the whole name of the folder is the name of the class
    examples/mug/01.mask.png        optional: where the object is in 01.jpg
    examples/mug/negative/cup.jpg   optional: what is not meant
    examples/robot.npz              a saved prompt of the class "robot"

or the layout of the datasets with masks, ``Images/mug/01.jpg`` and ``Annotations/mug/01.png``, or a ``classes.yaml``,
whose paths are relative to its folder::

    classes:
      mug: mug_photos                             # a folder as above, an image, a list of images, or a saved prompt
      cup:
        images: [cup/01.jpg, cup/02.jpg]
        masks: [cup/01.png, null]                 # optional, one for each image
        negative: [mug_photos/01.jpg]             # optional: what is not meant

The order of the classes, from which their numbers follow, is that of the names in a folder and as written in YAML.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ipseg.batch import inputs
from ipseg.batch.inputs import Item
from ipseg.core import images
from ipseg.core.files import open_regular
from ipseg.core.images import Source
from ipseg.core.masks import GivenMask, read_mask
from ipseg.core.types import ImageArray, InputError, Progress
from ipseg.engine.protocol import Engine
from ipseg.labelling.matching import ClassPrompt
from ipseg.method import instances
from ipseg.method.prompt import Prompt

MAX_EXAMPLES = 10_000  # of all classes together
MAX_NAME = 100  # bytes of a class name
MAX_YAML = 2**20  # bytes
FILES, IMAGES, ANNOTATIONS = "classes.yaml", "Images", "Annotations"
MASK, NEGATIVE, SAVED = ".mask", "negative", ".npz"
YAML = (".yaml", ".yml")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")  # of what is taken for an image
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no names of files on Windows
WRONG = re.compile(r'[/\\:*?"<>|]')  # likewise


class ExamplesError(InputError):
    """The example images of a class cannot be used; one message that says what to do."""


@dataclass(frozen=True)
class Example:
    """One example image, and its mask where there is one; neither is held in memory."""

    name: str  # for messages
    source: Callable[[], Source]
    mask_name: str = ""
    mask: Callable[[], Any] | None = None

    def open(self) -> tuple[ImageArray, GivenMask | None]:
        """(H, W, 3) uint8 RGB, and the mask. Raises ImageError and MaskError."""
        source = self.source()
        turn = images.orientation(source)  # before a binary file is read to its end
        image = images.open_image(source, name=self.name)
        if self.mask is None:
            return image, None
        return image, read_mask(self.mask(), image.shape[:2], orientation=turn, name=self.mask_name)


@dataclass(frozen=True)
class ClassExamples:
    """One class: its name and its example images, or its saved prompt."""

    name: str
    examples: tuple[Example, ...] = ()
    negative: tuple[Example, ...] = ()
    prompt: Callable[[], Prompt] | None = None  # in place of the examples
    content: tuple[str, ...] = ()  # the fingerprints of all that it is made of; filled by :func:`read`

    def class_prompt(self, engine: Engine, progress: Progress | None = None) -> ClassPrompt:
        """The prompt that ``engine`` makes of it. Raises what ``engine.prompt`` raises."""
        if self.prompt:
            saved = engine.prompt(self.prompt(), progress=progress)
        else:
            saved = _prompt(engine, self.examples, progress)
        if not self.negative:
            return ClassPrompt(self.name, saved, saved.negative)
        negative = _prompt(engine, self.negative, progress)
        both = engine.prompt([saved.negative, negative], progress=progress) if saved.negative else negative
        return ClassPrompt(self.name, saved, both)


def read(source: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[ClassExamples, ...]:
    """The classes of a folder, a zip or a YAML file, or of a mapping from the name of a class to what shows it.

    In a mapping, a class is shown by an image (whatever :func:`ipseg.core.images.open_image` opens), by a pair (image,
    mask), by a list of these, by a :class:`~ipseg.method.prompt.Prompt`, or by the path of a folder or saved prompt.
    Every image is opened once, and none stays in memory. Raises :class:`ExamplesError` where there is no class, a class
    has no example, two have one name or one image, or a name cannot be that of a file; for an example that cannot be
    opened, what opening it raises.
    """
    given = _of_mapping(source) if isinstance(source, Mapping) else _of_path(Path(source))
    if not given:
        raise ExamplesError(f"{_label(source)} holds no classes; give one folder of example images for each class.")
    classes = [_named(each) for each in given]
    _check_names([each.name for each in classes])
    for each in classes:
        if not each.examples and each.prompt is None:
            raise ExamplesError(f'The class "{each.name}" has no example image; give it one, or remove the class.')
    return tuple(_checked(classes))


def prompts(
    engine: Engine, classes: Sequence[ClassExamples], progress: Progress | None = None
) -> tuple[ClassPrompt, ...]:
    """The prompt of each class, which ``engine`` encodes, :func:`~ipseg.method.instances.reduced` to label with.

    Raises what ``engine.prompt`` raises.
    """
    return tuple(_reduced(each.class_prompt(engine, progress)) for each in classes)


def _reduced(each: ClassPrompt) -> ClassPrompt:
    return ClassPrompt(each.name, instances.reduced(each.prompt), each.negative and instances.reduced(each.negative))


def _prompt(engine: Engine, examples: Sequence[Example], progress: Progress | None) -> Prompt:
    opened = [each.open() for each in examples]
    return engine.prompt([image for image, _ in opened], [mask for _, mask in opened], progress=progress)


# Folders and zips


def _of_path(path: Path) -> list[ClassExamples]:
    if path.is_dir() and (path / FILES).is_file():
        return _of_yaml(path / FILES)
    if path.is_file() and path.suffix.lower() in YAML:
        return _of_yaml(path)
    if path.is_file() and path.suffix.lower() == SAVED:
        return [_saved(path.stem, partial(Path, path))]
    if not path.exists():
        raise ExamplesError(f"The examples {path} do not exist; check the path.")
    folders = _folders(path) if path.is_dir() else []
    items = _items(path) if path.is_dir() else _unwrapped(_items(path))
    masks: dict[str, Item] = {}
    if any(PurePosixPath(item.path).parts[0] == IMAGES and item.path.count("/") > 1 for item in items):
        folders = _folders(path / IMAGES) if path.is_dir() else []
        masks = {_key(below): item for item in items if (below := _below(item, ANNOTATIONS))}
        items = [_moved(item, below) for item in items if (below := _below(item, IMAGES))]
    found: dict[str, list[Item]] = {name: [] for name in folders}
    single = []
    for item in items:
        place = PurePosixPath(item.path)
        if len(place.parts) > 1:
            found.setdefault(place.parts[0], []).append(item)
        elif place.suffix.lower() == SAVED:
            single.append(_saved(place.stem, item.source))
        elif place.name == FILES:
            raise ExamplesError(f"{item.name} is in an archive; unpack it, and give the folder.")
        elif place.suffix.lower() in ENDINGS:
            raise ExamplesError(
                f"{item.name} lies outside the folders of the classes; put it into a folder named as its class."
            )
    of_folders = [_of_items(name, own, masks, depth=1) for name, own in found.items()]
    return sorted([*of_folders, *single], key=lambda each: each.name)


def _unwrapped(items: list[Item]) -> list[Item]:
    """The members of a zip without the one folder that holds the folders of the classes, where there is one."""
    top = {PurePosixPath(item.path).parts[0] for item in items}
    if len(top) == 1 and any(item.path.count("/") > 1 for item in items) and not any(map(_is_example, items)):
        return [_moved(item, item.path.partition("/")[2]) for item in items]
    return items


def _is_example(item: Item) -> bool:
    """Whether an item lies in a folder as the images of a class do."""
    return item.path.count("/") == 1 and PurePosixPath(item.path).suffix.lower() in ENDINGS


def _items(path: Path) -> list[Item]:
    """The files of a folder or zip; none where it is empty."""
    try:
        return inputs.gather([path], most=MAX_EXAMPLES, as_given=True)
    except inputs.NoImagesError:
        return []


def _folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, also of those that are empty."""
    return [entry.name for entry in sorted(folder.iterdir()) if inputs.is_input(entry.name) and entry.is_dir()]


def _below(item: Item, folder: str) -> str:
    """The path of an item below a folder; "" where it is outside."""
    first, _, rest = item.path.partition("/")
    return rest if first == folder else ""


def _moved(item: Item, path: str) -> Item:
    return Item(item.name, item.source, path)


def _key(path: str) -> str:
    """What an image and its mask have in common."""
    return str(PurePosixPath(path).with_suffix(""))


def _of_items(name: str, items: Sequence[Item], masks: Mapping[str, Item], depth: int) -> ClassExamples:
    """A class of the files of its folder, whose paths have ``depth`` folders before the name of the file."""
    own = {}  # the masks beside the images, by what they have in common
    shown: dict[str, list[Item]] = {"": [], NEGATIVE: []}
    for item in items:
        parts = PurePosixPath(item.path).parts
        inner = parts[depth:-1]
        kind = {(): "", (NEGATIVE,): NEGATIVE}.get(inner)
        if kind is None:
            raise ExamplesError(
                f'The class "{name}" holds the folder {"/".join(inner)}; put its images into the folder of the '
                f"class, or give the classes in a {FILES}."
            )
        stem = _key(item.path)
        if stem.endswith(MASK) and not kind:
            own[stem.removesuffix(MASK)] = item
        elif PurePosixPath(item.path).suffix.lower() == SAVED:
            raise ExamplesError(f"{item.name} is a saved prompt; put it beside the folders of the classes.")
        else:
            shown[kind].append(item)
    left = set(own) - {_key(item.path) for item in shown[""]}
    if left:
        raise ExamplesError(f"{own[min(left)].name} is a mask without its image; add the image, or remove the mask.")
    for group in shown.values():
        _check_stems(group)
    found = {**masks, **own}
    return ClassExamples(
        name,
        tuple(_example(item, found.get(_key(item.path))) for item in shown[""]),
        tuple(_example(item, None) for item in shown[NEGATIVE]),
    )


def _check_stems(items: Sequence[Item]) -> None:
    """Raise :class:`ExamplesError` for two images that differ in their endings alone: one may be meant as a mask."""
    taken: dict[str, Item] = {}
    for item in items:
        other = taken.setdefault(_key(item.path), item)
        if other is not item:
            mask = PurePosixPath(item.name).stem + MASK
            raise ExamplesError(
                f"{other.name} and {item.name} have one name; name a mask {mask}.png, or give the image another name."
            )


def _example(item: Item, mask: Item | None) -> Example:
    return Example(item.name, item.source, mask.name if mask else "", mask.source if mask else None)


def _saved(name: str, source: Callable[[], Any]) -> ClassExamples:
    """A class of a saved prompt."""
    return ClassExamples(name, prompt=lambda: Prompt.load(source()))


# YAML


class _Class(BaseModel):
    """One class in a YAML file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    images: list[str] = []
    masks: list[str | None] = []
    negative: list[str] = []
    prompt: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        """A path, or a list of paths, in place of the images."""
        if isinstance(given, str | list):
            return {"images": [given] if isinstance(given, str) else given}
        if isinstance(given, dict):
            return {key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in given.items()}
        return given

    @model_validator(mode="after")
    def _fits(self) -> _Class:
        if self.masks and len(self.masks) != len(self.images):
            raise ValueError(f"{len(self.images)} images and {len(self.masks)} masks; give a mask or null for each")
        if self.prompt and (self.images or self.masks):
            raise ValueError("images and a prompt; give one of the two")
        return self


_LISTS = ("images", "masks", "negative")


class _Classes(BaseModel):
    """A YAML file of classes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    classes: dict[str, _Class]


class _Loader(yaml.SafeLoader):
    """Plain data, keys as they are written; a key that occurs twice is an error."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    found = {}
    for key_node, value_node in node.value:
        scalar = isinstance(key_node, yaml.ScalarNode)
        key = key_node.value if scalar else str(loader.construct_object(key_node, deep=True))
        if key in found:
            raise yaml.constructor.ConstructorError(None, None, f'"{key}" occurs twice', key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _of_yaml(path: Path) -> list[ClassExamples]:
    try:
        with open_regular(path) as file:
            text = file.read(MAX_YAML)
            if file.read(1):
                raise yaml.YAMLError(f"larger than {MAX_YAML // 2**20} MB")
        classes = _Classes.model_validate(yaml.load(text, _Loader)).classes  # noqa: S506 - made of SafeLoader
    except OSError as error:
        raise ExamplesError(f"{path.name} cannot be read ({error.strerror}); check the file.") from None
    except ValidationError as error:
        raise ExamplesError(
            f"{path.name} {_fault(error)}; see the documentation of the classes and check it."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ExamplesError(f"{path.name} is no YAML that can be read{_mark(error)}; check the file.") from None
    return [_of_entry(path, name, entry) for name, entry in classes.items()]


def _fault(error: ValidationError) -> str:
    """The first fault, with its place: ``"has classes.mug.imges: Extra inputs are not permitted"``."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "the whole file"
    if first["type"] == "extra_forbidden":
        return f"has the unknown key {place}"
    return f"is wrong at {place} ({first['msg'].removeprefix('Value error, ')})"


def _mark(error: Exception) -> str:
    """Where a file is wrong, and how: of one line."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    text = f"line {mark.line + 1}: {problem}" if mark else str(error).partition("\n")[0]
    return f" ({text})" if text else ""


def _of_entry(file: Path, name: str, entry: _Class) -> ClassExamples:
    masks = entry.masks or [None] * len(entry.images)
    if len(entry.images) == 1 and not any(masks) and not entry.prompt:
        found = _of_place(name, file.parent / entry.images[0], f"{name}/{entry.images[0]}")
        negative = tuple(_of_file(file, each) for each in entry.negative)
        return ClassExamples(name, found.examples, (*found.negative, *negative), found.prompt)
    examples = tuple(_of_file(file, image, mask) for image, mask in zip(entry.images, masks, strict=True))
    prompt = _saved(name, partial(Path, file.parent / entry.prompt)).prompt if entry.prompt else None
    return ClassExamples(name, examples, tuple(_of_file(file, each) for each in entry.negative), prompt)


def _of_file(file: Path, image: str, mask: str | None = None) -> Example:
    """An example of paths relative to the folder of ``file``."""
    folder = file.parent
    return Example(image, partial(Path, folder / image), mask or "", partial(Path, folder / mask) if mask else None)


def _of_place(name: str, path: Path, label: str) -> ClassExamples:
    """A class of one path: a folder, a saved prompt or an image."""
    if path.suffix.lower() == SAVED:
        return _saved(name, partial(Path, path))
    if not path.is_dir():
        return ClassExamples(name, (Example(label, partial(Path, path)),))
    items = [Item(f"{name}/{item.name}", item.source, item.path) for item in _items(path)]
    return _of_items(name, items, {}, depth=0)


# Python


def _of_mapping(given: Mapping[str, Any]) -> list[ClassExamples]:
    return [_of_value(name, value) for name, value in given.items()]


def _of_value(name: str, value: Any) -> ClassExamples:
    if isinstance(value, Prompt):
        return ClassExamples(name, prompt=lambda: value)
    if isinstance(value, str | os.PathLike):
        return _of_place(name, Path(value), f"{name}/{Path(value).name}")
    values = value if isinstance(value, list) else [value]
    return ClassExamples(name, tuple(_of_source(name, number, each) for number, each in enumerate(values, 1)))


def _of_source(name: str, number: int, given: Any) -> Example:
    """An example of an image, or of a pair of an image and its mask."""
    image, mask = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    is_path = isinstance(image, str | os.PathLike)
    label = f"{name}/{Path(image).name}" if is_path else f'Example {number} of the class "{name}"'
    return Example(label, partial(_same, image), f"The mask of {label}", None if mask is None else partial(_same, mask))


def _same(value: Any) -> Any:
    return value


# Checks


def _named(each: ClassExamples) -> ClassExamples:
    """With its name in the one form that file systems agree on."""
    if not isinstance(each.name, str):
        raise ExamplesError(f"The name of a class is {each.name!r}; give a text.")
    name = unicodedata.normalize("NFC", each.name)
    return replace(each, name=name)


def check_name(name: str) -> None:
    """Raise :class:`ExamplesError` for a class name that cannot be the name of a file or folder on every system."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    wrong = (
        not name.strip(" .")
        or name != name.strip()
        or name[0] == "."
        or name[-1] == "."
        or shown != name
        or WRONG.search(name)
        or RESERVED.fullmatch(name)
        or len(name.encode(errors="replace")) > MAX_NAME
    )
    if wrong:
        short = shown if len(shown) <= 60 else f"{shown[:59]}…"
        raise ExamplesError(
            f'The class name "{short}" cannot be the name of a file; give one of letters, digits, spaces, "-" and '
            f'"_", at most {MAX_NAME} bytes long.'
        )


def _check_names(names: Sequence[str]) -> None:
    taken: dict[str, str] = {}
    for name in names:
        check_name(name)
        other = taken.setdefault(name.casefold(), name)
        if other is not name:
            raise ExamplesError(
                f'Two classes are named "{other}" and "{name}", one name on some systems; give each a name of its own.'
                if other != name
                else f'Two classes are named "{name}"; give each a name of its own.'
            )


def _checked(classes: Sequence[ClassExamples]) -> Iterator[ClassExamples]:
    """Each class with the fingerprints of its examples. Raises :class:`ExamplesError` for an image in two classes."""
    seen: dict[str, list[tuple[str, str, str]]] = {}  # by image: class, name and mask of each example
    for each in classes:
        content = []
        for example in each.examples:
            image, given = example.open()
            mask = images.fingerprint(given.mask) if given else ""
            name = images.fingerprint(image)
            for owner, first, other in seen.get(name, []):
                if owner != each.name and (not mask or not other or mask == other):
                    raise ExamplesError(
                        f'{first} of the class "{owner}" and {example.name} of the class "{each.name}" are the same '
                        "image; remove one, or give each a mask of its own object."
                    )
            seen.setdefault(name, []).append((each.name, example.name, mask))
            content.append(f"{name} {mask}")
        for example in each.negative:
            name = images.fingerprint(example.open()[0])
            if any(owner == each.name and not mask for owner, _, mask in seen.get(name, [])):
                raise ExamplesError(
                    f'{example.name} is an example of the class "{each.name}" and of what is not meant; remove one.'
                )
            content.append(f"negative {name}")
        if each.prompt:
            content += _content(each.prompt())
        yield replace(each, content=tuple(content))


def _content(prompt: Prompt) -> Iterator[str]:
    """What decides the masks of a saved prompt."""
    yield prompt.fingerprint()
    for one in (prompt, prompt.negative):
        yield from (images.fingerprint(view.image, view.saliency) for view in one.views) if one else ()


def _label(source: Any) -> str:
    return "The mapping" if isinstance(source, Mapping) else Path(source).name or "The folder"
