"""Lines that are drawn again in place."""

from __future__ import annotations

import io
import re

import pytest

from duvo_cli.output import live, terminal
from duvo_cli.output.live import Live


class Screen(io.StringIO):
    """A terminal, as far as these lines need one."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        """What stands on it."""
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
    """A screen of three lines and more, where everything is drawn at once."""
    monkeypatch.setattr(live, "OFTEN", 0.0)
    monkeypatch.setenv("LINES", "5")
    return Screen()


def test_lines_are_drawn_again_in_place_and_stay(screen: Screen) -> None:
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


def test_they_go_away_when_they_do_not_stay(screen: Screen) -> None:
    with Live(screen, lambda size: ["one", "two"]) as shown:
        shown.draw()
    assert not any(screen.lines)


def test_what_is_written_meanwhile_stands_above(screen: Screen) -> None:
    with Live(screen, lambda size: ["one", "two"], stays=True) as shown:
        shown.draw()
        with terminal.hidden():
            assert not any(screen.lines)
            screen.write("told\n")
        assert [line for line in screen.lines if line] == ["told", "one", "two"]


def test_what_was_not_shown_yet_is_not_drawn_after_what_is_written(screen: Screen) -> None:
    with Live(screen, lambda size: ["one"]), terminal.hidden():
        screen.write("told\n")
    assert screen.lines == ["told", ""]


def test_no_more_is_drawn_than_fits(screen: Screen) -> None:
    with Live(screen, lambda size: list("abcdefgh"), stays=True) as shown:
        shown.draw()
        shown.draw()
        assert screen.lines == list("abcd")


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with Live(stream, lambda size: ["one"], stays=True) as shown:
        shown.draw()
    assert stream.getvalue() == ""
    assert terminal.shown is None
