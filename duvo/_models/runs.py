"""The data of a run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from .types import RunStatus

    Status: TypeAlias = RunStatus | str
else:
    Status = str  # cattrs reads it as text


@frozen(kw_only=True)
class RunData:
    """All that is known of a run; which fields are set depends on the call.

    Attributes:
        id: the run's id.
        status: `not_started`, `pending`, `starting`, `running`, `waiting`,
            `completed`, `failed`, `stopped`, or a status newer than this library.
        agent_id: the agent's id.
        agent_name: the agent's name; only set in lists.
        build_id: the revision of the agent that the run uses.
        title: the run's title; only set in lists.
        run_number: the run's number within its agent; only set in lists.
        source: what started the run.
        sandbox_id: the sandbox that the run was started with.
        user_id: the user whose run it is; only set in lists.
        created_at: when the run was created.
        updated_at: when it last changed.
        started_at: when it began to work.
        completed_at: when it ended.
        human_in_the_loop_enabled: whether the run may ask a human.
        raw: as the API sent it.
    """

    id: str
    status: Status
    agent_id: str | None = None
    agent_name: str | None = None
    build_id: str | None = None
    title: str | None = None
    run_number: int | None = None
    source: str | None = None
    sandbox_id: str | None = None
    user_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    human_in_the_loop_enabled: bool | None = None
    raw: dict[str, Any] = field(repr=False, eq=False, factory=dict)
