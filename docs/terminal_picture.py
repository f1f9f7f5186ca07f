"""Draw docs/terminal.svg: the README's first command, in a terminal.

python docs/terminal_picture.py [--check]

The command runs in a pseudo-terminal, an emulator reads what it prints, and the screen is drawn as
it is. Ids and times are replaced, so that the picture changes only when the command does.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import pyte

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "terminal.svg"

sys.path.insert(0, str(ROOT))

from tests.support.pseudo_terminal import PseudoTerminal  # noqa: E402

COLUMNS = 84
_CELL, _LINE, _MARGIN, _BAR = 8.4, 20, 20, 24  # pixels
_FIXED = {
    r"(?<!\d)\d\d:\d\d:\d\d(?!\d)": "09:41:00",
    r"after [\d.]+ m?s\b": "after 1.2 s",
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b": "5f0c7a52-3b1d-4e58-9a6f-2c84d1e07b93",
}
_COLOURS = {  # of the emulator, on white and on black
    "default": ("#1f2328", "#e6edf3"),
    "brightblack": ("#59636e", "#9198a1"),
    "red": ("#b3261e", "#ff7b72"),
    "green": ("#116329", "#56d364"),
    "brown": ("#7d4e00", "#e3b341"),
    "blue": ("#0550ae", "#79c0ff"),
    "magenta": ("#6639ba", "#d2a8ff"),
    "cyan": ("#0f6674", "#76e3ea"),
}


def readme_command() -> str:
    """Return the part of the README's command that starts a run."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ .* && (duvo dev -- .*)$", readme, re.MULTILINE)
    return str(command)


def session(command: str, folder: str) -> str:
    """Run the command in a shell, approve what it asks for, and return all that was shown."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PS1": "$ ",
        "LC_ALL": "C.UTF-8",
        **dict.fromkeys(("HOME", "DUVO_CONFIG_DIR", "DUVO_STATE_DIR"), folder),
    }
    shell = ["bash", "--noprofile", "--norc"]
    with PseudoTerminal(shell, environment, columns=COLUMNS) as terminal:
        terminal.expect(r"\$ $")
        terminal.type(f"{command}\r")
        terminal.expect(r"\[y/n\] $", 60)
        terminal.type("y\r")
        terminal.expect(r"\n[^\n]*\$ $", 60)
        return terminal.shown


def screen(shown: str) -> list[list[pyte.screens.Char]]:
    """Return the cells of the lines on the screen, without the last prompt."""
    for pattern, replacement in _FIXED.items():
        shown = re.sub(pattern, replacement, shown)
    emulated = pyte.Screen(COLUMNS, 60)
    # The emulator does not know dim text, which terminals show as grey.
    pyte.Stream(emulated).feed(shown.replace("\x1b[2m", "\x1b[90m"))
    cells = [[emulated.buffer[y][x] for x in range(COLUMNS)] for y in range(emulated.cursor.y)]
    assert cells, "nothing was shown"
    return cells


def svg(lines: list[list[pyte.screens.Char]]) -> str:
    """Draw a terminal with these lines."""
    width, height = COLUMNS * _CELL + 2 * _MARGIN, len(lines) * _LINE + 2 * _MARGIN + _BAR
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" '
            f'width="{width:g}" height="{height}" role="img">',
            "<title>A run in a terminal</title>",
            f"<style>\n{_style()}</style>",
            f'<rect class="window" x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1}" '
            'rx="8"/>',
            *(f'<circle class="button" cx="{x}" cy="22" r="5"/>' for x in (24, 42, 60)),
            *_texts(lines),
            "</svg>\n",
        ]
    )


def _style() -> str:
    """Return rules for light pages, and for dark ones."""
    light, dark = (
        "".join(f".{name} {{ fill: {both[which]} }}\n" for name, both in _COLOURS.items())
        for which in (0, 1)
    )
    return (
        "text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', "
        "monospace }\n"
        ".bold { font-weight: 600 }\n"
        ".window { fill: #ffffff; stroke: #d1d9e0 }\n"
        ".button { fill: #d1d9e0 }\n"
        f"{light}"
        "@media (prefers-color-scheme: dark) {\n"
        ".window { fill: #0d1117; stroke: #3d444d }\n"
        ".button { fill: #3d444d }\n"
        f"{dark}"
        "}\n"
    )


def _texts(lines: list[list[pyte.screens.Char]]) -> Iterator[str]:
    for number, cells in enumerate(lines):
        y = _BAR + _MARGIN + number * _LINE + 15
        for (colour, bold), group in groupby(enumerate(cells), lambda cell: _look(cell[1])):
            found = list(group)
            look = f"{colour} bold" if bold else colour
            # Some renderers collapse several spaces, so each text between them is placed.
            for piece in re.finditer(r"\S+( \S+)*", "".join(cell.data for _, cell in found)):
                x = _MARGIN + (found[0][0] + piece.start()) * _CELL
                # textLength keeps the columns aligned in any font.
                yield (
                    f'<text class="{look}" x="{x:g}" y="{y}" '
                    f'textLength="{len(piece[0]) * _CELL:g}">{escape(piece[0])}</text>'
                )


def _look(cell: pyte.screens.Char) -> tuple[str, bool]:
    assert cell.fg in _COLOURS, f"no colour for {cell}"
    assert cell.bg == "default" and not cell.reverse, f"{cell} cannot be drawn"
    return cell.fg, cell.bold


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        picture = svg(screen(session(readme_command(), folder)))
    if not check:
        PICTURE.write_text(picture, encoding="utf-8")
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != picture:
        print("docs/terminal.svg is stale: run `python docs/terminal_picture.py`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
