"""Reading a run's conversation: once through, or on until the run ends."""

from __future__ import annotations

import logging
import threading

from . import _models, _pace, _wire
from ._bodies import Closed
from ._conversation import PAGE, Cursor, Page
from ._conversation_pages import ConversationPages
from ._errors import ConfigError, NotFound, UnexpectedAnswer
from ._on_request import Responder
from ._outcome import Outcome
from ._patience import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime
    from types import TracebackType
    from typing import Any

    from ._models import HumanRequest, Message
    from ._on_request import OnRequest
    from ._replies import Answers
    from ._run import Run

logger = logging.getLogger("duvo")

_MOST_DOUBTS = 3
_MOST_FRUITLESS = 30


class Messages:
    """The messages of a run, in order: an iterator that reads pages as they are wanted.

    When it ends by itself while following, the run has ended, and that was
    read from the server. An error that it raised is raised again when it is
    asked for more.

    Attributes:
        total: how many messages the conversation had when a page was last
            read, or None before, and where the server tells none.
    """

    def __init__(
        self,
        run: Run,
        *,
        follow: bool,
        after: Message | str | None,
        offset: int,
        limit: int | None,
        last: int | None,
        timeout: float | None,
        on_request: OnRequest,
        answers: Answers | None,
    ):
        if offset < 0 or (limit is not None and limit < 0) or (last is not None and last < 0):
            raise ConfigError("offset, limit and last must not be negative")
        if sum((after is not None, offset > 0, last is not None)) > 1:
            raise ConfigError("give one of after, offset and last")
        if follow and limit is not None:
            raise ConfigError("limit does not go with follow")
        self.total: int | None = None
        self._run = run
        self._limit = limit
        self._after = after
        self._last = last
        self._whole = after is None and last is None and offset == 0
        self._responder = Responder(on_request, answers, warn=False)
        self._closed = threading.Event()
        self._reader = Reader(
            run._transport,
            run.id,
            timeout,
            started_at=run._started_here_at,
            closed=self._closed,
            patient=follow,
        )
        self._pages = ConversationPages(run.id, self._reader)
        self._cursor = Cursor(offset)
        self._outcome = Outcome()
        self._shown: set[str] = set()
        self._error: BaseException | None = None
        self._messages = self._follow() if follow else self._once()

    def __iter__(self) -> Messages:
        return self

    def __next__(self) -> Message:
        if self._closed.is_set():
            raise StopIteration
        if self._error is not None:
            raise self._error
        try:
            return next(self._messages)
        except (Closed, StopIteration):
            raise StopIteration from None
        except BaseException as error:
            self._error = error
            raise

    def __enter__(self) -> Messages:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration, also from another thread.

        A wait and a held request end within a second; a request that hangs
        ends with its own timeout.
        """
        self._closed.set()

    def _once(self) -> Iterator[Message]:
        self._find_beginning()
        if self._limit is None:
            yield from self._up_to_now(proven=True)
        elif not (yield from self._some(self._limit)):
            return
        self._run._read(self._reader)
        request = self._run.pending_request
        if request is not None:
            yield from self._show(request)

    def _some(self, left: int) -> Generator[Message, None, bool]:
        """That many messages at most; whether they reach the end."""
        fruitless = 0
        while left > 0:
            page, new = self._read(min(PAGE, left))
            yield from new[:left]
            left -= len(new[:left])
            if self._cursor.caught_up:
                return True
            if left == 0:
                return page.reaches_end
            fruitless = self._count_fruitless(fruitless, new)
        return False

    def _follow(self) -> Iterator[Message]:
        self._find_beginning()
        clock = self._reader.clock
        wait = 0.0
        hold = False
        while True:
            asked_at = clock.now()
            arrived = False
            for message in self._up_to_now(hold=hold):
                arrived = True
                yield message
            # Whatever the run's state is found to be, its messages are read
            # once more before that is told: they may have come in between.
            self._run._read(self._reader)
            ended = self._run._has_ended
            request = self._run.pending_request
            news = ended or (request is not None and request.id not in self._shown)
            if news:
                for message in self._up_to_now(proven=ended):
                    arrived = True
                    yield message
            if ended:
                self._note_end()
                return
            if request is not None:
                yield from self._show(request)
                self._responder.meet(self._run, request, self._reader)
            wait = _pace.next_wait(wait, activity=arrived or news)
            was_held = hold and clock.now() - asked_at >= _pace.FIRST
            if self._run._transport.long_poll:
                hold = self._cursor.grows_only = True
                if arrived or news or was_held or wait <= _pace.FIRST:
                    continue
            self._reader.rest(wait, f"run {self._run.id} has nothing new yet")

    def _up_to_now(self, *, hold: bool = False, proven: bool = False) -> Iterator[Message]:
        """What has come up to now.

        Args:
            hold: let the server wait for something to come.
            proven: read again where the server contradicts itself about the end.
        """
        doubts = fruitless = 0
        while True:
            page, new = self._read(PAGE, hold=hold)
            self._outcome.note_page(page.messages)
            yield from new
            hold = False
            if not self._cursor.caught_up:
                fruitless = self._count_fruitless(fruitless, new)
                continue
            if not (proven and self._cursor.is_doubtful):
                return
            if doubts == _MOST_DOUBTS:
                logger.warning(
                    "run %s: the server tells of %s messages and gives %d",
                    self._run.id,
                    self.total,
                    self._cursor.offset,
                )
                return
            doubts += 1
            self._reader.sleep(0.5 * doubts, "the server contradicts itself about the end")

    def _count_fruitless(self, count: int, new: list[Message]) -> int:
        if new:
            return 0
        if count == _MOST_FRUITLESS:
            raise UnexpectedAnswer(
                f"the pages of run {self._run.id}'s conversation shift without end"
            )
        return count + 1

    def _read(self, size: int, *, hold: bool = False) -> tuple[Page, list[Message]]:
        cursor = self._cursor
        seconds = self._run._transport.long_poll if hold else 0.0

        def attempt() -> tuple[Page, list[int]]:
            offset = cursor.next_offset
            limit = min(PAGE, size + cursor.offset - offset)
            page = self._pages.attempt(offset, limit, seconds)
            return page, cursor.take(page)

        page, indexes = self._reader.read(attempt)
        if page.total is not None:
            self.total = page.total
        messages = [self._message(page.messages[index], page.raws[index]) for index in indexes]
        return page, messages

    def _message(self, ours: dict[str, Any], raw: dict[str, Any]) -> Message:
        message = _models.message(ours, raw, self._run.id)
        if message.type == "human_request":
            self._shown.add(message.id)
        return message

    def _show(self, request: HumanRequest) -> Iterator[Message]:
        if request.id not in self._shown:
            self._shown.add(request.id)
            ours = _wire.request_message(request.raw)
            yield _models.message(ours, ours, self._run.id)

    def _note_end(self) -> None:
        if self._whole:
            self._outcome.is_read = True
            self._run._outcome = self._outcome

    def _find_beginning(self) -> None:
        if self._last is not None:
            self._cursor.offset = max(0, self._pages.end() - self._last)
        elif self._after is not None:
            self._find_place()

    def _find_place(self) -> None:
        after = self._after
        if after is None or isinstance(after, str):
            message_id, asked_at = str(after), None
        else:
            message_id = after.id
            asked_at = after.timestamp if after.type == "human_request" else None
        self._run._read(self._reader)
        request = self._run.pending_request
        if request is not None and request.id == message_id:
            asked_at = request.created_at
        if asked_at is not None:
            self._shown.add(message_id)
        if not self._stand_behind(message_id, asked_at):
            raise NotFound(
                f"run {self._run.id} has no message {message_id!r} (a human request that was "
                "answered since is none: give the message itself, or the one before it)",
                status=404,
            )

    def _stand_behind(self, message_id: str, asked_at: datetime | None) -> bool:
        end = self._pages.end()
        while end > 0:
            begin = max(0, end - PAGE)
            page = self._pages.read(begin, end - begin)
            for index in range(len(page.messages) - 1, -1, -1):
                message = page.messages[index]
                # A human request has no place of its own, only a time.
                moment = _wire.moment(message) if asked_at is not None else None
                earlier = asked_at is not None and moment is not None and moment <= asked_at
                if message["id"] == message_id or earlier:
                    self._cursor.place_after(message["id"], begin + index)
                    return True
            end = begin
        return asked_at is not None
