"""Carrying a batch to its end: progress, results as they come, and what came of it all."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack

import duvo

from ..client import client_of
from ..errors import CommandFailed, Interrupted, UsageError
from ..output import logs, terminal
from ..output.status_line import StatusLine
from . import notice
from .executors import executor_of
from .progress import Rate, line
from .results_file import ResultsFile
from .summary import Summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from pathlib import Path
    from typing import Any

    from duvo import Result, Results

    from .source import RowInput
    from .start_message import Key, StartMessage

_ON_REQUEST: dict[str | None, Any] = {
    None: notice.leave,
    "leave": notice.leave,
    "fail": "raise",
}


def run(
    args: argparse.Namespace,
    source: RowInput,
    message: StartMessage,
    key: Key | None,
    total: int,
    journal: Path,
) -> int:
    """Start a run for each row, and write what comes of it.

    Args:
        args: the command line.
        source: the rows, found good.
        message: makes each one's message.
        key: makes each one's key, or None.
        total: how many runs there will be.
        journal: the file that keeps what became of each row.

    Returns:
        The exit code.

    Raises:
        DuvoError: runs can be neither started nor read, or the journal cannot be used.
        Interrupted: Ctrl-C.
    """
    summary = Summary()
    with ExitStack() as stack:
        output = None
        if args.output not in (None, "-"):
            _check_output(args.output, source, journal)
            output = stack.enter_context(ResultsFile(args.output))
        elif sys.stdout is None:
            raise CommandFailed("stdout is closed, and the results would be lost; give --output")
        client = stack.enter_context(client_of(args))
        logs.leave_replies_out()
        executor = stack.enter_context(executor_of(args.executor))
        goes_on = journal.exists()
        results = client.runs.map(
            args.agent,
            source.values(),
            concurrency=args.concurrency,
            on_request=_ON_REQUEST.get(args.on_request, args.on_request),
            answers=args.answer,
            message=message,
            key=key,
            journal=journal,
            executor=executor,
        )
        stack.enter_context(results)
        if goes_on:
            _tell_changes(results, source, journal)
        if args.on_request in (None, "leave"):
            stack.enter_context(notice.told_once(results, args))
        try:
            _gather(results, total, output, summary)
        except duvo.MapIncomplete as error:
            _add_failures(error, key, summary)
        except KeyboardInterrupt:
            raise Interrupted(f"detached; {_how_to_go_on(results, journal)}") from None
        except (duvo.DuvoError, CommandFailed):
            _tell(summary)
            terminal.say(_how_to_go_on(results, journal))
            raise
    _tell(summary)
    return summary.exit_code


def _gather(results: Results, total: int, output: ResultsFile | None, summary: Summary) -> None:
    rate = Rate(time.monotonic())
    done = 0

    def describe() -> str:
        return line(results.progress, total, rate.note(time.monotonic(), done))

    with StatusLine(describe):
        # A result counts as handed out when the next one is asked for.
        for result in results:
            _write(result, output)
            done += not result.delivered
            run = result.run
            why = _failure_of(run) if run.status == "failed" else ""
            summary.add(run.status, result.index, result.key or "", run.id, why)


def _write(result: Result, output: ResultsFile | None) -> None:
    from ..output import json

    run = result.run
    if output is not None:
        if not output.has(run.id):
            output.write(run.id, _document(result))
    elif not result.delivered:
        json.print_line(_document(result))


def _document(result: Result) -> dict[str, object]:
    try:
        answer = result.run.answer
    except duvo.NotLoaded:
        answer = None
    return {
        "index": result.index,
        "key": result.key,
        "input": result.input,
        "run": result.run.to_dict()["run"],
        "answer": answer,
    }


def _failure_of(run: duvo.Run) -> str:
    try:
        return run.failure or ""
    except duvo.NotLoaded:
        return ""


def _add_failures(error: duvo.MapIncomplete, key: Key | None, summary: Summary) -> None:
    for index, row, why in error.failures:
        of_key = "" if key is None else key(row)
        if isinstance(why, duvo.HumanRequestPending):
            run_id = why.run.id if why.run is not None else ""
            title = why.request.title if why.request is not None else ""
            summary.add("waiting", index, of_key, run_id, title)
        else:
            summary.add("not done", index, of_key, "", str(why))


def _tell_changes(results: Results, source: RowInput, journal: Path) -> None:
    changes = results.compare(source.values())
    parts = []
    if changes.new == 1:
        parts.append("1 row has no run yet, and is started")
    elif changes.new:
        parts.append(f"{changes.new} rows have no run yet, and are started")
    if changes.gone == 1:
        parts.append("1 row is gone")
    elif changes.gone:
        parts.append(f"{changes.gone} rows are gone")
    told = f": {'; '.join(parts)}" if parts else ""
    if changes.known or changes.gone:
        terminal.say(f"going on from {journal}{told}")


def _tell(summary: Summary) -> None:
    terminal.write_aside(summary.lines(terminal.width(sys.stderr)))


def _how_to_go_on(results: Results, journal: Path) -> str:
    at_work = results.progress.running + results.progress.waiting
    runs = "1 run goes on" if at_work == 1 else f"{at_work} runs go on"
    return f"{runs}: the same command goes on with them from {journal}"


def _check_output(output: str, source: RowInput, journal: Path) -> None:
    from pathlib import Path

    given = Path(output).resolve()
    taken = {journal.resolve(), *([source.file.resolve()] if source.file is not None else [])}
    if given in taken:
        raise UsageError(
            f"runs start-many: {output!r} is another of its files; give another --output",
            "runs start-many",
        )
