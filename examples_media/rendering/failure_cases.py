"""Failure cases: prompts that break the rule "one single, complete object, clearly seen", and what mends each."""

from .gallery import ROOT, Case, Shown
from .objects import blue_teapot, cactus, green_mug, red_mug, robot, toy_car, yellow_duck
from .scene import SMALL, UPRIGHT, Placed, Scene, Stage, View


def faulty(name, target, others, stage, view, caption, moved=(0.0, 0.0)):
    return Scene(f"{ROOT}/failure_cases/{name}", target, others, Stage(*stage), View(**view), caption, moved=moved)


def case(scene, title, kind, rule, broken, found, mended):
    return Case(scene.name.split("/")[-1], title, kind, rule, broken, scene, Shown(*found), Shown(*mended))


MUG = ("red_mug/02", "A red mug with books, an apple and a candle."), ("red_mug/00", "The mug alone and whole.")
GREEN = ("green_mug/02", "A green mug before a teapot."), ("green_mug/01", "The mug alone on another colour.")
DUCK = ("yellow_duck/02", "A yellow duck among toys."), ("yellow_duck/00", "One duck, alone.")
ROBOT = ("robot/02", "A teal robot among toys."), ("robot/00", "The robot from head to foot, alone.")
CACTUS = ("cactus/02", "A cactus beside a coral teapot."), ("cactus/00", "The cactus, large in the image.")
TEAPOT = ("blue_teapot/02", "A blue teapot behind a mug."), ("blue_teapot/00", "The teapot alone, in good light.")
WHITE = TEAPOT[0], (f"{ROOT}/prompt_sets/teapot/A/00", "The white teapot on a blue cloth.")
CAR = ("toy_car/02", "An orange toy car in hard sunlight."), ("toy_car/00", "The whole car, at rest.")
GUITAR = (
    (f"{ROOT}/prompt_sets/guitar/inputs/00", "A lime guitar with books, a ball and tulips."),
    (f"{ROOT}/prompt_sets/guitar/A/00", "The guitar from the front."),
)

CASES = (
    case(faulty("cut_off", toy_car(at=(0.95, 0.0), yaw=20), (), ("blue tiles", "cream", "studio"),
                {"distance": 3.0, "elevation": 20, "target": (-0.12, 0, 0.4), "size": SMALL},
                "Half a car at the border."),
         "Cut off", "toy car", "complete", "The border cuts the car in two: its rear half is missing.", *CAR),
    case(faulty("hidden", red_mug(at=(0.05, 0.75), yaw=80),
                (Placed("books", "teal", (0.3, -0.15), 12, 1.15), Placed("apple", "lime", (-0.42, -0.1), 40, 1.1),
                 Placed("ball", "sky", (0.75, 0.6), 0, 0.9)), ("oak", "sage", "window"),
                {"distance": 3.6, "elevation": 8, "target": (0.05, 0, 0.45), "size": SMALL},
                "A mug behind other objects."),
         "Half hidden", "mug", "complete", "Books and an apple hide half of the mug, and its handle is behind.", *MUG),
    case(faulty("too_close", robot(yaw=12), (), ("terrazzo", "ochre", "studio"),
                {"distance": 1.15, "elevation": 10, "target": (0.05, 0, 0.93), "size": SMALL, "fstop": 2.8},
                "A robot's face, very close."),
         "Too close", "robot", "complete", "Only the face is in the image: body, arms and feet are missing.", *ROBOT),
    case(faulty("crowded", blue_teapot(at=(0.1, 0.9), yaw=15, scale=0.8),
                (Placed("mug", "yellow", (-0.85, 0.1), 30, 0.8), Placed("vase", "coral", (1.2, 0.9)),
                 Placed("books", "wine", (-1.2, 1.3), 20), Placed("bowl", "mint", (0.95, -0.15), 0, 0.8),
                 Placed("candle", "pink", (0.05, -0.35), 0, 0.8), Placed("gift", "purple", (0.4, 2.0), 20),
                 Placed("lemon", "yellow", (-0.4, -0.65), 40, 0.8), Placed("apple", "red", (0.5, -0.8), 10, 0.8)),
                ("red cloth", "stripes", "window"),
                {"distance": 4.6, "elevation": 24, "target": (0, 0.2, 0.45), "size": SMALL},
                "A teapot on a full table."),
         "Crowded", "teapot", "single",
         "Eight other objects share the image and draw the eye from the teapot.", *TEAPOT),
    case(faulty("many", yellow_duck(at=(-0.35, -0.1), yaw=30, scale=0.9),
                (yellow_duck(at=(0.75, 0.15), yaw=-35, scale=0.9), yellow_duck(at=(0.25, 1.2), yaw=10, scale=0.9),
                 yellow_duck(at=(-1.2, 1.0), yaw=60, scale=0.9), yellow_duck(at=(1.5, 1.5), yaw=-10, scale=0.9)),
                ("mint tiles", "rose", "studio"),
                {"distance": 4.6, "elevation": 22, "target": (0.1, 0.2, 0.5), "size": SMALL}, "Five equal ducks."),
         "Many of the same", "duck", "single",
         "Four more ducks, just like the target, count as background.", *DUCK),
    case(faulty("mirror", robot(at=(-0.3, 0.1), yaw=40),
                (Placed("mirror", "wine", (0.05, 1.0), -12),), ("walnut", "cream", "window"),
                {"distance": 3.9, "elevation": 14, "azimuth": 14, "target": (0, 0.2, 0.72), "size": SMALL},
                "A robot before a mirror."),
         "Reflected", "robot", "single",
         "The mirror shows the robot a second time, and that one is background.", *ROBOT),
    case(faulty("merged", green_mug(at=(0.0, 0.0), yaw=-80),
                (Placed("teapot", "green", (-0.75, 0.45), 200, 0.95), Placed("vase", "green", (0.58, 0.35), 0, 0.9)),
                ("white boards", "panels", "overcast"),
                {"distance": 3.9, "elevation": 20, "target": (0, 0.2, 0.5), "size": SMALL},
                "A mug among objects as green."),
         "Grown together", "mug", "single", "A teapot and a vase of the same green stand against the mug.", *GREEN),
    case(faulty("tiny", cactus(at=(1.0, 4.5), yaw=-10, scale=0.7), (), ("grass", None, "noon"),
                {"distance": 9.5, "elevation": 10, "target": (0.0, 1.0, 0.9), "size": SMALL}, "A cactus far away."),
         "Tiny", "cactus", "clear", "The cactus covers so few patches that hardly a feature of it is left.", *CACTUS),
    case(faulty("camouflage", Placed("teapot", "white", yaw=15), (), ("white boards", "panels", "overcast"),
                {"distance": 4.2, "elevation": 26, "size": SMALL}, "A white teapot in a white room."),
         "Look-alike background", "teapot", "clear",
         "Object and background are of one colour: the edge is hard to tell.", *WHITE),
    case(faulty("night", blue_teapot(yaw=20), (), ("walnut", "slate", "night"),
                {"distance": 3.8, "elevation": 22, "size": SMALL}, "A teapot in the dark."),
         "In the dark", "teapot", "clear", "There is too little light to tell the teapot from the room.", *TEAPOT),
    case(faulty("moving", toy_car(yaw=14), (), ("oak", "sky", "window"),
                {"distance": 3.9, "elevation": 20, "target": (0, 0, 0.36), "size": SMALL}, "A car that speeds by.",
                (-0.42, 0.1)),
         "In motion", "toy car", "clear",
         "The car moved while the shutter was open: its edges and its details are smeared.",
         *CAR),
    case(faulty("edge_on", Placed("guitar", "orange", yaw=90, lift=0.06), (Placed("stand", "wood", yaw=90),),
                ("cream rug", "sage", "window"),
                {"distance": 3.4, "elevation": 10, "target": (0, 0, 0.85), "size": UPRIGHT}, "A guitar from its edge."),
         "Edge-on", "guitar", "complete",
         "From the edge a guitar is a plank: body, strings and hole are out of sight.", *GUITAR),
    case(faulty("from_above", red_mug(yaw=-30), (), ("marble", "sky", "studio"),
                {"distance": 3.1, "elevation": 88, "target": (0.1, 0, 0.6), "size": SMALL},
                "A mug from straight above."),
         "From above", "mug", "complete",
         "Seen from above the mug is a ring with coffee in it: its sides are out of sight.", *MUG),
)  # fmt: skip
