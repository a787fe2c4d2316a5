"""The notebook runs from its first cell to its last with the default engine, all but the cell that installs."""

from __future__ import annotations

import ast

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning"),  # of Jupyter's event loop
]


@pytest.fixture(scope="module")
def notebook(root):
    nbformat = pytest.importorskip("nbformat")
    found = nbformat.read(root / "docs" / "ipseg.ipynb", as_version=4)
    nbformat.validate(found)
    return found


def test_no_output_is_committed(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_it_installs_the_package_and_fetches_the_weights_of_the_default(notebook):
    from ipseg.engine.presets import DEFAULT

    (install,) = [cell for cell in notebook.cells if "install" in cell.metadata.get("tags", [])]
    assert install.source.splitlines() == ["%pip install --quiet ipseg", f"!ipseg weights fetch {DEFAULT}"]


def test_every_other_cell_runs_and_a_result_shows_itself(notebook, tmp_path):
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    ran = notebook.copy()
    ran.cells = [cell for cell in notebook.cells if "install" not in cell.metadata.get("tags", [])]
    client.NotebookClient(
        ran, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [output for cell in ran.cells if cell.cell_type == "code" for output in cell.outputs if "data" in output]
    texts = [output["data"].get("text/plain", "") for output in shown]
    assert [text.split("(")[0] for text in texts[:3]] == ["IPSeg", "Prompt", "Result"]
    assert all(len(text) < 300 for text in texts)
    assert sum("image/png" in output["data"] for output in shown) == 3  # two results and the maps
    scores = ast.literal_eval(texts[-1])
    assert scores["IPSeg"] > 0.9
    assert list(scores) == ["IPSeg", "PerSAM (on the engine's parts)"]
