"""The messages that the page on troubleshooting quotes are those of the code."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
MESSAGES = [text.strip() for text in re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S)]
VARIABLE = r"…|\b\d{3}\b|\b[A-Z]\w+Error: |\bDUVO_API_KEY(?= is empty)"


@cache
def texts_of_the_code() -> str:
    """All strings in the code, one a line, with … in place of their variable parts."""
    texts = []
    for file in [*ROOT.glob("duvo/**/*.py"), *ROOT.glob("duvo_cli/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                ]
                texts.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return re.sub(r"%[sdr]|%\.0f", "…", "\n".join(texts))


def missing_fragments(message: str) -> list[str]:
    """The fixed parts of a message that are in no string of the code."""
    fragments = [fragment.strip(" ;:,()") for fragment in re.split(VARIABLE, message)]
    return [fragment for fragment in fragments if fragment not in texts_of_the_code()]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_quoted_message_is_one_of_the_code(message: str) -> None:
    assert missing_fragments(message) == []


def test_a_message_that_the_code_does_not_have_is_found() -> None:
    assert missing_fragments("… was eaten by 404 …; `duvo dev` starts a local engine") == [
        "was eaten by"
    ]


def test_each_message_has_a_cause_below_it() -> None:
    causes = re.split(r"^```text\n.*?^```$", PAGE, flags=re.M | re.S)[1:]
    # Two messages may share a cause.
    assert all(above.strip() or below.strip() for above, below in pairwise(causes))
    assert causes[-1].strip()
