"""`duvo runs start-many`: start a run for each row of a file."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import duvo

from ...batch import executors, outputs
from ...errors import CommandFailed, UsageError
from ...input import text
from ...output import json, terminal
from ...parser import Parser, count, identifier
from ...replying import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from duvo._tables.start_message import Key, StartMessage
    from duvo._tables.table import Table

_COMMAND = "runs start-many"
_SHOWN_BY_DRY_RUN = 5


def register(parser: Parser) -> None:
    parser.add_argument(
        "--agent",
        required=True,
        type=identifier,
        metavar="AGENT",
        help="the agent's id or name",
    )
    parser.add_argument(
        "--input",
        required=True,
        metavar="FILE",
        help="CSV with a header (.csv) or JSON (.json, .jsonl); - reads either from stdin",
    )
    parser.add_argument(
        "--delimiter",
        type=_delimiter,
        metavar="C",
        help="the character between the columns of a CSV, or tab (found out from its content)",
    )
    parser.add_argument(
        "--message-template",
        metavar="TEXT",
        help="the message, where {column} stands for a row's text (by default the column "
        "message, or else the row as JSON); - reads stdin, @FILE reads a file",
    )
    parser.add_argument(
        "--key",
        metavar="COLUMN",
        help="the column that identifies a row: rows with the same text share a run; by default "
        "each row has its own, and is identified by its content",
    )
    parser.add_argument(
        "--concurrency",
        type=partial(count, least=1),
        default=20,
        metavar="N",
        help="maximum number of unfinished runs (20)",
    )
    parser.add_argument(
        "--journal",
        metavar="FILE",
        help="the file that records each row's run (the input's name and .duvo-journal)",
    )
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="start a new run for each row whose run failed or was stopped, by the journal",
    )
    parser.add_argument(
        "--output",
        type=outputs.output_name,
        metavar="FILE",
        help="the file for the results: a .csv, written at the end in the order of the input, or a "
        ".jsonl, to which each is appended (-: JSON lines on stdout)",
    )
    parser.add_argument(
        "--executor",
        type=executors.executor_name,
        default="threads",
        metavar="WHERE",
        help="where requests are answered and results are read: threads (the default), or "
        "dask:ADDRESS of a scheduler",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show the first messages, and start nothing"
    )
    options.add_options(parser, asks=False)
    parser.explain(
        "Every row gets exactly one run, even if the command is killed: the same command\n"
        "continues from its journal, and starts rows that were added to the file since.\n"
        "All rows are checked before the first run is started.",
        examples=r"""
duvo runs start-many --agent "Invoice approver" --input invoices.csv --dry-run \
    --message-template 'Process {number} of {supplier}'
duvo runs start-many --agent "$AGENT_ID" --input invoices.csv --key number \
    --on-request approve --output results.csv
generate | duvo runs start-many --agent "$AGENT_ID" --input - --journal tonight.journal
""",
        notes="A CSV has the input's columns, then status, answer, failure and run_id. It is\n"
        "written whole at the end, at Ctrl-C and at a failure.\n"
        'A line of JSON is {"index": …, "key": …, "input": …, "run": …, "answer": …,\n'
        '"failure": …}. It is written once: to a .jsonl unless that file already has it,\n'
        "to stdout unless an earlier command with the same journal has written it.",
    )


def run(args: Namespace) -> int:
    from duvo._tables.start_message import Key
    from duvo._tables.table import Table

    if args.input == "-" and args.journal is None and not args.dry_run:
        raise UsageError("--input - needs --journal", _COMMAND)
    if args.jq is not None and args.output not in (None, "-") and not args.dry_run:
        raise UsageError("--jq filters what is printed; leave out --jq, or --output", _COMMAND)
    message = _message(args)
    key = None if args.key is None else Key(args.key)
    columns = [*message.columns, *([args.key] if args.key is not None else [])]
    stream = text.stdin() if args.input == "-" else None
    name = "stdin" if stream else args.input
    with Table(name, stream, columns=columns, delimiter=args.delimiter) as table:
        if not table.is_plain and args.delimiter is None:
            terminal.say(f"reading {table.name} as {table.format.description}")
        total = _checked(table, message, key, has_delimiter=args.delimiter is not None)
        if not total:
            terminal.say(f"{table.name} has no rows; nothing was started")
            return 0
        if args.dry_run:
            return _show(table, message, key, total, args)
        from ...batch import run

        return run.run(args, table, message, key, total, _journal(args, table))


def _delimiter(text: str) -> str:
    character = "\t" if text in ("tab", r"\t") else text
    if len(character) != 1 or character in '"\r\n' or not character.isascii():
        raise ArgumentTypeError(f"{text!r} is not one character that can separate columns")
    return character


def _message(args: Namespace) -> StartMessage:
    from duvo._tables.start_message import StartMessage

    template = args.message_template
    if template is not None:
        template = text.text_of(template)
    try:
        return StartMessage(template)
    except duvo.ConfigError as error:
        raise UsageError(f"--message-template: {error}", _COMMAND) from None


def _checked(table: Table, message: StartMessage, key: Key | None, *, has_delimiter: bool) -> int:
    """The number of runs that the rows make; `has_delimiter`: --delimiter was given."""
    from duvo._tables.check import BadRows, check

    try:
        rows, runs = check(table, message, key)
    except BadRows as error:
        for line in error.details:
            terminal.say(line)
        columns = [*message.columns, *([key.column] if key else [])]
        hint = "" if has_delimiter else _hint(table, columns)
        raise CommandFailed(f"{error}; nothing was started{hint}") from None
    if runs < rows:
        terminal.say(
            f"{rows - runs} of {rows} rows repeat the key of an earlier row, and share its run"
        )
    return runs


def _hint(table: Table, columns: list[str]) -> str:
    """What to do about a CSV that seems to have a single column, and lacks one of these."""
    from duvo._tables.rows import BadRow, Row

    if table.format.kind != "csv":
        return ""
    first = next(table.rows(), None)
    if isinstance(first, BadRow) and first.is_undecodable:
        return ""
    row = next((row for row in table.rows() if isinstance(row, Row)), None)
    if row is not None and (len(row.value) > 1 or {*columns} <= {*row.value}):
        return ""
    return "; if another character separates its columns, --delimiter names it"


def _journal(args: Namespace, table: Table) -> Path:
    if args.journal is not None:
        return Path(args.journal)
    if table.file is None:
        raise UsageError(f"{table.name} is not a regular file; give --journal", _COMMAND)
    return table.file.with_name(f"{table.file.name}.duvo-journal")


def _show(table: Table, message: StartMessage, key: Key | None, total: int, args: Namespace) -> int:
    for index, row, row_key in islice(_to_start(table, key), _SHOWN_BY_DRY_RUN):
        message_text = message(row)
        if args.json:
            json.print_row({"index": index, "key": row_key, "input": row, "message": message_text})
        else:
            terminal.write(f"{index}: {terminal.harmless(message_text)}")
    part = f"the first {_SHOWN_BY_DRY_RUN} of {total} messages; "
    terminal.say(f"{part if total > _SHOWN_BY_DRY_RUN else ''}nothing was started")
    return 0


def _to_start(table: Table, key: Key | None) -> Iterator[tuple[int, Any, str | None]]:
    """The rows that get a run of their own, with index and key."""
    keys = set()
    for index, row in enumerate(table.values()):
        row_key = None if key is None else key(row)
        if row_key is None or row_key not in keys:
            keys.add(row_key)
            yield index, row, row_key
