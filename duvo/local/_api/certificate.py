"""The server's TLS certificate and its key."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from .._text import os_reason
from ..errors import EngineError


class Certificate:
    """A certificate chain and its key, as PEM files; `context` is the SSL context to serve with."""

    def __init__(self, cert: str | os.PathLike[str], key: str | os.PathLike[str]):
        self._files = (os.fspath(cert), os.fspath(key))
        self.context = self._load()

    def reload(self) -> None:
        """Use what the files hold now, for new connections; nothing changes if they are bad."""
        # Tried in a new context first: a bad pair would replace half of the good one.
        self._load()
        self._load_into(self.context)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load_into(context)
        return context

    def _load_into(self, context: ssl.SSLContext) -> None:
        cert, key = self._files
        for file in self._files:
            try:
                # OpenSSL does not say which of the two it could not read.
                Path(file).open("rb").close()
            except (OSError, ValueError) as error:
                raise EngineError(f"{file}: cannot be read ({os_reason(error)})") from None
        try:
            # Without a password callback OpenSSL asks in the terminal.
            context.load_cert_chain(cert, key, password=_refuse_passphrase)
        except _HasPassphrase:
            raise EngineError(f"{key}: the key has a passphrase; give one without") from None
        except (ssl.SSLError, OSError, ValueError):
            raise EngineError(
                f"{cert}, {key}: not a certificate and its key in the PEM format"
            ) from None


class _HasPassphrase(Exception):
    """The key is encrypted."""


def _refuse_passphrase() -> str:
    raise _HasPassphrase
