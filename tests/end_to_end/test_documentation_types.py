"""The programs of the README and the docs pass the strict checks of mypy and pyright."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.end_to_end.test_documentation import PAGES, ROOT

pytestmark = pytest.mark.long

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# (\w+)\.py\n")
CELLS = ("notebooks.md",)
"""Pages whose programs are the cells of one notebook."""

PANDAS = "class DataFrame:\n    def __init__(self, data: object) -> None: ...\n"
"""The types of pandas, which has none of its own."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all programs, named by page and line, or as their first line names them."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "pandas.pyi").write_text(PANDAS)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        place = re.sub(r"\W", "_", str(page.relative_to(ROOT).with_suffix("")))
        if page.name in CELLS:
            cells = "\n".join(found[1] for found in BLOCK.finditer(text))
            # The last expression of a cell is shown.
            first = "# pyright: reportUnusedExpression=false\n"
            (folder / f"{place}.py").write_text(first + as_module(cells), encoding="utf-8")
            continue
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            named = NAME.match(found[1])
            file = folder / f"{named[1] if named else f'{place}_line_{line}'}.py"
            assert not file.exists(), f"two programs are named {file.name}"
            file.write_text(as_module(found[1]), encoding="utf-8")
    return folder


def as_module(program: str) -> str:
    """Return a program; cells of a notebook, which may await, as a function."""
    try:
        compile(program, "program", "exec")
    except SyntaxError:
        return f"async def cells() -> None:\n{textwrap.indent(program, '    ')}"
    return program


def check(*command: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        # It would look for a newer version.
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_programs_of_the_docs_pass_mypy(
    programs: Path, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    pytest.importorskip("mypy")
    cache = pytestconfig.cache.mkdir("mypy") if pytestconfig.cache else tmp_path
    check("mypy", "--strict", f"--cache-dir={cache}", ".", folder=programs)


def test_the_programs_of_the_docs_pass_pyright(programs: Path) -> None:
    pytest.importorskip("pyright")
    config = programs / "pyrightconfig.json"
    config.write_text('{"typeCheckingMode": "strict", "include": ["."]}')
    check("pyright", "--project", str(config), "--pythonpath", sys.executable, folder=programs)
