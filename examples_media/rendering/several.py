"""Images with the target more than once, for "all of them": each instance has a number in the mask."""

from dataclasses import dataclass

from .gallery import ROOT, Shown
from .objects import blue_teapot, cactus, red_mug, robot, toy_car, yellow_duck
from .scene import SMALL, UPRIGHT, Placed, Scene, Stage, View


@dataclass(frozen=True)
class Several:
    """A prompt that shows one, and an input that holds `count` of the same."""

    title: str
    prompt: Shown
    input: Scene

    @property
    def count(self):
        return 1 + self.input.alike


def several(title, prompt, name, same, others, stage, view, caption):
    scene = Scene(
        f"{ROOT}/several/{name}",
        same[0],
        (*same[1:], *others),
        Stage(*stage),
        View(**view),
        caption,
        alike=len(same) - 1,
    )
    return Several(title, Shown(prompt, "One, alone."), scene)


SEVERAL = (
    several(
        "Three ducks", "yellow_duck/00", "ducks",
        (yellow_duck(at=(-1.15, 0.1), yaw=30), yellow_duck(at=(0.2, 0.5), yaw=-20), yellow_duck(at=(1.4, 0.0), yaw=35)),
        (Placed("ball", "sky", (0.55, -0.75), 0, 0.8),),
        ("cream rug", "sage", "window"),
        {"distance": 6.0, "elevation": 22, "target": (0.1, 0, 0.4), "size": SMALL},
        "Three yellow ducks and a blue ball.",
    ),
    several(
        "Two red mugs", "red_mug/00", "mugs",
        (red_mug(at=(-0.95, 0.1), yaw=-30), red_mug(at=(0.95, 0.2), yaw=35)),
        (Placed("mug", "green", (0.0, 0.9), 200), Placed("lemon", "yellow", (0.1, -0.7), 30)),
        ("white boards", "blue panels", "studio"),
        {"distance": 5.0, "elevation": 24, "target": (0, 0.1, 0.45), "size": SMALL},
        "Two red mugs, and a green one between them.",
    ),
    several(
        "Four cacti", "cactus/00", "cacti",
        (
            cactus(at=(-1.3, 0.3), yaw=10, scale=0.85), cactus(at=(-0.4, -0.4), yaw=80, scale=0.8),
            cactus(at=(0.55, 0.5), yaw=-30, scale=0.9), cactus(at=(1.35, -0.35), yaw=40, scale=0.8),
        ),
        (),
        ("oak", "rose", "window"),
        {"distance": 5.6, "elevation": 22, "target": (0.02, 0, 0.45), "size": SMALL},
        "Four cacti in smiling pots.",
    ),
    several(
        "Two robots", "robot/00", "robots",
        (robot(at=(-0.8, 0.1), yaw=25), robot(at=(0.8, 0.1), yaw=-25)),
        (Placed("gift", "coral", (0.05, 1.2), 20),),
        ("walnut", "ochre", "studio"),
        {"distance": 5.2, "elevation": 16, "target": (0, 0, 0.7), "size": SMALL},
        "Two tin robots and a present.",
    ),
    several(
        "Three cars", "toy_car/00", "cars",
        (toy_car(at=(-0.9, -0.5), yaw=25), toy_car(at=(0.7, 0.2), yaw=-15), toy_car(at=(-0.5, 1.3), yaw=10)),
        (Placed("car", "sky", (1.4, 1.6), -30),),
        ("marble", "stripes", "studio"),
        {"distance": 6.0, "elevation": 30, "target": (0.1, 0.4, 0.2), "size": SMALL},
        "Three orange cars, and a blue one.",
    ),
    several(
        "Two teapots", "blue_teapot/01", "teapots",
        (blue_teapot(at=(-0.5, -0.35), yaw=15, scale=0.85), blue_teapot(at=(0.45, 0.9), yaw=160, scale=0.85)),
        (Placed("apple", "red", (0.7, -0.55), 10),),
        ("yellow cloth", "cream", "window"),
        {"distance": 6.0, "elevation": 28, "target": (0, 0.2, 0.4), "size": UPRIGHT},
        "Two blue teapots, one behind the other.",
    ),
)  # fmt: skip
