"""Items that were read from a list, for display."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHOWN = 100
"""Maximum number of items that are shown."""


class ReadItems:
    """The first items that were read from a list, and the number of items read so far."""

    def __init__(self, noun: str) -> None:
        self.items: list[Any] = []
        self._noun = noun
        self._count = 0

    def add(self, item: Any) -> Any:
        """Add an item, and return it."""
        self._count += 1
        if len(self.items) < SHOWN:
            self.items.append(item)
        return item

    def describe(self, total: int | None) -> str:
        """Return how many items were read, and the total if it is known."""
        plural = "" if self._count == 1 else "s"
        of_all = "" if total is None else f" of {total}"
        return f"{self._count} {self._noun}{plural} read{of_all}"

    def caption(self, total: int | None) -> str:
        """Return the line above a table of the items."""
        text = self.describe(total)
        return text if self._count <= SHOWN else f"{text}; the first {SHOWN} are shown"
