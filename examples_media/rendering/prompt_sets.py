"""Prompt sets: each kind of object in three images of other colour, pose, surface and light, and their inputs."""

from functools import partial

from .gallery import ROOT, Kind, Shown
from .scene import SMALL, UPRIGHT, Placed, Scene, Stage, View

LOW, MIDDLE, DUCK, HIGH, TALLER = (0, 0, 0.36), (0, 0, 0.45), (0, 0, 0.52), (0, 0, 0.66), (0, 0, 0.82)
lying = partial(Placed, "umbrella", tilt=(56.0, 0.0), lift=0.08)


def clear(place, placed, stage, camera, caption, *others, fstop=0.6):
    """A prompt alone on its stage; `camera` is (distance, elevation, target, size)."""
    distance, elevation, target, size = camera
    view = View(distance, elevation, target=target, size=size, fstop=fstop)
    return Scene(f"{ROOT}/prompt_sets/{place}/00", placed, others, Stage(*stage), view, caption)


def among(place, placed, others, stage, view, caption):
    """An input of the gallery's own."""
    return Scene(f"{ROOT}/prompt_sets/{place}", placed, others, Stage(*stage), View(*view, size=SMALL), caption)


def kind(name, title, scenes, inputs):
    return Kind(name, title, {scene.name.split("/")[-2]: (scene,) for scene in scenes}, inputs)


MUG = (
    clear("mug/A", Placed("mug", "blue", yaw=-25), ("oak", "cream", "window"), (3.3, 22, MIDDLE, SMALL),
          "A blue mug by the window, its handle to the right."),
    clear("mug/B", Placed("mug", "yellow", yaw=160), ("dark marble", "slate", "studio"), (3.2, 30, MIDDLE, SMALL),
          "A yellow mug on dark marble, its handle to the left."),
    clear("mug/C", Placed("mug", "pink", yaw=-60), ("grass", None, "noon"), (3.2, 16, MIDDLE, SMALL),
          "A pink mug on the lawn, its handle towards us."),
)  # fmt: skip
DUCKS = (
    clear("duck/A", Placed("duck", "yellow", yaw=38), ("blue tiles", "cream", "studio"), (3.6, 18, DUCK, SMALL),
          "A yellow duck on blue tiles, looking to the right."),
    clear("duck/B", Placed("duck", "pink", yaw=-62), ("walnut", "sage", "window"), (3.6, 22, DUCK, SMALL),
          "A pink duck on walnut, from the side."),
    clear("duck/C", Placed("duck", "sky", yaw=5), ("grass", None, "evening"), (3.5, 14, DUCK, SMALL),
          "A sky-blue duck in the evening sun, from the front."),
)  # fmt: skip
ROBOT = (
    clear("robot/A", Placed("robot", "red", yaw=20), ("white boards", "sky", "window"), (3.3, 16, HIGH, UPRIGHT),
          "A red robot by the window."),
    clear("robot/B", Placed("robot", "purple", yaw=-38), ("marble", "ochre", "studio"), (3.4, 22, HIGH, SMALL),
          "A purple robot on marble, turned to the left."),
    clear("robot/C", Placed("robot", "yellow", yaw=70), ("teal rug", "panels", "lamp"), (3.4, 18, HIGH, UPRIGHT),
          "A yellow robot on a rug in lamplight, from the side."),
)  # fmt: skip
CACTUS = (
    clear("cactus/A", Placed("cactus", "moss"), ("terrazzo", "rose", "window"), (3.4, 15, HIGH, UPRIGHT),
          "A green cactus by the window."),
    clear("cactus/B", Placed("cactus", "gold", yaw=-28), ("blue cloth", "panels", "studio"), (3.6, 22, HIGH, SMALL),
          "A golden cactus on a checked cloth."),
    clear("cactus/C", Placed("cactus", "teal", yaw=30), ("oak", "ochre", "evening"), (3.5, 12, HIGH, UPRIGHT),
          "A teal cactus in golden light."),
)  # fmt: skip
TEAPOT = (
    clear("teapot/A", Placed("teapot", "white", yaw=15), ("blue cloth", "sage", "window"), (3.8, 22, MIDDLE, SMALL),
          "A white teapot on a checked cloth, its spout to the left."),
    clear("teapot/B", Placed("teapot", "coral", yaw=-160), ("walnut", "stripes", "evening"), (3.8, 18, MIDDLE, SMALL),
          "A coral teapot in golden light, its spout to the right."),
    clear("teapot/C", Placed("teapot", "mint", yaw=48), ("rose rug", "slate", "lamp"), (3.6, 32, MIDDLE, SMALL),
          "A mint teapot on a rug in lamplight, its spout towards us."),
)  # fmt: skip
CAR = (
    clear("car/A", Placed("car", "red", yaw=25), ("marble", "blue panels", "studio"), (3.6, 20, LOW, SMALL),
          "A red toy car on marble."),
    clear("car/B", Placed("car", "sky", yaw=-150), ("yellow cloth", "cream", "window"), (3.5, 30, LOW, SMALL),
          "A sky-blue toy car on a yellow cloth, from behind."),
    clear("car/C", Placed("car", "purple", yaw=62), ("oak", "dots", "evening"), (3.4, 18, LOW, SMALL),
          "A purple toy car in golden light, its nose towards us."),
)  # fmt: skip
GUITAR = (
    clear("guitar/A", Placed("guitar", "orange", yaw=12, lift=0.06), ("cream rug", "sage", "window"),
          (3.3, 14, TALLER, UPRIGHT), "An orange guitar on a rug, from the front.", Placed("stand", "wood", yaw=12)),
    clear("guitar/B", Placed("guitar", "red", yaw=-30, lift=0.06), ("walnut", "stripes", "studio"),
          (3.4, 18, TALLER, UPRIGHT), "A red guitar, turned to the left.", Placed("stand", "brown", yaw=-30)),
    clear("guitar/C", Placed("guitar", "sky", (0.6, -0.3), 62, tilt=(-90.0, 0.0), lift=0.14),
          ("yellow cloth", "rose", "studio"), (3.1, 52, (0, 0, 0.1), SMALL), "A sky-blue guitar that lies on a cloth.",
          fstop=4.0),
)  # fmt: skip
LAMP = (
    clear("lamp/A", Placed("lamp", "teal"), ("oak", "rose", "window"), (3.5, 14, HIGH, UPRIGHT),
          "A teal lamp on oak."),
    clear("lamp/B", Placed("lamp", "coral", yaw=40), ("dark marble", "slate", "lamp"), (3.6, 20, HIGH, SMALL),
          "A coral lamp in a dim room."),
    clear("lamp/C", Placed("lamp", "navy", yaw=-60), ("mint tiles", "dots", "studio"), (3.5, 26, HIGH, UPRIGHT),
          "A navy lamp on tiles, seen from a little above."),
)  # fmt: skip
UMBRELLA = (
    clear("umbrella/A", lying("red", (-0.3, 0.5), 30), ("grass", None, "noon"), (3.7, 16, DUCK, SMALL),
          "A red umbrella on the lawn."),
    clear("umbrella/B", lying("blue", (0.55, 0.12), -75), ("oak", "cream", "studio"), (3.7, 20, DUCK, SMALL),
          "A blue umbrella from the side."),
    clear("umbrella/C", lying("purple", (-0.42, -0.3), 140), ("terrazzo", "sky", "window"), (3.7, 22, DUCK, SMALL),
          "A purple umbrella, seen from inside."),
)  # fmt: skip

KINDS = (
    kind("mug", "Mug", MUG, (
        Shown("red_mug/02", "A red mug with books, an apple and a candle."),
        Shown("green_mug/02", "A green mug before a teapot, with a lemon."),
        Shown("red_mug/04", "A red mug on red cloth, partly hidden."),
    )),
    kind("duck", "Rubber duck", DUCKS, (
        Shown("yellow_duck/02", "A yellow duck on a cream rug among toys."),
        Shown("yellow_duck/04", "A yellow duck behind a toadstool, in the evening."),
    )),
    kind("robot", "Tin robot", ROBOT, (
        Shown("robot/02", "A teal robot with blocks, a toy car and books."),
        Shown("robot/04", "A teal robot on the lawn, partly hidden."),
    )),
    kind("cactus", "Cactus", CACTUS, (
        Shown("cactus/02", "A cactus beside a coral teapot, on dark marble."),
        Shown("cactus/04", "A cactus behind a gift, in lamplight."),
    )),
    kind("teapot", "Teapot", TEAPOT, (
        Shown("blue_teapot/02", "A blue teapot behind a yellow mug."),
        Shown("blue_teapot/04", "A blue teapot between books and a ball, in a dim room."),
    )),
    kind("car", "Toy car", CAR, (
        Shown("toy_car/02", "An orange toy car in hard sunlight."),
        Shown("toy_car/04", "An orange toy car behind a duck, in golden light."),
    )),
    kind("guitar", "Guitar", GUITAR, (
        among("guitar/inputs/00", Placed("guitar", "lime", (0.65, 0.5), -15, lift=0.06),
              (Placed("stand", "brown", (0.65, 0.5), -15), Placed("books", "wine", (-0.7, 0.3), 10),
               Placed("ball", "sky", (-0.2, -0.6), 0, 0.7), Placed("vase", "cream", (-1.5, 1.5))),
              ("oak", "blue panels", "window"), (4.5, 20, 0, (0, 0, 0.76)),
              "A lime guitar with books, a ball and tulips."),
        among("guitar/inputs/01", Placed("guitar", "purple", (-0.6, 0.6), 25, lift=0.06),
              (Placed("stand", "wood", (-0.6, 0.6), 25), Placed("cactus", "moss", (0.85, 0.5), 10, 0.9),
               Placed("gift", "red", (0.1, -0.35), 30, 0.8), Placed("mushroom", "orange", (-1.5, 0.2))),
              ("grass", None, "evening"), (4.5, 16, -6, (0, 0, 0.78)),
              "A purple guitar on the lawn, with a gift and a cactus."),
    )),
    kind("lamp", "Table lamp", LAMP, (
        among("lamp/inputs/00", Placed("lamp", "green", (-0.7, 0.3)),
              (Placed("books", "coral", (0.75, 0.4), 15), Placed("mug", "sky", (0.1, -0.6), -30, 0.75),
               Placed("candle", "pink", (1.8, 1.3))),
              ("walnut", "sage", "window"), (4.7, 20, 4, (0, 0, 0.6)), "A green lamp with books and a mug."),
        among("lamp/inputs/01", Placed("lamp", "purple", (0.5, 0.6), 30),
              (Placed("vase", "yellow", (-0.75, 0.5)), Placed("duck", "white", (-0.1, -0.5), 30, 0.6),
               Placed("apple", "red", (1.35, 0.0))),
              ("white boards", "pink stripes", "studio"), (4.8, 20, -6, (0, 0, 0.65)),
              "A purple lamp behind a white duck."),
    )),
    kind("umbrella", "Umbrella", UMBRELLA, (
        among("umbrella/inputs/00", lying("teal", (-0.55, 0.5), 50),
              (Placed("ball", "coral", (0.75, -0.1)), Placed("duck", "yellow", (0.9, 1.2), -30),
               Placed("rings", "red", (-1.6, 1.6))),
              ("cream rug", "rose", "window"), (4.7, 20, 0, (0, 0, 0.5)), "A teal umbrella with a ball and a duck."),
        among("umbrella/inputs/01", lying("green", (0.55, 0.6), -40),
              (Placed("mushroom", "red", (-0.65, 0.2), 20), Placed("gift", "sky", (-0.1, -0.4), 15, 0.7),
               Placed("car", "yellow", (-1.1, 1.8), 20)),
              ("grass", None, "noon"), (4.8, 16, 5, (0, 0, 0.5)), "A green umbrella on the lawn, behind a gift."),
    )),
)  # fmt: skip
