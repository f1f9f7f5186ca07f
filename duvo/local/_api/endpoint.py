"""Where a server is reached, over what, and which keys open it."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import EngineError
from . import ports
from .accepted_keys import AcceptedKeys
from .certificate import Certificate
from .keys_file import keys_in


class Endpoint:
    """Listens from the moment it is made until it is closed.

    Args:
        host: an address of this machine.
        port: 0 for any free one, None for the usual one or the next free one.
        keys_file: the file of the keys that open it; None for one without keys yet.
        tls_cert, tls_key: the files of a certificate and its key; None for plain HTTP.
        insecure: whether plain HTTP may be reached from other machines.

    Attributes:
        listening: the socket.
        keys: what opens it.
        tls: how connections are secured; None for plain HTTP.
        on_loopback: whether it is reached from this machine alone.
        url: under which this machine reaches it.

    Raises:
        EngineError: the address or a file cannot be used, or it would be insecure.
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
        self.keys = AcceptedKeys(keys_in(self._keys_file) if self._keys_file else ())
        self._certificate = None
        if tls_cert is not None or tls_key is not None:
            if tls_cert is None or tls_key is None:
                raise EngineError("a certificate and its key go together: --tls-cert and --tls-key")
            self._certificate = Certificate(tls_cert, tls_key)
        self.tls = self._certificate.context if self._certificate else None
        self.listening = ports.listen(host, port)
        self.on_loopback = ports.is_loopback(self.listening)
        self.url = ports.url_of(self.listening, "https" if self.tls else "http")
        if not (self.on_loopback or self.tls or insecure):
            self.close()
            raise EngineError(
                f"keys would cross the network unencrypted to {host}; give --tls-cert and "
                f"--tls-key, or --insecure where something before it encrypts"
            )

    @property
    def port(self) -> int:
        """The port that it got."""
        return int(self.listening.getsockname()[1])

    def read_again(self) -> None:
        """Take what the files of keys and certificate hold now; both, or nothing when one is bad.

        Raises:
            EngineError: one of them cannot be used.
        """
        keys = keys_in(self._keys_file) if self._keys_file else None
        if self._certificate is not None:
            self._certificate.read_again()
        if keys is not None:
            self.keys.replace(keys)

    def close(self) -> None:
        """Listen no more."""
        self.listening.close()
