"""A file of keys, one a line, which only its owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import EngineError
from .own_key import fault_of


def keys_in(file: Path) -> tuple[str, ...]:
    """The keys of the file; blank lines, and those that begin with #, are none.

    Raises:
        EngineError: it cannot be read, others may read it, it has no keys, or
            one that cannot be used. The text tells the line, and never a key.
    """
    lines = enumerate(_bytes_of(file).splitlines(), 1)
    keys = []
    for number, line in lines:
        # Any byte is a character here, so that the fault is found by one rule.
        key = line.decode("latin-1").strip(" \t")
        if not key or key.startswith("#"):
            continue
        fault = fault_of(key)
        if fault is not None:
            raise EngineError(f"{file}: line {number}: {fault}")
        keys.append(key)
    if not keys:
        raise EngineError(f"{file}: holds no key; write one on a line of its own")
    return tuple(keys)


def _bytes_of(file: Path) -> bytes:
    try:
        # Not held up by a pipe; the file that is looked at is the one that is read.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise EngineError(f"{file}: not a file; name the file of the keys")
            if mode & 0o077:
                raise EngineError(f"{file}: others may read the keys; run: chmod 600 {file}")
            return opened.read()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise EngineError(f"{file}: the keys cannot be read ({why})") from None
