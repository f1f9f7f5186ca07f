"""Reading a run's conversation: once through, or on until the run ends."""

from __future__ import annotations

import threading

from . import _models, _pace, _paths, _wire
from ._bodies import Closed
from ._conversation import PAGE, Cursor, Page
from ._errors import ConfigError, NotFound
from ._on_request import Responder
from ._patience import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any

    from ._models import Message
    from ._on_request import OnRequest
    from ._replies import Answers
    from ._run import Run


class Messages:
    """The messages of a run, in order: an iterator that reads pages as they are wanted.

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
        self._responder = Responder(on_request, answers, warn=False)
        self._closed = threading.Event()
        self._reader = Reader(
            run.transport,
            run.id,
            timeout,
            started_at=run.started_here_at,
            closed=self._closed,
            patient=follow,
        )
        self._cursor = Cursor(offset)
        self._whole = after is None and last is None and offset == 0
        self._shown_requests: set[str] = set()
        self._messages = self._follow() if follow else self._once()

    def __iter__(self) -> Messages:
        return self

    def __next__(self) -> Message:
        try:
            return next(self._messages)
        except Closed:
            raise StopIteration from None

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
        """End the iteration, also from another thread and while a request is held."""
        self._closed.set()

    def _once(self) -> Iterator[Message]:
        self._find_beginning()
        left = self._limit
        while True:
            size = PAGE if left is None else min(PAGE, left)
            page, new = self._read(size) if size else (None, [])
            yield from new
            if left is not None:
                left -= len(new)
            if self._cursor.looks_back:
                continue
            if page is None or page.reaches_end or not new:
                break
            if left == 0:
                return
        if page is not None and (page.reaches_end or not new):
            self._run.read(self._reader)
            yield from self._new_request()

    def _follow(self) -> Iterator[Message]:
        self._find_beginning()
        wait = 0.0
        hold = False
        while True:
            # Whatever the run's state is found to be, its messages are read
            # once more before that is told: they may have come in between.
            arrived = False
            for message in self._up_to_now(hold=hold):
                arrived = True
                yield message
            self._run.read(self._reader)
            ended = self._run.has_ended
            news = ended or self._has_new_request()
            if news:
                for message in self._up_to_now():
                    arrived = True
                    yield message
                if ended:
                    self._run.outcome.is_read = self._whole
                    return
                yield from self._new_request()
            if self._run.transport.long_poll:
                hold = self._cursor.grows_only = True
                continue
            wait = _pace.next_wait(wait, activity=arrived or news)
            self._reader.rest(wait, f"run {self._run.id} has nothing new yet")

    def _up_to_now(self, *, hold: bool = False) -> Iterator[Message]:
        while True:
            page, new = self._read(PAGE, hold=hold)
            hold = False
            for message in new:
                self._run.outcome.note(message.type, message.role, message.content, message.raw)
                yield message
            if not self._cursor.looks_back and (page.reaches_end or not new):
                return

    def _read(self, size: int, *, hold: bool = False) -> tuple[Page, list[Message]]:
        cursor = self._cursor

        def read() -> tuple[Page, list[int]]:
            offset = cursor.next_offset
            limit = min(PAGE, size + cursor.offset - offset)
            page = self._page(offset, limit, hold)
            return page, cursor.take(page)

        page, indexes = self._reader.read(read)
        if page.total is not None:
            self.total = page.total
        return page, [self._message(page.messages[i], page.raws[i]) for i in indexes]

    def _read_page(self, offset: int, limit: int) -> Page:
        return self._reader.read(lambda: self._page(offset, limit))

    def _page(self, offset: int, limit: int, hold: bool = False) -> Page:
        params = [("limit", str(limit)), ("offset", str(offset))]
        seconds = self._run.transport.long_poll if hold else 0.0
        if seconds:
            params.append(("wait", f"{self._reader.deadline.left(seconds):.1f}"))
        answer = self._reader.send(_paths.messages(self._run.id), params)
        return Page(answer.data, offset, limit)

    def _message(self, ours: dict[str, Any], raw: dict[str, Any]) -> Message:
        message = _models.message(ours, raw, self._run.id)
        if message.type == "human_request":
            self._shown_requests.add(message.id)
        return message

    def _has_new_request(self) -> bool:
        request = self._run.pending_request
        return request is not None and request.id not in self._shown_requests

    def _new_request(self) -> Iterator[Message]:
        request = self._run.pending_request
        if request is None:
            return
        if request.id not in self._shown_requests:
            ours = _wire.request_message(request.raw)
            self._shown_requests.add(request.id)
            yield _models.message(ours, ours, self._run.id)
        self._responder.meet(self._run, request)

    def _find_beginning(self) -> None:
        if self._last is not None:
            total = self._count()
            self._cursor.offset = max(0, total - self._last)
        elif self._after is not None:
            self._find(self._after if isinstance(self._after, str) else self._after.id)

    def _count(self) -> int:
        page = self._read_page(0, 1)
        if page.total is not None:
            return page.total
        count = 0
        while True:
            page = self._read_page(count, PAGE)
            count += len(page.messages)
            if page.reaches_end:
                return count

    def _find(self, message_id: str) -> None:
        end = self._count()
        self._run.read(self._reader)
        request = self._run.pending_request
        if request is not None and request.id == message_id:
            self._shown_requests.add(message_id)
            self._cursor.offset = end
            return
        while end > 0:
            begin = max(0, end - PAGE)
            page = self._read_page(begin, PAGE)
            for index, message in enumerate(page.messages):
                if message["id"] == message_id:
                    self._cursor.place_after(message_id, begin + index)
                    return
            end = begin
        raise NotFound(
            f"run {self._run.id} has no message {message_id!r}; "
            "follow it without `after` to see the whole conversation",
            status=404,
        )
