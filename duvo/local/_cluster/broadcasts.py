"""What servers of one PostgreSQL database call out to each other; a lost call is only late."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import attrs
import sqlalchemy as sa

CHANNEL = "duvo"

_AT_ONCE = 150
"""Runs in one signal; PostgreSQL takes 8,000 bytes."""


@attrs.frozen
class Signal:
    """What happened at one server.

    Attributes:
        sender: the server's id.
        changed: the runs that changed.
        ended: a run and the turn of it that is over, or None.
        left: whether the server is about to end.
    """

    sender: str
    changed: tuple[str, ...] = ()
    ended: tuple[str, int] | None = None
    left: bool = False

    def encode(self) -> str:
        said = {"from": self.sender, "changed": self.changed, "ended": self.ended}
        return json.dumps(said | {"left": self.left}, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Signal | None:
        """Read a signal; None for what another program said on this channel."""
        try:
            said = json.loads(text)
            ended = None if said["ended"] is None else (str(said["ended"][0]), said["ended"][1])
            return cls(said["from"], tuple(said["changed"]), ended, said["left"])
        except (ValueError, LookupError, TypeError):
            return None


def changes(sender: str, run_ids: Iterable[str]) -> Iterator[Signal]:
    """Signals that these runs changed, each of them short enough."""
    ids = tuple(run_ids)
    for start in range(0, len(ids), _AT_ONCE):
        yield Signal(sender, changed=ids[start : start + _AT_ONCE])


def call(connection: sa.Connection, signals: Iterable[Signal]) -> None:
    """Send the signals when the transaction is committed."""
    for signal in signals:
        connection.execute(sa.select(sa.func.pg_notify(CHANNEL, signal.encode())))
