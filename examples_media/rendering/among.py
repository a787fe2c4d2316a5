"""The inputs: each object among other objects, on other surfaces, in other lights; number 03 has a look-alike."""

from .objects import blue_teapot, cactus, green_mug, red_mug, robot, toy_car, yellow_duck
from .scene import LARGE, TALL, Placed, Scene, Stage, View

AMONG = (
    Scene(
        "red_mug/02",
        red_mug(at=(-0.75, 0.1), yaw=20),
        (
            Placed("books", "teal", (0.75, 0.5), 15),
            Placed("apple", "lime", (0.3, -0.75), 40),
            Placed("candle", "cream", (-1.8, 1.2)),
        ),
        Stage("white boards", "stripes", "window"),
        View(4.5, 24, 8, (0, 0, 0.4)),
    ),
    Scene(
        "red_mug/03",
        red_mug(at=(0.75, 0.3), yaw=-35),
        (
            Placed("mug", "green", (-0.55, -0.1), 200),
            Placed("lemon", "yellow", (0.25, -0.8), 30),
            Placed("vase", "sky", (-1.5, 1.6)),
        ),
        Stage("blue cloth", "ochre", "evening"),
        View(4.8, 24, -8, (0, 0, 0.5), LARGE),
    ),
    Scene(
        "red_mug/04",
        red_mug(at=(0.1, 0.6), yaw=-60, scale=0.95),
        (
            Placed("ball", "sky", (-0.62, -0.35)),
            Placed("gift", "coral", (1.05, 1.3), 20),
            Placed("apple", "red", (0.75, -0.3), 10),
        ),
        Stage("red cloth", "cream", "overcast"),
        View(4.8, 28, 10, (0, 0.2, 0.45), TALL),
    ),
    Scene(
        "green_mug/02",
        green_mug(at=(0.65, 0.1), yaw=-70),
        (
            Placed("teapot", "coral", (-0.75, 0.4), 10),
            Placed("lemon", "yellow", (0.0, -0.75), 80),
            Placed("books", "navy", (1.9, 1.4), -10),
        ),
        Stage("marble", "blue panels", "window"),
        View(4.9, 24, -4, (0, 0, 0.4)),
    ),
    Scene(
        "green_mug/03",
        green_mug(at=(-0.7, 0.2), yaw=215),
        (
            Placed("mug", "red", (0.65, 0.0), -20),
            Placed("cactus", "moss", (0.0, 1.3), 10),
            Placed("apple", "lime", (-0.05, -0.7), 15),
        ),
        Stage("oak", "pink stripes", "studio"),
        View(5.0, 24, 4, (0, 0, 0.5), LARGE),
    ),
    Scene(
        "green_mug/04",
        green_mug(at=(0.1, 0.6), yaw=-15),
        (
            Placed("mushroom", "orange", (-0.6, 0.0), 30, 0.9),
            Placed("ball", "yellow", (0.9, -0.1), 0, 0.75),
            Placed("duck", "white", (1.2, 1.7), -25),
        ),
        Stage("grass", None, "noon"),
        View(4.7, 18, 6, (0.1, 0.2, 0.45)),
    ),
    Scene(
        "yellow_duck/02",
        yellow_duck(at=(0.7, 0.1), yaw=-55),
        (
            Placed("rings", "red", (-0.75, 0.5)),
            Placed("blocks", "mint", (1.8, 1.6), 10),
            Placed("ball", "coral", (-0.1, -0.75), 0, 0.7),
        ),
        Stage("cream rug", "blue panels", "window"),
        View(4.6, 22, 0, (0.1, 0, 0.5)),
    ),
    Scene(
        "yellow_duck/03",
        yellow_duck(at=(-0.6, 0.2), yaw=60, scale=0.95),
        (
            Placed("duck", "pink", (0.75, -0.2), -30, 0.9),
            Placed("mug", "teal", (0.9, 1.5), -20),
            Placed("lemon", "yellow", (-0.1, -0.8), 10),
        ),
        Stage("blue tiles", "dots", "studio"),
        View(4.7, 23, -12, (0.1, 0, 0.5)),
    ),
    Scene(
        "yellow_duck/04",
        yellow_duck(at=(0.25, 0.9), yaw=15),
        (
            Placed("mushroom", "red", (-0.45, 0.15), 20),
            Placed("ball", "teal", (1.2, 0.4)),
            Placed("car", "red", (-1.0, 2.2), 20),
        ),
        Stage("grass", None, "evening"),
        View(4.9, 14, 10, (0.1, 0.4, 0.55), LARGE),
    ),
    Scene(
        "robot/02",
        robot(at=(0.6, 0.3), yaw=-20),
        (
            Placed("blocks", "red", (-0.75, 0.4), -15),
            Placed("car", "yellow", (-0.2, -0.85), 25, 0.8),
            Placed("books", "wine", (1.7, 1.5), 5),
        ),
        Stage("oak", "sky", "window"),
        View(4.6, 22, -6, (0, 0, 0.6)),
    ),
    Scene(
        "robot/03",
        robot(at=(-0.7, 0.4), yaw=40),
        (
            Placed("robot", "purple", (0.75, 0.5), -25),
            Placed("ball", "orange", (0.05, -0.5), 0, 0.6),
            Placed("gift", "mint", (-1.8, 1.9), 15),
        ),
        Stage("teal rug", "pink stripes", "lamp"),
        View(4.7, 20, 5, (0, 0, 0.62)),
    ),
    Scene(
        "robot/04",
        robot(at=(0.1, 0.9), yaw=-10),
        (
            Placed("cactus", "leaf", (-0.6, 0.1), 10, 0.75),
            Placed("mushroom", "orange", (0.95, 0.6), 0, 0.9),
            Placed("apple", "red", (0.5, -0.2)),
        ),
        Stage("grass", None, "noon"),
        View(4.3, 13, -8, (0.1, 0.3, 0.62), TALL),
    ),
    Scene(
        "cactus/02",
        cactus(at=(-0.65, 0.2), yaw=20),
        (
            Placed("teapot", "coral", (0.8, 0.4), 10),
            Placed("lemon", "yellow", (0.0, -0.7), 60),
            Placed("books", "green", (-1.8, 1.6)),
        ),
        Stage("dark marble", "rose", "studio"),
        View(4.6, 20, 4, (0, 0, 0.6)),
    ),
    Scene(
        "cactus/03",
        cactus(at=(0.75, 0.3), yaw=15),
        (
            Placed("cactus", "gold", (-0.75, 0.5), -20, 0.9),
            Placed("mug", "green", (0.0, -0.7), -60, 0.8),
            Placed("apple", "lime", (1.7, 0.9)),
        ),
        Stage("oak", "sage", "evening"),
        View(4.9, 22, -10, (0, 0, 0.6)),
    ),
    Scene(
        "cactus/04",
        cactus(at=(-0.2, 1.0), yaw=-25),
        (
            Placed("gift", "purple", (0.4, 0.2), 30, 0.8),
            Placed("duck", "white", (-1.2, 0.2), 40, 0.8),
            Placed("candle", "coral", (1.5, 1.4)),
        ),
        Stage("rose rug", "panels", "lamp"),
        View(4.7, 22, 8, (0, 0.4, 0.55), LARGE),
    ),
    Scene(
        "blue_teapot/02",
        blue_teapot(at=(0.6, 0.3), yaw=-15),
        (
            Placed("bowl", "white", (-0.8, 0.3)),
            Placed("mug", "yellow", (0.0, -0.75), 160, 0.8),
            Placed("candle", "pink", (1.8, 1.3)),
        ),
        Stage("marble", "sage", "window"),
        View(4.7, 26, 0, (0.05, 0, 0.4)),
    ),
    Scene(
        "blue_teapot/03",
        blue_teapot(at=(-0.65, 0.2), yaw=200),
        (
            Placed("teapot", "white", (0.95, 0.6), 0, 0.9),
            Placed("apple", "red", (0.25, -0.75)),
            Placed("vase", "coral", (-1.5, 1.5)),
        ),
        Stage("blue tiles", "dots", "overcast"),
        View(4.9, 23, -6, (0.05, 0, 0.5), LARGE),
    ),
    Scene(
        "blue_teapot/04",
        blue_teapot(at=(0.0, 0.8), yaw=60),
        (
            Placed("books", "wine", (-0.75, 0.0), -20, 0.8),
            Placed("ball", "navy", (0.85, 0.2), 0, 0.8),
            Placed("bowl", "mint", (1.2, 2.0)),
        ),
        Stage("walnut", "blue panels", "lamp"),
        View(4.8, 24, 6, (0, 0.4, 0.45)),
    ),
    Scene(
        "toy_car/02",
        toy_car(at=(-0.5, -0.1), yaw=-20),
        (
            Placed("blocks", "red", (0.85, 0.5), 25),
            Placed("rings", "purple", (-1.2, 1.3)),
            Placed("ball", "mint", (0.65, -0.6), 0, 0.6),
        ),
        Stage("white boards", "pink stripes", "noon"),
        View(4.8, 22, 6, (0, 0, 0.4)),
    ),
    Scene(
        "toy_car/03",
        toy_car(at=(0.6, 0.5), yaw=30),
        (
            Placed("car", "sky", (-0.55, -0.35), 25),
            Placed("gift", "red", (-1.2, 1.3), 15),
            Placed("mushroom", "coral", (1.6, 1.7)),
        ),
        Stage("terrazzo", "sky", "studio"),
        View(5.0, 26, -8, (0, 0.1, 0.4)),
    ),
    Scene(
        "toy_car/04",
        toy_car(at=(0.0, 0.9), yaw=-50, scale=1.05),
        (
            Placed("robot", "red", (0.8, 0.75), -20, 0.85),
            Placed("duck", "yellow", (-0.55, -0.05), 40, 0.6),
            Placed("books", "teal", (-1.3, 2.0), 10),
        ),
        Stage("oak", "ochre", "evening"),
        View(4.7, 24, 0, (0, 0.4, 0.45), TALL),
    ),
)
