"""The pages of the documentation site: all are in the navigation, and no link is broken."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

import duvo

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

from _site import contents, docstrings, external  # type: ignore[import-not-found]  # noqa: E402

sys.path.remove(str(DOCS))

PAGES = sorted(DOCS.rglob("*.md"))
PLAIN = [*sorted(ROOT.glob("*.md")), *PAGES]
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")


def without_blocks(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"^(`{3,}).*?^\1$", "", page.read_text("utf-8"), flags=re.M | re.S)


def links(page: Path) -> list[str]:
    """The targets of a page's links, without those on other sites."""
    return [target for target in LINK.findall(without_blocks(page)) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors that a code host makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", without_blocks(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path) -> list[str]:
    """The links of a page that lead to no file, or to no heading of it."""
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_a_missing_heading_is_broken(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`: three\n\n[a](#one-two-three) [b](#four) [c](five.md) [d](page.md)"
    )
    assert broken_links(page) == ["#four", "five.md"]


def test_each_page_is_in_the_navigation_once() -> None:
    listed = contents.sections((DOCS / "index.md").read_text("utf-8")).values()
    names = [name for pages in listed for name in pages]
    assert len(set(names)) == len(names)
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in PAGES}
    assert set(names) == pages - {"index"}


def test_the_navigation_has_the_sections_of_the_index() -> None:
    index = "# Title\n\n[a](a.md)\n\n## How-to\n\n- [B](b.md)\n- [C](c/d.md): more\n\n## Empty\n"
    assert contents.sections(index) == {"How-to": ["b", "c/d"]}
    assert contents.toctrees(index).split() == [
        "```{toctree}", ":hidden:", ":caption:", "How-to", "b", "c/d", "```",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("html", "addresses"),
    [
        ('<link href="https://fonts.example/a.css">', ["https://fonts.example/a.css"]),
        ('<script src="//cdn.example/a.js"></script>', ["//cdn.example/a.js"]),
        ('<img src="_static/a.svg"><a href="https://duvo.ai">Duvo</a>', []),
        ('<p style="background: url(https://a.example/b)">', ["https://a.example/b"]),
        ("<style>@import 'https://a.example/b'</style>", ["https://a.example/b"]),
    ],
)
def test_files_that_a_page_loads_from_other_hosts_are_found(
    html: str, addresses: list[str]
) -> None:
    assert external.in_html(html) == addresses


def test_files_that_a_style_sheet_loads_from_other_hosts_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("@font-face { src: url(https://fonts.example/a.woff2) }")
    (tmp_path / "a.html").write_text("<img src='b.svg'>")
    assert list(external.in_folder(tmp_path)) == ["a.css: https://fonts.example/a.woff2"]


def documented(module: str) -> set[str]:
    """The names of a module that the Python reference describes."""
    names = set()
    for page in (DOCS / "python").glob("*.md"):
        text = page.read_text("utf-8")
        for block in re.findall(r"^```\{eval-rst\}\n(.*?)^```$", text, re.M | re.S):
            if block.startswith(f".. py:currentmodule:: {module}\n"):
                names |= set(re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)$", block, re.M))
    return names


@pytest.mark.parametrize("module", ["duvo", "duvo.local", "duvo.profiles", "duvo.testing"])
def test_each_public_name_of_a_module_is_in_the_python_reference(module: str) -> None:
    assert documented(module) == set(importlib.import_module(module).__all__)


def test_indented_code_of_a_docstring_becomes_a_code_block() -> None:
    lines = ["Serves.", "", "    with Server():", "", "        pass", "", "Args:", "    a: b.", ""]
    code = [".. code-block:: python", "", *lines[2:5]]
    assert docstrings.with_code_blocks(lines) == [*lines[:2], *code, *lines[5:]]


def test_the_first_paragraph_of_a_docstring_ends_at_an_empty_line() -> None:
    assert docstrings.first_paragraph(["Read", "a run.", "", "Args:"]) == ["Read", "a run."]
    assert docstrings.first_paragraph(["Read."]) == ["Read."]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tuple[duvo._models.messages.ToolCall, ...] | None", "tuple[ToolCall, ...] | None"),
        ("datetime.datetime | None", "datetime | None"),
        ("collections.abc.Mapping[str, Any]", "Mapping[str, Any]"),
    ],
)
def test_types_are_shown_without_their_modules(text: str, shown: str) -> None:
    assert docstrings.without_modules(text) == shown


def test_a_signature_is_shown_without_private_modules() -> None:
    signature = "(run: ~duvo._run.state.Run | ~duvo.local.agents.Agent) -> list[duvo._a.B]"
    shown = "(run: Run | ~duvo.local.agents.Agent) -> list[B]"
    assert docstrings.without_private_modules(signature) == shown


@pytest.mark.parametrize(
    "text", ["(run: _Run)", "(run: duvo._run.Run)", "(a=<object object at 0x7f01>)"]
)
def test_private_names_in_a_signature_are_found(text: str) -> None:
    assert docstrings.has_private_names(text)
    assert not docstrings.has_private_names("(run_id: str, *, key: str = 'a_b') -> Run")


def test_the_tree_of_errors_has_each_error_below_its_base() -> None:
    page = (DOCS / "python" / "errors.md").read_text("utf-8")
    tree = page.split("```text\n")[1].split("```")[0]
    path: list[str] = []
    shown = {}
    for line in tree.splitlines():
        found = re.match(r"([│├└─ ]*)(\w+)", line)
        assert found is not None
        path = [*path[: len(found[1]) // 4], found[2]]
        shown[found[2]] = path[-2] if len(path) > 1 else None
    errors = [value for name in duvo.__all__ if isinstance(value := getattr(duvo, name), type)]
    bases = {
        error.__name__: None if error is duvo.DuvoError else error.__bases__[0].__name__
        for error in errors
        if issubclass(error, duvo.DuvoError)
    }
    assert shown == bases
