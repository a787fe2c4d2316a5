"""What stands around the target. Each is one function of a colour, like an object."""

import math

from .materials import clay, dotted, glazed, grainy_wood, painted, plain, rubber
from .shapes import ball, box, disc, lathe, ring, tube


def apple(colour):
    profile = [(0, 0.05), (0.10, 0.0), (0.22, 0.05), (0.33, 0.24), (0.34, 0.42), (0.25, 0.56), (0.10, 0.58), (0, 0.50)]
    stem = tube([(0, 0, 0.5), (0.01, 0, 0.6), (0.05, 0, 0.68)], [0.018, 0.016, 0.022], grainy_wood("brown"))
    leaf = ball((0.13, 0.06, 0.012), (0.16, 0, 0.66), rubber("leaf"), turn=(10, -18, 12))
    return [lathe(profile, plain(colour, 0.22, coat=0.5)), stem, leaf]


def lemon(colour):
    profile = [
        (0, -0.40),
        (0.05, -0.38),
        (0.09, -0.32),
        (0.24, -0.18),
        (0.27, 0.0),
        (0.23, 0.19),
        (0.08, 0.33),
        (0, 0.39),
    ]
    return [lathe(profile, clay(colour), at=(0, 0, 0.26), turn=(90, 0, 35))]


def beach_ball(colour):
    """A ball with a pale belt."""
    parts = [ball(0.42, (0, 0, 0.42), rubber(colour))]
    belt = [(0.432 * math.cos(a), 0.432 * math.sin(a)) for a in [math.radians(d) for d in range(-14, 15, 4)]]
    return [*parts, lathe(belt, rubber("white"), at=(0, 0, 0.42), turn=(28, 18, 0))]


def books(colour):
    """A pile of three books."""
    parts, z = [], 0.0
    for tint, thick, width, turn in ((colour, 0.17, 1.15, 4), ("cream", 0.13, 1.0, -9), ("navy", 0.15, 1.08, 14)):
        depth = width * 0.72
        parts.append(
            box(
                (width - 0.06, depth - 0.06, thick - 0.05),
                (0.01, 0, z + thick / 2),
                plain("f1e7d0", 0.9),
                turn=(0, 0, turn),
                bevel=0.01,
            )
        )
        for level in (z + 0.0125, z + thick - 0.0125):
            parts.append(box((width, depth, 0.025), (0, 0, level), plain(tint, 0.6), turn=(0, 0, turn), bevel=0.01))
        spine = math.radians(turn)
        at = (-width / 2 * math.cos(spine), -width / 2 * math.sin(spine), z + thick / 2)
        parts.append(box((0.03, depth, thick), at, plain(tint, 0.6), turn=(0, 0, turn), bevel=0.012))
        z += thick
    return parts


def blocks(colour):
    """Three wooden toy blocks."""
    parts = []
    for at, tint, turn in (
        ((-0.22, 0, 0.2), colour, 12),
        ((0.24, 0.05, 0.2), "yellow", -20),
        ((0.0, 0.02, 0.6), "sky", 33),
    ):
        parts.append(box((0.4, 0.4, 0.4), at, painted(tint), bevel=0.045, turn=(0, 0, turn)))
    return parts


def rings(colour):
    """A stacking toy: coloured rings on a wooden peg."""
    parts = [disc(0.46, 0.10, (0, 0, 0.05), grainy_wood())]
    for level, tint in enumerate((colour, "orange", "yellow", "mint", "sky")):
        radius = 0.30 - 0.04 * level
        parts.append(ring(radius - 0.02, 0.105, (0, 0, 0.19 + 0.17 * level), painted(tint)))
    return [*parts, ball(0.12, (0, 0, 1.08), painted("red"))]


def vase(colour):
    """A vase with three tulips."""
    profile = [(0, 0), (0.2, 0), (0.23, 0.03), (0.31, 0.28), (0.26, 0.52), (0.14, 0.68), (0.17, 0.78), (0.15, 0.78)]
    parts = [lathe([*profile, (0.12, 0.68), (0, 0.66)], glazed(colour))]
    for x, y, z, tint in ((-0.26, 0.02, 1.35, "coral"), (0.04, -0.05, 1.5, "yellow"), (0.3, 0.06, 1.3, "pink")):
        parts.append(tube([(0, 0, 0.6), (x * 0.45, y, 1.0), (x, y, z)], [0.022] * 3, rubber("leaf")))
        for turn in (0, 120, 240):
            a = math.radians(turn)
            at = (x + 0.045 * math.cos(a), y + 0.045 * math.sin(a), z + 0.1)
            parts.append(ball((0.05, 0.08, 0.14), at, rubber(tint), turn=(0, 8, turn)))
    return parts


def gift(colour):
    """A box with a ribbon and a bow."""
    parts = [box((0.62, 0.62, 0.5), (0, 0, 0.25), dotted(colour, "white", 6.0, 0.22), bevel=0.02)]
    parts.append(box((0.67, 0.67, 0.13), (0, 0, 0.5), plain(colour, 0.5), bevel=0.02))
    ribbon = plain("gold", 0.3, coat=0.5)
    parts += [
        box((0.10, 0.68, 0.575), (0, 0, 0.285), ribbon, bevel=0.004),
        box((0.68, 0.10, 0.575), (0, 0, 0.285), ribbon, bevel=0.004),
    ]
    for side in (-1, 1):
        parts.append(ring(0.11, 0.035, (side * 0.13, 0, 0.63), ribbon, turn=(72, 0, side * 24)))
    return [*parts, ball(0.06, (0, 0, 0.61), ribbon)]


def mushroom(colour):
    """A toadstool with white spots."""
    parts = [lathe([(0, 0), (0.17, 0), (0.19, 0.05), (0.13, 0.3), (0.14, 0.5), (0, 0.5)], rubber("cream"))]
    cap = [(0, 0.46), (0.34, 0.44), (0.42, 0.48), (0.40, 0.58), (0.30, 0.74), (0.14, 0.84), (0, 0.86)]
    parts.append(lathe(cap, plain(colour, 0.25, coat=0.5)))
    for turn, lift, size in (
        (0, 40, 0.06),
        (75, 58, 0.05),
        (140, 35, 0.07),
        (205, 55, 0.06),
        (262, 32, 0.055),
        (315, 62, 0.05),
    ):
        a, b = math.radians(turn), math.radians(lift)
        at = (0.40 * math.cos(b) * math.cos(a), 0.40 * math.cos(b) * math.sin(a), 0.47 + 0.385 * math.sin(b))
        parts.append(ball((size, size, 0.02), at, rubber("white"), turn=(0, 90 - lift * 1.05, turn)))
    return parts


def bowl(colour):
    """A bowl of oranges and a lime."""
    profile = [
        (0, 0),
        (0.22, 0),
        (0.24, 0.04),
        (0.46, 0.20),
        (0.56, 0.40),
        (0.535, 0.40),
        (0.43, 0.21),
        (0.2, 0.07),
        (0, 0.07),
    ]
    parts = [lathe(profile, glazed(colour))]
    for at, tint in (
        ((-0.19, -0.08, 0.36), "orange"),
        ((0.2, -0.06, 0.35), "lime"),
        ((0.02, 0.2, 0.37), "orange"),
        ((0.01, 0, 0.6), "orange"),
    ):
        parts.append(ball(0.2 if tint == "orange" else 0.17, at, clay(tint)))
    return parts


def candle(colour):
    """A candle on a saucer, lit."""
    parts = [lathe([(0, 0), (0.25, 0), (0.38, 0.05), (0.37, 0.07), (0.24, 0.03), (0, 0.03)], glazed("white"))]
    parts.append(disc(0.17, 0.6, (0, 0, 0.33), plain(colour, 0.4), bevel=0.06))
    parts.append(tube([(0, 0, 0.62), (0.005, 0, 0.66), (0, 0, 0.69)], [0.008] * 3, plain("black", 0.8)))
    flame = [(0, 0.67), (0.025, 0.69), (0.035, 0.73), (0.02, 0.80), (0, 0.86)]
    return [*parts, lathe(flame, plain("ffb347", glow=9.0), around=16)]


def mirror(colour):
    """A mirror in a frame, upright, its glass towards -y."""
    frame = painted(colour)
    parts = [box((1.9, 0.03, 1.75), (0, 0, 0.95), plain("eef2f4", 0.0, metallic=1.0), bevel=0.004)]
    for side in (-1, 1):
        parts.append(box((0.12, 0.12, 1.95), (side * 0.98, 0, 0.975), frame, bevel=0.03))
        parts.append(box((1.9, 0.12, 0.12), (0, 0, 0.975 + side * 0.9), frame, bevel=0.03))
    return parts


def stand(colour):
    """A low stand that holds a guitar upright."""
    wood, legs = grainy_wood(colour), []
    for side in (-1, 1):
        foot = [(side * 0.2, -0.2, 0.035), (side * 0.2, 0.15, 0.035), (side * 0.16, 0.3, 0.05)]
        back = [(side * 0.16, 0.3, 0.05), (side * 0.14, 0.2, 0.4), (side * 0.12, 0.14, 0.62)]
        legs += [tube(path, [0.025] * 3, wood) for path in (foot, back)]
        legs.append(ball(0.034, (side * 0.2, -0.21, 0.04), rubber("charcoal")))
    return [*legs, tube([(-0.14, 0.2, 0.4), (0, 0.2, 0.4), (0.14, 0.2, 0.4)], [0.02] * 3, wood)]


PROPS = {
    "apple": apple, "lemon": lemon, "ball": beach_ball, "books": books, "blocks": blocks, "rings": rings, "vase": vase,
    "gift": gift, "mushroom": mushroom, "bowl": bowl, "candle": candle,
    "mirror": mirror, "stand": stand,
}  # fmt: skip
