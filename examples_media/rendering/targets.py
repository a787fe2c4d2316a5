"""The targets. Each is one function of a colour that builds the parts and returns them."""

import math

import numpy as np

from .materials import clay, glazed, metal, painted, plain, rubber
from .shapes import ball, blob, box, disc, from_rings, lathe, ring, sweep_rings, tube


def mug(colour):
    """A glazed mug with two cream bands and coffee in it."""
    skin, cream = glazed(colour), glazed("cream")
    outer = [(0, 0.0), (0.34, 0.0), (0.40, 0.02), (0.43, 0.10), (0.44, 0.5), (0.44, 0.93), (0.435, 0.96)]
    inner = [(0.405, 0.96), (0.395, 0.93), (0.39, 0.5), (0.38, 0.12), (0.3, 0.06), (0, 0.06)]
    parts = [lathe(outer + inner[:1], skin), lathe(outer[-1:] + inner, cream)]
    for low, high in ((0.62, 0.70), (0.74, 0.77)):
        parts.append(lathe([(0.438, low), (0.447, low), (0.447, high), (0.438, high)], cream))
    path = [(0.40, 0, 0.80), (0.58, 0, 0.82), (0.73, 0, 0.68), (0.72, 0, 0.42), (0.58, 0, 0.24), (0.40, 0, 0.24)]
    parts.append(tube(path, [0.075, 0.06, 0.055, 0.055, 0.06, 0.075], skin))
    parts.append(disc(0.393, 0.02, (0, 0, 0.84), plain("3b2010", 0.1)))
    return parts


def duck(colour):
    """A rubber duck."""
    body = [
        ((0.42, 0.55, 0.33), (0, 0.05, 0.34), (0, 0, 0)),
        ((0.34, 0.34, 0.30), (0, -0.22, 0.42), (0, 0, 0)),
        ((0.31, 0.31, 0.30), (0, -0.30, 0.82), (0, 0, 0)),
        ((0.20, 0.26, 0.11), (0, 0.56, 0.55), (38, 0, 0)),
        ((0.09, 0.14, 0.07), (0, -0.27, 1.12), (-35, 0, 0)),
    ]
    skin, bill, black, white = rubber(colour), rubber("orange"), plain("black", 0.1), plain("white", 0.2)
    parts = [blob(body, skin)]
    for side in (-1, 1):
        wing = [
            ((0.08, 0.30, 0.17), (side * 0.41, 0.10, 0.42), (18, 0, side * -6)),
            ((0.06, 0.13, 0.10), (side * 0.40, 0.36, 0.53), (30, 0, side * -14)),
        ]
        parts.append(blob(wing, skin, soften=4))
        parts.append(ball((0.062, 0.04, 0.075), (side * 0.150, -0.555, 0.90), white, turn=(0, 0, side * 28)))
        parts.append(ball((0.042, 0.03, 0.055), (side * 0.158, -0.585, 0.90), black, turn=(0, 0, side * 28)))
        parts.append(ball(0.014, (side * 0.150, -0.614, 0.922), plain("white", 0.2, glow=0.6)))
    beak = [((0.16, 0.15, 0.045), (0, -0.63, 0.80), (-8, 0, 0)), ((0.13, 0.12, 0.04), (0, -0.61, 0.735), (10, 0, 0))]
    parts.append(blob(beak, bill, voxel=0.015, soften=4))
    return parts


def robot(colour):
    """A tin robot with bright eyes, a dial and an antenna."""
    paint, steel, dark, warm = painted(colour), metal("steel"), painted("charcoal"), painted("orange")
    parts = [box((0.62, 0.44, 0.50), (0, 0, 0.45), paint, bevel=0.07, taper=(0.9, 0.9))]
    parts.append(disc(0.11, 0.08, (0, 0, 0.72), steel))
    parts.append(box((0.58, 0.44, 0.36), (0, 0, 0.93), paint, bevel=0.09))
    parts.append(box((0.46, 0.06, 0.21), (0, -0.205, 0.955), dark, bevel=0.025))
    parts.append(box((0.36, 0.05, 0.24), (0, -0.20, 0.46), painted("cream"), bevel=0.02, turn=(3, 0, 0)))
    for side in (-1, 1):
        parts.append(disc(0.075, 0.05, (side * 0.11, -0.235, 0.95), plain("8ff6ff", 0.2, glow=0.7), turn=(90, 0, 0)))
        parts.append(ring(0.085, 0.018, (side * 0.11, -0.237, 0.95), steel, turn=(90, 0, 0)))
        parts.append(disc(0.034, 0.02, (side * 0.10, -0.262, 0.955), dark, turn=(90, 0, 0)))
        parts.append(disc(0.09, 0.08, (side * 0.31, 0, 0.93), warm, turn=(0, 90, 0)))
        arm = [(side * 0.29, 0, 0.60), (side * 0.44, -0.02, 0.56), (side * 0.47, -0.10, 0.40), (side * 0.45, -0.2, 0.3)]
        parts.append(tube(arm, [0.06, 0.055, 0.05, 0.05], steel))
        parts.append(ball(0.085, (side * 0.31, 0, 0.60), warm))
        parts.append(ring(0.07, 0.03, (side * 0.45, -0.24, 0.27), warm, turn=(35, side * 90, 0)))
        parts.append(disc(0.07, 0.16, (side * 0.15, 0, 0.17), steel))
        parts.append(box((0.23, 0.36, 0.13), (side * 0.16, -0.04, 0.065), warm, bevel=0.05, taper=(0.85, 0.85)))
    mouth = [(-0.09, -0.222, 0.825), (-0.04, -0.224, 0.81), (0.04, -0.224, 0.81), (0.09, -0.222, 0.825)]
    parts.append(tube(mouth, [0.014] * 4, dark))
    for x, tint in zip((-0.1, 0.0, 0.1), ("red", "yellow", "teal"), strict=True):
        parts.append(disc(0.032, 0.04, (x, -0.23, 0.39), painted(tint), turn=(90, 0, 0)))
    parts.append(disc(0.08, 0.03, (0, -0.225, 0.50), plain("white", 0.2), turn=(90, 0, 0)))
    parts.append(box((0.014, 0.02, 0.07), (0.02, -0.245, 0.515), painted("red"), bevel=0.004, turn=(0, 35, 0)))
    parts.append(tube([(0, 0, 1.08), (0, 0, 1.18), (0.01, 0, 1.28)], [0.025, 0.016, 0.014], steel))
    parts.append(ball(0.06, (0.01, 0, 1.31), painted("red")))
    return parts


def cactus(colour):
    """A cactus with two arms and a flower, in a smiling clay pot."""
    pot, soil, skin, ink = clay("terracotta"), clay("soil"), clay(colour), plain("black", 0.3)
    profile = [(0, 0), (0.24, 0), (0.27, 0.02), (0.33, 0.34), (0.335, 0.36), (0.38, 0.36), (0.39, 0.38), (0.40, 0.47)]
    parts = [lathe([*profile, (0.385, 0.49), (0.35, 0.48), (0.33, 0.40), (0, 0.40)], pot)]
    parts.append(ball((0.34, 0.34, 0.05), (0, 0, 0.42), soil))
    stem = [(0, 0, 0.40), (0, 0, 0.6), (0.01, 0, 0.9), (0, 0, 1.15), (0, 0, 1.29), (0, 0, 1.31)]
    limbs = [(stem, [0.17, 0.2, 0.21, 0.19, 0.09, 0.0])]
    left = [(-0.12, 0, 0.78), (-0.30, 0, 0.77), (-0.38, 0, 0.88), (-0.385, 0, 1.03), (-0.38, 0, 1.12), (-0.38, 0, 1.13)]
    right = [(0.12, 0, 0.66), (0.29, 0, 0.66), (0.36, 0, 0.76), (0.36, 0, 0.87), (0.36, 0, 0.95), (0.36, 0, 0.96)]
    limbs += [(arm, [0.09, 0.1, 0.105, 0.1, 0.05, 0.0]) for arm in (left, right)]
    for path, radii in limbs:
        rings = sweep_rings(path, radii, ribs=10, depth=0.2, around=60)
        parts += [from_rings(rings, "cactus", skin, subdivide=1), spines(rings[6:38:4, ::6], plain("cream", 0.6))]
    for turn in range(6):
        a = math.radians(60 * turn)
        at = (0.075 * math.cos(a), 0.075 * math.sin(a), 1.345)
        parts.append(ball((0.075, 0.045, 0.02), at, rubber("pink"), turn=(0, -35, 60 * turn)))
    parts.append(ball(0.045, (0, 0, 1.345), rubber("yellow")))
    for side in (-1, 1):
        parts.append(ball((0.026, 0.015, 0.034), (side * 0.09, -0.295, 0.235), ink, turn=(-10, 0, side * 16)))
        parts.append(
            ball((0.034, 0.012, 0.02), (side * 0.155, -0.255, 0.175), rubber("coral"), turn=(-10, 0, side * 30))
        )
    smile = [(-0.045, -0.293, 0.195), (-0.025, -0.294, 0.174), (0.025, -0.294, 0.174), (0.045, -0.293, 0.195)]
    parts.append(tube(smile, [0.008] * 4, ink))
    return parts


def spines(roots, material):
    """Tufts of three pale spines at root points (rings, ridges, 3), pointing away from each ring's centre."""
    out = roots - roots.mean(1, keepdims=True)
    out /= np.linalg.norm(out, axis=-1, keepdims=True) + 1e-9
    needles = []
    for root, way in zip(roots.reshape(-1, 3), out.reshape(-1, 3), strict=True):
        for lean in ((0, 0, 0.5), (0.35, 0.2, -0.3), (-0.35, -0.2, -0.3)):
            tip = root + 0.055 * (way + lean)
            needles.append(sweep_rings([root, (root + tip) / 2, tip], [0.005, 0.004, 0.001], samples=3, around=4))
    rings = np.asarray(needles)
    parts = from_rings(rings[0], "spines", material)
    mesh = parts.data
    count = len(rings)
    index = np.arange(count)[:, None, None] * 12
    quads = [[r * 4 + s, r * 4 + (s + 1) % 4, r * 4 + 4 + (s + 1) % 4, r * 4 + 4 + s] for r in (0, 1) for s in range(4)]
    mesh.clear_geometry()
    mesh.from_pydata(rings.reshape(-1, 3).tolist(), [], (np.asarray(quads)[None] + index).reshape(-1, 4).tolist())
    return parts


def teapot(colour):
    """A round teapot with a gold rim and a knob."""
    skin, gold, cream = glazed(colour), metal("gold"), glazed("cream")
    profile = [(0, 0), (0.26, 0), (0.30, 0.02), (0.28, 0.06), (0.42, 0.16), (0.52, 0.36), (0.50, 0.54), (0.38, 0.70)]
    parts = [lathe([*profile, (0.27, 0.755), (0.25, 0.75), (0, 0.74)], skin)]
    parts.append(lathe([(0.265, 0.75), (0.25, 0.79), (0.16, 0.85), (0.06, 0.87), (0, 0.87)], cream))
    parts += [ring(0.268, 0.016, (0, 0, 0.757), gold), ring(0.29, 0.014, (0, 0, 0.045), gold)]
    parts += [ball((0.07, 0.07, 0.065), (0, 0, 0.935), gold), disc(0.035, 0.06, (0, 0, 0.88), gold)]
    spout = [(-0.40, 0, 0.28), (-0.58, 0, 0.36), (-0.68, 0, 0.55), (-0.74, 0, 0.72), (-0.83, 0, 0.79)]
    parts.append(tube(spout, [0.15, 0.12, 0.085, 0.065, 0.055], skin))
    parts.append(ring(0.055, 0.014, (-0.83, 0, 0.79), gold, turn=(0, -52, 0)))
    parts.append(disc(0.045, 0.01, (-0.833, 0, 0.792), plain("navy", 0.6), turn=(0, -52, 0)))
    handle = [(0.34, 0, 0.60), (0.58, 0, 0.72), (0.76, 0, 0.66), (0.80, 0, 0.46), (0.68, 0, 0.28), (0.40, 0, 0.22)]
    parts.append(tube(handle, [0.055, 0.05, 0.048, 0.048, 0.05, 0.055], skin))
    for turn in range(10):
        a = math.radians(36 * turn + 18)
        at = (0.497 * math.cos(a), 0.497 * math.sin(a), 0.43)
        parts.append(ball((0.015, 0.05, 0.05), at, cream, turn=(0, 2, 36 * turn + 18)))
    return parts


def car(colour):
    """A small round toy car, its nose towards -x."""
    paint, glass, chrome, tyre = painted(colour), plain("1d3a52", 0.08, coat=1.0), metal("steel"), plain("black", 0.7)
    parts = [box((1.30, 0.62, 0.30), (0, 0, 0.31), paint, bevel=0.13, taper=(0.95, 0.93))]
    parts.append(box((0.72, 0.54, 0.32), (0.08, 0, 0.58), paint, bevel=0.12, taper=(0.70, 0.84)))
    parts.append(box((0.60, 0.555, 0.19), (0.08, 0, 0.575), glass, bevel=0.06, taper=(0.76, 0.88)))
    parts.append(box((0.705, 0.40, 0.18), (0.08, 0, 0.575), glass, bevel=0.04, taper=(0.825, 0.86)))
    parts.append(box((0.055, 0.562, 0.20), (0.09, 0, 0.575), paint, bevel=0.02, taper=(1.0, 0.875)))
    parts.append(box((1.00, 0.18, 0.012), (0.0, 0, 0.462), painted("cream"), bevel=0.005))
    for end in (-1, 1):
        parts.append(tube([(end * 0.62, y, 0.20) for y in (-0.29, -0.1, 0.1, 0.29)], [0.04] * 4, chrome))
        for side in (-1, 1):
            lamp = plain("fff3c4", 0.15, glow=0.5) if end < 0 else plain("red", 0.2)
            parts.append(disc(0.075, 0.06, (end * 0.625, side * 0.19, 0.35), lamp, turn=(0, 90, 0)))
            parts.append(ring(0.077, 0.016, (end * 0.635, side * 0.19, 0.35), chrome, turn=(0, 90, 0)))
            x, y = end * 0.38, side * 0.30
            parts.append(disc(0.19, 0.15, (x, y, 0.19), tyre, turn=(90, 0, 0), bevel=0.4))
            parts.append(disc(0.105, 0.03, (x, y + side * 0.075, 0.19), painted("cream"), turn=(90, 0, 0)))
            parts.append(ball((0.045, 0.03, 0.045), (x, y + side * 0.09, 0.19), chrome))
    return parts


TARGETS = {"mug": mug, "duck": duck, "robot": robot, "cactus": cactus, "teapot": teapot, "car": car}
