"""What was last read of a run, as attributes that never send a request."""

from __future__ import annotations

from .. import _errors
from .._http import paths
from .._models import wire
from .._models.checks import understanding
from . import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from .._models.messages import HumanRequest
    from .._models.runs import RunData

_ONLY_LISTS_TELL = ("agent_name", "title", "run_number", "user_id")


class RunFacts:
    """The half of a `Run` that only tells.

    Args:
        run_id: the run.
        answer: the API's answer about it, or None when nothing was read yet.
        listed: whether the answer is an item of a list.
    """

    def __init__(self, run_id: str, answer: dict[str, Any] | None, *, listed: bool):
        self.id = run_id
        self._answer = answer
        self._listed = listed
        self._known_from_list: dict[str, Any] = {}
        self._data: RunData | None = None
        self._request: HumanRequest | None = None

    @property
    def raw(self) -> dict[str, Any]:
        """The API's last answer about this run, as it came; for a run of a list, its item there.

        Raises:
            NotLoaded: nothing was read yet.
        """
        if self._answer is None:
            raise _errors.NotLoaded(f"run {self.id} has not been read yet: call .refresh() first")
        return self._answer

    @property
    def _raw_run(self) -> dict[str, Any]:
        """The run in the last answer, as it came."""
        raw: dict[str, Any] = self.raw if self._listed else self.raw["run"]
        return raw

    def to_dict(self) -> dict[str, Any]:
        """The API's last answer with our words in it: what `--json` prints.

        Raises:
            NotLoaded: nothing was read yet.
        """
        answer = {"run": self.raw} if self._listed else self.raw
        return wire.run_answer(answer)

    @property
    def data(self) -> RunData:
        """All that was last read, as one frozen object.

        Raises:
            NotLoaded: nothing was read yet.
        """
        if self._data is None:
            from .._models.build import build
            from .._models.runs import RunData

            raw = self._raw_run
            self._data = build(RunData, {**self._known_from_list, **wire.run(raw)}, raw)
        return self._data

    @property
    def status(self) -> str:
        """`not_started`, `pending`, `starting`, `running`, `waiting`, `completed`, `failed`,
        `stopped`, or a word that is newer than this library."""
        raw = self._raw_run
        return wire.status(raw["status"])

    @property
    def is_finished(self) -> bool:
        """Whether the run had ended when it was last read."""
        return status.is_finished(self.status)

    @property
    def agent_id(self) -> str | None:
        """The agent's id."""
        return self.data.agent_id

    @property
    def agent_name(self) -> str | None:
        """The agent's name, where a call told it (a list does)."""
        return self.data.agent_name

    @property
    def title(self) -> str | None:
        """The run's title, where a call told it (a list does)."""
        return self.data.title

    @property
    def run_number(self) -> int | None:
        """The run's number within its agent, where a call told it (a list does)."""
        return self.data.run_number

    @property
    def source(self) -> str | None:
        """What started it."""
        return self.data.source

    @property
    def build_id(self) -> str | None:
        """The revision that runs."""
        return self.data.build_id

    @property
    def user_id(self) -> str | None:
        """Whose run it is, where a call told it (a list does)."""
        return self.data.user_id

    @property
    def sandbox_id(self) -> str | None:
        """The sandbox that it was started with."""
        return self.data.sandbox_id

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self.data.created_at

    @property
    def started_at(self) -> datetime | None:
        """When it began to work."""
        return self.data.started_at

    @property
    def completed_at(self) -> datetime | None:
        """When it ended."""
        return self.data.completed_at

    @property
    def updated_at(self) -> datetime | None:
        """When it last changed."""
        return self.data.updated_at

    @property
    def pending_request(self) -> HumanRequest | None:
        """What the run asks a human for, as last read, or None.

        Raises:
            NotLoaded: nothing was read yet, or the run came from a list, which
                does not tell the requests of waiting runs.
        """
        raw = wire.pending_request(self.raw)
        if raw is None:
            if self._listed and self.status == "waiting":
                raise _errors.NotLoaded(
                    f"run {self.id} came from a list, which tells no human requests: "
                    "call .refresh() first"
                )
            return None
        if self._request is None:
            from .._models import messages

            self._request = messages.human_request(raw, self.id)
        return self._request

    def _take(self, data: Any) -> None:
        if isinstance(data, dict) and "run" in data and data["run"] is None:
            raise _errors.NotFound(
                f"there is no run {self.id}; check the id; it may also belong to another team "
                "than the key",
                method="GET",
                path=paths.run(self.id),
                status=404,
            )
        path = paths.run(self.id)
        with understanding("GET", path):
            told = wire.run_answer(data)["run"]["id"]
            if told.casefold() != self.id.casefold():
                raise _errors.UnexpectedAnswer(f"the answer is about run {told}", may_pass=True)
            wire.pending_request(data)
        self._set(data, listed=False)

    def _take_listed(self, item: dict[str, Any]) -> None:
        self._set(item, listed=True)

    def _set(self, answer: dict[str, Any], *, listed: bool) -> None:
        if self._listed and self._answer is not None:
            known = {name: self._answer.get(name) for name in _ONLY_LISTS_TELL}
            self._known_from_list = known
        self._answer = answer
        self._listed = listed
        self._data = None
        self._request = None

    def __repr__(self) -> str:
        if self._answer is None:
            return f"<Run {self.id} (not loaded)>"
        return f"<Run {self.id} {self.status}>"

    def _repr_html_(self) -> str:
        import html

        status = "not loaded" if self._answer is None else self.status
        return f"<code>{html.escape(self.id)}</code> <b>{html.escape(status)}</b>"

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, RunFacts) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)
