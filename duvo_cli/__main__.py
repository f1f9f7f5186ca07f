"""Entry point of the `duvo` command: runs one command and returns its exit code."""

from __future__ import annotations

import atexit
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from contextlib import AbstractContextManager

_INTERRUPTED = 130
_READER_GONE = 141

_RUN_AGENTS = ("dev", "serve")
"""Commands in whose process agents run: their authors read Python."""


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments, or this process's, and return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    # Loading code makes no garbage; looking for it would take 3 % of a short command.
    gc.set_threshold(20_000, 10, 10)
    if not {*argv} & {*_RUN_AGENTS}:
        # The interpreter would collect garbage when it exits, which would take another 8 %.
        atexit.register(gc.freeze)
    _escape_unprintable()
    try:
        code = _run(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = _READER_GONE
    except OSError as error:
        _say(f"cannot write the output: {error.strerror}")
        code = 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    _close_quietly()
    return code


def _run(argv: list[str]) -> int:
    try:
        return _dispatch(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:
        return _report(error)
    except KeyboardInterrupt as error:
        _say(str(error) or "interrupted", *getattr(error, "commands", ()))
        return _INTERRUPTED


def _dispatch(argv: list[str]) -> int:
    if argv == ["--version"]:
        # duvo.__version__ would load the machinery of its lazy names.
        from duvo._version import __version__

        print(f"duvo {__version__}")
        return 0
    from . import registry

    if argv[:1] == [registry.HIDDEN]:
        from .commands import complete

        return complete.run(argv[1:])
    command, group, arguments = registry.find(argv)
    if command is None:
        return _without_command(group, arguments)
    from . import parser

    program = None
    if command == "dev" and "--" in arguments:
        at = arguments.index("--")
        arguments, program = arguments[:at], arguments[at + 1 :]
    args = parser.parser_of(command).parse(arguments)
    args.program = program
    if args.jq is not None:
        from .output import json

        json.filter_by(args.jq)
    with _words_of(command, args):
        code: int = parser.module_for(command).run(args)
    return code


def _words_of(command: str, args: Namespace) -> AbstractContextManager[None]:
    """Word the advice in the SDK's errors for the command line while a command runs."""
    if command in _RUN_AGENTS:
        from contextlib import nullcontext

        return nullcontext()
    from duvo._advice import Words, using

    def make() -> Words:
        from .advice import CommandWords

        return CommandWords(args)

    return using(make)


def _without_command(group: str, options: list[str]) -> int:
    from .errors import UsageError
    from .help import overview

    if "--version" in options:
        return _dispatch(["--version"])
    if options and not {"-h", "--help"} & set(options):
        from . import parser

        parser.common_parser(group).parse(options)
        raise UsageError("give a command", group)
    print(overview.group_overview(group) if group else overview.overview(), end="")
    return 0


def _report(error: Exception) -> int:
    """Print the error on stderr and return its exit code."""
    if isinstance(error, OSError) and error.filename is None:
        # Errors of files and sockets are handled where they occur: this one is of the output.
        raise error
    from .errors import EXIT_CODES, CommandFailed

    if isinstance(error, CommandFailed):
        _say(str(error), *error.commands)
        return error.code
    import duvo

    for name, code in EXIT_CODES:
        if isinstance(error, getattr(duvo, name)):
            _say(str(error))
            return code
    if isinstance(error, OSError):
        _say(f"{error.filename}: {error.strerror}")
        return 1
    raise error


def _say(text: str, *commands: str) -> None:
    from .output import terminal

    terminal.say(text, *(f"  {command}" for command in commands))


def _escape_unprintable() -> None:
    # Agents may write characters that this terminal's encoding lacks.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _close_quietly() -> None:
    """Keep the interpreter's last flush from failing."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
