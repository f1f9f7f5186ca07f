"""Reading what is new in one run's conversation."""

from __future__ import annotations

import logging

from .._errors import UnexpectedAnswer
from .._models import wire
from .answer import Outcome
from .conversation_pages import ConversationPages
from .cursor import PAGE, Cursor, Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from .._models.messages import HumanRequest, Message
    from .polling import Reader

logger = logging.getLogger("duvo")

_MOST_DOUBTS = 3
_MOST_FRUITLESS = 30


class ConversationReader:
    """A place in a conversation, and what reads on from there.

    Args:
        run_id: the run.
        reader: what reads, with its patience and deadline.
        offset: where to begin.

    Attributes:
        cursor: the place.
        pages: what reads single pages.
        outcome: what the messages read so far tell of how the run came out.
        shown: ids of the human requests that were handed out.
        total: how many messages there were when a page was last read, or None.
    """

    def __init__(self, run_id: str, reader: Reader, offset: int = 0):
        self.run_id = run_id
        self.cursor = Cursor(offset)
        self.pages = ConversationPages(run_id, reader)
        self.outcome = Outcome()
        self.shown: set[str] = set()
        self.total: int | None = None
        self._reader = reader

    def up_to_now(self, *, hold: bool = False, proven: bool = False) -> Iterator[Message]:
        """What has come up to now.

        Args:
            hold: let the server wait for something to come.
            proven: read again where the server contradicts itself about the end.
        """
        for page, new in self._walk(hold, proven):
            yield from self._built(page, new)

    def skim(self, *, proven: bool = False) -> None:
        """Read what has come up to now for its outcome alone."""
        for _ in self._walk(False, proven):
            pass

    def skim_page(self) -> None:
        """Read one page, for its outcome alone."""
        next(self._walk(False, False), None)

    def some(self, left: int) -> Generator[Message, None, bool]:
        """That many messages at most; whether they reach the end."""
        fruitless = 0
        while left > 0:
            page, new = self._read(min(PAGE, left))
            yield from self._built(page, new[:left])
            left -= len(new[:left])
            if self.cursor.caught_up:
                return True
            if left == 0:
                return page.reaches_end
            fruitless = self._count_fruitless(fruitless, new)
        return False

    def _walk(self, hold: bool, proven: bool) -> Iterator[tuple[Page, list[int]]]:
        doubts = fruitless = 0
        while True:
            page, new = self._read(PAGE, hold=hold)
            self.outcome.note_page(page.messages)
            yield page, new
            hold = False
            if not self.cursor.caught_up:
                fruitless = self._count_fruitless(fruitless, new)
                continue
            if self.cursor.is_proven or not proven:
                return
            if doubts == _MOST_DOUBTS:
                logger.warning(
                    "run %s: the server tells of %s messages and gives %d",
                    self.run_id,
                    self.total,
                    self.cursor.offset,
                )
                return
            doubts += 1
            self._reader.sleep(0.5 * doubts, "the server contradicts itself about the end")

    def _count_fruitless(self, count: int, new: list[int]) -> int:
        if new:
            return 0
        if self.cursor.advanced:
            return count
        if count == _MOST_FRUITLESS:
            raise UnexpectedAnswer(
                f"the pages of run {self.run_id}'s conversation shift without end"
            )
        return count + 1

    def _read(self, size: int, *, hold: bool = False) -> tuple[Page, list[int]]:
        cursor = self.cursor
        seconds = self._reader.transport.long_poll if hold else 0.0

        def attempt() -> tuple[Page, list[int]]:
            offset = cursor.next_offset
            limit = min(PAGE, size + cursor.offset - offset)
            page = self.pages.attempt(offset, limit, seconds)
            return page, cursor.take(page)

        page, new = self._reader.read(attempt)
        if page.total is not None:
            self.total = page.total
        return page, new

    def _built(self, page: Page, new: list[int]) -> list[Message]:
        # Whoever waits for an end builds no message, and need not load what does.
        from .._models import messages

        built = [
            messages.message(page.messages[index], page.raws[index], self.run_id) for index in new
        ]
        self.shown.update(one.id for one in built if one.type == "human_request")
        return built

    def show(self, request: HumanRequest) -> Iterator[Message]:
        """The pending request as a message, once."""
        if request.id not in self.shown:
            from .._models import messages

            self.shown.add(request.id)
            ours = wire.request_message(request.raw)
            yield messages.message(ours, ours, self.run_id)
