"""The keys that open a server."""

from __future__ import annotations

import hmac
from collections.abc import Iterable


class AcceptedKeys:
    """Tells a key that opens the server from one that does not.

    They may be exchanged while requests are answered, from any thread.
    """

    def __init__(self, keys: Iterable[str]):
        self.replace(keys)

    def replace(self, keys: Iterable[str]) -> None:
        """Accept these, and no others any more."""
        self._keys = tuple(key.encode() for key in keys)

    def accept(self, authorization: str) -> bool:
        """Whether the value of an `Authorization` header carries one of them."""
        scheme, _, given = authorization.partition(" ")
        # Compared as bytes: texts that are not ASCII cannot be compared in constant time.
        carried = given.strip().encode("latin-1")
        fits = False
        for key in self._keys:
            # Every one of them: how long it takes must not tell which it was.
            fits |= hmac.compare_digest(carried, key)
        return fits and scheme.lower() == "bearer"
