"""API keys: those that a server accepts, files of them, and the key created for a database."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import select
import stat
import time
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from .._database.files import make_private
from .._text import os_reason
from ..errors import EngineError

_MIN_LENGTH = 16
# Non-blocking, in case it is a pipe; Windows has no such flag.
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)

PIPE_TIMEOUT = 30.0
"""Seconds within which a pipe must deliver all keys."""


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


def read_keys_file(file: Path, pipe_timeout: float = PIPE_TIMEOUT) -> tuple[str, ...]:
    """Return the keys of a file: one a line; blank lines and lines with # are skipped."""
    keys = []
    for number, line in enumerate(_read_private(file, pipe_timeout).splitlines(), 1):
        # In Latin-1 every byte is a character; `_fault` then refuses the wrong ones.
        key = line.decode("latin-1").strip(" \t")
        if not key or key.startswith("#"):
            continue
        if fault := _fault(key):
            raise EngineError(f"{file}: line {number}: {fault}")
        keys.append(key)
    if not keys:
        raise EngineError(f"{file}: holds no key; write one on a line of its own")
    return tuple(keys)


def read_or_create_key(file: Path) -> str:
    """Return the key in the file, which is created if it is missing."""
    try:
        # An existing key must be readable where nothing can be written.
        if not file.exists():
            with contextlib.suppress(FileExistsError):
                _create(file, f"dv_local_{secrets.token_hex(20)}\n")
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"{file}: the key cannot be kept there ({os_reason(error)})") from None
    if _fault(key):
        raise EngineError(f"{file}: holds no key; remove the file, and a new one is made")
    make_private(file)
    return key


def _fault(key: str) -> str | None:
    # Without quoting the key.
    if not key.isascii() or not key.isprintable() or " " in key:
        return "a key has letters, digits and signs of ASCII alone, and no blanks"
    if len(key) < _MIN_LENGTH:
        return f"the key is too short; it must have {_MIN_LENGTH} characters or more"
    return None


def _read_private(file: Path, pipe_timeout: float) -> bytes:
    try:
        # Checked on the descriptor that is read.
        with FileIO(os.open(file, _READING)) as opened:
            status = os.fstat(opened.fileno())
            is_pipe = stat.S_ISFIFO(status.st_mode)
            if not (is_pipe or stat.S_ISREG(status.st_mode)):
                raise EngineError(f"{file}: not a file; name the file of the keys")
            if _others_may_read(status):
                raise EngineError(
                    f"{file}: others may read the keys; run: chmod 600 {file} "
                    f"(for a Kubernetes secret, set defaultMode: 0440)"
                )
            return _read_pipe(file, opened, pipe_timeout) if is_pipe else opened.read()
    except (OSError, ValueError) as error:
        raise EngineError(f"{file}: the keys cannot be read ({os_reason(error)})") from None


def _others_may_read(status: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):
        # Windows: the mode does not show who may read a file.
        return False
    # PostgreSQL's rule for key files: where platforms mount secrets, root owns them and the
    # server's group reads them.
    return bool(status.st_mode & (0o037 if status.st_uid == 0 else 0o077))


def _read_pipe(file: Path, pipe: FileIO, timeout: float) -> bytes:
    # A pipe that nobody has opened for writing yet would read as empty, or block.
    deadline = time.monotonic() + timeout
    parts: list[bytes] = []
    while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = pipe.read(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)
    raise EngineError(f"{file}: the pipe was not written and closed within {timeout:.0f} s")


def _create(file: Path, text: str) -> None:
    # Written to a temporary file first: one cut off by a crash would stay for ever.
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        _write(temporary, text)
        try:
            os.link(temporary, file)
        except FileExistsError:
            raise
        except OSError:
            # The file system has no links.
            _write(file, text)
    finally:
        temporary.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
