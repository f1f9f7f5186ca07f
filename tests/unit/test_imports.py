"""Imports that import-linter does not see: by a name in a string, and of the package itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [*ROOT.glob("duvo/**/*.py"), *ROOT.glob("duvo_cli/**/*.py")]

BY_NAME = {
    "duvo/__init__.py": "its public names",
    "duvo/_forks.py": "modules by names that are given from above",
    "duvo/local/__init__.py": "its public names",
    "duvo/testing/__init__.py": "its public names",
    "duvo_cli/batch/executors.py": "the optional package distributed",
    "duvo_cli/parser.py": "the module of one command",
}
"""Files that import by a name in a string, and what."""

ABOVE_ALL = ("duvo/webhooks.py", "duvo/testing/", "duvo/mcp/")
"""Parts of duvo that use its public names only, as a user would."""


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def imports_by_name(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("import_module", "importlib.import_module", "__import__")
        for node in ast.walk(tree)
    )


def imports_of_the_root(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name == "duvo")
        elif isinstance(node, ast.ImportFrom) and node.module == "duvo" and not node.level:
            yield ast.unparse(node)


def test_modules_that_import_by_a_string_are_known() -> None:
    found = {name_of(file) for file in MODULES if imports_by_name(ast.parse(file.read_text()))}
    assert found == set(BY_NAME)


@pytest.mark.parametrize(
    "file", [file for file in MODULES if name_of(file).startswith("duvo/")], ids=name_of
)
def test_a_module_of_duvo_does_not_import_its_root(file: Path) -> None:
    if not name_of(file).startswith(ABOVE_ALL):
        assert not list(imports_of_the_root(ast.parse(file.read_text())))
