"""Materials: plain ones for objects, and the small node language the textured surfaces are written in."""

import bpy

# Named colours, sRGB.
PALETTE = {
    "red": "d8302f", "coral": "f0705a", "orange": "f28a1e", "yellow": "f9c623", "green": "4f9d4a", "mint": "8fd3b6",
    "teal": "1f8f96", "blue": "2f62c4", "navy": "24385f", "sky": "8fc4ea", "purple": "7b4fb0", "pink": "f19bb8",
    "white": "f4f1ea", "cream": "f3e3c3", "grey": "8d9299", "black": "1c1c20", "brown": "6b4226", "wood": "c08a55",
    "terracotta": "c2683f", "moss": "3f7d3a", "leaf": "5fa04e", "soil": "3a2a20", "steel": "b9c0c8", "gold": "d9a441",
    "sand": "dcc49a", "lime": "a9cf4b", "wine": "8c2740", "lavender": "b9a7e0", "charcoal": "3a3d44",
}  # fmt: skip


def rgb(colour):
    """A palette name or 'rrggbb' as linear (r, g, b, 1)."""
    digits = PALETTE.get(colour, colour)
    values = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    return (*[v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values], 1.0)


def shade(colour, share):
    """A colour darkened to a share of itself, linear (r, g, b, 1)."""
    return (*[share * value for value in rgb(colour)[:3]], 1.0)


class Shader:
    """A material's node tree: `node` adds a node, and whatever is given for an input is a value or another socket."""

    def __init__(self, name):
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.principled = self.tree.nodes["Principled BSDF"]
        self.place = self.node("TexCoord").outputs["Object"]

    def node(self, kind, inputs=None, **settings):
        made = self.tree.nodes.new("ShaderNode" + kind)
        for key, value in settings.items():
            setattr(made, key, value)
        self.set(made, inputs or {})
        return made

    def set(self, node, inputs):
        for key, value in inputs.items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[key])
            else:
                node.inputs[key].default_value = value

    def stretched(self, scale):
        """The object's coordinates, scaled by (x, y, z)."""
        return self.node("Mapping", {"Vector": self.place, "Scale": scale}).outputs[0]

    def noise(self, scale, detail=4.0, vector=None, distortion=0.0):
        inputs = {"Vector": vector or self.place, "Scale": scale, "Detail": detail, "Distortion": distortion}
        return self.node("TexNoise", inputs).outputs["Fac"]

    def math(self, operation, a, b=0.0):
        return self.node("Math", {0: a, 1: b}, operation=operation).outputs[0]

    def mix(self, factor, a, b, blend="MIX"):
        return self.node("MixRGB", {"Fac": factor, "Color1": a, "Color2": b}, blend_type=blend).outputs[0]

    def ramp(self, factor, *stops):
        """Colours at positions: ramp(socket, (0.3, "white"), (0.6, "grey"))."""
        made = self.node("ValToRGB", {"Fac": factor})
        elements = made.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, stops, strict=True):
            element.position, element.color = position, rgb(colour)
        return made.outputs[0]

    def finish(self, colour, roughness=0.5, height=None, relief=0.3, depth=0.02, **inputs):
        """Wire colour, roughness and a height field into the surface; return the material."""
        self.set(self.principled, {"Base Color": colour, "Roughness": roughness, **inputs})
        if height is not None:
            bump = self.node("Bump", {"Height": height, "Strength": relief, "Distance": depth})
            self.set(self.principled, {"Normal": bump.outputs[0]})
        return self.material


def plain(colour, roughness=0.35, metallic=0.0, coat=0.0, glow=0.0):
    """One even colour with a faint unevenness, as of moulded plastic or glaze."""
    shader = Shader(f"plain {colour}")
    inputs = {"Metallic": metallic, "Clearcoat": coat, "Clearcoat Roughness": 0.08}
    inputs |= {"Emission": rgb(colour), "Emission Strength": glow}
    shader.material.cycles.sample_as_light = False  # a lit eye or a flame glows but lights nothing: less noise
    tint = shader.mix(shader.noise(3.0, 2.0), rgb(colour), shade(colour, 0.86))
    return shader.finish(tint, roughness, **inputs)


def glazed(colour):
    return plain(colour, roughness=0.22, coat=0.8)


def rubber(colour):
    return plain(colour, roughness=0.36, coat=0.15)


def painted(colour):
    return plain(colour, roughness=0.3, coat=0.4)


def metal(colour):
    return plain(colour, roughness=0.28, metallic=1.0)


def clay(colour):
    shader = Shader(f"clay {colour}")
    grain = shader.noise(22.0, 6.0)
    dark = shade(colour, 0.7)
    return shader.finish(shader.mix(grain, rgb(colour), dark), 0.8, grain, 0.25)


def dotted(base, dot, scale=7.0, size=0.3):
    """Dots of one colour on another, laid on a lattice about the z axis."""
    shader = Shader(f"dotted {base} {dot}")
    cells = shader.node("TexVoronoi", {"Vector": shader.place, "Scale": scale, "Randomness": 0.0})
    inside = shader.math("LESS_THAN", cells.outputs["Distance"], size)
    return shader.finish(shader.mix(inside, rgb(base), rgb(dot)), 0.22, Clearcoat=0.8)


def grainy_wood(colour="wood"):
    shader = Shader(f"wood {colour}")
    grain = shader.noise(3.0, 6.0, shader.stretched((9.0, 1.0, 9.0)), 0.6)
    dark = shade(colour, 0.55)
    return shader.finish(shader.mix(grain, rgb(colour), dark), 0.55, grain, 0.2)
