"""The code for Windows, with fakes of its modules."""

from __future__ import annotations

import ast
import ctypes
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from duvo._settings import locks, processes
from duvo_cli import windows
from duvo_cli.output import terminal
from duvo_cli.replying import keyboard

ROOT = Path(__file__).parents[2]
SOURCES = [*ROOT.glob("duvo/**/*.py"), *ROOT.glob("duvo_cli/**/*.py"), *ROOT.glob("docs/*.py")]


class FakeMsvcrt:
    """A fake of msvcrt: a keyboard, and locks."""

    LK_LOCK = 1

    def __init__(self) -> None:
        self.typed: list[str] = []
        self.locked: list[tuple[int, int, int]] = []
        self.refuses = False

    def kbhit(self) -> bool:
        return bool(self.typed)

    def getwch(self) -> str:
        return self.typed.pop(0)

    def get_osfhandle(self, descriptor: int) -> int:
        return descriptor + 100

    def locking(self, descriptor: int, mode: int, size: int) -> None:
        self.locked.append((os.fstat(descriptor).st_ino, mode, size))
        if self.refuses:
            raise OSError("Resource deadlock avoided")


@pytest.fixture
def msvcrt(monkeypatch: pytest.MonkeyPatch) -> FakeMsvcrt:
    """The module msvcrt, replaced."""
    fake = FakeMsvcrt()
    monkeypatch.setitem(sys.modules, "msvcrt", fake)  # type: ignore[arg-type]
    return fake


@pytest.mark.parametrize("refuses", [False, True])
def test_a_lock_is_on_a_file_in_the_directory_without_fcntl(
    refuses: bool, msvcrt: FakeMsvcrt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    msvcrt.refuses = refuses
    for _ in range(2):
        with locks.locked(tmp_path):
            pass
    assert msvcrt.locked == 2 * [((tmp_path / ".lock").stat().st_ino, msvcrt.LK_LOCK, 1)]


@pytest.mark.parametrize(
    ("handle", "is_found", "code", "runs"),
    [(7, True, 259, True), (7, True, 1, False), (7, False, 259, False), (0, True, 259, False)],
    ids=["running", "ended", "not readable", "no such process"],
)
def test_a_process_on_windows_is_running_while_it_has_no_exit_code(
    handle: int, is_found: bool, code: int, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[int] = []

    def exit_code(process: int, target: Any) -> bool:
        assert process == handle
        target._obj.value = code
        return is_found

    kernel = SimpleNamespace(
        OpenProcess=lambda access, inherits, pid: handle if pid == 4711 else 0,
        GetExitCodeProcess=exit_code,
        CloseHandle=closed.append,
    )
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it would send Ctrl-C"))
    assert processes.is_running(4711) is runs
    assert closed == [handle] * bool(handle)


@pytest.mark.parametrize(
    ("mode", "accepts", "obeys"),
    [(None, True, False), (3, True, True), (3, False, False), (7, False, True)],
    ids=["not a console", "switched on", "an old console", "on already"],
)
def test_a_console_of_windows_is_made_to_obey_escapes(
    mode: int | None,
    accepts: bool,
    obeys: bool,
    msvcrt: FakeMsvcrt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_to: list[int] = []

    def get_mode(handle: Any, target: Any) -> bool:
        assert handle.value == 101
        target._obj.value = mode or 0
        return mode is not None

    def set_mode(handle: Any, value: int) -> bool:
        set_to.append(value)
        return accepts

    kernel = SimpleNamespace(GetConsoleMode=get_mode, SetConsoleMode=set_mode)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    stream: Any = SimpleNamespace(fileno=lambda: 1, isatty=lambda: True)
    assert windows.make_obey_escapes(stream) is obeys
    assert set_to == [7] * (mode == 3)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delenv("TERM", raising=False)
    assert terminal.can_redraw(stream) is obeys


def test_keys_pressed_before_a_prompt_are_dropped_without_termios(
    msvcrt: FakeMsvcrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "termios", None)  # type: ignore[arg-type]
    msvcrt.typed = list("yes\r")
    keyboard.forget_typed()
    assert msvcrt.typed == []


def opens_text_without_encoding(call: ast.Call) -> bool:
    """Whether the call opens a text file in the default encoding of the machine."""
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if name == "read_text":
        return not call.args
    if name == "write_text":
        return len(call.args) < 2
    if name not in ("open", "fdopen", "NamedTemporaryFile", "TemporaryFile"):
        return False
    if ast.unparse(call.func) == "os.open":
        return False
    values = [ast.unparse(value) for value in [*call.args, *(key.value for key in call.keywords)]]
    modes = [value for value in values if re.fullmatch(r"'[rwax+bt]+'", value)]
    is_bytes = "b" in modes[0] if modes else name.endswith("TemporaryFile")
    return not is_bytes


def test_text_files_are_opened_with_an_explicit_encoding() -> None:
    found = [
        f"{file.name}: {ast.unparse(call)}"
        for file in SOURCES
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and opens_text_without_encoding(call)
    ]
    assert found == []
