"""Where a server listens, its TLS certificate, and the keys that it accepts."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from .._text import os_reason
from ..errors import EngineError
from . import ports
from .keys import AcceptedKeys, read_keys_file

_PIPE_TIMEOUT = 1.0
"""Seconds for reading keys again from a pipe; signals are not handled in this time."""

AnyPath = str | os.PathLike[str]


class Endpoint:
    """Listens from its creation until it is closed; the arguments are those of `Server`."""

    def __init__(
        self,
        host: str,
        port: int | None,
        keys_file: AnyPath | None,
        tls_cert: AnyPath | None,
        tls_key: AnyPath | None,
        insecure: bool,
    ):
        self.keys_file = None if keys_file is None else Path(_expanded(keys_file))
        self.keys = AcceptedKeys(read_keys_file(self.keys_file) if self.keys_file else ())
        self._certificate = [_expanded(path) for path in (tls_cert, tls_key) if path is not None]
        if len(self._certificate) == 1:
            raise EngineError("a certificate and its key go together: tls_cert= and tls_key=")
        self.tls = _new_context(*self._certificate) if self._certificate else None
        self.listening = ports.listen(host, port)
        # Requests name the host in lower case or as an address.
        self.host_name = host.lower()
        address, self.port = ports.address_of(self.listening)
        self.is_loopback = address.is_loopback
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://{ports.reachable(address)}:{self.port}"
        if not (self.is_loopback or self.tls or insecure):
            self.close()
            raise EngineError(
                f"keys would cross the network unencrypted to {host}; give tls_cert= and "
                f"tls_key=, or insecure=True if something in front of it encrypts"
            )

    def reload(self) -> None:
        """Use the keys and the certificate that the files hold now; all, or none if one is bad."""
        keys = read_keys_file(self.keys_file, _PIPE_TIMEOUT) if self.keys_file else None
        if self.tls is not None:
            # Tried in a new context first: a bad pair would replace half of the good one.
            _new_context(*self._certificate)
            _load(self.tls, *self._certificate)
        if keys is not None:
            self.keys.replace(keys)

    def close(self) -> None:
        self.listening.close()


def _expanded(path: AnyPath) -> str:
    return os.path.expanduser(os.fspath(path))  # noqa: PTH111  no error without a home directory


def _new_context(cert: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, cert, key)
    return context


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    for file in (cert, key):
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
    pass


def _refuse_passphrase() -> str:
    raise _HasPassphrase
