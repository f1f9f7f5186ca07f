"""Made from _resources/runs.py by docs/async_classes.py; change that file instead."""

from __future__ import annotations

import builtins

from .._http import paths
from .._resources.calls import agent_finder, start_in_time, start_run
from .._run.state import RunState
from .._settings.arguments import checked_timeout
from .._settings.credentials import checked_id
from .._time.clock import Deadline
from .run import AsyncRun, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Callable, Iterable, Sequence
    from datetime import date, datetime
    from typing import Literal

    from .._flow.perform_async import AsyncDriver
    from .._models.types import Answers, AsyncOnRequest
    from .._resources.events import T
    from .iterators import AsyncCompleted, AsyncWatch
    from .results import AsyncResults
    from .run_list import AsyncRunList


class AsyncRuns:
    """The runs of the client's team."""

    def __init__(self, driver: AsyncDriver):
        self._driver = driver

    async def start(
        self,
        agent: str,
        message: str | None = None,
        sandbox_id: str | None = None,
        webhook_url: str | None = None,
    ) -> AsyncRun:
        """Start a run. Sends `POST /v2/teams/{team}/runs`.

        A run is never started twice: a request that may have arrived is retried
        only on a server that is known to honour idempotency keys.

        Args:
            agent: the agent's id, or its name.
            message: the start message.
            sandbox_id: a sandbox whose files the run gets.
            webhook_url: where the server posts the run's events.

        Raises:
            NotFound: no agent has this id or name.
            AmbiguousAgent: several agents have this name.
            OutcomeUnknown: the run may or may not have been started.
            DuvoError: the request failed.
        """
        flow = start_run(self._driver.api, agent, message, sandbox_id, webhook_url, None)
        return AsyncRun(self._driver, await self._driver.run(flow))

    def run(self, run_id: str) -> AsyncRun:
        """Return a run by its id. Sends nothing."""
        return AsyncRun(self._driver, RunState(run_id))

    async def get(self, run_id: str) -> AsyncRun:
        """Read a run. Sends `GET /v2/runs/{id}`.

        Raises:
            NotFound: the run does not exist, or belongs to another team.
            DuvoError: the request failed.
        """
        return await self.run(run_id).refresh()

    async def find(self, prefix: str) -> AsyncRun:
        """Return the run whose id begins with these 4 or more characters.

        Looks at the newest 300 in `GET /v2/teams/{team}/runs`. A whole id sends nothing.

        Raises:
            NotFound: none of these runs has such an id.
            AmbiguousRun: several have; the error has their ids.
        """
        if paths.is_id(checked_id(prefix, "run")):
            return self.run(prefix)
        from .._watch.finding import find_run

        return AsyncRun(self._driver, await self._driver.run(find_run(self._driver.api, prefix)))

    def list(
        self,
        status: str | Sequence[str] | None = None,
        agent: str | None = None,
        since: datetime | date | str | None = None,
        until: datetime | date | str | None = None,
        *,
        user_id: str | None = None,
        case_queue_id: str | None = None,
        source: str | None = None,
        search: str | None = None,
        has_issues: bool | None = None,
        issue_severity: str | None = None,
        completed_since: datetime | date | str | None = None,
        completed_until: datetime | date | str | None = None,
        sort_order: Literal["asc", "desc"] = "desc",
        limit: int | None = None,
        offset: int = 0,
    ) -> AsyncRunList:
        """Return runs, the newest first, read a page at a time from `GET /v2/teams/{team}/runs`.

        Args:
            status: one of a run's statuses or several, or `needs_attention`.
            agent: an agent's id, or its name.
            since: created at or after this time: a text in ISO format, or a date for its
                midnight; without a zone it is local time. The list ends at an older run.
            until: created at or before this time; newer runs are skipped by bisecting.
            user_id: started by this user.
            case_queue_id: for cases of this queue.
            source: started by this source.
            search: matching these words.
            has_issues: whether its evaluation found issues.
            issue_severity: `critical`, `medium` or `low`.
            completed_since: ended at or after this time.
            completed_until: ended at or before this time.
            sort_order: by creation: `desc` or `asc`.
            limit: maximum number of runs.
            offset: number of runs to skip.

        Raises:
            ConfigError: a filter is invalid.
            DuvoError: while iterating: a request failed.
        """
        from .._watch.run_query import RunQuery, filters
        from .run_list import AsyncRunList

        query = RunQuery(
            self._driver.api,
            None if agent is None else agent_finder(self._driver.api, agent),
            filters(
                completed_since,
                completed_until,
                user_id=user_id,
                case_queue_id=case_queue_id,
                source=source,
                search=search,
                has_issues=None if has_issues is None else str(has_issues).lower(),
                issue_severity=issue_severity,
            ),
            status,
            sort_order,
            limit,
            offset,
            since,
            until,
        )
        return AsyncRunList(self._driver, query)

    def inbox(
        self,
        agent: str | None = None,
        since: datetime | date | str | None = None,
        until: datetime | date | str | None = None,
    ) -> AsyncRunList:
        """Return the runs that wait for a human, each with its `pending_request`, oldest first.

        The API has no call for this: sends `GET /v2/teams/{team}/runs`, and then
        `GET /v2/runs/{id}` once for each. A run that was answered is skipped.

        Args:
            agent: of this agent only: its id, or its name.
            since, until: of runs created in this time, as in `list`.

        Raises:
            DuvoError: while iterating: a request failed.
        """
        from .._watch.inbox import InboxQuery
        from .run_list import AsyncRunList

        find_agent = None if agent is None else agent_finder(self._driver.api, agent)
        query = InboxQuery(self._driver.api, find_agent, since, until)
        return AsyncRunList(self._driver, query)

    async def ask(
        self,
        agent: str,
        message: str | None = None,
        *,
        on_request: AsyncOnRequest = None,
        answers: Answers | None = None,
        timeout: float | None = None,
        check: bool = False,
    ) -> AsyncRun:
        """Start a run, wait for its end, and return it with its `answer`.

        Args:
            agent: the agent's id, or its name.
            message: the start message.
            on_request, answers: as in `AsyncRun.wait`.
            timeout: seconds in all, the start included; None for no deadline.
            check: as in `AsyncRun.wait`.

        Raises:
            DuvoError: as `start` and `AsyncRun.wait` do.
        """
        from .._run.on_request import Responder

        timeout = None if timeout is None else checked_timeout(timeout)
        # Bad arguments are refused before a run is started.
        Responder(on_request, answers, warn=True, may_await=self._driver.may_await)
        deadline = Deadline(self._driver.api.clock, timeout)
        flow = start_in_time(self._driver.api, agent, message, timeout, deadline)
        run = AsyncRun(self._driver, await self._driver.run(flow))
        left = None if timeout is None else max(0.001, deadline.left(timeout))
        return await run.wait(left, on_request, answers, check)

    def watch(
        self,
        runs: Iterable[AsyncRun | str],
        messages: bool = False,
        *,
        timeout: float | None = None,
    ) -> AsyncWatch:
        """Return the events of many runs, as they happen, until all have ended.

        Polls `GET /v2/teams/{team}/runs` in pages of 100 runs. Of a run that
        changed, reads `GET /v2/runs/{id}` and its messages where needed. The
        iterator can be closed, also from another task.

        Args:
            runs: runs, or their ids.
            messages: whether to include the messages of each run, from the first.
            timeout: seconds in all; None for no deadline, 0 to look once.

        Raises:
            WaitTimeout: while iterating: time is up.
            DuvoError: while iterating: a run cannot be read.
        """
        from .iterators import AsyncWatch

        return AsyncWatch(self._driver, runs, messages=messages, timeout=timeout)

    def as_completed(
        self,
        runs: Iterable[AsyncRun | str],
        *,
        timeout: float | None = None,
        on_request: AsyncOnRequest = None,
        answers: Answers | None = None,
    ) -> AsyncCompleted:
        """Return runs as they end, each with its `answer` and `failure`.

        Reads as `watch` does, and the last messages of each run that ended. The
        iterator can be closed, also from another task.

        Args:
            runs: runs, or their ids; duplicates are returned once.
            timeout: seconds in all; None for no deadline, 0 to look once.
            on_request, answers: as in `AsyncRun.wait`, for each run.

        Raises:
            WaitTimeout: while iterating: time is up.
            HumanRequestPending: while iterating: `on_request` does not answer a human request.
            DuvoError: while iterating: a run cannot be read.
        """
        from .iterators import AsyncCompleted

        return AsyncCompleted(
            self._driver, runs, timeout=timeout, on_request=on_request, answers=answers
        )

    async def wait_all(
        self,
        runs: Iterable[AsyncRun | str],
        *,
        timeout: float | None = None,
        on_request: AsyncOnRequest = None,
        answers: Answers | None = None,
        check: bool = False,
    ) -> builtins.list[AsyncRun]:
        """Wait until all runs have ended, and return them in the order given.

        Args:
            runs: runs, or their ids; duplicates are returned as often as given.
            timeout: seconds in all; None waits for as long as it takes, 0 looks once.
            on_request, answers: as in `AsyncRun.wait`, for each run.
            check: once all have ended, raise an error if a run did not complete.

        Raises:
            WaitTimeout: time is up, and runs have not ended or cannot be read.
            HumanRequestPending: `on_request` does not answer a human request.
            RunFailed: with `check`: a run failed.
            RunStopped: with `check`: a run was stopped.
            DuvoError: a run cannot be read.
        """
        from .._run import waiting
        from .iterators import given_runs

        waited = given_runs(self._driver, runs)
        async for _ in self.as_completed(
            waited, timeout=timeout, on_request=on_request, answers=answers
        ):
            pass
        if check:
            for run in waited:
                waiting.check(state_of(run))
        return waited

    def map(
        self,
        agent: str,
        inputs: Iterable[T] | AsyncIterable[T],
        *,
        concurrency: int = 20,
        on_request: AsyncOnRequest = None,
        answers: Answers | None = None,
        message: Callable[[T], str] | None = None,
        key: str | Callable[[T], str] | None = None,
        journal: str | os.PathLike[str] | None = None,
        retry_failed: bool = False,
    ) -> AsyncResults[T]:
        """Start a run for each input, and return `(input, run)` as the runs end.

        Starts by `POST /v2/teams/{team}/runs`, and reads as `as_completed` does.
        With a journal, a batch can be ended at any moment, and the same call
        continues it: every input gets exactly one run.

        Args:
            agent: the agent's id, or its name.
            inputs: JSON values, of an iterable or an async iterable; they are
                taken as runs can be started.
            concurrency: maximum number of unfinished runs at a time, including
                those that wait for a human.
            on_request: as in `AsyncRun.wait`, for each run; with `"raise"`, requests
                that are not answered are raised at the end. A callable may
                be a coroutine function.
            answers: as in `AsyncRun.wait`.
            message: makes the start message of an input; None: text is the
                message itself, any other value is sent as JSON.
            key: makes the key of an input, or names the field that has it;
                inputs with the same key are the same input. None: every input
                is different.
            journal: a file, created if missing, that records the state of each
                input; one process uses it at a time.
            retry_failed: starts inputs again whose runs, by the journal, failed or stopped.

        Returns:
            An iterator of pairs in the order of the runs' ends. Runs that an
            earlier call had finished are included.

        Raises:
            ConfigError: an argument is invalid.
            JournalError: the journal cannot be used.
            NotFound: no agent has this id or name.
            MapIncomplete: while iterating, at the end: some inputs have no finished run.
            DuvoError: while iterating: runs cannot be started or read.
        """
        from .._batch.async_workers import AsyncWorkers
        from .._batch.batch import Batch, check_arguments, checked_file
        from .._batch.inputs import Inputs
        from .results import AsyncResults

        driver = self._driver
        check_arguments(concurrency, on_request, answers, may_await=driver.may_await)
        batch = Batch(
            driver,
            agent_finder(driver.api, agent),
            Inputs(
                inputs, message=message, key=key, has_journal=journal is not None, may_await=True
            ),
            None if journal is None else checked_file(journal),
            concurrency=concurrency,
            on_request=on_request,
            answers=answers,
            retry_failed=retry_failed,
            make_run=lambda state: AsyncRun(driver, state),
        )
        return AsyncResults(batch, AsyncWorkers(driver, batch))

    def __repr__(self) -> str:
        return f"<AsyncRuns {self._driver.api.place}>"
