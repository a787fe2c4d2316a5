"""What closes the scene at the back: each wall is one function that returns a material."""

from .materials import Shader, rgb, shade
from .shapes import sheet


def plaster(colour):
    """An unevenly painted wall."""
    shader = Shader("plaster")
    patch = shader.noise(0.6, 6.0)
    dark = shade(colour, 0.85)
    return shader.finish(shader.mix(patch, rgb(colour), dark), 0.9, shader.noise(7.0, 6.0), 0.35)


def wallpaper(one, other, width=0.5):
    """Upright stripes."""
    shader = Shader("wallpaper")
    x = shader.node("SeparateXYZ", {0: shader.place}).outputs["X"]
    stripe = shader.math("LESS_THAN", shader.math("FRACT", shader.math("DIVIDE", x, 2 * width)), 0.5)
    return shader.finish(shader.mix(stripe, rgb(other), rgb(one)), 0.8, shader.noise(40.0), 0.1)


def panels(colour):
    """Painted boards with grooves."""
    shader = Shader("panels")
    x = shader.node("SeparateXYZ", {0: shader.place}).outputs["X"]
    groove = shader.math("LESS_THAN", shader.math("FRACT", shader.math("DIVIDE", x, 0.7)), 0.05)
    dark = shade(colour, 0.45)
    return shader.finish(shader.mix(groove, rgb(colour), dark), 0.5, shader.noise(30.0), 0.1)


def spotted(one, other):
    """Wallpaper with large dots."""
    shader = Shader("spotted")
    cells = shader.node("TexVoronoi", {"Vector": shader.place, "Scale": 1.4, "Randomness": 0.0})
    inside = shader.math("LESS_THAN", cells.outputs["Distance"], 0.2)
    return shader.finish(shader.mix(inside, rgb(one), rgb(other)), 0.85)


WALLS = {
    "cream": lambda: plaster("f0e2c4"),
    "sage": lambda: plaster("a9bfa0"),
    "rose": lambda: plaster("e6b3a8"),
    "sky": lambda: plaster("a9cbe3"),
    "slate": lambda: plaster("566573"),
    "ochre": lambda: plaster("d9a654"),
    "stripes": lambda: wallpaper("e9dcc3", "c4d3c6"),
    "pink stripes": lambda: wallpaper("f3d9d3", "e7b7b3", 0.35),
    "panels": lambda: panels("dfe5e2"),
    "blue panels": lambda: panels("6f8fae"),
    "dots": lambda: spotted("f5e7cf", "e3a36b"),
}


def build_wall(name, distance=4.5):
    """An upright sheet behind everything, with a skirting board; `None` leaves the horizon open."""
    if name is not None:
        sheet(WALLS[name](), size=40.0, at=(0, distance, 0), turn=(90, 0, 0))
