"""The cursor over a run's conversation: which page to read next, and which messages are new.

A conversation is read by offset. Besides its offset, the cursor remembers only
the last ids that it returned, so that a run of a million messages takes no more
memory than a run of fifty. Each page begins with the last message of the page
before. If that message has moved, the pages have shifted (a message was added or
removed further up), and the cursor reads back until it finds its place.
"""

from __future__ import annotations

from collections import deque

from .._errors import UnexpectedAnswer
from .._models import wire
from .._models.checks import count, expect_dict, expect_list

PAGE = 50
"""Messages in a page: the most that the API returns."""

_REMEMBERED = 2 * PAGE
_FARTHEST_BACK = 10 * PAGE
_MOST_LOSSES = 3


class Page:
    """One page of messages, checked to be the one at this offset.

    Attributes:
        messages: the messages in order, with our names.
        total: number of messages in the conversation, or None if not reported.
    """

    __slots__ = ("limit", "messages", "offset", "raws", "total")

    def __init__(self, data: object, offset: int, limit: int):
        page = expect_dict(data, "the top")
        self.raws = expect_list(page.get("messages"), "messages")
        self.messages = wire.messages(self.raws)
        self.total = count(page.get("total"))
        reported = count(page.get("offset"))
        if reported is not None and reported != offset:
            raise UnexpectedAnswer(
                f"the page at offset {reported} was returned in place of the page at {offset}",
                may_pass=True,
            )
        self.offset = offset
        self.limit = limit

    @property
    def reaches_end(self) -> bool:
        """Whether this is the last page, as far as the server reports."""
        if self.total is not None:
            return self.offset + len(self.messages) >= self.total
        return not self.messages


class Cursor:
    """A place in a conversation.

    Attributes:
        grows_only: whether the server guarantees that pages never shift; then
            no message is read twice.
        caught_up: whether the last page ended where the conversation ends.
        advanced: whether the last page advanced the cursor.
        is_doubtful: whether the server contradicted itself with the last page.
    """

    def __init__(self, offset: int = 0):
        self.offset = offset
        self.grows_only = False
        self.caught_up = False
        self.advanced = False
        self.is_doubtful = False
        self._farthest = 0
        self._anchor: str | None = None
        self._recent: deque[str] = deque(maxlen=_REMEMBERED)
        self._from_beginning = False
        self._back = 0
        self._losses = 0

    @property
    def is_proven(self) -> bool:
        """Whether the last page ended where the conversation ends, beyond doubt."""
        return self.caught_up and not self.is_doubtful

    @property
    def next_offset(self) -> int:
        """The offset of the next page to read."""
        if self._back:
            return max(0, self.offset - self._back)
        return self.offset - 1 if self._checks else self.offset

    @property
    def _checks(self) -> bool:
        return self._anchor is not None and not self.grows_only

    def place_after(self, message_id: str, offset: int) -> None:
        """Move behind the message with this id, which is at this offset."""
        self._recent.append(message_id)
        self._anchor = message_id
        self.offset = offset + 1

    def accept(self, page: Page) -> list[int]:
        """Move over a page, and return the indexes of its new messages.

        Raises `UnexpectedAnswer` if the messages returned last cannot be found again.
        """
        ids = [message["id"] for message in page.messages]
        self.caught_up = self.advanced = False
        if self._back:
            return self._find_place(ids, page)
        if self._checks and ids[:1] != [self._anchor]:
            self._back = PAGE
            return []
        before = self.offset
        new = self._add(ids, page, 0)
        self.advanced = self.offset > before
        self._judge(page)
        return new

    def _judge(self, page: Page) -> None:
        # Only a page with fewer messages than were asked for can be the last; without
        # a total, only a page that does not advance. After the place had to be found
        # again, a page may advance over known messages.
        short = len(page.messages) < page.limit and page.total is not None
        self.caught_up = not self.advanced or (short and page.reaches_end)
        promised = page.total is not None and page.total > self.offset
        repeats = len({message["id"] for message in page.messages}) < len(page.messages)
        self.is_doubtful = promised or repeats or self.offset < self._farthest
        if not repeats:
            self._farthest = max(self._farthest, self.offset)

    def _find_place(self, ids: list[str], page: Page) -> list[int]:
        known = [index for index, message_id in enumerate(ids) if message_id in self._recent]
        if known:
            # What precedes the first known message may be older than what is remembered,
            # unless the whole conversation is remembered.
            remembers_all = self._from_beginning and len(self._recent) < _REMEMBERED
            all_known = page.offset == 0 and remembers_all
            self._back = self._losses = 0
            return self._add(ids, page, 0 if all_known else known[0])
        if page.offset > 0 and self._back < _FARTHEST_BACK:
            self._back += PAGE
            return []
        self._losses += 1
        if page.offset == 0 and self._losses > _MOST_LOSSES:
            # Everything returned before has been removed: all messages here are new.
            self._back = self._losses = 0
            return self._add(ids, page, 0)
        # The place may be wrong by now: search back from the farthest place.
        self.offset = max(self.offset, self._farthest)
        self._back = PAGE
        raise UnexpectedAnswer(
            "the conversation no longer has the messages that were read last",
            may_pass=True,
        )

    def _add(self, ids: list[str], page: Page, begin: int) -> list[int]:
        recent = set(self._recent)
        if not recent:
            self._from_beginning = page.offset == 0
        new = []
        for index in range(begin, len(ids)):
            if ids[index] not in recent:
                recent.add(ids[index])
                self._recent.append(ids[index])
                new.append(index)
        if ids:
            self._anchor = ids[-1]
        elif page.offset == 0:
            self._anchor = None
        self.offset = page.offset + len(ids)
        return new
