"""The completion scripts that shtab makes, and its absence."""

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
    """A shell that the installed shtab supports."""
    name = str(request.param)
    if name not in shtab.SUPPORTED_SHELLS:
        pytest.skip(f"this shtab does not support {name}")
    return name


def test_a_script_has_every_command(shell: str):
    script = completion.script(shell)
    for command in COMMANDS:
        assert command.rpartition(" ")[2] in script


def test_a_script_asks_the_complete_command_for_ids(shell: str):
    assert "duvo complete " in completion.script(shell)


def test_a_script_is_valid_in_its_shell(shell: str):
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
        pytest.skip(f"{shell} is not installed")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_shtab_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(CommandFailed, match=r'pip install "duvo\[completion\]"') as raised:
        completion.script("bash")
    assert raised.value.code == 1
    assert "\n" not in str(raised.value)


def test_a_shell_that_shtab_does_not_support_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shtab, "SUPPORTED_SHELLS", ["bash"])
    with pytest.raises(CommandFailed, match="does not support fish"):
        completion.script("fish")


def test_the_help_of_completion_does_not_load_shtab():
    assert "shtab" not in loaded_by("completion", "--help")
