"""The parser of one command: its own arguments, and the options of every command."""

from __future__ import annotations

import argparse
from importlib import import_module

from .errors import UsageError
from .registry import COMMANDS, GROUPS, commands_of, module_of, sentence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

ONE_REQUEST = "seconds for one request (30)"


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError`."""

    def __init__(self, command: str):
        super().__init__(
            prog=f"duvo {command}".strip(),
            description=sentence(COMMANDS[command]) if command in COMMANDS else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.command = command
        self.timeout_help = ONE_REQUEST
        """Help of `--timeout`, whose meaning depends on the command."""

    def explain(self, text: str = "", *, examples: str = "", notes: str = "") -> None:
        """Extend the help: `text` follows its first line, examples and notes end it."""
        if text:
            self.description = f"{self.description}\n\n{text}"
        parts = [f"examples:\n{_indented(examples)}" if examples else "", notes]
        self.epilog = "\n\n".join(part for part in parts if part)

    def error(self, message: str) -> NoReturn:
        """Raise argparse's error as a `UsageError`."""
        raise UsageError(message, self.command)

    def print_help(self, file: Any = None) -> None:
        """Print the help; unlike argparse, report when it cannot be written."""
        print(self.format_help(), end="", file=file)

    def add_common(self) -> None:
        """Add the options of every command."""
        group = self.add_argument_group("options of every command")
        group.add_argument("--json", action="store_true", help="print JSON")
        group.add_argument("--profile", metavar="NAME", help="use this profile")
        group.add_argument("--team", type=identifier, metavar="ID", help="act in this team")
        group.add_argument("--base-url", metavar="URL", help="the API's address")
        group.add_argument("--timeout", type=seconds, metavar="S", help=self.timeout_help)
        group.add_argument("--debug", action="store_true", help="log every request to stderr")

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """Parse the command's arguments; options and values may come in any order."""
        return self.parse_intermixed_args(self._with_values_attached(argv))

    def _with_values_attached(self, argv: list[str]) -> list[str]:
        # argparse takes a value such as "-1=x" for an option unless it is attached, and
        # has no public way to list the options of a parser.
        known = self._option_string_actions
        attached: list[str] = []
        words = iter(argv)
        for word in words:
            if word == "--":
                return [*attached, word, *words]
            action = known.get(word)
            if action is None or action.nargs is not None:
                attached.append(word)
                continue
            value = next(words, None)
            if value is None or value in known or value == "--":
                self.error(f"{word} needs a value")
            attached.append(f"{word}={value}" if word.startswith("--") else word + value)
        return attached


def module_for(command: str) -> ModuleType:
    """Import the module of a command.

    It has `register(parser)`, which adds the command's arguments, and
    `run(args)`, which carries it out and returns the exit code.
    """
    return import_module(f".commands.{module_of(command)}", __package__)


def parser_of(command: str) -> Parser:
    """The complete parser of a command."""
    parser = Parser(command)
    module_for(command).register(parser)
    parser.add_common()
    return parser


def whole_tree() -> Parser:
    """All commands in one tree of parsers, to be inspected rather than parsed with."""
    tree = Parser("")
    tree.add_argument("--version", action="store_true", help="print the version")
    tree.add_common()
    _add_branches(tree, {**GROUPS, **commands_of("")})
    return tree


def _branch(*, prog: str, **_: Any) -> Parser:
    name = prog.removeprefix("duvo ")
    if name in COMMANDS:
        return parser_of(name)
    group = Parser(name)
    group.description = sentence(GROUPS[name])
    group.add_common()
    _add_branches(group, commands_of(name))
    return group


def _add_branches(tree: Parser, abouts: dict[str, str]) -> None:
    # argparse accepts any callable that makes a parser, but its types ask for a class.
    make: Any = _branch
    branches = tree.add_subparsers(prog=tree.prog, parser_class=make, metavar="COMMAND")
    for word, about in abouts.items():
        branches.add_parser(word, help=about)


def identifier(text: str) -> str:
    """An argument type: an id or a name, which is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("empty: is the variable set?")
    return text


def seconds(text: str) -> float:
    """An argument type: a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def count(text: str, least: int = 0) -> int:
    """An argument type: a whole number, not below `least`."""
    # int() would also take "1_0", " 1" and digits of other scripts.
    is_number = text.isascii() and text.isdigit() and len(text) <= 18
    if not is_number or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
    return int(text)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.strip("\n").splitlines())
