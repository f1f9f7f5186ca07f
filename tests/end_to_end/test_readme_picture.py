"""The picture in the README, made by docs/terminal_picture.py."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PICTURE = (ROOT / "docs" / "terminal.svg").read_text(encoding="utf-8")
LIGHT, DARK = PICTURE.split("</style>")[0].split("@media (prefers-color-scheme: dark)")


def test_the_picture_shows_what_the_command_prints() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "terminal_picture.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_picture_loads_nothing() -> None:
    namespace, *others = re.findall(r"https?:[^\s\"')]+|url\(|href|@import|@font-face", PICTURE)
    assert (namespace, others) == ("http://www.w3.org/2000/svg", [])
    elements = {element.tag.rpartition("}")[2] for element in ET.fromstring(PICTURE).iter()}
    assert elements == {"svg", "title", "style", "rect", "circle", "text"}


@pytest.mark.parametrize("rules", [LIGHT, DARK], ids=["light", "dark"])
def test_the_text_of_the_picture_can_be_read_on_light_and_dark_pages(rules: str) -> None:
    colours = dict(re.findall(r"^\.(\w+) { fill: (#\w{6})", rules, re.MULTILINE))
    background = luminance(colours.pop("window"))
    del colours["button"]
    assert len(colours) >= 5
    for name, colour in colours.items():
        darker, lighter = sorted([luminance(colour), background])
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, name


def luminance(colour: str) -> float:
    """Return the relative luminance of the WCAG, from 0 to 1."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
