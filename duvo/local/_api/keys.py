"""API keys: what makes a valid key, files of keys, and the keys that a server accepts."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from .._text import os_reason
from ..errors import EngineError

_MIN_LENGTH = 16


class AcceptedKeys:
    """The keys that a server accepts; may be replaced from any thread while it serves."""

    def __init__(self, keys: Iterable[str] = ()):
        self.replace(keys)

    def replace(self, keys: Iterable[str]) -> None:
        """Accept these keys and no others."""
        self._keys = tuple(key.encode() for key in keys)

    def accept(self, authorization: str) -> bool:
        """Whether the value of an `Authorization` header has an accepted key."""
        scheme, _, credentials = authorization.partition(" ")
        # As bytes: strings that are not ASCII cannot be compared in constant time.
        key = credentials.strip().encode("latin-1")
        accepted = False
        for candidate in self._keys:
            # Compared with all: the time taken must not show which one it was.
            accepted |= hmac.compare_digest(key, candidate)
        return accepted and scheme.lower() == "bearer"


def key_fault(key: str) -> str | None:
    """Return why the text cannot be a key, without quoting it; None if it can."""
    if not key.isascii() or not key.isprintable() or " " in key:
        return "a key has letters, digits and signs of ASCII alone, and no blanks"
    if len(key) < _MIN_LENGTH:
        return f"the key is too short; it must have {_MIN_LENGTH} characters or more"
    return None


def read_keys_file(file: Path) -> tuple[str, ...]:
    """Return the keys of a file: one a line; blank lines and lines with # are skipped.

    Raises:
        EngineError: the file cannot be read, other users can read it, it has
            no keys, or a line is not a key. The message never quotes a key.
    """
    keys = []
    for number, line in enumerate(_read_private(file).splitlines(), 1):
        # In Latin-1 every byte is a character; `key_fault` then refuses the wrong ones.
        key = line.decode("latin-1").strip(" \t")
        if not key or key.startswith("#"):
            continue
        fault = key_fault(key)
        if fault is not None:
            raise EngineError(f"{file}: line {number}: {fault}")
        keys.append(key)
    if not keys:
        raise EngineError(f"{file}: holds no key; write one on a line of its own")
    return tuple(keys)


def _read_private(file: Path) -> bytes:
    try:
        # Non-blocking, in case it is a pipe; checked on the descriptor that is read.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise EngineError(f"{file}: not a file; name the file of the keys")
            if mode & 0o077:
                raise EngineError(f"{file}: others may read the keys; run: chmod 600 {file}")
            return opened.read()
    except (OSError, ValueError) as error:
        raise EngineError(f"{file}: the keys cannot be read ({os_reason(error)})") from None
