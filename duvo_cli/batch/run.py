"""Runs a batch to its end: starts runs, writes their results, shows progress and a summary."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import duvo
from duvo._tables.start_message import Key, StartMessage
from duvo._tables.table import Table

from .. import reader
from ..client import client_of
from ..detaching import detached
from ..output import logs, run_end, terminal
from ..output.command_line import command_line
from ..output.live import StatusLine
from ..output.times import length
from . import notice
from .executors import executor_of
from .outputs import open_output
from .progress import Rate, ended, line
from .summary import Summary, changes_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .outputs import Output

_ON_REQUEST: dict[str | None, Any] = {None: notice.leave, "leave": notice.leave, "fail": "raise"}


def run(
    args: Namespace,
    table: Table,
    message: StartMessage,
    key: Key | None,
    total: int,
    journal: Path,
) -> int:
    """Start a run for each row of a checked table, write the results, return the exit code."""
    began = time.monotonic()
    summary = Summary()
    with ExitStack() as stack:
        output = stack.enter_context(open_output(args.output, table, journal))
        client = stack.enter_context(client_of(args))
        logs.hide_replies()
        executor = stack.enter_context(executor_of(args.executor))
        continues = journal.exists()
        results = client.runs.map(
            args.agent,
            table.values(),
            concurrency=args.concurrency,
            on_request=_ON_REQUEST.get(args.on_request, args.on_request),
            answers=args.answer,
            message=message,
            key=key,
            journal=journal,
            retry_failed=args.retry_failed,
            executor=executor,
        )
        stack.enter_context(results)
        if continues:
            _say_changes(results, table, journal, retry_failed=args.retry_failed)
        try:
            try:
                with reader.needed(results) if output.is_stdout else nullcontext():
                    _collect(args, results, total, output, summary)
            except duvo.MapIncomplete as error:
                _add_failures(error, key, summary)
            except (KeyboardInterrupt, duvo.DuvoError):
                _save(output, results)
                raise
            output.complete(results)
        except KeyboardInterrupt:
            count = _unfinished(results)
            runs = "1 run" if count == 1 else f"{count} runs"
            raise detached(args, runs, _picks_up(journal), many=count != 1) from None
        except (duvo.DuvoError, OSError) as error:
            _show(summary)
            if isinstance(error, OSError):
                terminal.say(
                    f"results could not be written to {output.name}; they are kept: "
                    f"{_ended(results)}, {_next_steps(results, journal)}"
                )
                raise
            terminal.say(_next_steps(results, journal))
            raise
    _show(summary)
    took = length(time.monotonic() - began)
    terminal.say(
        f"took {took}" if output.is_stdout else f"results are in {output.name}; took {took}"
    )
    return summary.exit_code


def _save(output: Output, results: duvo.Results) -> None:
    """After an interruption or a failure, write what there is."""
    try:
        output.complete(results)
    except (duvo.DuvoError, OSError) as error:
        terminal.say(f"results could not be written to {output.name}: {error}")
    else:
        if not output.is_stdout:
            terminal.say(f"the results so far are in {output.name}")


def _collect(
    args: Namespace, results: duvo.Results, total: int, output: Output, summary: Summary
) -> None:
    places = args.concurrency if args.on_request in (None, "leave") else None
    inbox = command_line(args, "runs", "inbox", "--agent", args.agent)
    rate = Rate(time.monotonic())
    done = 0

    def describe() -> str:
        return line(results.progress, total, rate.update(time.monotonic(), done), places)

    with StatusLine(describe), notice.said(results, total, places, inbox, describe):
        # Asking for the next result marks this one as delivered: it is written first.
        for result in results:
            output.write(result)
            done += not result.delivered
            run = result.run
            why = run_end.if_known(run, "failure") if run.status == "failed" else None
            summary.add(run.status, result.index, result.key or "", run.id, why or "")


def _add_failures(error: duvo.MapIncomplete, key: Key | None, summary: Summary) -> None:
    for index, row, why in error.failures:
        key_text = "" if key is None else key(row)
        if isinstance(why, duvo.HumanRequestPending):
            run_id = why.run.id if why.run is not None else ""
            title = why.request.title if why.request is not None else ""
            summary.add("waiting", index, key_text, run_id, title)
        else:
            summary.add("not done", index, key_text, "", str(why))


def _say_changes(results: duvo.Results, table: Table, journal: Path, *, retry_failed: bool) -> None:
    changes = results.compare(table.values())
    if changes.known or changes.gone:
        words = changes_in_words(changes, retry_failed=retry_failed)
        terminal.say(f"continuing from {journal}: {words}")


def _show(summary: Summary) -> None:
    lines = summary.lines(terminal.width(sys.stderr))
    if lines:
        terminal.write_aside(lines)


def _ended(results: duvo.Results) -> str:
    count = ended(results.progress)
    return "1 run has ended" if count == 1 else f"{count} runs have ended"


def _next_steps(results: duvo.Results, journal: Path) -> str:
    count = _unfinished(results)
    runs = "1 run continues" if count == 1 else f"{count} runs continue"
    return f"{runs}; {_picks_up(journal)}"


def _unfinished(results: duvo.Results) -> int:
    return results.progress.running + results.progress.waiting


def _picks_up(journal: Path) -> str:
    return f"the same command picks up from {journal}"
