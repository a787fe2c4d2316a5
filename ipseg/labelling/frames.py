"""The sampled frames of a clip as image files, which are labelled and exported like any other images.

    OUTPUT/frames/STEM/00001.png      the first frame of STEM.mp4, lossless

The name of a frame is STEM/00001.png, as ``ffmpeg -i CLIP STEM/%05d.png`` and ``ipseg batch`` name it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path

from ipseg.annotations.coco import frame_name
from ipseg.batch import clips, inputs, video
from ipseg.batch.clips import Clip, IncompleteClipError
from ipseg.core import images
from ipseg.core.names import first_free, same_name
from ipseg.core.store import atomic_write, remove_partials, writing
from ipseg.engine.processes import Share
from ipseg.labelling.run import NAMELESS, Item

FRAMES = "frames"  # below a label folder
ALL = Share()


@dataclass(frozen=True)
class Sampled:
    """The frames that were taken of a clip."""

    items: tuple[Item, ...]
    error: str = ""  # why they are not all, one message; "" where they are


def is_clip(path: Path) -> bool:
    """Whether a path is to be read as a clip: by its ending, also where it is missing, else by its first bytes."""
    return not path.is_dir() and (path.suffix.lower() in clips.ENDINGS or clips.is_clip(path))


def stems(given: Sequence[Clip], taken: Iterable[str]) -> list[str]:
    """The folder name of each clip's frames: its name without the ending, numbered where it is taken.

    Printable, and no name of another folder. ``taken``: names of images, whose first folders no clip may share. Names
    that differ in case or in the composition of letters alone are one name on some systems.
    """
    used = {same_name(name.partition("/")[0]) for name in taken}
    bases = (_base(clip.name) for clip in given)
    return [first_free(chain([base], (f"{base}-{number}" for number in count(2))), used) for base in bases]


def _base(name: str) -> str:
    base = inputs.tidy(frame_name(name, 1).rpartition("/")[0])
    return NAMELESS if base in ("", ".", "..") else base


def number_of(name: str) -> int:
    """The number of a frame, from 1, by its name."""
    return int(name.rpartition("/")[2].partition(".")[0])


def sample(
    clip: Clip,
    stem: str,
    output: Path,
    *,
    per_second: float = video.PER_SECOND,
    share: Share = ALL,
    first: int = 0,
    most: int | None = None,
    stop: Callable[[], object] = lambda: None,
) -> Sampled:
    """Write the frames of a clip, at most ``per_second`` of them each second, into ``output``; one is in memory.

    A file that is there is left as it is where it was written of the same pixels. Of the files only those of ``share``
    are written, the first frame being the ``first``-th item of all, from 0. No more than one frame above ``most`` is
    taken. ``stop`` is called before each frame, and may raise. Where a clip is cut short, the frames that can be read
    are taken, and the result has an error. Raises :class:`~ipseg.core.types.SettingError`,
    :class:`~ipseg.batch.clips.ClipError`, and :class:`~ipseg.core.store.OutputError`.
    """
    video.check(per_second)
    items: list[Item] = []
    remove_partials(output / FRAMES / stem)
    try:
        for number, frame, is_keyframe in video.with_keyframes(clip, per_second):
            stop()
            if not is_keyframe:
                continue
            if most is not None and len(items) > most:
                break
            name = f"{stem}/{frame_name(clip.name, number).rpartition('/')[2]}"
            path = output / FRAMES / name
            if (first + len(items)) % share.of == share.number:
                _write(path, frame.image)
            items.append(Item(name, partial(Path, path)))
    except IncompleteClipError as error:
        return Sampled(tuple(items), str(error))
    return Sampled(tuple(items))


def _write(path: Path, image: images.ImageArray) -> None:
    """Save a frame (H, W, 3) uint8 unless the file has been written of the same pixels."""
    content = images.fingerprint(image)
    if os.path.exists(path) and images.png_note(path) == content:
        return
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, images.encode_png(image, content))
