"""What objects stand on, by name: a function of a random generator makes each surface, at z = 0."""

from .floors import gingham, marble, planks, terrazzo, tiles
from .lawn import grass, rug

SURFACES = {
    "oak": lambda random: planks("c99a62", "8a5a30"),
    "walnut": lambda random: planks("86583a", "4a2c1b", turn=90),
    "white boards": lambda random: planks("e6e0d6", "b9b0a3", "6d665d", turn=12),
    "red cloth": lambda random: gingham("cf3b3b", "f6efe4"),
    "blue cloth": lambda random: gingham("3a6fb5", "f2efe8", 0.3),
    "yellow cloth": lambda random: gingham("efb73a", "fbf3dd", 0.36),
    "marble": lambda random: marble("efece6", "7f7a78"),
    "dark marble": lambda random: marble("2b3438", "c9b27a"),
    "mint tiles": lambda random: tiles("9fd3c0", "f0ede4"),
    "blue tiles": lambda random: tiles("4a78b8", "c4d7ea", size=0.66),
    "terrazzo": lambda random: terrazzo("ece4da", ("coral", "teal", "gold", "grey", "navy", "white")),
    "grass": grass,
    "cream rug": lambda random: rug(random, ("f3e2bf", "fbf0d8", "e6cf9f")),
    "teal rug": lambda random: rug(random, ("1f7f86", "2f9aa0", "17666d")),
    "rose rug": lambda random: rug(random, ("d98a94", "e7a5ab", "c9707d")),
}


def build_surface(name, random):
    """Build the surface called `name`; what is random about it comes from `random`."""
    SURFACES[name](random)
