"""Entry point of the `duvo` command: runs one command and returns its exit code."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from .registry import Found

_INTERRUPTED = 130
_READER_GONE = 141


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; None for those of this process.

    Returns:
        The exit code; `duvo help exit-codes` lists them.
    """
    argv = sys.argv[1:] if argv is None else argv
    # Loading code makes no garbage; looking for it would take 3 % of a short command.
    gc.set_threshold(20_000, 10, 10)
    _escape_unprintable()
    try:
        code = _run(argv)
        _flush(sys.stdout)
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
        _say(str(error) or "interrupted")
        return _INTERRUPTED


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
    """The arguments before the first `--`, and the program after it."""
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
    raise UsageError("give a command", found.group)


def _report(error: Exception) -> int:
    """Print the error on stderr and return its exit code."""
    if isinstance(error, OSError) and error.filename is None:
        # Errors of files and sockets are handled where they occur: this one is of the output.
        raise error
    from .errors import EXIT_CODES, CommandFailed

    if isinstance(error, CommandFailed):
        _say(str(error))
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


def _say(text: str) -> None:
    from .output import terminal

    terminal.say(text)


def _escape_unprintable() -> None:
    # Agents may write characters that this terminal's encoding lacks.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        stream.flush()


def _close_quietly() -> None:
    """Keep the interpreter's last flush from failing."""
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
