"""Lines that are redrawn in place."""

from __future__ import annotations

import io
import re

import pytest

from duvo_cli.output import live, terminal
from duvo_cli.output.live import Live


class Screen(io.StringIO):
    """The part of a terminal that these lines need."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        """The lines it shows."""
        shown, row = [""], 0
        for piece in re.findall(r"\x1b\[K|\x1b\[1A|\r|\n|[^\x1b\r\n]+", self.getvalue()):
            if piece == "\x1b[K":
                shown[row] = ""
            elif piece == "\x1b[1A":
                row -= 1
            elif piece == "\n":
                row += 1
                shown[row:] = shown[row:] or [""]
            elif piece != "\r":
                shown[row] += piece
        return shown


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A screen of five lines, on which drawings may follow at once."""
    monkeypatch.setattr(live, "MIN_INTERVAL", 0.0)
    monkeypatch.setenv("LINES", "5")
    return Screen()


def test_lines_are_redrawn_in_place_and_stay(screen: Screen) -> None:
    lines = ["a"]
    with Live(screen, lambda size: lines, stays=True) as shown:
        shown.draw()
        assert screen.lines == ["a"]
        lines[:] = ["one", "two", "three"]
        shown.draw()
        assert screen.lines == ["one", "two", "three"]
        lines[:] = ["b", "c"]
        shown.draw()
        assert screen.lines[:2] == ["b", "c"]
        assert not any(screen.lines[2:])
        lines[:] = ["last"]
    assert [line for line in screen.lines if line] == ["last"]


def test_lines_that_do_not_stay_are_erased(screen: Screen) -> None:
    with Live(screen, lambda size: ["one", "two"]) as shown:
        shown.draw()
    assert not any(screen.lines)


def test_other_output_appears_above_the_lines(screen: Screen) -> None:
    with Live(screen, lambda size: ["one", "two"], stays=True) as shown:
        shown.draw()
        with terminal.hidden():
            assert not any(screen.lines)
            screen.write("other\n")
        assert [line for line in screen.lines if line] == ["other", "one", "two"]


def test_lines_not_yet_drawn_are_not_drawn_after_other_output(screen: Screen) -> None:
    with Live(screen, lambda size: ["one"]), terminal.hidden():
        screen.write("other\n")
    assert screen.lines == ["other", ""]


def test_lines_beyond_the_screen_are_not_drawn(screen: Screen) -> None:
    with Live(screen, lambda size: list("abcdefgh"), stays=True) as shown:
        shown.draw()
        shown.draw()
        assert screen.lines == list("abcd")


def test_nothing_is_drawn_without_a_terminal() -> None:
    stream = io.StringIO()
    with Live(stream, lambda size: ["one"], stays=True) as shown:
        shown.draw()
    assert stream.getvalue() == ""
    assert terminal.shown is None
