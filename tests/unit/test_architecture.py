"""The page on the architecture matches the code, and files and folders stay small."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
MOST_MODULES = 14
A_FILE_FOR_EACH_NOUN = ("_resources", "_async")
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def layers(package: str) -> list[str]:
    """The files and folders in a package's table of layers, in the page's order."""
    (section,) = re.findall(rf"^### `{re.escape(package)}`\n(.*?)(?=^##)", PAGE, re.M | re.S)
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("package", ["duvo", "duvo.local", "duvo_cli"])
def test_each_module_and_folder_of_a_package_has_one_layer(package: str) -> None:
    folder = ROOT.joinpath(*package.split("."))
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    folders = {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")} - {"local/"}
    if package == "duvo":
        modules -= {"__main__.py"}  # `python -m duvo`, above everything
    assert sorted(layers(package)) == sorted(modules | folders)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"\b(?:duvo|duvo_cli|docs|tests)/[a-z_./]+", PAGE)))
)
def test_a_path_on_the_page_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("package", ["duvo", "duvo_cli"])
def test_no_file_of_the_product_has_over_400_lines(package: str) -> None:
    files = [file for file in (ROOT / package).rglob("*.py") if file.parent.name != "_async"]
    lengths = {str(file): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.parametrize("package", ["duvo", "duvo_cli"])
def test_no_folder_of_the_product_has_over_14_modules(package: str) -> None:
    counts = Counter(
        file.parent.relative_to(ROOT).as_posix()
        for file in (ROOT / package).rglob("*.py")
        if file.name != "__init__.py" and file.parent.name not in A_FILE_FOR_EACH_NOUN
    )
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}
