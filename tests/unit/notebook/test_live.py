"""The output of `show`: a single output in a notebook, lines elsewhere."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from pathlib import Path

import pytest

from duvo._notebook.live import Live
from tests.support.command import wait_for
from tests.support.notebook import Notebook, View

ROOT = Path(__file__).parents[3]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """A notebook in which the test runs."""
    return Notebook(monkeypatch)


def test_a_notebook_has_one_output_that_is_updated(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    view = View("first")
    with Live(view) as live:
        view.text = "second"
        live.add("a line")
        notebook.wait_for(2)
        view.text = "third"
    (output,) = notebook.outputs
    assert [bundle["text/html"] for bundle in output] == ["first", "second", "third"]
    assert output[-1]["text/plain"] == repr(view)
    assert capsys.readouterr().out == ""


def test_an_output_is_updated_at_most_four_times_a_second(notebook: Notebook) -> None:
    with Live(View()) as live:
        for number in range(100):
            live.add(str(number))
        notebook.wait_for(6)
    times = notebook.times
    assert len(times) >= 7
    assert all(later - earlier >= 1.0 for earlier, later in zip(times, times[4:], strict=False))


def test_an_output_that_has_not_changed_is_not_updated(notebook: Notebook) -> None:
    looked, view = View(), View("same")
    with Live(view), Live(looked):
        wait_for(lambda: view.count >= 2)
    assert len(notebook.outputs[0]) == 1


def test_the_last_state_is_shown_after_an_error(notebook: Notebook) -> None:
    view = View("before")
    with pytest.raises(KeyboardInterrupt), Live(view):
        view.text = "after"
        raise KeyboardInterrupt
    assert notebook.html == "after"


def test_lines_are_printed_without_ipython(capsys: pytest.CaptureFixture[str]) -> None:
    with Live(View()) as live:
        live.add("first")
        assert capsys.readouterr().out == "first\n"
        live.add("second")
    assert capsys.readouterr().out == "second\n"


def test_lines_are_printed_in_a_terminal_of_ipython(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = Notebook(monkeypatch, has_kernel=False)
    with Live(View()) as live:
        live.add("line")
    assert capsys.readouterr().out == "line\n"
    assert notebook.outputs == []


@pytest.mark.parametrize("fails_at", [1, 2])
def test_lines_are_printed_once_the_display_fails(
    notebook: Notebook, capsys: pytest.CaptureFixture[str], fails_at: int
) -> None:
    notebook.fails_at = fails_at
    with Live(View()) as live:
        live.add("first")
        notebook.wait_for(fails_at)
        live.add("second")
    assert capsys.readouterr().out.splitlines() == ["first", "second"]


def test_lines_are_printed_if_the_last_update_fails(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.fails_at = 2
    view = View("before")
    with Live(view) as live:
        live.add("line")
        view.text = "after"
    assert capsys.readouterr().out == "line\n"


def test_lines_that_an_output_has_shown_are_not_printed_when_it_fails(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    with Live(View()) as live:
        live.add("shown")
        # The second update from now begins after this line, and the third after its end.
        notebook.wait_for(len(notebook.times) + 3)
        # No update may come between the two.
        with notebook.changed:
            notebook.fails_at = len(notebook.times) + 1
            live.add("not shown")
    assert capsys.readouterr().out == "not shown\n"


def test_a_line_cannot_control_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    with Live(View()) as live:
        live.add("red \x1b[31m\ttab\nsecond line \u2192")
    assert out.buffer.getvalue() == b"red \\x1b[31m\ttab\nsecond line \\u2192\n"


def test_a_process_without_stdout_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with Live(View()) as live:
        live.add("line")


def test_showing_does_not_load_ipython() -> None:
    code = """
import sys
from duvo._notebook.live import Live
with Live(object()) as live:
    live.add("line")
assert not [name for name in sys.modules if name.startswith(("IPython", "ipykernel"))]
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_nothing_else_of_the_sdk_prints() -> None:
    files = [file for file in ROOT.glob("duvo/**/*.py") if "local" not in file.parts]
    printing = {
        file.relative_to(ROOT / "duvo").as_posix()
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if (isinstance(node, ast.Call) and ast.unparse(node.func) == "print")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout.write",))
    }
    assert printing == {"_notebook/live.py"}
