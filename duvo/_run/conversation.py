"""Reading the conversation of one run."""

from __future__ import annotations

import logging

from .._errors import UnexpectedAnswer
from .._flow.steps import Give
from .._http import paths
from .._models import wire
from .._models.checks import request_context
from .answer import FinalAnswer
from .cursor import PAGE, Cursor, Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._flow.steps import Flow
    from .._models.human_requests import HumanRequest
    from .._models.messages import Message
    from .polling import Poller

logger = logging.getLogger("duvo")

_MOST_DOUBTS = 3
_MOST_STALLS = 30


class Conversation:
    """A conversation, read from a cursor onwards. Sends `GET /v2/runs/{id}/messages`.

    Attributes:
        final_answer: the answer and the failure among the messages read so far.
        given_requests: ids of the human requests that were given.
        total: number of messages when a page was last read, or None.
    """

    def __init__(self, run_id: str, poller: Poller, offset: int = 0):
        self.run_id = run_id
        self.cursor = Cursor(offset)
        self.final_answer = FinalAnswer()
        self.given_requests: set[str] = set()
        self.total: int | None = None
        self.poller = poller
        self._path = paths.messages(run_id)

    def give_new(
        self,
        *,
        hold: bool = False,
        proven: bool = False,
        wrap: Callable[[Message], Any] | None = None,
    ) -> Flow[bool]:
        """Give all new messages; return whether there were any.

        Args:
            hold: let the server hold the request until there is a message.
            proven: read again if the server contradicts itself about the end.
            wrap: makes the item that is given for a message; None gives the message.
        """
        any_given = False
        walk = _Walk(self, hold=hold, proven=proven)
        while not walk.is_done:
            page, new = yield from walk.next_page()
            if new:
                any_given = True
                messages = self._messages(page, new)
                yield Give(messages if wrap is None else [wrap(item) for item in messages])
        return any_given

    def give_some(self, limit: int) -> Flow[bool]:
        """Give at most this many messages; return whether they reach the end."""
        stalls = _Stalls(self.run_id)
        left = limit
        while left > 0:
            page, new = yield from self.read_new(min(PAGE, left))
            new = new[:left]
            if new:
                yield Give(self._messages(page, new))
            left -= len(new)
            if self.cursor.caught_up:
                return True
            if left == 0:
                return page.reaches_end
            stalls.count(new, self.cursor)
        return False

    def skim(self, *, proven: bool = False) -> Flow[None]:
        """Read to the end of the conversation, for the final answer only."""
        walk = _Walk(self, hold=False, proven=proven)
        while not walk.is_done:
            yield from walk.next_page()

    def skim_page(self) -> Flow[None]:
        """Read one page, for the final answer only."""
        yield from _Walk(self, hold=False, proven=False).next_page()

    def give_request(self, request: HumanRequest) -> Flow[None]:
        """Give the pending request as a message, once."""
        if request.id not in self.given_requests:
            from .._models.messages import message

            self.given_requests.add(request.id)
            ours = wire.request_message(request.raw)
            yield Give([message(ours, ours, self.run_id, self.poller.api.warn_once)])

    def read_new(self, size: int, *, hold: bool = False) -> Flow[tuple[Page, list[int]]]:
        """Read a page of up to `size` new messages; return it, and the indexes of the new ones."""
        cursor = self.cursor
        seconds = self.poller.longest_hold if hold else 0.0

        def attempt() -> Flow[tuple[Page, list[int]]]:
            offset = cursor.next_offset
            limit = min(PAGE, size + cursor.offset - offset)
            page = yield from self._read_page(offset, limit, seconds)
            return page, cursor.accept(page)

        page, new = yield from self.poller.repeat(attempt)
        if page.total is not None:
            self.total = page.total
        return page, new

    def between(self, begin: int, end: int) -> Flow[Page]:
        """Read the messages between two offsets as one page, however many reads that takes."""
        page = yield from self._page(begin, end - begin)
        raws = page.raws
        while page.messages and begin + len(raws) < end:
            page = yield from self._page(begin + len(raws), end - begin - len(raws))
            raws = raws + page.raws
        return Page({"messages": raws, "total": page.total}, begin, end - begin)

    def end(self) -> Flow[int]:
        """Return the number of messages, even if the server's total is wrong or missing."""
        first = yield from self._page(0, 1)
        if not first.messages:
            return 0
        if first.total is None:
            exists, missing = 0, PAGE
            while (yield from self._exists(missing)):
                exists, missing = missing, missing * 2
        else:
            exists, missing = 0, max(1, first.total)
            if missing == 1 or (yield from self._exists(missing - 1)):
                return missing
        while missing - exists > 1:
            middle = (exists + missing) // 2
            if (yield from self._exists(middle)):
                exists = middle
            else:
                missing = middle
        return missing

    def _page(self, offset: int, limit: int) -> Flow[Page]:
        return self.poller.repeat(lambda: self._read_page(offset, limit))

    def _exists(self, index: int) -> Flow[bool]:
        page = yield from self._page(index, 1)
        return bool(page.messages)

    def _read_page(self, offset: int, limit: int, hold: float = 0.0) -> Flow[Page]:
        params = [("limit", str(limit)), ("offset", str(offset))]
        if hold:
            params.append(("wait", f"{self.poller.deadline.left(hold):.1f}"))
        response = yield from self.poller.get_once(self._path, params)
        with request_context("GET", self._path):
            return Page(response.data, offset, limit)

    def _messages(self, page: Page, new: list[int]) -> list[Message]:
        # Loaded here: a wait builds no messages.
        from .._models.messages import message

        warn = self.poller.api.warn_once
        messages = [
            message(page.messages[index], page.raws[index], self.run_id, warn) for index in new
        ]
        self.given_requests.update(built.id for built in messages if built.type == "human_request")
        return messages


class _Walk:
    """The pages from the cursor to the end of the conversation."""

    def __init__(self, conversation: Conversation, *, hold: bool, proven: bool):
        self.is_done = False
        self._conversation = conversation
        self._hold = hold
        self._proven = proven
        self._doubts = 0
        self._stalls = _Stalls(conversation.run_id)

    def next_page(self) -> Flow[tuple[Page, list[int]]]:
        conversation, cursor = self._conversation, self._conversation.cursor
        if self._doubts and cursor.caught_up:
            yield from conversation.poller.sleep(
                0.5 * self._doubts, "the server contradicts itself about the end"
            )
        page, new = yield from conversation.read_new(PAGE, hold=self._hold)
        conversation.final_answer.add_page(page.messages)
        self._hold = False
        if not cursor.caught_up:
            self._stalls.count(new, cursor)
        elif cursor.is_proven or not self._proven:
            self.is_done = True
        elif self._doubts == _MOST_DOUBTS:
            logger.warning(
                "run %s: the server reports %s messages but returned %d",
                conversation.run_id,
                conversation.total,
                cursor.offset,
            )
            self.is_done = True
        else:
            self._doubts += 1
        return page, new


class _Stalls:
    """Counts successive pages that neither bring a message nor advance the cursor."""

    def __init__(self, run_id: str):
        self._run_id = run_id
        self._count = 0

    def count(self, new: list[int], cursor: Cursor) -> None:
        if new:
            self._count = 0
        elif not cursor.advanced:
            if self._count == _MOST_STALLS:
                raise UnexpectedAnswer(
                    f"the pages of the conversation of run {self._run_id} keep shifting"
                )
            self._count += 1
