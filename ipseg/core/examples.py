"""Where the example images are."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def examples_folder() -> Path | None:
    """The folder of the example images, with ``Images/<object>/NN.jpg`` and ``Annotations/<object>/NN.png`` in it.

    It lies beside the package in the repository, and inside the package where a wheel was installed; None without.
    """
    folders = (parent / "examples_media" for parent in (PACKAGE.parent, PACKAGE))
    return next((folder for folder in folders if (folder / "Images").is_dir()), None)
