"""The collection of runs."""

from __future__ import annotations

import builtins
import heapq

from .. import _errors
from .._http import paths
from .._http.clock import Deadline
from .._models import wire
from .._models.checks import understanding
from .._pages import Pages
from .run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor
    from datetime import datetime
    from typing import Any, Literal

    from .._batch.map import Results
    from .._client import Client
    from .._run.on_request import OnRequest
    from .._run.replies import Answers
    from .._watch.watch import Completed, Watch


class Runs:
    """The runs of the client's team."""

    def __init__(self, client: Client):
        self._client = client

    def start(
        self,
        agent: str,
        message: str | None = None,
        sandbox_id: str | None = None,
        webhook_url: str | None = None,
    ) -> Run:
        """Start a run. Sends `POST /v2/teams/{team}/runs`.

        It is never started twice: when it is not known whether the request
        arrived, it is sent again only to a server that is known to honour the
        idempotency key.

        Args:
            agent: the agent's id, or its exact name.
            message: what to tell it to begin with.
            sandbox_id: a sandbox whose files the run gets.
            webhook_url: where the server posts the run's events.

        Raises:
            NotFound: there is no such agent.
            AmbiguousAgent: several agents share the name.
            OutcomeUnknown: whether the run was started is not known.
            DuvoError: the request failed.
        """
        return self._start(agent, message, sandbox_id, webhook_url)

    def _start(
        self,
        agent: str,
        message: str | None,
        sandbox_id: str | None = None,
        webhook_url: str | None = None,
        deadline: Deadline | None = None,
        idempotency_key: str | None = None,
        closed: threading.Event | None = None,
    ) -> Run:
        client = self._client
        agent_id = client.agents.id_of(agent, deadline)
        body = {
            "agent_id": agent_id,
            "message": message,
            "sandbox_id": sandbox_id,
            "webhook_url": webhook_url,
        }
        path = paths.runs(client._team_id(deadline))
        find_out = f"`duvo runs list --agent {agent_id} --since 5m` shows whether it was started"
        answer = client._transport.send(
            "POST",
            path,
            body={name: value for name, value in body.items() if value is not None},
            find_out=find_out,
            deadline=deadline,
            idempotency_key=idempotency_key,
            closed=closed,
        )
        with understanding("POST", path, find_out):
            run_id = wire.run_answer(answer.data)["run"]["id"]
        return Run(client, run_id, answer.data, started_here_at=client._transport.clock.now())

    def run(self, run_id: str) -> Run:
        """A handle on a run that is known by its id. Sends nothing."""
        return Run(self._client, run_id)

    def get(self, run_id: str) -> Run:
        """A run, read once. Sends `GET /v2/runs/{id}`.

        Raises:
            NotFound: there is no such run, or it belongs to another team.
            DuvoError: the request failed.
        """
        return self.run(run_id).refresh()

    def list(
        self,
        status: str | None = None,
        agent: str | None = None,
        since: datetime | str | None = None,
        *,
        user_id: str | None = None,
        case_queue_id: str | None = None,
        source: str | None = None,
        search: str | None = None,
        has_issues: bool | None = None,
        issue_severity: str | None = None,
        sort_order: Literal["asc", "desc"] = "desc",
        limit: int | None = None,
        offset: int = 0,
    ) -> RunList:
        """Runs, the newest first, read a page at a time from `GET /v2/teams/{team}/runs`.

        Args:
            status: one of a run's statuses, or `needs_attention`.
            agent: an agent's id, or its exact name.
            since: created at or after this time; without a zone it is local time.
            user_id: started by this user.
            case_queue_id: of the cases of this queue.
            source: started from there.
            search: with these words.
            has_issues: whether its evaluation found issues.
            issue_severity: `critical`, `medium` or `low`.
            sort_order: by creation: `desc` or `asc`.
            limit: at most that many.
            offset: leave out that many first.

        Raises:
            ConfigError: a filter that cannot work.
            DuvoError: while iterating: a request failed.
        """
        if offset < 0 or (limit is not None and limit < 0):
            raise _errors.ConfigError("offset and limit must not be negative")
        filters = {
            "agent_id": self._client.agents.id_of(agent) if agent is not None else None,
            "since": _moment(since) if since is not None else None,
            "user_id": user_id,
            "case_queue_id": case_queue_id,
            "source": source,
            "search": search,
            "has_issues": None if has_issues is None else str(has_issues).lower(),
            "issue_severity": issue_severity,
            "sort_order": sort_order,
        }
        params = [(name, value) for name, value in filters.items() if value is not None]
        return RunList(self._client, self._path, params, status, sort_order, limit, offset)

    def inbox(self, agent: str | None = None) -> Iterator[Run]:
        """The runs that wait for a human, each with its `pending_request`, the oldest first.

        The API has no call for this: sends `GET /v2/teams/{team}/runs`, and
        then `GET /v2/runs/{id}` once for each run that waits. A run whose
        request is answered meanwhile is left out.

        Args:
            agent: of this agent only: its id, or its exact name.

        Raises:
            DuvoError: while iterating: a request failed.
        """
        from .._watch import inbox

        agent_id = self._client.agents.id_of(agent) if agent is not None else None
        waiting = self.list(status="waiting", agent=agent_id, sort_order="asc")
        return inbox.oldest_request_first(waiting, agent_id)

    def ask(
        self,
        agent: str,
        message: str | None = None,
        *,
        on_request: OnRequest = None,
        answers: Answers | None = None,
        timeout: float | None = None,
        check: bool = False,
    ) -> Run:
        """Start a run, wait for its end, and return it with its `answer`.

        Args:
            agent: the agent's id, or its exact name.
            message: what to tell it to begin with.
            on_request: as in `Run.wait`.
            answers: as in `Run.wait`.
            timeout: seconds to wait, counted from the start of the run.
            check: as in `Run.wait`.

        Raises:
            DuvoError: as `start` and `Run.wait` do.
        """
        if timeout is not None and not timeout > 0:
            raise _errors.ConfigError(f"timeout must be seconds above 0, not {timeout}")
        deadline = Deadline(self._client._transport.clock, timeout)
        try:
            run = self._start(agent, message, deadline=deadline)
        except _errors.DuvoError as error:
            if not deadline.passed:
                raise
            raise _errors.WaitTimeout(
                f"no answer within {timeout:g} s: {error}", timeout=timeout
            ) from error
        left = None if timeout is None else max(0.001, deadline.left(timeout))
        return run.wait(left, on_request, answers, check)

    def watch(
        self,
        runs: Iterable[Run | str],
        messages: bool = False,
        *,
        timeout: float | None = None,
    ) -> Watch:
        """What happens to many runs, as it happens, until all have ended.

        Reads `GET /v2/teams/{team}/runs` in pages of 100 runs, and of a run
        that changed `GET /v2/runs/{id}` and its messages where they are wanted.

        Args:
            runs: runs, or their ids.
            messages: tell the messages of each too, from its first one on.
            timeout: seconds in all; None for no end.

        Returns:
            An iterator of events that can be closed, also from another thread.

        Raises:
            WaitTimeout: while iterating: the time was up; the runs go on.
            DuvoError: while iterating: a run cannot be read.
        """
        from .._watch.watch import Watch

        return Watch(self._client, runs, messages=messages, timeout=timeout)

    def as_completed(
        self,
        runs: Iterable[Run | str],
        *,
        timeout: float | None = None,
        on_request: OnRequest = None,
        answers: Answers | None = None,
    ) -> Completed:
        """Runs as they end, each with its `answer` and `failure`.

        Reads as `watch` does, and the last messages of each run that ended.

        Args:
            runs: runs, or their ids; one that is given twice comes once.
            timeout: seconds in all; None for no end.
            on_request: as in `Run.wait`, for each of them.
            answers: as in `Run.wait`.

        Returns:
            An iterator of runs that can be closed, also from another thread.

        Raises:
            WaitTimeout: while iterating: the time was up; the runs go on.
            HumanRequestPending: while iterating: nothing here may answer what a run asks.
            DuvoError: while iterating: a run cannot be read.
        """
        from .._watch.watch import Completed

        return Completed(
            self._client, runs, timeout=timeout, on_request=on_request, answers=answers
        )

    def wait_all(
        self,
        runs: Iterable[Run | str],
        *,
        timeout: float | None = None,
        on_request: OnRequest = None,
        answers: Answers | None = None,
        check: bool = False,
    ) -> builtins.list[Run]:
        """Wait until all runs have ended, and return them in the order given.

        Args:
            runs: runs, or their ids.
            timeout: seconds in all; None waits for as long as it takes.
            on_request: as in `Run.wait`, for each of them.
            answers: as in `Run.wait`.
            check: raise when one of them did not complete, once all have ended.

        Raises:
            WaitTimeout: the time was up; the runs go on.
            HumanRequestPending: nothing here may answer what a run asks.
            RunFailed: with `check`: the first that failed.
            RunStopped: with `check`: the first that was stopped.
            DuvoError: a run cannot be read.
        """
        from .._run import waiting
        from .._watch.watch import handles

        waited = handles(self._client, runs)
        for _ in self.as_completed(waited, timeout=timeout, on_request=on_request, answers=answers):
            pass
        if check:
            for run in waited:
                waiting.check(run)
        return waited

    def map(
        self,
        agent: str,
        inputs: Iterable[Any],
        *,
        concurrency: int = 20,
        on_request: OnRequest = None,
        answers: Answers | None = None,
        message: Callable[[Any], str] | None = None,
        key: str | Callable[[Any], str] | None = None,
        journal: str | os.PathLike[str] | None = None,
        executor: Executor | None = None,
    ) -> Results:
        """Start a run for each input, and give `(input, run)` as the runs end.

        Starts by `POST /v2/teams/{team}/runs`, and reads as `as_completed` does.
        With a journal it may be ended at any moment, and the same call goes on:
        every input comes to exactly one run.

        Args:
            agent: the agent's id, or its exact name.
            inputs: anything JSON; they are taken as runs can be started, by
                whoever iterates over the results.
            concurrency: runs that may be at work at once; one that waits for a
                human is at work.
            on_request: as in `Run.wait`, for each run; with `"raise"` what
                nothing may answer is raised at the end. A callable is called
                in one of at most 8 threads, or where the executor works.
            answers: as in `Run.wait`.
            message: makes the start message of an input; None: a string is the
                message, anything else is it as JSON.
            key: makes the text that says what makes two inputs the same one, or
                names the field that has it; None: each is an input of its own.
            journal: a file that is made where it is missing. It keeps what
                became of each input; one process uses it at a time.
            executor: where callables decide and answers are read: threads by
                default, or any other executor, which is not shut down. Where a
                worker may be lost (Dask), a callable may be asked again about
                what was not yet replied to. Runs are started from here.

        Returns:
            An iterator of pairs in the order of the runs' ends. Runs that an
            earlier call had finished come too.

        Raises:
            ConfigError: an argument cannot work.
            JournalError: the journal cannot be used.
            NotFound: there is no such agent.
            MapIncomplete: while iterating, at the end: some inputs have no finished run.
            DuvoError: while iterating: runs can be neither started nor read.
        """
        from .._batch.map import Results

        return Results(
            self._client,
            agent,
            inputs,
            concurrency=concurrency,
            on_request=on_request,
            answers=answers,
            message=message,
            key=key,
            journal=journal,
            executor=executor,
        )

    @property
    def _path(self) -> str:
        return paths.runs(self._client.team_id)


class RunList:
    """Runs, read a page at a time as they are wanted.

    Attributes:
        total: how many there are in all, as last told, or None.
        more: whether a limit cut the list.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        params: list[tuple[str, str]],
        status: str | None,
        sort_order: str,
        limit: int | None,
        offset: int,
    ):
        self._client = client
        self._newest_first = sort_order == "desc"
        self._limit = limit
        self._offset = offset
        # The server may call a stopped run by either word, and take either as a filter.
        words = ("interrupted", "stopped") if status in ("stopped", "interrupted") else (status,)
        merged = len(words) > 1
        self._pages = [
            Pages(
                client._transport,
                path,
                "data",
                params=params if word is None else [*params, ("status", word)],
                limit=None if merged else limit,
                offset=0 if merged else offset,
            )
            for word in words
        ]
        self._cut = False
        self._overlap = False
        self._runs = self._merged() if merged else self._plain(self._pages[0])

    @property
    def total(self) -> int | None:
        """How many there are in all, as far as was read, or None."""
        totals = [pages.total for pages in self._pages if pages.total is not None]
        if not totals:
            return None
        # Two words that find the same runs are one word to this server.
        return max(totals) if self._overlap else sum(totals)

    @property
    def more(self) -> bool:
        """Whether a limit cut the list."""
        return self._cut or any(pages.more for pages in self._pages)

    def __iter__(self) -> Iterator[Run]:
        return self._runs

    def __next__(self) -> Run:
        return next(self._runs)

    def _plain(self, items: Iterator[dict[str, Any]] | Pages) -> Iterator[Run]:
        for raw in items:
            wire.run(raw)
            yield Run(self._client, raw["id"], raw, listed=True)

    def _merged(self) -> Iterator[Run]:
        both = heapq.merge(
            *(_unless_refused(pages) for pages in self._pages),
            key=lambda raw: str(raw.get("created_at")),
            reverse=self._newest_first,
        )
        passed = given = 0
        last: set[str] = set()
        for raw in both:
            if raw["id"] in last:
                self._overlap = True
                continue
            if wire.run(raw)["status"] != "stopped":
                continue
            last = {raw["id"]} if len(last) > 200 else last | {raw["id"]}
            if passed < self._offset:
                passed += 1
                continue
            if given == self._limit:
                self._cut = True
                return
            given += 1
            yield Run(self._client, raw["id"], raw, listed=True)


def _unless_refused(pages: Pages) -> Iterator[dict[str, Any]]:
    try:
        yield from pages
    except _errors.InvalidRequest:
        return


def _moment(since: datetime | str) -> str:
    from .._models import times

    moment = times.timestamp(since) if isinstance(since, str) else since
    if moment is None:
        raise _errors.ConfigError(f"{since!r} is no time such as 2026-01-31T12:00:00Z")
    from datetime import timezone

    try:
        return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError):
        raise _errors.ConfigError(f"{since!r} is too far away for a time") from None
