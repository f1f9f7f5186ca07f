"""The contents of the site: the links of index.md, by section."""

from __future__ import annotations

import re

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_LINK = re.compile(r"^- \[[^]]+\]\(([\w./-]+)\.md\)", re.MULTILINE)


def sections(index: str) -> dict[str, list[str]]:
    """Return the pages that each section of index.md links to, without their suffix."""
    _, *parts = _SECTION.split(index)
    return {
        title: pages
        for title, text in zip(parts[::2], parts[1::2], strict=True)
        if (pages := _LINK.findall(text))
    }


def toctrees(index: str) -> str:
    """Return a hidden table of contents for each section, as MyST."""
    return "".join(
        "\n".join(["\n```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```\n"])
        for title, pages in sections(index).items()
    )
