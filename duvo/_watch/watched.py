"""What is known of one run among many that are watched."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._resources.run import Run
    from .._run.conversation import ConversationReader

    Stamp = tuple[str, object]


class Watched:
    """A run that is watched.

    Attributes:
        run: its handle.
        created_at: as the server tells it, or None when that is not known yet.
        status: as last seen, or None.
        stamp: status and `updated_at` as last seen, or None.
        request_id: of the human request that was told last.
        conversation: what reads its messages, when somebody wants them.
        is_due: whether it waits to be read by itself.
        is_listed: whether the list tells of it.
        was_answered: a reply was sent, so that what it waits with may be another
            request, though nothing else of it has changed.
        told_nothing: the stamp at which a sweep found what the list had not told.
    """

    __slots__ = (
        "conversation",
        "created_at",
        "is_due",
        "is_listed",
        "request_id",
        "run",
        "stamp",
        "status",
        "told_nothing",
        "was_answered",
    )

    def __init__(self, run: Run, conversation: ConversationReader | None):
        self.run = run
        self.conversation = conversation
        self.created_at: str | None = None
        self.status: str | None = None
        self.stamp: Stamp | None = None
        self.request_id: str | None = None
        self.is_due = False
        self.is_listed = True
        self.was_answered = False
        self.told_nothing: Stamp | None = None
