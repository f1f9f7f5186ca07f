"""The key that opens an engine: made once for each database, kept beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from .._database.private_files import make_private
from ..errors import EngineError

_SHORTEST = 16
"""Characters of a key at least."""


def fault_of(key: str) -> str | None:
    """What makes the text unfit to be a key, without the text itself; None where it is fit."""
    if not key.isascii() or not key.isprintable() or " " in key:
        return "a key has letters, digits and signs of ASCII alone, and no blanks"
    if len(key) < _SHORTEST:
        return f"the key is too short; it must have {_SHORTEST} characters or more"
    return None


def key_in(file: Path) -> str:
    """The key kept in that file, which is made where it is missing.

    Raises:
        EngineError: the file cannot be read or made, or holds no key.
    """
    try:
        # One that is there is enough, where nothing can be written too.
        if not file.exists():
            with contextlib.suppress(FileExistsError):
                _write_new(file, f"dv_local_{secrets.token_hex(20)}\n")
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"{file}: the key cannot be kept there ({_why(error)})") from None
    if fault_of(key) is not None:
        raise EngineError(f"{file}: holds no key; remove the file, and a new one is made")
    make_private(file)
    return key


def _write_new(file: Path, text: str) -> None:
    # Whole from the beginning: a file that is cut off by a crash would stay for ever.
    spare = file.with_name(f"{file.name}.{os.getpid()}")
    spare.unlink(missing_ok=True)
    try:
        _write(spare, text)
        try:
            os.link(spare, file)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links.
            _write(file, text)
    finally:
        spare.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
