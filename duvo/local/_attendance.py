"""Which servers have lost their connection for good, from looks at which of them have one."""

from __future__ import annotations

from collections.abc import Set


class Attendance:
    """What one server sees of the others, for as long as its own connection stands.

    A server that lives and is cut off connects again before the next look. One
    that was never seen here may have yet to connect: it is not missed.
    """

    def __init__(self) -> None:
        self._here: Set[str] = frozenset()
        self._missing: Set[str] = frozenset()

    def look(self, connected: Set[str]) -> Set[str]:
        """The servers that were connected once and are not for the second time running.

        Args:
            connected: those that are now.
        """
        gone = self._missing - connected
        self._missing = self._here - connected
        self._here = connected
        return gone
