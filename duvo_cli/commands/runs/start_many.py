"""`duvo runs start-many`: a run for each row of a file."""

from __future__ import annotations

import argparse
import contextlib
from itertools import islice
from pathlib import Path

from ...batch import executors
from ...errors import UsageError
from ...output import terminal
from ...replying import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...batch.source import RowInput
    from ...batch.start_message import Key, StartMessage
    from ...batch.template import MessageTemplate
    from ...parser import Parser

_COMMAND = "runs start-many"
_SHOWN_BY_DRY_RUN = 5


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("--agent", required=True, metavar="AGENT", help="its id or exact name")
    parser.add_argument(
        "--input",
        required=True,
        metavar="FILE",
        help="CSV with a header (.csv) or JSON lines (.jsonl); - reads stdin, either of them",
    )
    parser.add_argument(
        "--message-template",
        metavar="TEXT",
        help="the message, with {column} where a row's text goes; without it the column "
        "message, or else the row as JSON",
    )
    parser.add_argument(
        "--key",
        metavar="COLUMN",
        help="rows with the same text there are one; without it a row is its content, and how "
        "many equal ones came before it",
    )
    parser.add_argument(
        "--concurrency", type=_above_0, default=20, metavar="N", help="runs at work at once (20)"
    )
    parser.add_argument(
        "--journal", metavar="FILE", help="what became of each row (the input's .duvo-journal)"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="append the results there, not to stdout (-)"
    )
    parser.add_argument(
        "--executor",
        type=executors.executor_name,
        default="threads",
        metavar="WHERE",
        help="where decisions are made and results are read: threads (the default), or "
        "dask:ADDRESS of a scheduler",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show the first messages, and start nothing"
    )
    options.add_options(parser, asks=False)
    parser.explain(
        "Every row comes to one run, whatever happens: ended at any moment, the same\n"
        "command goes on from its journal, and rows that were added to the file since are\n"
        "started. All rows are looked at before the first run is started.",
        examples=r"""
duvo runs start-many --agent "Invoice approver" --input invoices.csv --dry-run \
    --message-template 'Process {number} of {supplier}'
duvo runs start-many --agent "$AGENT_ID" --input invoices.csv --key number \
    --on-request approve --output results.jsonl
generate | duvo runs start-many --agent "$AGENT_ID" --input - --journal tonight.journal
""",
        notes='A result is {"index": …, "key": …, "input": …, "run": …, "answer": …}, one a line.\n'
        "It is written once: to --output unless it stands there, to stdout unless an earlier\n"
        "call with the same journal has written it.",
    )


def run(args: argparse.Namespace) -> int:
    """Start them and gather the results; returns the exit code."""
    from ...batch.row_check import check
    from ...batch.source import RowInput
    from ...batch.start_message import Key, StartMessage

    if args.input == "-" and args.journal is None and not args.dry_run:
        raise UsageError(f"{_COMMAND}: --input - needs --journal", _COMMAND)
    message = StartMessage(_template(args))
    key = None if args.key is None else Key(args.key)
    with RowInput(args.input) as source:
        total = check(source, message, key)
        if not total:
            terminal.say(f"{source.name} has no rows; nothing was started")
            return 0
        if args.dry_run:
            return _show(source, message, key, total, args)
        from ...batch import run

        return run.run(args, source, message, key, total, _journal(args, source))


def _template(args: argparse.Namespace) -> MessageTemplate | None:
    if args.message_template is None:
        return None
    from ...batch.template import MessageTemplate

    try:
        return MessageTemplate(args.message_template)
    except ValueError as error:
        raise UsageError(f"{_COMMAND}: --message-template: {error}", _COMMAND) from None


def _journal(args: argparse.Namespace, source: RowInput) -> Path:
    if args.journal is not None:
        return Path(args.journal)
    if source.file is None:
        raise UsageError(f"{_COMMAND}: {source.name} is no file; it needs --journal", _COMMAND)
    return source.file.with_name(f"{source.file.name}.duvo-journal")


def _show(
    source: RowInput,
    message: StartMessage,
    key: Key | None,
    total: int,
    args: argparse.Namespace,
) -> int:
    from ...output import json

    for index, row in enumerate(islice(source.values(), _SHOWN_BY_DRY_RUN)):
        text = message(row)
        if args.json:
            of_key = None if key is None else key(row)
            told = {"index": index, "key": of_key, "input": row, "message": text}
            json.print_line(told)
        else:
            terminal.write(f"{index}: {terminal.harmless(text)}")
    part = f"the first {_SHOWN_BY_DRY_RUN} of {total} messages; "
    terminal.say(f"{part if total > _SHOWN_BY_DRY_RUN else ''}nothing was started")
    return 0


def _above_0(text: str) -> int:
    from ...parser import count

    number = None
    with contextlib.suppress(argparse.ArgumentTypeError):
        number = count(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or above")
    return number
