"""The key that the engine creates for a database and keeps beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from .._database.private_files import make_private
from .._text import os_reason
from ..errors import EngineError
from .keys import key_fault


def read_or_create_key(file: Path) -> str:
    """Return the key in the file, which is created if it is missing.

    Raises:
        EngineError: the file cannot be read or created, or does not hold a key.
    """
    try:
        # An existing key must be readable where nothing can be written.
        if not file.exists():
            with contextlib.suppress(FileExistsError):
                _create(file, f"dv_local_{secrets.token_hex(20)}\n")
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"{file}: the key cannot be kept there ({os_reason(error)})") from None
    if key_fault(key) is not None:
        raise EngineError(f"{file}: holds no key; remove the file, and a new one is made")
    make_private(file)
    return key


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
