"""Reading a run's conversation: once, or until the run ends."""

from __future__ import annotations

from typing import NamedTuple

from .._advice import words
from .._errors import NotFound
from .._models import wire
from . import polling
from .actions import poll
from .conversation import Conversation
from .cursor import PAGE
from .polling import Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from .._flow.steps import Flow
    from .._http.api import Api
    from .._models.messages import Message
    from .on_request import Responder
    from .state import RunState


class Beginning(NamedTuple):
    """Where reading begins: after a message, at an offset, or some messages before the end."""

    after: Message | str | None = None
    offset: int = 0
    last: int | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is the first message of the conversation."""
        return self.after is None and self.last is None and self.offset == 0


class MessageReader:
    """Reads the messages of a run: those so far, or with `follow` until it has ended.

    Attributes:
        first: offset of the first message, or None before it was found.
    """

    def __init__(
        self,
        api: Api,
        state: RunState,
        beginning: Beginning,
        timeout: float | None,
        *,
        follow: bool,
    ):
        self._api = api
        self._state = state
        self._beginning = beginning
        self.first: int | None = None
        self.poller = Poller(
            api, state.id, timeout, started_at=state.started_here_at, patient=follow
        )
        self.conversation = Conversation(state.id, self.poller, beginning.offset)

    def give_once(self, limit: int | None) -> Flow[None]:
        """Give the messages so far, at most `limit`, the pending human request last."""
        yield from self._find_beginning()
        if limit is None:
            yield from self.conversation.give_new(proven=True)
        elif not (yield from self.conversation.give_some(limit)):
            return
        yield from poll(self.poller, self._state)
        request = self._state.pending_request
        if request is not None:
            yield from self.conversation.give_request(request)

    def give_until_finished(self, responder: Responder) -> Flow[None]:
        """Give messages as they arrive, until the run has ended.

        The responder handles human requests after they were given.
        """
        yield from self._find_beginning()
        state, conversation, clock = self._state, self.conversation, self._api.clock
        pause = 0.0
        hold = False
        while True:
            asked_at = clock.now()
            arrived = yield from conversation.give_new(hold=hold)
            # Messages may have arrived before the run was read: they come first.
            yield from poll(self.poller, state)
            ended = state.has_ended(clock.now())
            request = state.pending_request
            news = ended or (request is not None and request.id not in conversation.given_requests)
            if news and (yield from conversation.give_new(proven=ended)):
                arrived = True
            if ended:
                self._record_end()
                return
            if request is not None:
                yield from conversation.give_request(request)
                yield from responder.handle(state, request, self.poller)
            pause = polling.next_pause(pause, activity=arrived or news)
            was_held = hold and clock.now() - asked_at >= polling.SHORTEST_PAUSE
            if self.poller.longest_hold:
                hold = conversation.cursor.grows_only = True
                if arrived or news or was_held or pause <= polling.SHORTEST_PAUSE:
                    continue
            yield from self.poller.rest(pause, f"run {state.id} has nothing new yet")

    def _record_end(self) -> None:
        if self._beginning.is_first:
            self.conversation.final_answer.is_read = True
            self._state.final_answer = self.conversation.final_answer

    def _find_beginning(self) -> Flow[None]:
        if self._beginning.last is not None:
            end = yield from self.conversation.end()
            self.conversation.cursor.offset = max(0, end - self._beginning.last)
        elif self._beginning.after is not None:
            yield from self._move_after(self._beginning.after)
        self.first = self.conversation.cursor.offset

    def _move_after(self, after: Message | str) -> Flow[None]:
        if isinstance(after, str):
            message_id, asked_at = after, None
        else:
            message_id = after.id
            asked_at = after.timestamp if after.type == "human_request" else None
        yield from poll(self.poller, self._state)
        request = self._state.pending_request
        if request is not None and request.id.casefold() == message_id.casefold():
            message_id, asked_at = request.id, request.created_at
        if asked_at is not None:
            self.conversation.given_requests.add(message_id)
        if not (yield from self._search_back(message_id, asked_at)):
            raise NotFound(
                f"run {self._state.id} has no message {message_id!r} (once answered, a human "
                f"request is not a message: {words().name_message()})",
                status=404,
            )

    def _search_back(self, message_id: str, asked_at: datetime | None) -> Flow[bool]:
        conversation = self.conversation
        end = yield from conversation.end()
        while end > 0:
            begin = max(0, end - PAGE)
            page = yield from conversation.between(begin, end)
            for index in range(len(page.messages) - 1, -1, -1):
                message = page.messages[index]
                # A human request has no offset, only a time.
                moment = wire.moment(message) if asked_at is not None else None
                earlier = asked_at is not None and moment is not None and moment <= asked_at
                if message["id"].casefold() == message_id.casefold() or earlier:
                    conversation.cursor.place_after(message["id"], begin + index)
                    return True
            end = begin
        return asked_at is not None
