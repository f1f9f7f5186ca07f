"""Requests to other hosts that a page would make when it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}
_CSS = re.compile(r"""(?:url\(|@import\s+)\s*['"]?((?:https?:)?//[^'")\s;]+)""")


def in_folder(folder: Path) -> Iterator[str]:
    """Yield `FILE: ADDRESS` for each request of the pages and style sheets of a folder."""
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".html":
            found = in_html(file.read_text(encoding="utf-8"))
        elif file.suffix == ".css":
            found = _CSS.findall(file.read_text(encoding="utf-8"))
        else:
            continue
        for address in found:
            yield f"{file.relative_to(folder)}: {address}"


def in_html(text: str) -> list[str]:
    """Return the addresses on other hosts that a page loads; links to click do not count."""
    page = _Page()
    page.feed(text)
    return page.found


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        address = values.get(_LOADS.get(tag, ""), "")
        if re.match(r"(https?:)?//", address):
            self.found.append(address)
        self.found += _CSS.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            self.found += _CSS.findall(data)
