"""Imports run down the table of the house only, and importing the package is quick."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ipseg
from ipseg.core import plugins

PACKAGE = Path(ipseg.__file__).parent
PLUGINS = ("features", "saliency", "segmenters")
SHARED = ("offline",)  # what the parts of the offline engine have in common
STEPS = ("prototype", "similarity", "points", "refine")
PUBLIC = (
    "types",
    "images",
    "result",
    "pipeline",
    "presets",
    "options",
    "choice",
)  # where the names of ipseg.__all__ live
ALL = "everything above"

TABLE = (  # top to bottom: who, and what of the rows above they may import
    (("types", "version"), ()),
    (("images",), ("types",)),
    (("geometry",), ("types",)),
    (("cache",), ("types",)),
    (("weights",), ("types", "version")),
    (("placement",), ("types",)),
    (("registry",), ("types", "placement")),
    (SHARED, ("types", "geometry")),
    (STEPS, ("types", "geometry")),
    (("presence",), ("types", "geometry", "prototype", "similarity")),
    (PLUGINS, ("types", "geometry", "weights", "registry", *SHARED)),  # the registry: a part made of other parts
    (("viz",), ("types",)),
    (("instances",), ("types",)),
    (("result",), ("types", "geometry", "viz", "instances")),
    (("perception",), ("types", "images", "geometry", "cache", "refine")),
    (
        ("pipeline",),
        ("types", "images", "geometry", "perception", "instances", "result", "presence", *STEPS),
    ),
    (("presets",), ("types", "registry", "pipeline", "weights", "placement")),
    (("options",), ("types", "registry", "weights", "refine", "pipeline", "presets")),
    (("choice",), ("types", "pipeline", "presets", "options", "weights", "placement")),
    (
        ("methods",),
        ("types", "images", "geometry", "perception", "pipeline", "result", "registry", "weights", *STEPS),
    ),
    (("wire",), ()),
    (("zero",), ("types", "pipeline", "presets", "options", "wire")),
    (
        ("borrowed",),
        ("types", "images", "perception", "pipeline", "result", "options", "registry", "zero"),
    ),
    (("comparison",), ("types", "registry", "pipeline", "result")),
    (("batch",), ("types", "images", "viz", "pipeline")),
    (("datasets",), ("types", "images")),
    (
        ("evaluation",),
        ("types", "images", "perception", "pipeline", "result", "methods", "datasets", "version", "ipseg"),
    ),
    (("kept",), ()),
    (("galleries",), ("types", "images", "pipeline", "comparison", "evaluation", "kept")),
    (
        ("inside",),
        (
            *("types", "images", "geometry", "similarity", "perception", "pipeline", "result", "registry", "weights"),
            *("borrowed", "evaluation", "kept"),
        ),
    ),
    (
        ("ui",),
        (
            *PUBLIC,
            *(
                "galleries",
                "inside",
                "kept",
                "viz",
                "registry",
                "weights",
                "placement",
                "comparison",
                "batch",
                "zero",
                "borrowed",
            ),
            "version",
            "ipseg",
        ),
    ),
    (("commands",), ALL),
    (("__main__",), ALL),
    (("app",), ("ui", "zero", "presets", "options", "choice", "weights", "placement", "types", "version", "ipseg")),
)


def allowed() -> dict[str, set[str]]:
    """{unit: what it may import}, with "everything above" spelt out."""
    above, rules = {"ipseg"}, {}
    for units, may in TABLE:
        rules |= {unit: set(above) if may == ALL else set(may) for unit in units}
        above |= set(units)
    return rules


def imports(source: str) -> set[str]:
    """What a file imports of the package, as dotted names below ``ipseg``; "ipseg" for the package itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide where they lead"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name for name in found if name.split(".")[0] == "ipseg"}
    return {".".join(_module(name.split("."))) for name in ours}


def _module(parts: list[str]) -> list[str]:
    """The part of a dotted name that is a module, not something inside one."""
    while len(parts) > 1 and not (PACKAGE.parent.joinpath(*parts).is_dir() or _file(parts).is_file()):
        parts = parts[:-1]
    return parts[1:] or parts


def _file(parts: list[str]) -> Path:
    return PACKAGE.parent.joinpath(*parts).with_suffix(".py")


def faults(unit: str, name: str, source: str) -> list[str]:
    """What one file imports against the table. ``unit`` is its row, ``name`` its dotted name."""
    if unit not in allowed():
        return [f"{name} stands in no row of the table"]
    wrong = []
    for target in sorted(imports(source)):
        other = target.split(".")[0]
        if other != unit and other not in allowed()[unit]:
            wrong.append(f"{name} imports {target}")
        if other == unit and unit in (*PLUGINS, "methods") and target not in (unit, name) and "._" not in target:
            wrong.append(f"{name} imports its neighbour {target}")
    return wrong


def files() -> list[tuple[str, Path]]:
    """Every file of the package but its front door, which leads everywhere."""
    paths = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})
    names = (".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in paths)
    return [(name.removesuffix(".__init__"), path) for name, path in zip(names, paths, strict=True)]


@pytest.mark.parametrize(("name", "path"), files(), ids=[name for name, _ in files()])
def test_imports_run_down_the_table(name, path):
    assert not faults(name.split(".")[0], name, path.read_text())


def test_the_app_is_wiring():
    assert not faults("app", "app", (PACKAGE.parent / "app.py").read_text())


def test_the_table_itself_runs_down():
    above = {"ipseg"}
    for units, may in TABLE:
        assert may == ALL or set(may) <= above
        assert not above & set(units)
        above |= set(units)


@pytest.mark.parametrize(
    ("name", "line", "fault"),
    [
        ("geometry", "from ipseg import viz", "geometry imports viz"),
        ("points", "from ipseg.method.similarity import fuse", "points imports similarity"),
        (
            "features.new",
            "def build(settings):\n    from ipseg.method.pipeline import IPSeg",
            "features.new imports pipeline",
        ),
        ("features.new", "from ipseg.features import texture", "features.new imports its neighbour features.texture"),
        ("features.new", "import ipseg.saliency.boundary as b", "features.new imports saliency.boundary"),
        ("ui.tab", "from ipseg.method.prototype import average", "ui.tab imports prototype"),
        ("result", "import ipseg", "result imports ipseg"),
        ("commands.new", "from ipseg.__main__ import main", "commands.new imports __main__"),
        ("attic", "", "attic stands in no row of the table"),
    ],
)
def test_an_import_up_the_table_is_seen(name, line, fault):
    if "neighbour" in fault and "texture" not in plugins.names("features"):
        pytest.skip("the neighbour is not there")
    assert faults(name.split(".")[0], name, line) == [fault]


def test_an_import_down_the_table_is_fine():
    for name, line in (
        ("features.new", "from ipseg.core.types import Frame\nfrom ipseg import geometry\nimport numpy"),
        ("features.new", "from ipseg.features import _helper"),
        ("ui.tab", "import ipseg\nfrom ipseg.ui._studio import Studio"),
        ("commands.new", "from ipseg import ui, load"),
    ):
        assert faults(name.split(".")[0], name, line) == []


def in_a_fresh_process(code: str, root: Path):
    """Run ``code``, which prints JSON, in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_the_package_is_quick_and_loads_no_framework(root):
    code = (
        "import sys, time, json; start = time.perf_counter(); import ipseg;"
        "seconds = time.perf_counter() - start; print(json.dumps([seconds, sorted(sys.modules)]))"
    )
    answers = [in_a_fresh_process(code, root) for _ in range(3)]
    assert min(seconds for seconds, _ in answers) < 0.5
    heavy = {"cv2", "sklearn", "skimage", "scipy", "torch", "transformers", "diffusers", "gradio", "PIL", "socket"}
    assert not heavy & set(answers[0][1])


def test_every_public_name_is_there(root):
    assert all(getattr(ipseg, name) is not None for name in ipseg.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        ipseg.lode  # noqa: B018


def test_the_offline_engine_never_asks_for_a_framework(root):
    code = """
import json, sys
asked = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "diffusers", "gradio", "tensorflow", "jax"):
            asked.append(name)
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Watch())
import numpy as np, ipseg
picture = np.random.default_rng(0).integers(0, 99, (64, 80, 3), dtype=np.uint8)
picture[20:44, 24:56] = (220, 40, 30)
engine = ipseg.load("offline")
result = engine.segment(engine.prompt(picture), picture[:, ::-1].copy())
result.overlay(), result.heat_map(), result.cut_out()
print(json.dumps([asked, list(result.mask.shape)]))
"""
    assert in_a_fresh_process(code, root) == [[], [64, 80]]
