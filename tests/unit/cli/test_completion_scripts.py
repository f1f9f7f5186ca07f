"""The completion scripts, which are generated from the parsers."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from duvo_cli.parser import parser_of
from duvo_cli.registry import COMMANDS
from tests.unit.cli.test_loading import loaded_by

ROOT = Path(__file__).parents[3]
SCRIPTS = {"bash": "duvo.bash", "zsh": "_duvo", "fish": "duvo.fish"}


def script(shell: str) -> str:
    return (ROOT / "duvo_cli" / "completions" / SCRIPTS[shell]).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generator() -> Any:
    """The module docs/completions.py."""
    spec = spec_from_file_location("completions", ROOT / "docs" / "completions.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_of_a_shell_is_up_to_date(shell: str, generator: Any) -> None:
    assert script(shell) == generator.script(shell), "stale: run `python docs/completions.py`"


def test_scripts_are_made_from_the_parser_of_every_command(generator: Any) -> None:
    for command in COMMANDS:
        branch = generator.tree_of_commands()
        for word in command.split():
            (branches,) = (action for action in branch._actions if isinstance(action.choices, dict))
            branch = branches.choices[word]
        assert branch.format_help() == parser_of(command).format_help()


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_has_every_command(shell: str) -> None:
    for command in COMMANDS:
        assert command.rpartition(" ")[2] in script(shell)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_is_valid_in_its_shell(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    check = [shell, "--no-execute" if shell == "fish" else "-n", "/dev/stdin"]
    done = subprocess.run(check, input=script(shell), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_help_of_completion_does_not_load_the_sdk() -> None:
    assert "requests" not in loaded_by("completion", "--help")
