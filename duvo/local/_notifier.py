"""In-process notifications: wake whatever waits for a change of a run, so that nothing polls."""

from __future__ import annotations

import asyncio


class Subscription:
    """Receives a run's notifications inside its `with` block, for one waiter.

    Many thousands exist at a time: smaller than an `asyncio.Event`.
    """

    __slots__ = ("_is_set", "_run_id", "_subscriptions", "_waiter")

    def __init__(self, subscriptions: dict[str, tuple[Subscription, ...]], run_id: str):
        self._subscriptions = subscriptions
        self._run_id = run_id
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Subscription:
        others = self._subscriptions.get(self._run_id, ())
        self._subscriptions[self._run_id] = (*others, self)
        return self

    def __exit__(self, *_: object) -> None:
        others = tuple(s for s in self._subscriptions[self._run_id] if s is not self)
        if others:
            self._subscriptions[self._run_id] = others
        else:
            del self._subscriptions[self._run_id]

    def set(self) -> None:
        """Wake the waiter, or make its next `wait` return at once."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Make the next `wait` wait for a new notification."""
        self._is_set = False

    def is_set(self) -> bool:
        """Whether a notification arrived since the last `clear`."""
        return self._is_set

    async def wait(self) -> None:
        """Return once a notification has arrived."""
        if not self._is_set:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None


class Notifier:
    """Notifies the subscribers of each run; belongs to one event loop."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, tuple[Subscription, ...]] = {}

    def subscribe(self, run_id: str) -> Subscription:
        """Return a subscription: inside its block read, then wait, and no change is missed."""
        return Subscription(self._subscriptions, run_id)

    def notify(self, run_id: str) -> None:
        for subscription in self._subscriptions.get(run_id, ()):
            subscription.set()

    def notify_all(self) -> None:
        for run_id in self._subscriptions:
            self.notify(run_id)
