"""The command's stdout, kept from what its agents print."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

from ..output import terminal

_STDOUT, _STDERR = 1, 2


@contextlib.contextmanager
def kept_from_agents() -> Iterator[None]:
    """Inside the block, send to stderr whatever agents and the programs they run print.

    The command itself writes to the real stdout. File descriptor 1 refers to
    stderr from then on, also after the block, when agents may still print.
    """
    agents_stdout = sys.stdout
    if not isinstance(agents_stdout, io.TextIOWrapper):  # stdout is closed
        yield
        return
    agents_stdout.flush()
    own = os.fdopen(
        os.dup(_STDOUT), "w", encoding=agents_stdout.encoding, errors=agents_stdout.errors
    )
    terminal.own_stdout = own
    _redirect_to_stderr()
    # Shown at once, like everything on stderr.
    agents_stdout.reconfigure(line_buffering=True)
    try:
        yield
    finally:
        terminal.own_stdout = None
        # Its reader may have gone.
        with contextlib.suppress(OSError):
            own.close()


def _redirect_to_stderr() -> None:
    try:
        os.dup2(_STDERR, _STDOUT)
    except OSError:  # stderr is closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)
