"""Hard floors and cloths: wood, checked cloth, stone and tiles, all flat sheets with procedural textures."""

import math

from .materials import Shader, rgb, shade
from .shapes import sheet


def bricks(shader, vector, width, height, gap, offset):
    """Colour variation 0..1 per brick, and 1 inside the gaps."""
    black, white = (0, 0, 0, 1), (1, 1, 1, 1)
    inputs = {"Vector": vector, "Scale": 1.0, "Mortar Size": gap, "Brick Width": width, "Row Height": height}
    inputs |= {"Color1": black, "Color2": white, "Mortar": (0.5, 0.5, 0.5, 1), "Mortar Smooth": 0.3}
    made = shader.node("TexBrick", inputs, offset=offset)
    return made.outputs["Color"], made.outputs["Fac"]


def planks(light, dark, gap_colour="2a1a10", turn=0.0):
    """Wooden boards, each of its own tone, with grain along them."""
    shader = Shader("planks")
    vector = shader.node("Mapping", {"Vector": shader.place, "Rotation": (0, 0, math.radians(turn))}).outputs[0]
    tone, gap = bricks(shader, vector, 4.2, 0.62, 0.012, 0.37)
    shift = shader.node("VectorMath", {0: vector, 1: tone}, operation="ADD").outputs[0]
    stretched = shader.node("Mapping", {"Vector": shift, "Scale": (0.7, 9.0, 1.0)}).outputs[0]
    grain = shader.noise(2.2, 8.0, stretched, 0.5)
    colour = shader.mix(grain, rgb(dark), rgb(light))
    lift = shader.mix(shader.math("MULTIPLY", tone, 0.5), colour, rgb(light), "SOFT_LIGHT")
    colour = shader.mix(gap, lift, rgb(gap_colour))
    height = shader.math("SUBTRACT", shader.math("MULTIPLY", grain, 0.25), gap)
    return sheet(shader.finish(colour, 0.42, height, 0.5, 0.03))


def gingham(one, other, width=0.42):
    """Checked cloth: two crossed sets of stripes, with a fine weave and soft folds."""
    shader = Shader("gingham")
    axes = shader.node("SeparateXYZ", {0: shader.place})
    stripes, threads = [], []
    for axis in ("X", "Y"):
        phase = shader.math("FRACT", shader.math("DIVIDE", axes.outputs[axis], 2 * width))
        stripes.append(shader.math("LESS_THAN", phase, 0.5))
        threads.append(shader.math("SINE", shader.math("MULTIPLY", axes.outputs[axis], 230.0)))
    share = shader.math("MULTIPLY", shader.math("ADD", *stripes), 0.5)
    colour = shader.mix(share, rgb(other), rgb(one))
    weave = shader.math("MULTIPLY", shader.math("MULTIPLY", *threads), 0.06)
    height = shader.math("ADD", weave, shader.math("MULTIPLY", shader.noise(1.1, 2.0), 2.5))
    return sheet(shader.finish(colour, 0.85, height, 0.5, 0.05, Sheen=0.4))


def marble(base, vein):
    """Polished stone with veins."""
    shader = Shader("marble")
    warp = shader.noise(0.9, 8.0, None, 1.4)
    thin = shader.math("ABSOLUTE", shader.math("SUBTRACT", warp, 0.5))
    cloud = shader.mix(shader.noise(1.7, 5.0), rgb(base), shade(base, 0.82))
    strength = shader.math("SUBTRACT", 1.0, shader.math("MULTIPLY", thin, 26.0))
    strength = shader.math("MULTIPLY", shader.math("MAXIMUM", strength, 0.0), shader.noise(1.3, 2.0))
    return sheet(shader.finish(shader.mix(strength, cloud, rgb(vein)), 0.12))


def tiles(one, other, grout="cfc8bb", size=0.8):
    """Glazed square tiles of two tones."""
    shader = Shader("tiles")
    tone, gap = bricks(shader, shader.place, size, size, 0.025, 0.0)
    check = shader.node(
        "TexChecker", {"Vector": shader.place, "Scale": 1 / size, "Color1": rgb(one), "Color2": rgb(other)}
    )
    mottled = shader.mix(shader.math("MULTIPLY", shader.noise(3.0), 0.35), check.outputs[0], rgb(grout), "MULTIPLY")
    colour = shader.mix(gap, shader.mix(0.12, mottled, tone, "OVERLAY"), rgb(grout))
    rough = shader.math("ADD", 0.16, shader.math("MULTIPLY", gap, 0.6))
    height = shader.math("SUBTRACT", shader.math("MULTIPLY", shader.noise(1.5), 0.25), gap)
    return sheet(shader.finish(colour, rough, height, 0.5, 0.03))


def terrazzo(base, flecks):
    """Polished stone with flecks of several colours."""
    shader = Shader("terrazzo")
    cells = shader.node("TexVoronoi", {"Vector": shader.place, "Scale": 3.6})
    red = shader.node("SeparateXYZ", {0: cells.outputs["Color"]}).outputs["X"]
    tint = shader.ramp(red, *[(i / len(flecks), name) for i, name in enumerate(flecks)])
    shader.tree.nodes[-1].color_ramp.interpolation = "CONSTANT"
    ragged = shader.math("ADD", cells.outputs["Distance"], shader.math("MULTIPLY", shader.noise(9.0), 0.25))
    inside = shader.math("LESS_THAN", ragged, shader.math("ADD", 0.28, shader.math("MULTIPLY", red, 0.2)))
    return sheet(shader.finish(shader.mix(inside, rgb(base), tint), 0.25))
