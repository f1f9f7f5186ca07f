"""The parser of one command: its own arguments, and the options of every command."""

from __future__ import annotations

import argparse
import os
from importlib import import_module

from .errors import UsageError
from .registry import COMMANDS, module_of, sentence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

    from .input.variables import Variables

_NAMES = ("COLUMN", "FILE", "FILE|URL", "H", "ID", "NAME", "URL")
"""Metavars of options that take no empty text: it comes from a variable that is not set."""

RUN = "the run's id, or its first 4 or more characters"

UNFINISHED = ("not_started", "pending", "starting", "running", "waiting")
ENDED = ("completed", "failed", "stopped", "interrupted")
STATUSES = (*UNFINISHED, "needs_attention", *ENDED)
"""The words that lists of runs can be filtered by."""

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
        for action in (None, "store"):
            self.register("action", action, _StoreOnce)
        self.command = command
        self.timeout_help = ONE_REQUEST
        """Help of `--timeout`, whose meaning depends on the command."""
        self.variables: Variables | None = None
        """The environment variables that set options, if any do."""

    def explain(self, text: str = "", *, examples: str = "", notes: str = "") -> None:
        """Extend the help: `text` follows its first line, examples and notes end it."""
        if text:
            self.description = f"{self.description}\n\n{text}"
        parts = [f"examples:\n{_indented(examples)}" if examples else "", notes]
        self.epilog = "\n\n".join(part for part in parts if part)

    def read_environment(self, prefix: str) -> Variables:
        """Let variables with this prefix set the options that were added so far."""
        from .input.variables import Variables

        options = [action for action in self._actions if action.option_strings]
        self.variables = Variables(prefix, [option for option in options if option.dest != "help"])
        return self.variables

    def error(self, message: str) -> NoReturn:
        """Raise argparse's error as a `UsageError`."""
        missing = message.removeprefix("the following arguments are required: ")
        raise UsageError(message if missing == message else f"give {missing}", self.command)

    def print_help(self, file: Any = None) -> None:
        """Print the help; unlike argparse, report when it cannot be written."""
        print(self.format_help(), end="", file=file)

    def add_common(self) -> None:
        """Add the options of every command."""
        group = self.add_argument_group("options of every command")
        group.add_argument("--json", action="store_true", help="print JSON")
        jq = "print what jq makes of the JSON (needs the extra jq)"
        group.add_argument("--jq", metavar="EXPR", help=jq)
        group.add_argument("--profile", metavar="NAME", help="use this profile")
        group.add_argument("--team", type=identifier, metavar="ID", help="act in this team")
        group.add_argument("--base-url", metavar="URL", help="the API's address")
        group.add_argument("--timeout", type=seconds, metavar="S", help=self.timeout_help)
        group.add_argument("--debug", action="store_true", help="log every request to stderr")

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """Parse the command's arguments; options and values may come in any order."""
        words = self._with_values_attached(argv)
        variables = self._use_variables(words)
        args = self.parse_intermixed_args(words)
        args.variables = variables
        for action in self._actions:
            value = getattr(args, action.dest, None)
            if value is None:
                continue
            if action.metavar in _NAMES:
                value = value.strip()
                if not value:
                    name = action.option_strings[0] if action.option_strings else action.metavar
                    self.error(f"{name} is empty: is the variable set?")
            if str(action.metavar).startswith("FILE"):
                value = _expanded(value)
            setattr(args, action.dest, value)
        args.json = args.json or args.jq is not None
        if args.json and getattr(args, "ids_only", False):
            self.error("-q does not go with --json or --jq")
        return args

    def _use_variables(self, words: list[str]) -> list[str]:
        if self.variables is None:
            return []
        try:
            return self.variables.use({word.partition("=")[0] for word in words})
        except ValueError as error:
            self.error(str(error))

    def _with_values_attached(self, argv: list[str]) -> list[str]:
        # argparse takes a value such as "-1=x" for an option unless it is attached, and
        # has no public way to list the options of a parser.
        known = self._option_string_actions
        attached: list[str] = []
        given: dict[str, str] = {}
        words = iter(argv)
        for word in words:
            if word == "--":
                return [*attached, *map(_Word, words)]
            option, is_attached, value = _split(word)
            action = known.get(option)
            if action is None and option.startswith("--"):
                self._refuse(option)
            if action is None or action.nargs is not None:
                attached.append(word)
                continue
            if not is_attached:
                value = self._value_of(option, next(words, None))
            if isinstance(action, _StoreOnce) and given.setdefault(action.dest, value) != value:
                earlier = f"{given[action.dest]:.100}"
                self.error(f"{option} is given twice, with {earlier!r} and {f'{value:.100}'!r}")
            if "FILE" not in str(action.metavar):
                self._check_text(option, value)
            # argparse drops an `=` with which the value of a short option begins.
            attached.append(f"{action.option_strings[-1]}={value}")
        return attached

    def _parse_optional(self, arg_string: str) -> Any:
        # argparse parses words after `--` a second time, and would take them for options.
        return None if isinstance(arg_string, _Word) else super()._parse_optional(arg_string)

    def _refuse(self, option: str) -> NoReturn:
        from difflib import get_close_matches

        names = [name for name in self._option_string_actions if name.startswith("--")]
        close = get_close_matches(option, names, 1)
        hint = f" (did you mean `{close[0]}`?)" if close else ""
        self.error(f"unknown option {option}{hint}")

    def _value_of(self, option: str, word: str | None) -> str:
        if word is None or word == "--":
            self.error(f"{option} needs a value")
        if word in self._option_string_actions:
            self.error(f"{option} needs a value; if {word} is meant, write {option}={word}")
        return word

    def _check_text(self, option: str, value: str) -> None:
        # Python turns bytes that are not UTF-8 into surrogates. A file may have such a name.
        try:
            value.encode()
        except UnicodeEncodeError as error:
            if not value.startswith("@") and "=@" not in value:
                byte = ord(value[error.start]) & 0xFF
                self.error(f"the value of {option} is not UTF-8 text (byte 0x{byte:02x})")


class _Word(str):
    """A word after `--`, which is not an option."""

    __slots__ = ()


class _StoreOnce(argparse.Action):
    """Stores the value of an argument. An option is refused that has a second value."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        setattr(namespace, self.dest, values)


def _expanded(value: str | list[str]) -> str | list[str]:
    """A path or several, with `~` expanded: in `--input=~/x`, a shell leaves it."""
    if isinstance(value, list):
        return [os.path.expanduser(path) for path in value]  # noqa: PTH111
    return os.path.expanduser(value)  # noqa: PTH111  without a home directory, it stays as it is


def _split(word: str) -> tuple[str, bool, str]:
    """The option in a word, whether a value is attached to it, and the value."""
    if word.startswith("--"):
        option, equals, value = word.partition("=")
        return option, bool(equals), value
    return word[:2], len(word) > 2, word[2:]


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


def common_parser(group: str) -> Parser:
    """A parser for the options of every command, for a line that names no command."""
    parser = Parser(group)
    parser.add_common()
    return parser


def identifier(text: str) -> str:
    """An argument type: an id or a name, which is not empty."""
    text = text.strip()
    if not text:
        raise argparse.ArgumentTypeError("empty: is the variable set?")
    return text


def words(text: str) -> list[str]:
    """An argument type: words separated by commas."""
    return [identifier(word) for word in text.split(",")]


def statuses(text: str) -> list[str]:
    """An argument type: statuses of runs, separated by commas."""
    found = words(text)
    for word in found:
        if word not in STATUSES:
            known = ", ".join(STATUSES)
            raise argparse.ArgumentTypeError(f"{word!r} is not a status; give any of {known}")
    return found


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
