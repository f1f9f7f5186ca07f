"""Where a server listens, its TLS certificate, and the keys that it accepts."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import EngineError
from . import ports
from .certificate import Certificate
from .keys import AcceptedKeys, read_keys_file


class Endpoint:
    """Listens from its creation until it is closed; the arguments are those of `Server`.

    Attributes:
        listening: the socket.
        keys: the accepted keys.
        tls: the SSL context; None for plain HTTP.
        is_loopback: whether only this machine can connect.
        url: the URL by which this machine connects.
    """

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        keys_file: str | os.PathLike[str] | None = None,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        insecure: bool = False,
    ):
        self._keys_file = None if keys_file is None else Path(keys_file)
        self.keys = AcceptedKeys(read_keys_file(self._keys_file) if self._keys_file else ())
        self._certificate = None
        if tls_cert is not None or tls_key is not None:
            if tls_cert is None or tls_key is None:
                raise EngineError("a certificate and its key go together: --tls-cert and --tls-key")
            self._certificate = Certificate(tls_cert, tls_key)
        self.tls = self._certificate.context if self._certificate else None
        self.listening = ports.listen(host, port)
        self.is_loopback = ports.is_loopback(self.listening)
        self.url = ports.url_of(self.listening, "https" if self.tls else "http")
        if not (self.is_loopback or self.tls or insecure):
            self.close()
            raise EngineError(
                f"keys would cross the network unencrypted to {host}; give --tls-cert and "
                f"--tls-key, or --insecure if something in front of it encrypts"
            )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.listening.getsockname()[1])

    def reload(self) -> None:
        """Use the keys and the certificate that the files hold now; all, or none if one is bad."""
        keys = read_keys_file(self._keys_file) if self._keys_file else None
        if self._certificate is not None:
            self._certificate.reload()
        if keys is not None:
            self.keys.replace(keys)

    def close(self) -> None:
        """Stop listening."""
        self.listening.close()
