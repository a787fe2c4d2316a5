"""Labels of other tools, one file per format, found by its name: what ``ipseg convert`` reads.

A reader is a module with ``TITLE``, ``detect(folder)``, which says by the names of files whether a folder is of its
format, and ``read(folder)``, which returns a :class:`~ipseg.annotations.readers._source.Source`. Files are parsed by
supervision (YOLO, labelme) and datumaro (PASCAL VOC, CVAT), image by image; COCO's polygons are drawn by pycocotools.
"""

from __future__ import annotations

from pathlib import Path

from ipseg.annotations.labels import ABOUT, LabelFolder
from ipseg.annotations.labels import LABELS as PART
from ipseg.annotations.readers._source import DatasetError, Source
from ipseg.core import plugins
from ipseg.core.choices import check_choice

KIND, LABELS = "readers", "labels"


def names() -> list[str]:
    """The formats that are read, sorted; ``labels`` is the folder that ``ipseg label`` writes."""
    return sorted([*plugins.names(KIND), LABELS])


def read(folder: Path, name: str | None = None) -> Source:
    """The labels in a folder of the format ``name``, or of the one that its files show; images are read one by one.

    Raises :class:`DatasetError` where there are no labels or no format is recognised,
    :class:`~ipseg.core.types.SettingError` for a name that is not known or a package that is not installed. Iterating
    raises :class:`DatasetError` where a file is damaged.
    """
    if not folder.exists():
        raise DatasetError(f"{folder} does not exist; give the folder of a labelled dataset.")
    name = name or _recognised(folder)
    check_choice(name, names(), 'The format "{}" is not read')
    if name == LABELS:
        labels = LabelFolder.open(folder)
        return Source(labels.classes, lambda: iter(labels))
    return plugins.module(KIND, name).read(folder)


def _recognised(folder: Path) -> str:
    if (folder / ABOUT).is_file() and (folder / PART).is_dir():
        return LABELS
    found = [name for name in plugins.names(KIND) if plugins.module(KIND, name).detect(folder)]
    if len(found) != 1:
        known = ", ".join(names())
        what = f"{folder.name} may be {' or '.join(found)}" if found else f"{folder.name} is of no format that is read"
        raise DatasetError(f"{what}; state it with --from ({known}).")
    return found[0]
