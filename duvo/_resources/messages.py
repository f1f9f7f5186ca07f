"""The iterator over the messages of a run."""

from __future__ import annotations

from .._errors import ConfigError
from .._flow.iterators import ClosableIterator
from .._models.messages import Message
from .._run.following import Beginning, MessageReader
from .._run.on_request import Responder
from .._settings.arguments import checked_count
from .._settings.credentials import checked_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._flow.perform import Driver
    from .._models.types import Answers, OnRequest
    from .._run.state import RunState


class Messages(ClosableIterator[Message]):
    """The messages of a run, in order, read a page at a time as needed.

    When a follow ends by itself, the run has ended: its final status was read
    from the server.
    """

    def __init__(
        self,
        driver: Driver,
        state: RunState,
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
        offset = checked_count(offset, "offset")
        limit = None if limit is None else checked_count(limit, "limit")
        last = None if last is None else checked_count(last, "last")
        if sum((after is not None, offset > 0, last is not None)) > 1:
            raise ConfigError("give only one of after, offset and last")
        if after is not None and not isinstance(after, Message):
            checked_id(after, "message")
        if follow and limit is not None:
            raise ConfigError("limit cannot be used with follow")
        responder = Responder(on_request, answers, warn=False, may_await=driver.may_await)
        self._run = state.handle  # errors carry it
        self._reader = MessageReader(
            driver.api, state, Beginning(after, offset, last), timeout, follow=follow
        )
        flow = (
            self._reader.give_until_finished(responder) if follow else self._reader.give_once(limit)
        )
        super().__init__(flow, driver, self._reader.poller)

    @property
    def offset(self) -> int | None:
        """Offset of the first message, counted from 0; None before it was found."""
        return self._reader.first

    @property
    def total(self) -> int | None:
        """Number of messages when a page was last read; None before, or if not reported."""
        return self._reader.conversation.total

    def __repr__(self) -> str:
        return f"<Messages of run {self._run.id}>"
