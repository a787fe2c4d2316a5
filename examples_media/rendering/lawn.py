"""Grounds one can sink into: a lawn with a hedge behind it, and a round carpet, both of real fibres."""

import bpy
import numpy as np

from .floors import planks
from .materials import Shader, clay, rgb, shade
from .shapes import ball, lathe, link, sheet


def hedge(random):
    """Round bushes along the far edge of the lawn."""
    shades = ("2f5e2c", "3f7434", "55883b", "6b9a48", "3a6b45")
    for number, x in enumerate(np.linspace(-9, 9, 16)):
        high, y = random.uniform(0.9, 1.7), random.uniform(7.0, 9.0)
        ball(
            (random.uniform(0.9, 1.4), 0.8, high),
            (x + random.uniform(-0.4, 0.4), y, 0.35 * high),
            clay(shades[number % 5]),
        )


def blades(places, random, length, width, colours, curl=0.5):
    """Small bent blades standing at `places`, an array (n, 2): one mesh per colour."""
    parts = np.array_split(np.c_[places, np.zeros(len(places))], len(colours))
    for colour, roots in zip(colours, parts, strict=True):
        way = random.uniform(0, 2 * np.pi, len(roots))
        lean = np.stack([np.cos(way), np.sin(way), 0 * way], -1)
        side = np.stack([-np.sin(way), np.cos(way), 0 * way], -1) * width * 0.5
        high = (length * random.uniform(0.6, 1.2, len(roots)))[:, None]
        bend = lean * high * curl * random.uniform(0.3, 1.0, len(roots))[:, None]
        up = np.array([0, 0, 1.0])
        middle, tip = roots + 0.55 * high * up + 0.35 * bend, roots + high * up + bend
        points = np.stack([roots - side, roots + side, middle + 0.8 * side, middle - 0.8 * side, tip], 1)
        start = np.arange(len(roots))[:, None] * 5
        mesh = bpy.data.meshes.new("blades")
        quads, tips = start + np.arange(4), start + np.array([3, 2, 4])
        mesh.from_pydata(points.reshape(-1, 3).tolist(), [], quads.tolist() + tips.tolist())
        shader = Shader(f"blade {colour}")
        tint = shader.mix(shader.noise(1.2), rgb(colour), shade(colour, 0.82))
        link(mesh, "blades", shader.finish(tint, 0.6, Sheen=0.3), smooth=False)


def grass(random):
    """A lawn: blades that thin out with the distance, on a green texture."""
    shader = Shader("lawn")
    far = shader.ramp(shader.noise(26.0, 8.0), (0.3, "1f3f1a"), (0.55, "335f25"), (0.75, "527a38"))
    sheet(shader.finish(far, 1.0, Specular=0.0), size=120.0)
    n = 90000
    distance, angle = 16.0 * random.random(n) ** 1.1, random.uniform(0, 2 * np.pi, n)
    roots = np.stack([distance * np.cos(angle), distance * np.sin(angle)], -1)
    roots = roots[(roots[:, 1] > -4) & (abs(roots[:, 0]) < 3.5 + 0.6 * (roots[:, 1] + 4))]
    hedge(random)
    blades(roots, random, 0.17, 0.026, ("4c8a34", "6aa33f", "8dbb55", "3c742d"), curl=0.8)


def rug(random, colours, radius=2.9):
    """A round carpet of short curled fibres on a wooden floor."""
    planks("b98d5c", "7d532d")
    shader = Shader("rug")
    rim = [(0, 0.03), (radius - 0.05, 0.03), (radius, 0.01), (radius, 0)]
    lathe(rim, shader.finish(rgb(colours[0]), 1.0, Specular=0.0), around=96, subdivide=0, at=(0, 0.35, 0))
    distance, angle = radius * np.sqrt(random.random(110000)), random.uniform(0, 2 * np.pi, 110000)
    roots = np.stack([distance * np.cos(angle), 0.35 + distance * np.sin(angle)], -1)
    blades(roots, random, 0.075, 0.034, colours, curl=1.4)
