"""The scripts that shtab makes, and what is said where it cannot."""

from __future__ import annotations

import subprocess
import sys

import pytest

from duvo_cli.errors import CommandFailed
from duvo_cli.help import completion
from duvo_cli.registry import COMMANDS
from tests.unit.cli.test_loading import loaded_by

shtab = pytest.importorskip("shtab")

SHELLS = ("bash", "zsh", "fish", "tcsh")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """A shell that the installed shtab knows."""
    name = str(request.param)
    if name not in shtab.SUPPORTED_SHELLS:
        pytest.skip(f"this shtab knows no {name}")
    return name


def test_every_command_is_in_the_script(shell: str):
    made = completion.script(shell)
    for command in COMMANDS:
        assert command.rpartition(" ")[2] in made


def test_ids_come_from_the_hidden_command(shell: str):
    made = completion.script(shell)
    assert "duvo complete " in made


def test_a_shell_takes_its_script(shell: str):
    check = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}
    if shell not in check:
        pytest.skip(f"{shell} cannot check a script without running it")
    try:
        done = subprocess.run(
            [*check[shell], "/dev/stdin"],
            input=completion.script(shell),
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip(f"{shell} is not there")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_shtab_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(CommandFailed, match=r'pip install "duvo\[completion\]"') as raised:
        completion.script("bash")
    assert raised.value.code == 1
    assert "\n" not in str(raised.value)


def test_a_shell_that_shtab_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shtab, "SUPPORTED_SHELLS", ["bash"])
    with pytest.raises(CommandFailed, match="no script for fish"):
        completion.script("fish")


def test_the_help_of_completion_loads_no_shtab():
    assert "shtab" not in loaded_by("completion", "--help")
