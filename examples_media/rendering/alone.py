"""The prompts: each object alone, large and well lit, on two surfaces."""

from .objects import blue_teapot, cactus, green_mug, red_mug, robot, toy_car, yellow_duck
from .scene import TALL, Scene, Stage, View


def alone(name, target, stage, view):
    return Scene(name, target, (), Stage(*stage), view)


LOW, DUCK, HIGH = (0, 0, 0.36), (0, 0, 0.52), (0, 0, 0.66)

ALONE = (
    alone("red_mug/00", red_mug(yaw=-25), ("oak", "sage", "window"), View(3.3, 22)),
    alone("red_mug/01", red_mug(yaw=-150), ("marble", "sky", "studio"), View(3.2, 32)),
    alone("green_mug/00", green_mug(yaw=20), ("terrazzo", "rose", "window"), View(3.3, 24)),
    alone("green_mug/01", green_mug(yaw=-50), ("yellow cloth", "cream", "studio"), View(3.3, 30)),
    alone("yellow_duck/00", yellow_duck(yaw=35), ("mint tiles", "rose", "studio"), View(3.5, 18, target=DUCK)),
    alone("yellow_duck/01", yellow_duck(yaw=-40), ("grass", None, "noon"), View(3.6, 12, target=DUCK)),
    alone("robot/00", robot(yaw=22), ("terrazzo", "ochre", "studio"), View(3.3, 16, target=HIGH, size=TALL)),
    alone("robot/01", robot(yaw=-30), ("walnut", "stripes", "window"), View(3.5, 20, target=HIGH)),
    alone("cactus/00", cactus(), ("white boards", "sky", "window"), View(3.5, 15, target=HIGH, size=TALL)),
    alone("cactus/01", cactus(yaw=-24), ("yellow cloth", "slate", "studio"), View(3.6, 22, target=HIGH)),
    alone("blue_teapot/00", blue_teapot(yaw=20), ("red cloth", "cream", "window"), View(3.8, 22)),
    alone("blue_teapot/01", blue_teapot(yaw=-155), ("oak", "rose", "studio"), View(3.8, 28)),
    alone("toy_car/00", toy_car(yaw=25), ("blue tiles", "cream", "studio"), View(3.6, 20, target=LOW)),
    alone("toy_car/01", toy_car(yaw=-150), ("cream rug", "sage", "window"), View(3.5, 26, target=LOW)),
)
