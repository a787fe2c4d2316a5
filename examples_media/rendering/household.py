"""More targets: a guitar, a lamp and an umbrella, each one function of a colour."""

import math

import bpy
import numpy as np

from .materials import glazed, grainy_wood, metal, painted, plain
from .shapes import ball, box, disc, from_rings, lathe, link, ring, smooth_path, tube


def outline(samples=24):
    """The edge of a guitar's body, points (n, 2) of x and z: one side, and its mirror image."""
    low = [(0, 0), (0.15, 0.01), (0.28, 0.09), (0.345, 0.24), (0.31, 0.38)]
    high = [(0.225, 0.51), (0.235, 0.63), (0.265, 0.74), (0.215, 0.85), (0.09, 0.9), (0, 0.9)]
    right = smooth_path([*low, *high], samples)
    return np.vstack([right, (right * (-1, 1))[-2:0:-1]])


def guitar(colour):
    """A small guitar that stands on its end, its strings towards -y."""
    paint, wood, dark = painted(colour), grainy_wood("wood"), plain("3b2417", 0.4)
    cream, steel = plain("cream", 0.35), metal("steel")
    edge = outline()
    centre = edge.mean(0)
    layers = []
    for y, inset in ((-0.10, 0.95), (-0.098, 0.985), (-0.08, 1.0), (0.08, 1.0), (0.098, 0.985), (0.10, 0.95)):
        x, z = ((edge - centre) * inset + centre).T
        layers.append(np.stack([x, np.full_like(x, y), z], -1))
    parts = [from_rings(layers, "body", paint)]
    rim = [(x, -0.097, z) for x, z in (edge - centre) * 0.965 + centre]
    parts.append(tube([*rim, rim[0]], [0.013] * (len(rim) + 1), cream, samples=160, around=8))
    parts.append(disc(0.105, 0.012, (0, -0.101, 0.58), plain("120c09", 0.7), turn=(90, 0, 0)))
    parts.append(ring(0.118, 0.013, (0, -0.103, 0.58), cream, turn=(90, 0, 0)))
    parts.append(box((0.26, 0.03, 0.05), (0, -0.115, 0.27), dark, bevel=0.012))
    parts.append(box((0.095, 0.07, 0.72), (0, -0.075, 1.11), wood, bevel=0.02))
    parts.append(box((0.088, 0.03, 0.78), (0, -0.118, 1.07), dark, bevel=0.006))
    parts.append(box((0.14, 0.05, 0.24), (0, -0.07, 1.55), paint, bevel=0.02, taper=(1.25, 1.0)))
    for fret in range(9):
        parts.append(box((0.088, 0.008, 0.008), (0, -0.136, 0.76 + 0.082 * fret), steel, bevel=0.002))
    for x in (-0.03, -0.01, 0.01, 0.03):
        parts.append(tube([(1.3 * x, -0.134, 0.27), (x, -0.142, 0.9), (x, -0.136, 1.5)], [0.0035] * 3, cream, around=6))
    for side in (-1, 1):
        for z in (1.5, 1.6):
            parts.append(ball((0.035, 0.022, 0.026), (side * 0.115, -0.07, z), steel))
    return parts


def lamp(colour):
    """A table lamp with a glazed foot and a pale shade, lit."""
    skin, gold, linen = glazed(colour), metal("gold"), plain("fff0cf", 0.8, glow=0.12)
    foot = [(0, 0.04), (0.17, 0.04), (0.2, 0.06), (0.27, 0.16), (0.31, 0.30), (0.27, 0.45), (0.14, 0.57), (0.075, 0.64)]
    parts = [disc(0.23, 0.05, (0, 0, 0.025), gold), lathe([*foot, (0.06, 0.68), (0, 0.68)], skin)]
    parts += [ring(0.285, 0.014, (0, 0, 0.40), glazed("cream")), ring(0.285, 0.014, (0, 0, 0.20), glazed("cream"))]
    parts.append(disc(0.035, 0.2, (0, 0, 0.76), gold))
    shade = [(0.47, 0.76), (0.475, 0.77), (0.29, 1.26), (0.28, 1.27), (0.27, 1.26), (0.455, 0.77), (0.47, 0.76)]
    parts.append(lathe(shade, linen, around=48))
    parts += [ring(0.468, 0.02, (0, 0, 0.775), painted(colour)), ring(0.285, 0.016, (0, 0, 1.258), painted(colour))]
    parts += [disc(0.275, 0.01, (0, 0, 1.24), linen), disc(0.025, 0.09, (0, 0, 1.29), gold)]
    parts.append(ball(0.05, (0, 0, 1.36), gold))
    chain = [(0.2, -0.12, 0.80 - 0.026 * link) for link in range(9)]
    return [*parts, *(ball(0.012, at, gold) for at in chain), ball(0.03, (0.2, -0.12, 0.56), painted(colour))]


def gore(start, sweep, material, radius=0.66, rise=0.34, top=1.3):
    """One panel of an umbrella: a patch of a dome whose lower hem curves up between two ribs."""
    down, across = np.linspace(0.0, 1.0, 14), np.linspace(0.0, 1.0, 13)
    r, s = np.meshgrid(down, across, indexing="ij")
    belly = 4 * s * (1 - s)
    angle, out = start + sweep * s, radius * r * (1 - 0.085 * belly * r)
    z = top - rise * r**2 - 0.03 * np.sin(math.pi * r) * belly
    points = np.stack([out * np.cos(angle), out * np.sin(angle), z], -1)
    i, j = np.meshgrid(np.arange(13), np.arange(12), indexing="ij")
    quads = np.stack([i * 13 + j, i * 13 + j + 1, i * 13 + j + 14, i * 13 + j + 13], -1).reshape(-1, 4)
    mesh = bpy.data.meshes.new("gore")
    mesh.from_pydata(points.reshape(-1, 3).tolist(), [], quads.tolist())
    made = link(mesh, "gore", material, subdivide=1)
    made.modifiers.new("cloth", "SOLIDIFY").thickness = 0.012
    return made


def umbrella(colour):
    """An open umbrella of eight panels with a hooked handle, upright; its scenes lay it on its rim."""
    cloths = (plain(colour, 0.6), plain("cream", 0.6))
    steel, wood = metal("steel"), grainy_wood("brown")
    step = math.tau / 8
    parts = [gore(number * step, step, cloths[number % 2]) for number in range(8)]
    for number in range(8):
        a = number * step
        path = [(0.66 * r * math.cos(a), 0.66 * r * math.sin(a), 1.285 - 0.34 * r * r) for r in (0.0, 0.35, 0.7, 1.0)]
        parts.append(tube(path, [0.009] * 4, steel, around=8))
        parts.append(ball(0.018, (0.665 * math.cos(a), 0.665 * math.sin(a), 0.95), wood))
    parts.append(disc(0.017, 1.25, (0, 0, 0.72), steel, bevel=0.004))
    parts += [disc(0.022, 0.14, (0, 0, 1.35), wood), disc(0.05, 0.03, (0, 0, 1.305), painted(colour))]
    hook = [(0, 0, 0.30), (0, 0, 0.14), (0, 0.02, 0.06), (0, 0.09, 0.03), (0, 0.16, 0.06), (0, 0.18, 0.13)]
    return [*parts, tube(hook, [0.032] * 6, wood)]


HOUSEHOLD = {"guitar": guitar, "lamp": lamp, "umbrella": umbrella}
