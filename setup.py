"""The package's description: the README, for where it stands without the files beside it."""

import re
from pathlib import Path

from setuptools import setup

README = Path(__file__).parent / "README.md"


def description(readme: str) -> str:
    """Return the README without its picture, and with paths instead of relative links."""
    without = re.sub(r"^!\[.*\]\((?!https:).*\)\n\n", "", readme, flags=re.MULTILINE)
    return re.sub(r"\[([^]]+)\]\((?!https:)([^)]+)\)", _named, without)


def _named(link: re.Match[str]) -> str:
    text, path = link.groups()
    return f"`{path}`" if text == path else f"{text} (`{path}`)"


if __name__ == "__main__":
    setup(long_description=description(README.read_text(encoding="utf-8")))
