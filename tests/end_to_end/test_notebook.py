"""The notebook of the docs runs in a kernel, and so do the cells of the page on notebooks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duvo.local import Server
from tests.end_to_end.test_documentation import BLOCK

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
PAGE = ROOT / "docs" / "notebooks.md"

FAILING = """\
import duvo
client = duvo.Client(api_key="x", base_url="http://127.0.0.1:9", max_retries=1)
client.runs.run("R").wait(timeout=SECONDS)
"""


def execute(cells: list[str], folder: Path, *, fails: bool = False) -> list[dict[str, Any]]:
    """Run cells in a kernel, and return them with their outputs."""
    notebook = {
        "cells": [
            {
                "id": f"cell-{number}",
                "cell_type": "code",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(cells)
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    file = folder / "notebook.ipynb"
    file.write_text(json.dumps(notebook))
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.execute_notebook", str(file)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert (done.returncode != 0) is fails, done.stderr
    executed: list[dict[str, Any]] = json.loads(file.read_text())["cells"]
    return executed


def sources(file: Path) -> list[str]:
    """The code cells of a notebook."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return [code(cell) for cell in cells if cell["cell_type"] == "code"]


def code(cell: dict[str, Any]) -> str:
    """The code of a cell."""
    return "".join(cell["source"])


def with_code(cells: list[dict[str, Any]], part: str) -> dict[str, Any]:
    """The cell that has this in its code."""
    (found,) = [cell for cell in cells if part in code(cell)]
    return found


def outputs(cell: dict[str, Any], kind: str) -> list[str]:
    """The outputs of a cell of this type, such as `text/html`."""
    return ["".join(each["data"][kind]) for each in cell["outputs"] if kind in each.get("data", {})]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Jupyter and IPython from reading and writing in the user's home."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An engine, whose settings are in the environment of the kernel."""
    with Server(port=0) as server:
        monkeypatch.setenv("DUVO_API_KEY", server.api_key)
        monkeypatch.setenv("DUVO_API_BASE_URL", server.base_url)
        yield server


@pytest.mark.long
def test_the_notebook_of_the_docs_runs(tmp_path: Path) -> None:
    cells = execute(sources(NOTEBOOK), tmp_path)
    for cell in cells:
        # Nothing prints: what is shown is the cell's only output.
        assert [each["output_type"] for each in cell["outputs"] if "data" not in each] == []
        if code(cell).endswith(".show()"):
            (html,) = outputs(cell, "text/html")
            assert "completed" in html
    (results,) = outputs(with_code(cells, "to_row() for result"), "text/html")
    assert results.count("It is paid.") == 3
    (answers,) = outputs(with_code(cells, "run.answer for"), "text/plain")
    assert answers == "['It is paid.', 'It is paid.', 'It is paid.']"


def test_the_notebook_of_the_docs_has_no_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.long
def test_the_cells_of_the_page_on_notebooks_run(tmp_path: Path, engine: Server) -> None:
    page = PAGE.read_text(encoding="utf-8")
    cells = execute([found[2].rstrip() for found in BLOCK.finditer(page)], tmp_path)
    assert all(len(cell["outputs"]) == 1 for cell in cells)
    assert all(outputs(cell, "text/html") for cell in cells)


@pytest.mark.long
def test_an_error_in_a_cell_is_short(tmp_path: Path) -> None:
    for seconds in ("1", "5", "20"):  # a busy machine may need the first for the failing read
        (cell,) = execute([FAILING.replace("SECONDS", seconds)], tmp_path, fails=True)
        error = cell["outputs"][-1]
        shown = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))
        if "direct cause" in shown:
            break
    assert error["ename"] == "WaitTimeout"
    assert "During handling" not in shown
    assert shown.count("The above exception was the direct cause") == 1
    assert shown.count("\nFile ") + shown.count("\nCell ") <= 4, shown
    assert len(shown.splitlines()) < 60, shown
