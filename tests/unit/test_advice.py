"""Errors advise calls in a Python program, and commands in the command."""

from __future__ import annotations

import ast
import re
from argparse import Namespace
from pathlib import Path

import pytest

from duvo._advice import Words, using, words
from duvo_cli import __main__ as command
from duvo_cli.advice import CommandWords
from duvo_cli.engine.log import text_of
from duvo_cli.registry import COMMANDS

ROOT = Path(__file__).parents[2]
ARGS = Namespace(profile=None, team=None, base_url=None)
ADVICE = sorted(name for name in vars(Words) if not name.startswith("_"))
VALUES = {"name": "base_url", "agent_id": "A", "run_id": "R", "keys": ["key"], "names": ["work"]}

COMMAND_WORDS = re.compile(r"(?<![\w-])--[a-z]|\bduvo (runs|agents|profiles|api|whoami)\b")
"""Words for a command line only. `duvo dev` is not among them: it starts a local engine."""


def advice_of(by: Words, name: str) -> str:
    method = getattr(by, name)
    taken = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    return str(method(**{argument: VALUES[argument] for argument in taken}))


@pytest.mark.parametrize("name", ADVICE)
def test_advice_has_words_of_python_and_of_the_command(name: str) -> None:
    python, of_command = advice_of(Words(), name), advice_of(CommandWords(ARGS), name)
    assert not COMMAND_WORDS.search(python), python
    assert not re.search(r"client\.|\w=(?!…)|duvo\.\w|\(\)", of_command), of_command
    assert name in vars(CommandWords)


def test_advice_of_the_command_repeats_its_settings() -> None:
    args = Namespace(profile="work", team="T", base_url="http://x")
    advice = CommandWords(args).stop_run("R")
    assert "`duvo runs stop R --profile work --team T --base-url http://x`" in advice


def test_words_apply_only_within_a_block() -> None:
    mine = CommandWords(ARGS)
    with pytest.raises(KeyError), using(lambda: mine):
        assert words() is mine
        raise KeyError
    assert type(words()) is Words


def strings(file: Path) -> list[tuple[int, str]]:
    """The strings of a file that are not docstrings, with their lines."""
    tree = ast.parse(file.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bare = {
        id(node.value)
        for parent in ast.walk(tree)
        if isinstance(parent, documented)
        for node in parent.body
        if isinstance(node, ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare
    ]


def test_no_text_of_the_sdk_or_the_engine_has_words_of_the_command() -> None:
    page = ROOT / "duvo/local/_api/page.py"  # what a browser shows
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file in ROOT.glob("duvo/**/*.py")
        if file != page
        for line, text in strings(file)
        if COMMAND_WORDS.search(text)
    ]
    assert found == []


def test_every_command_uses_its_own_words_except_those_that_run_agents() -> None:
    for name in COMMANDS:
        with command._words_of(name, ARGS):
            assert isinstance(words(), CommandWords) is (name not in ("dev", "serve")), name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name one with port=", "name one with --port"),
        ("give tls_cert= and tls_key=", "give --tls-cert and --tls-key"),
        ("or insecure=True if something", "or --insecure if something"),
        ("name another with database=", "name another with --database"),
        ("postgresql://x?sslmode=require", "postgresql://x?sslmode=require"),
    ],
)
def test_an_error_of_the_engine_names_flags_in_the_command(text: str, expected: str) -> None:
    from duvo.local import EngineError

    assert text_of(EngineError(text)) == expected
