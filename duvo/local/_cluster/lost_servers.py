"""Which servers have lost their connection, from looks at which of them have one."""

from __future__ import annotations

from collections.abc import Mapping


class Attendance:
    """What one server sees of the others, for as long as its own connection stands.

    One that was never seen here may have yet to connect, as all may after the
    database was started again: it is not missed.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def look(self, living: Mapping[str, bool]) -> set[str]:
        """The servers that were connected when they were last seen to be, and are not now.

        Args:
            living: those that nobody has taken for dead, and whether each is connected.
        """
        connected = {server_id for server_id, is_connected in living.items() if is_connected}
        missed = (self._known & living.keys()) - connected
        self._known = connected | missed
        return missed
