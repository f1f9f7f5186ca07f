"""Docstrings as lines: plain text with indented code, made ready for Sphinx."""

from __future__ import annotations

import re
from collections.abc import Sequence


def first_paragraph(lines: Sequence[str]) -> list[str]:
    """Return the lines up to the first empty one."""
    lines = list(lines)
    return lines[: lines.index("")] if "" in lines else lines


def with_code_blocks(lines: Sequence[str]) -> list[str]:
    """Return the lines with a directive before each indented paragraph, which is code.

    The paragraphs of sections, such as `Args:`, have no empty line before them.
    """
    made: list[str] = []
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else ""
        above = next((text for text in reversed(made) if text), "")
        is_first = line.startswith("    ") and not before and not above.startswith(" ")
        if is_first and not above.endswith("::"):
            made += [".. code-block:: python", ""]
        made.append(line)
    return made


def without_private_modules(text: str) -> str:
    """Return a signature without the modules that users cannot import from."""
    return re.sub(r"~?\bduvo(?:\.\w+)*\._\w+(?:\.\w+)*\.(?=[A-Za-z])", "", text)


def without_modules(text: str) -> str:
    """Return a type without the modules in which its names are defined."""
    return re.sub(r"\b(?:duvo(?:\.\w+)*|datetime|collections\.abc)\.(?=[A-Za-z])", "", text)


def has_private_names(text: str) -> bool:
    """Whether a type or signature shows a private name, or the address of an object."""
    return re.search(r"(?<!\w)_[A-Za-z]| at 0x", text) is not None
