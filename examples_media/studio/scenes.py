"""All scenes, sorted by name: a new file of scenes is added here."""

from .alone import ALONE
from .among import AMONG

SCENES = tuple(sorted(ALONE + AMONG, key=lambda scene: scene.name))
