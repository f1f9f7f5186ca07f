"""Entry point of the `duvo` command: which command, and what its end means for the shell."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from .registry import Found

# The first that fits tells the exit code.
_EXIT_CODES = (
    ("HumanRequestPending", 6),
    ("RunFailed", 4),
    ("RunStopped", 5),
    ("WaitTimeout", 124),
    ("AuthenticationError", 2),
    ("MissingCredential", 2),
    ("UnknownProfile", 2),
    ("NotFound", 3),
    ("DuvoError", 1),
)
_INTERRUPTED = 130
_READER_WENT_AWAY = 141


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; None for those of this process.

    Returns:
        The exit code; `duvo help exit-codes` lists them.
    """
    argv = sys.argv[1:] if argv is None else argv
    # Loading code makes no garbage, and looking for it would take a thirtieth of a short command.
    gc.set_threshold(20_000, 10, 10)
    _print_anything()
    try:
        try:
            code = _dispatch(argv)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except Exception as error:
            code = _tell(error)
        except KeyboardInterrupt as error:
            code = _tell_interrupt(error)
        _flush(sys.stdout)
    except BrokenPipeError:
        code = _READER_WENT_AWAY
    except OSError as error:
        _say(f"the output cannot be written: {error.strerror}")
        code = 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    _close_quietly()
    return code


def _dispatch(argv: list[str]) -> int:
    if argv == ["--version"]:
        import duvo

        print(f"duvo {duvo.__version__}")
        return 0
    from . import registry

    if argv[:1] == [registry.HIDDEN]:
        from .commands import complete

        return complete.run(argv[1:])
    found = registry.find(argv)
    if found.name is None:
        return _without_command(found)
    from . import parser

    module = parser.module_for(found.name)
    arguments, program = _split(found) if found.name == "dev" else (found.arguments, None)
    args = parser.parser_of(found.name, module).parse(arguments)
    args.program = program
    code: int = module.run(args)
    return code


def _split(found: Found) -> tuple[list[str], list[str] | None]:
    """The arguments before the first `--`, and the program behind it."""
    if "--" not in found.arguments:
        return found.arguments, None
    at = found.arguments.index("--")
    return found.arguments[:at], found.arguments[at + 1 :]


def _without_command(found: Found) -> int:
    from .errors import UsageError
    from .help import overview

    if "--version" in found.arguments:
        return _dispatch(["--version"])
    if {"-h", "--help"} & set(found.arguments):
        print(overview.group_overview(found.group) if found.group else overview.overview(), end="")
        return 0
    raise UsageError("no command was named", found.group)


def _tell(error: Exception) -> int:
    """Say on stderr what went wrong, and give its exit code."""
    if isinstance(error, OSError) and error.filename is None:
        # Files and sockets are dealt with where they are used: it is the output.
        raise error
    from .errors import CommandFailed

    if isinstance(error, CommandFailed):
        _say(str(error))
        return error.code
    import duvo

    for name, code in _EXIT_CODES:
        if isinstance(error, getattr(duvo, name)):
            _say(str(error))
            return code
    if isinstance(error, OSError):
        _say(f"{error.filename}: {error.strerror}")
        return 1
    raise error


def _tell_interrupt(error: KeyboardInterrupt) -> int:
    _say(str(error) or "interrupted")
    return _INTERRUPTED


def _say(text: str) -> None:
    from .output import terminal

    terminal.say(text)


def _print_anything() -> None:
    # An agent may write what this terminal's encoding has not.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        stream.flush()


def _close_quietly() -> None:
    """Leave nothing for the interpreter's last flush to fail on."""
    for stream in (sys.stdout, sys.stderr):
        try:
            _flush(stream)
        except OSError:
            _redirect_to_nowhere(stream)


def _redirect_to_nowhere(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
