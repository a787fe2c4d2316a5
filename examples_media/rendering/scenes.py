"""All scenes, sorted by name: a new file of scenes is added here."""

from .alone import ALONE
from .among import AMONG
from .failure_cases import CASES
from .prompt_sets import KINDS
from .scene import Scene
from .several import SEVERAL


def in_galleries():
    """The scenes of the galleries; what is only shown there is rendered elsewhere."""
    shown = [scene for kind in KINDS for scenes in (*kind.sets.values(), kind.inputs) for scene in scenes]
    return tuple(
        scene
        for scene in (*shown, *(case.prompt for case in CASES), *(one.input for one in SEVERAL))
        if isinstance(scene, Scene)
    )


SCENES = tuple(sorted(ALONE + AMONG + in_galleries(), key=lambda scene: scene.name))


def chosen(only):
    """The scenes named in `only`, or in a folder named there; all without it."""
    wanted = {name: [s for s in SCENES if f"{s.name}/".startswith(f"{name.strip('/')}/")] for name in only or ()}
    unknown = [name for name, scenes in wanted.items() if not scenes]
    if unknown:
        folders = sorted({"/".join(scene.name.split("/")[:-1][:3]) for scene in SCENES})
        raise ValueError(f"No scene is called {', '.join(unknown)}; the folders are {', '.join(folders)}.")
    return [scene for scene in SCENES if not only or any(scene in scenes for scenes in wanted.values())]
