"""Where the results of a batch are written: stdout, a file of JSON lines, or a CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duvo

from ..errors import CommandFailed, UsageError
from ..output import json, run_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from duvo._tables.results_file import ResultsFile
    from duvo._tables.table import Table


class Output:
    """A place for results. Both methods do nothing unless overridden.

    Attributes:
        name: the place, for messages.
        is_stdout: whether it is stdout, whose reader may leave.
    """

    name: str
    is_stdout = False

    def write(self, result: duvo.Result) -> None:
        """Write a result, unless it is there already."""

    def complete(self, results: duvo.Results) -> None:
        """Write what needs all results."""


def output_name(text: str) -> str:
    """An argument type: a file of results, or `-`."""
    path = Path(text.strip())
    is_other = path.exists() and not path.is_file()
    if text == "-" or is_other or path.suffix.lower() in (".csv", ".jsonl"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} ends in neither .csv nor .jsonl")


@contextmanager
def open_output(name: str | None, table: Table, journal: Path) -> Iterator[Output]:
    """Open the output for the results of this table's rows; None stands for stdout."""
    if name is None or name == "-":
        if sys.stdout is None:
            raise CommandFailed("stdout is closed, and results would be lost; give --output")
        yield _Stdout()
        return
    path = Path(name).resolve()
    if path in {journal.resolve(), *([table.file.resolve()] if table.file is not None else [])}:
        raise UsageError(
            f"{name!r} is also the input or the journal; give another --output", "runs start-many"
        )
    if path.suffix.lower() == ".csv" and (path.is_file() or not path.exists()):
        from duvo._tables.results_csv import check_csv

        check_csv(name)
        if path.is_file() and path.stat().st_size and not journal.exists():
            raise CommandFailed(
                f"{name!r} has the results of another batch: this one has no journal yet; "
                "use another file"
            )
        yield _CSV(name, table)
    else:
        from duvo._tables.results_file import ResultsFile

        with ResultsFile(name) as file:
            yield _Lines(name, file)


class _Stdout(Output):
    name = "stdout"
    is_stdout = True

    def write(self, result: duvo.Result) -> None:
        if not result.delivered:
            json.print_row(_document(result))


class _Lines(Output):
    def __init__(self, name: str, file: ResultsFile):
        self.name = repr(name)
        self._file = file

    def write(self, result: duvo.Result) -> None:
        if not self._file.has(result.run.id):
            self._file.write(_document(result))


class _CSV(Output):
    """Written at the end, from the input and the journal, which has every result."""

    def __init__(self, name: str, table: Table):
        self.name = repr(name)
        self._file = name
        self._table = table

    def complete(self, results: duvo.Results) -> None:
        kind, delimiter = self._table.format.kind, self._table.format.delimiter
        results.to_csv(
            self._file, self._table.values(), delimiter=delimiter if kind == "csv" else ","
        )


def _document(result: duvo.Result) -> dict[str, Any]:
    return {
        "index": result.index,
        "key": result.key,
        "input": result.input,
        "run": result.run.to_dict()["run"],
        **{name: run_end.if_known(result.run, name) for name in ("answer", "failure")},
    }
