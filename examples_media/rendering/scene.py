"""What a scene is: frozen data, so that a new image is a new entry and nothing else."""

from dataclasses import dataclass

# Image sizes in pixels, (width, height).
WIDE, TALL, LARGE = (640, 480), (480, 640), (960, 720)
SMALL, UPRIGHT = (480, 360), (360, 480)  # the galleries


@dataclass(frozen=True)
class Placed:
    """An object or prop at (x, y) on the surface, turned by `yaw` degrees. The camera faces +y; x points right."""

    kind: str  # a name in TARGETS or PROPS
    colour: str  # a name in PALETTE, or rrggbb
    at: tuple[float, float] = (0.0, 0.0)
    yaw: float = 0.0
    scale: float = 1.0
    tilt: tuple[float, float] = (0.0, 0.0)  # degrees about x and y: lays the object over
    lift: float = 0.0  # height above the surface, for an object that lies or stands on another


@dataclass(frozen=True)
class Stage:
    """What the objects stand on, what closes the view, and the light: names in SURFACES, WALLS, LIGHTS."""

    surface: str
    wall: str | None
    light: str


@dataclass(frozen=True)
class View:
    """The camera: `distance` from `target`, seen from an angle; the focus is on the target."""

    distance: float
    elevation: float = 20.0  # degrees above the surface
    azimuth: float = 0.0  # degrees; positive moves the camera to the right
    target: tuple[float, float, float] = (0.0, 0.0, 0.45)
    size: tuple[int, int] = WIDE
    fstop: float = 0.6  # smaller is blurrier


@dataclass(frozen=True)
class Scene:
    """One image, called `<object>/<number>`: the object its mask shows, and what stands around it."""

    name: str
    target: Placed
    others: tuple[Placed, ...]
    stage: Stage
    view: View
    caption: str = ""
    alike: int = 0  # how many of `others`, the first of them, are the same object as `target`
    moved: tuple[float, float] = (0.0, 0.0)  # how far the target travels while the shutter is open
