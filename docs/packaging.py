"""What setuptools does differently for this package; setup.cfg names the class.

The package's description is the README, made readable without the files beside it, and the
source distribution has the docs, the tests and what CI runs.
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools.command.egg_info import egg_info

ROOT = Path(__file__).resolve().parent.parent

_FILES = ("CHANGELOG.md", "CONTRIBUTING.md")
_FOLDERS = ("docs", "tests", ".ci")
_LEFT_OUT = "docs/secrets"


class Metadata(egg_info):
    """Writes the metadata, and finds the files of the source distribution."""

    def finalize_options(self) -> None:
        super().finalize_options()
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.distribution.metadata.long_description = description(readme)

    def find_sources(self) -> None:
        super().find_sources()
        self.filelist.extend(_FILES)
        for folder in _FOLDERS:
            self.filelist.graft(folder)
        self.filelist.prune(_LEFT_OUT)
        self.filelist.global_exclude("*.py[co]")


def description(readme: str) -> str:
    """Return the README without its picture, and with paths instead of relative links."""
    without = re.sub(r"^!\[.*\]\((?!https:).*\)\n\n", "", readme, flags=re.MULTILINE)
    return re.sub(r"\[([^]]+)\]\((?!https:)([^)]+)\)", _named, without)


def _named(link: re.Match[str]) -> str:
    text, path = link.groups()
    return f"`{path}`" if text == path else f"{text} (`{path}`)"
