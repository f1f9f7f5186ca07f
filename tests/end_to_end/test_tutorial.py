"""The tutorial, played from its first command to its last."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Command, wait_for
from tests.support.pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.long

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [text.removeprefix("$ ").strip() for kind, text in BLOCKS if kind == "console"]
SERVE, START = "duvo dev expenses.py", "duvo --profile local runs start --agent Expenses"
INBOX = "duvo --profile local runs inbox"


class Reader:
    """Someone who follows the tutorial, in a folder of their own.

    Attributes:
        seen: all that the terminals have shown.
    """

    def __init__(self, folder: Path):
        self.seen = ""
        self._folder = folder
        state = {"DUVO_CONFIG_DIR": str(folder / "config"), "DUVO_STATE_DIR": str(folder / "state")}
        self._environment = Command(state).environment
        for kind, text in BLOCKS:
            if kind == "python":
                (folder / text.split()[1]).write_text(text)

    def run(self, command: str) -> str:
        """Run a command to its end; return what it printed."""
        shown = subprocess.run(
            command,
            shell=True,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        assert shown.returncode == 0, shown.stdout
        self.seen += shown.stdout
        return shown.stdout

    def answer(self, command: str, *replies: tuple[str, str]) -> None:
        """Run a command in a terminal; type each reply when its prompt is shown."""
        with self._terminal(command) as terminal:
            for prompt, keys in replies:
                terminal.expect(prompt)
                terminal.type(keys)
            assert terminal.end() == 0, terminal.seen
            self.seen += terminal.shown

    def ledger(self) -> list[str]:
        """The lines of the agent's ledger, without their keys."""
        lines = (self._folder / "ledger.csv").read_text("utf-8").splitlines()
        return [line.partition(",")[2] for line in lines]

    @contextlib.contextmanager
    def serving(self, command: str) -> Iterator[None]:
        """Run a command in a terminal until Ctrl-C, for the length of the block."""
        with self._terminal(command) as terminal:
            terminal.expect("Ctrl-C stops it")
            yield
            terminal.type("\x03")
            assert terminal.end() == 0, terminal.seen
            self.seen += terminal.seen

    def _terminal(self, command: str) -> PseudoTerminal:
        program = ["bash", "-c", f"cd {self._folder} && exec {command}"]
        return PseudoTerminal(program, self._environment, columns=200)


def significant(text: str) -> list[str]:
    """The lines of an output without colours, times and ids."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", text)
    text = re.sub(r"\d\d:\d\d:\d\d", "00:00:00", text)
    text = re.sub(r"run [0-9a-f]{8}\b", "run 00000000", text)
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader who has followed the whole tutorial."""
    reader = Reader(tmp_path_factory.mktemp("tutorial"))
    install, serve, follow, start, inbox, again, answer, report, pip, tests = COMMANDS
    assert install in (Path(__file__).parents[2] / "docs" / "quick-start.md").read_text("utf-8")
    assert (serve, again, inbox, answer) == (SERVE, SERVE, INBOX, f"{INBOX} --answer")
    with reader.serving(serve):
        reader.answer(follow, ("Number or text: ", "1\n"), (r"\[y/n\] ", "y\n"))
        reader.run(start)
        wait_for(lambda: "Which cost centre?" in reader.run(inbox))
    with reader.serving(again):
        reader.answer(answer, ("Number or text: ", "2\n"))
        wait_for(lambda: "Book 899 EUR" in reader.run(inbox))
        reader.answer(answer, (r"\[y/n\] ", "y\n"))
        wait_for(lambda: len(reader.ledger()) == 2)
        assert "booked" in reader.run(report)
    assert pip == "python -m pip install pytest"
    reader.run(f"{tests} -p no:cacheprovider")
    return reader


def test_all_commands_and_programs_of_the_tutorial_work(reader: Reader) -> None:
    booked = ["Taxi,148.5,Sales", "Projector,899.0,Support", "Lamp,39.9,Support"]
    assert reader.ledger() == booked


@pytest.mark.parametrize("shown", [text for kind, text in BLOCKS if kind == "text"])
def test_an_output_that_the_tutorial_shows_is_printed(reader: Reader, shown: str) -> None:
    printed = significant(reader.seen)
    for line in significant(shown):
        assert any(line in other for other in printed), f"{line!r} is not among {printed}"
