"""Imports run down the table of packages only, and importing the package is quick."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ipseg

PACKAGE = Path(ipseg.__file__).parent
FOLDERS = ("ipseg", "tests", "space", "docs")
PLUGINS = ("features", "saliency", "segmenters", "baselines")  # files of one kind that never import each other
ORDER = (  # from the top down: a package imports only packages above it
    ("version",),
    ("core",),
    ("weights",),
    ("classical",),
    ("features", "saliency", "segmenters"),
    ("method",),
    ("engine",),
    ("baselines",),
    ("datasets",),
    ("evaluation",),
    ("studies",),
    ("annotations",),
    ("batch",),
    ("labelling",),
    ("ui",),
    ("cli",),
    ("__main__",),
)
CORE = (
    "examples",
    "status",
    "types",
    "progress",
    "packages",
    "vectors",
    "choices",
    "pixels",
    "resources",
    "threads",
    "overlap",
    "files",
    "names",
    "rle",
    "depth",
    "formats",
    "images",
    "masks",
    "geometry",
    "detections",
    "viz",
    "cache",
    "store",
    "serialize",
    "npz",
    "tree",
    "device",
    "disk_cache",
    "plugins",
    "result",
)  # likewise inside core
UI = ("server", "widgets", "tabs", "", "serving")  # likewise inside ui; "": the package itself


def above(order: tuple, unit: str) -> set[str]:
    """What stands above the row of a unit in an order."""
    rows = [row if isinstance(row, tuple) else (row,) for row in order]
    place = next(number for number, row in enumerate(rows) if unit in row)
    return {name for row in rows[:place] for name in row}


def imports(source: str) -> set[str]:
    """The modules that a file imports of the package, as dotted names below ``ipseg``; "ipseg" for itself."""
    return {".".join(_module(name.split("."))) for name in imported(source)}


def imported(source: str) -> set[str]:
    """All that a file imports of the package, as dotted names: ``ipseg.core.images.open_image``."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide where they lead"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "ipseg"}


def _module(parts: list[str]) -> list[str]:
    """The part of a dotted name that is a module, not something inside one."""
    while len(parts) > 1 and not (PACKAGE.parent.joinpath(*parts).is_dir() or _file(parts).is_file()):
        parts = parts[:-1]
    return parts[1:] or parts


def _file(parts: list[str]) -> Path:
    return PACKAGE.parent.joinpath(*parts).with_suffix(".py")


def faults(name: str, source: str) -> list[str]:
    """What one file imports that stands beside it or below it. ``name`` is its dotted name below ``ipseg``."""
    unit, _, inner = name.partition(".")
    if not any(unit in row for row in ORDER):
        return [f"{name} stands in no row of the table"]
    wrong = []
    for target in sorted(imports(source) - {unit, name, "ipseg"}):
        other, _, module = target.partition(".")
        neighbour = unit in PLUGINS and not module.rpartition(".")[2].startswith("_")
        lower = unit == "core" and module and module not in above(CORE, inner)
        lower = lower or (unit == other == "ui" and not _inside_the_page(inner, module))
        if other == unit and (neighbour or lower):
            wrong.append(f"{name} imports its neighbour {target}")
        if other != unit and other not in above(ORDER, unit):
            wrong.append(f"{name} imports {target}")
    return wrong


def _inside_the_page(name: str, target: str) -> bool:
    """Whether a module of the page may import another one; both are dotted names below ``ipseg.ui``."""
    (row, own, *_), (other, tab, *_) = [*name.split("."), ""], [*target.split("."), ""]
    if row == other:
        return row != "tabs" or own == tab
    return other in above(UI, row)


def files() -> list[tuple[str, Path]]:
    """Every file of the package but its __init__, which imports from everywhere."""
    paths = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})
    names = (".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in paths)
    return [(name.removesuffix(".__init__"), path) for name, path in zip(names, paths, strict=True)]


@pytest.mark.parametrize(("name", "path"), files(), ids=[name for name, _ in files()])
def test_a_package_imports_only_packages_above_it(name, path):
    assert not faults(name, path.read_text())


@pytest.mark.parametrize(
    ("name", "line", "fault"),
    [
        ("core.geometry", "from ipseg.core import viz", "core.geometry imports its neighbour core.viz"),
        ("method.points", "from ipseg.engine import presets", "method.points imports engine.presets"),
        (
            "features.new",
            "def build(settings):\n    from ipseg.method import pipeline",
            "features.new imports method.pipeline",
        ),
        ("features.new", "from ipseg.features import texture", "features.new imports its neighbour features.texture"),
        ("features.new", "import ipseg.saliency.boundary as b", "features.new imports saliency.boundary"),
        ("ui.tabs.tab", "from ipseg.cli import batch", "ui.tabs.tab imports cli.batch"),
        (
            "ui.tabs.segment.render",
            "from ipseg.ui.tabs.compare import render",
            "ui.tabs.segment.render imports its neighbour ui.tabs.compare.render",
        ),
        (
            "ui.server.pool",
            "from ipseg.ui.widgets import images",
            "ui.server.pool imports its neighbour ui.widgets.images",
        ),
        ("cli.new", "from ipseg.__main__ import main", "cli.new imports __main__"),
        ("attic", "", "attic stands in no row of the table"),
    ],
)
def test_an_import_up_the_table_is_seen(name, line, fault):
    assert faults(name, line) == [fault]


def test_an_import_down_the_table_is_fine():
    for name, line in (
        ("features.new", "from ipseg.core.types import Frame\nfrom ipseg.core import geometry\nimport numpy"),
        ("features.new", "from ipseg.features import _helper"),
        ("ui.tabs.tab", "import ipseg\nfrom ipseg.ui.server.pool import EnginePool"),
        ("cli.new", "from ipseg import ui, load"),
    ):
        assert faults(name, line) == []


def private(package: tuple[str, ...], source: str) -> list[str]:
    """What a file of ``package`` imports although its name begins with an underscore in another package.

    ``package`` is a dotted name below the repository; of a test it is that of the package that the test mirrors.
    """
    found = []
    for target in sorted(imported(source)):
        parts = tuple(target.split("."))
        place = next((number for number, part in enumerate(parts) if re.match("_(?!_)", part)), None)
        if place is not None and package[: len(home := _package(parts[:place]))] != home:
            found.append(target)
    return found


def _package(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The package that holds a module or a name."""
    return parts if PACKAGE.parent.joinpath(*parts).is_dir() else _package(parts[:-1])


def sources() -> list[tuple[tuple[str, ...], Path]]:
    """The Python files that use the package, each with the package that it belongs to, or that it mirrors as a test."""
    root = PACKAGE.parent
    paths = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    scripts = [root / "app.py", *(root / "examples_media").glob("*.py")]
    return [(_owner(path.relative_to(root)), path) for path in [*paths, *scripts]]


def _owner(path: Path) -> tuple[str, ...]:
    if path.parts[0] != "tests":
        return path.parent.parts
    mirrored = Path("ipseg", *path.parent.parts[1:])
    single = mirrored / path.stem.removeprefix("test_")  # a package whose tests are one file
    return (single if (PACKAGE.parent / single).is_dir() else mirrored).parts


def test_private_names_are_imported_in_their_own_package_alone():
    assert {path.name: found for package, path in sources() if (found := private(package, path.read_text()))} == {}


@pytest.mark.parametrize(
    ("package", "line", "found"),
    [
        ("ipseg.cli", "from ipseg.datasets._episodes import Dataset", ["ipseg.datasets._episodes.Dataset"]),
        ("ipseg.cli", "def run():\n    from ipseg.datasets import _episodes, folder", ["ipseg.datasets._episodes"]),
        ("ipseg.core", "import ipseg.studies.ablation._layers as layers", ["ipseg.studies.ablation._layers"]),
        ("ipseg.studies.ablation", "from ipseg.studies.ablation import _layers", []),
        ("ipseg.datasets", "from ipseg.datasets._episodes import Dataset", []),
        ("ipseg.datasets", "from ipseg.datasets.folder import _read", []),
        ("ipseg.cli", "from ipseg.datasets.folder import _read", ["ipseg.datasets.folder._read"]),
        ("ipseg.cli", "from ipseg.__main__ import main\nfrom ipseg.datasets import Dataset\nimport _thread", []),
    ],
)
def test_an_import_of_a_private_name_is_seen(package, line, found):
    assert private(tuple(package.split(".")), line) == found


def in_a_fresh_process(code: str, root: Path):
    """Run ``code``, which prints JSON, in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=root, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_the_package_loads_no_framework(root):
    loaded = set(in_a_fresh_process("import sys, json, ipseg; print(json.dumps(sorted(sys.modules)))", root))
    heavy = {"cv2", "sklearn", "skimage", "scipy", "torch", "transformers", "diffusers", "gradio", "PIL", "socket"}
    assert not heavy & loaded


@pytest.mark.parametrize(("given", "expected"), [(None, "4"), ("26", "26")])
def test_threads_of_blas_do_not_wait_at_full_load(root, monkeypatch, given, expected):
    """Numpy reads the time when it is imported, so it must not be there before."""
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    if given is not None:
        monkeypatch.setenv("OPENBLAS_THREAD_TIMEOUT", given)
    found = "['numpy' in sys.modules, os.environ['OPENBLAS_THREAD_TIMEOUT']]"
    code = f"import json, os, sys, ipseg; print(json.dumps({found}))"
    assert in_a_fresh_process(code, root) == [False, expected]


def test_the_page_is_there_before_what_only_its_answers_need(root):
    code = "import sys, json, ipseg.ui; ipseg.ui.build(); print(json.dumps(sorted(sys.modules)))"
    loaded = set(in_a_fresh_process(code, root))
    assert "gradio" in loaded
    assert not {"sklearn", "skimage.segmentation", "onnx", "onnxruntime", "torch", "tifffile"} & loaded


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
image = np.random.default_rng(0).integers(0, 99, (64, 80, 3), dtype=np.uint8)
image[20:44, 24:56] = (220, 40, 30)
engine = ipseg.load("offline")
result = engine.segment(engine.prompt(image), image[:, ::-1].copy())
result.overlay(), result.heat_map(), result.cut_out()
print(json.dumps([asked, list(result.mask.shape)]))
"""
    assert in_a_fresh_process(code, root) == [[], [64, 80]]
