"""Reading a run's conversation: once through, or on until the run ends."""

from __future__ import annotations

from .._errors import ConfigError, NotFound
from .._flow import Stream
from .._models import wire
from . import pace
from .conversation import ConversationReader
from .cursor import PAGE
from .on_request import Responder
from .polling import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from .._models.messages import Message
    from .._resources.run import Run
    from .on_request import OnRequest
    from .replies import Answers


class Messages(Stream["Message"]):
    """The messages of a run, in order: an iterator that reads pages as they are wanted.

    When it ends by itself while following, the run has ended, and that was
    read from the server.
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
        self._run = run
        self._limit = limit
        self._after = after
        self._last = last
        self._whole = after is None and last is None and offset == 0
        self._responder = Responder(on_request, answers, warn=False)
        self._follows = follow
        super().__init__()
        self._reader = Reader(
            run._transport,
            run.id,
            timeout,
            started_at=run._started_here_at,
            closed=self._closed,
            patient=follow,
        )
        self._conversation = ConversationReader(run.id, self._reader, offset)

    @property
    def total(self) -> int | None:
        """How many messages the conversation had when a page was last read.

        None before, and where the server tells none.
        """
        return self._conversation.total

    def _produce(self) -> Iterator[Message]:
        return self._follow() if self._follows else self._once()

    def _once(self) -> Iterator[Message]:
        self._find_beginning()
        if self._limit is None:
            yield from self._conversation.up_to_now(proven=True)
        elif not (yield from self._conversation.some(self._limit)):
            return
        self._run._read(self._reader)
        request = self._run.pending_request
        if request is not None:
            yield from self._conversation.show(request)

    def _follow(self) -> Iterator[Message]:
        self._find_beginning()
        conversation = self._conversation
        clock = self._reader.clock
        wait = 0.0
        hold = False
        while True:
            asked_at = clock.now()
            arrived = False
            for message in conversation.up_to_now(hold=hold):
                arrived = True
                yield message
            # Whatever the run's state is found to be, its messages are read
            # once more before that is told: they may have come in between.
            self._run._read(self._reader)
            ended = self._run._has_ended
            request = self._run.pending_request
            news = ended or (request is not None and request.id not in conversation.shown)
            if news:
                for message in conversation.up_to_now(proven=ended):
                    arrived = True
                    yield message
            if ended:
                self._note_end()
                return
            if request is not None:
                yield from conversation.show(request)
                self._responder.meet(self._run, request, self._reader)
            wait = pace.next_wait(wait, activity=arrived or news)
            was_held = hold and clock.now() - asked_at >= pace.FIRST
            if self._run._transport.long_poll:
                hold = conversation.cursor.grows_only = True
                if arrived or news or was_held or wait <= pace.FIRST:
                    continue
            self._reader.rest(wait, f"run {self._run.id} has nothing new yet")

    def _note_end(self) -> None:
        if self._whole:
            conversation = self._conversation
            conversation.outcome.is_read = True
            self._run._outcome = conversation.outcome

    def _find_beginning(self) -> None:
        conversation = self._conversation
        if self._last is not None:
            conversation.cursor.offset = max(0, conversation.pages.end() - self._last)
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
            self._conversation.shown.add(message_id)
        if not self._stand_behind(message_id, asked_at):
            raise NotFound(
                f"run {self._run.id} has no message {message_id!r} (a human request that was "
                "answered since is none: give the message itself, or the one before it)",
                status=404,
            )

    def _stand_behind(self, message_id: str, asked_at: datetime | None) -> bool:
        conversation = self._conversation
        end = conversation.pages.end()
        while end > 0:
            begin = max(0, end - PAGE)
            page = conversation.pages.between(begin, end)
            for index in range(len(page.messages) - 1, -1, -1):
                message = page.messages[index]
                # A human request has no place of its own, only a time.
                moment = wire.moment(message) if asked_at is not None else None
                earlier = asked_at is not None and moment is not None and moment <= asked_at
                if message["id"] == message_id or earlier:
                    conversation.cursor.place_after(message["id"], begin + index)
                    return True
            end = begin
        return asked_at is not None
