"""The certificate that a server shows, and its key."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from ..errors import EngineError


class Certificate:
    """A certificate and its key, as files in the PEM format.

    Args:
        cert: the file of the certificate, with those between it and its authority.
        key: the file of its key, without a passphrase.

    Attributes:
        context: what connections are made with.

    Raises:
        EngineError: a file cannot be read, or they do not fit together.
    """

    def __init__(self, cert: str | os.PathLike[str], key: str | os.PathLike[str]):
        self._files = (os.fspath(cert), os.fspath(key))
        self.context = self._read()

    def read_again(self) -> None:
        """Show what stands in the files now to whoever connects from now on.

        Raises:
            EngineError: they cannot be used; the certificate stays as it was.
        """
        # A pair that does not fit would have replaced half of the one before.
        self._read()
        self._load_into(self.context)

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load_into(context)
        return context

    def _load_into(self, context: ssl.SSLContext) -> None:
        cert, key = self._files
        for file in self._files:
            try:
                # OpenSSL does not tell which of the two it could not read.
                Path(file).open("rb").close()
            except (OSError, ValueError) as error:
                why = (error.strerror if isinstance(error, OSError) else None) or str(error)
                raise EngineError(f"{file}: cannot be read ({why})") from None
        try:
            # Without this OpenSSL would ask in the terminal.
            context.load_cert_chain(cert, key, password=_no_passphrase)
        except _HasPassphrase:
            raise EngineError(f"{key}: the key has a passphrase; give one without") from None
        except (ssl.SSLError, OSError, ValueError):
            raise EngineError(
                f"{cert}, {key}: not a certificate and its key in the PEM format"
            ) from None


class _HasPassphrase(Exception):
    """The key cannot be used without asking somebody."""


def _no_passphrase() -> str:
    raise _HasPassphrase
