"""Broadcasts between the servers of one PostgreSQL database; a lost one only delays things."""

from __future__ import annotations

import json
from collections.abc import Iterable

import attrs
import sqlalchemy as sa

CHANNEL = "duvo"

_MAX_RUNS = 150
"""Runs in one broadcast; PostgreSQL limits the payload to 8,000 bytes."""


@attrs.frozen
class Broadcast:
    """An event at one server."""

    sender: str
    changed: tuple[str, ...] = ()  # runs
    ended: tuple[str, int] | None = None  # a run and its turn
    left: bool = False  # whether the server is shutting down or dead

    def encode(self) -> str:
        """Return the broadcast as JSON text, which servers of other versions read too."""
        fields = {"from": self.sender, "changed": self.changed, "ended": self.ended}
        return json.dumps(fields | {"left": self.left}, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Broadcast | None:
        """Return the broadcast; None for what another program sent on this channel."""
        try:
            fields = json.loads(text)
            ended = fields["ended"]
            if ended is not None:
                ended = (str(ended[0]), ended[1])
            return cls(fields["from"], tuple(fields["changed"]), ended, fields["left"])
        except (ValueError, LookupError, TypeError):
            return None


def send(connection: sa.Connection, broadcast: Broadcast) -> None:
    """Send the broadcast when the transaction is committed."""
    connection.execute(sa.select(sa.func.pg_notify(CHANNEL, broadcast.encode())))


def send_changed(connection: sa.Connection, sender: str, run_ids: Iterable[str]) -> None:
    """Send that these runs changed, in broadcasts that are short enough."""
    ids = tuple(run_ids)
    for start in range(0, len(ids), _MAX_RUNS):
        send(connection, Broadcast(sender, changed=ids[start : start + _MAX_RUNS]))
