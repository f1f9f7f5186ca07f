"""Fail a build whose pages would load anything from other hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import external

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True}


def _check(app: Sphinx, error: Exception | None) -> None:
    if error is None and (found := list(external.in_folder(Path(app.outdir)))):
        from sphinx.errors import SphinxError

        raise SphinxError("pages load from other hosts:\n" + "\n".join(found))
