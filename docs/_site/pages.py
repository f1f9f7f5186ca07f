"""The navigation is made of the links of index.md, which stays plain Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import contents

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    from pygments.lexers.special import TextLexer

    app.connect("source-read", _add_toctrees)
    app.add_lexer("csv", TextLexer)  # pygments has none for it
    return {"parallel_read_safe": True}


def _add_toctrees(app: Sphinx, page: str, source: list[str]) -> None:
    if page == app.config.root_doc:
        source[0] += contents.toctrees(source[0])
