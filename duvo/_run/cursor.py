"""The cursor over a run's conversation: what to read next, and what of it is new. Pure.

A conversation is read by offset. Beside its place the cursor remembers the
last ids that it handed out, no more, so that a run of a million messages costs
no more memory than one of fifty. It reads one message again each time: when
that one stands elsewhere than it did, the pages have shifted (a message came in
or went away further up), and the cursor reads back until it finds its place.
"""

from __future__ import annotations

from collections import deque

from .._errors import UnexpectedAnswer
from .._models import wire

PAGE = 50
"""Messages that one read asks for; the API gives no more."""

_REMEMBERED = 2 * PAGE
_FARTHEST_BACK = 10 * PAGE
_MOST_LOSSES = 3


class Page:
    """One page as it came, checked.

    Attributes:
        messages: with our names, in the conversation's order.
        raws: the same as the server sent them.
        total: messages of the conversation, or None where the server tells none.
        offset: where the page begins.
    """

    __slots__ = ("limit", "messages", "offset", "raws", "total")

    def __init__(self, data: object, offset: int, limit: int):
        answer = wire.expect_dict(data, "the top")
        self.raws = wire.expect_list(answer.get("messages"), "messages")
        self.messages = wire.messages(self.raws)
        self.total = wire.count(answer.get("total"))
        told = wire.count(answer.get("offset"))
        if told is not None and told != offset:
            raise UnexpectedAnswer(
                f"the page at offset {told} came where the one at {offset} was asked for",
                may_pass=True,
            )
        self.offset = offset
        self.limit = limit

    @property
    def reaches_end(self) -> bool:
        """Whether nothing stands behind this page, as far as the server tells."""
        if self.total is not None:
            return self.offset + len(self.messages) >= self.total
        return not self.messages


class Cursor:
    """A place in a conversation.

    Attributes:
        offset: the place.
        grows_only: the server promises that its pages never shift; then
            nothing is read twice.
        caught_up: whether the page taken last ended where the conversation ends.
        advanced: whether it moved the place on.
        is_doubtful: whether what the server told with that page contradicts it.
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
        """Whether the page taken last ended where the conversation ends, beyond doubt."""
        return self.caught_up and not self.is_doubtful

    @property
    def next_offset(self) -> int:
        """Where the next page has to begin."""
        if self._back:
            return max(0, self.offset - self._back)
        return self.offset - 1 if self._checks else self.offset

    @property
    def _checks(self) -> bool:
        return self._anchor is not None and not self.grows_only

    def place_after(self, message_id: str, offset: int) -> None:
        """Stand behind the message of that id, which is at that offset."""
        self._recent.append(message_id)
        self._anchor = message_id
        self.offset = offset + 1

    def take(self, page: Page) -> list[int]:
        """Which messages of the page are new, as indexes into it; moves the cursor.

        Raises:
            UnexpectedAnswer: the messages handed out last are not found again.
        """
        ids = [one["id"] for one in page.messages]
        self.caught_up = self.advanced = False
        if self._back:
            return self._find_place(ids, page)
        if self._checks and ids[:1] != [self._anchor]:
            self._back = PAGE
            return []
        before = self.offset
        new = self._accept(ids, page, 0)
        self.advanced = self.offset > before
        self._judge(page)
        return new

    def _judge(self, page: Page) -> None:
        # Only a page that holds less than was asked for can be the last one,
        # and without a total only one that does not lead on. One that leads on
        # over what is known already does so where the place had to be found again.
        short = len(page.messages) < page.limit and page.total is not None
        self.caught_up = not self.advanced or (short and page.reaches_end)
        promised = page.total is not None and page.total > self.offset
        repeats = len({one["id"] for one in page.messages}) < len(page.messages)
        self.is_doubtful = promised or repeats or self.offset < self._farthest
        if not repeats:
            self._farthest = max(self._farthest, self.offset)

    def _find_place(self, ids: list[str], page: Page) -> list[int]:
        known = [index for index, one in enumerate(ids) if one in self._recent]
        if known:
            # What stands before the first that is known may be older than what is remembered,
            # unless all that there ever was is remembered.
            remembers_all = self._from_beginning and len(self._recent) < _REMEMBERED
            all_known = page.offset == 0 and remembers_all
            self._back = self._losses = 0
            return self._accept(ids, page, 0 if all_known else known[0])
        if page.offset > 0 and self._back < _FARTHEST_BACK:
            self._back += PAGE
            return []
        self._losses += 1
        if page.offset == 0 and self._losses > _MOST_LOSSES:
            # All that was handed out is gone for good: what stands here now is new.
            self._back = self._losses = 0
            return self._accept(ids, page, 0)
        # The place itself may be wrong by now: it is looked for from where it was farthest.
        self.offset = max(self.offset, self._farthest)
        self._back = PAGE
        raise UnexpectedAnswer(
            "the messages that were read last are not in the conversation any more",
            may_pass=True,
        )

    def _accept(self, ids: list[str], page: Page, begin: int) -> list[int]:
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
