"""`duvo api`: send any request to the API."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

import duvo

from ..client import client_of
from ..errors import CommandFailed, UsageError
from ..input import fields, text
from ..output import json, terminal
from ..parser import Parser

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def register(parser: Parser) -> None:
    parser.add_argument(
        "method",
        nargs="?",
        metavar="METHOD",
        help="GET, POST, PUT, PATCH, DELETE, … (GET, or POST with fields or --input)",
    )
    parser.add_argument("path", metavar="PATH", help="such as /v2/teams/{teamId}/runs")
    parser.add_argument(
        "-f",
        "--field",
        action="append",
        default=[],
        type=fields.text_field,
        dest="fields",
        metavar="KEY=TEXT",
        help=f"a text field; KEY[] adds to an array; {text.ALSO}",
    )
    parser.add_argument(
        "-F",
        "--typed-field",
        action="append",
        default=[],
        type=fields.typed_field,
        dest="fields",
        metavar="KEY=VALUE",
        help="a field that is true, false, null, a number, @FILE or - (stdin) with JSON, or else "
        "text",
    )
    parser.add_argument("--input", metavar="FILE", help="the JSON body; - reads stdin")
    parser.add_argument("--paginate", action="store_true", help="fetch all pages as one document")
    parser.add_argument("-i", "--include", action="store_true", help="print status and headers too")
    parser.explain(
        "Prints the API's response unchanged, error responses too, which --jq does not\n"
        "filter. {teamId} in the path is replaced by the team. Fields are the query of GET\n"
        "and HEAD, and the JSON body of other methods.",
        examples="""
duvo api /v2/teams
duvo api GET '/v2/teams/{teamId}/runs' -f status=waiting --paginate
duvo api POST "/v2/runs/$RUN_ID/messages" -f message=Hello
""",
    )


def run(args: Namespace) -> int:
    method = _method(args)
    if not method.isascii() or not method.isalpha():
        raise UsageError(f"{args.method!r} is not an HTTP method", "api")
    reads = method in ("GET", "HEAD")
    if args.paginate and (method != "GET" or args.include):
        raise UsageError("--paginate goes with GET, and without --include", "api")
    sends_query = reads or args.input is not None
    try:
        fields.check([*(_in_query(args.path) if sends_query else ()), *args.fields])
    except ValueError as error:
        raise UsageError(str(error), "api") from None
    body = _body(args, reads=reads)
    params = fields.query(args.fields) if sends_query else []
    with client_of(args) as client, _printing_refusals(args):
        if args.paginate:
            json.print_document(client.paginate(args.path, params=params))
            return 0
        response = client.request(method, args.path, params=params, body=body)
    if args.include:
        _print_head(response)
    if args.jq is not None or terminal.is_terminal(sys.stdout):
        if response.data is not None:
            json.print_document(response.data)
    elif sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(response.content)
        sys.stdout.buffer.flush()
    return 0


def _method(args: Namespace) -> str:
    if args.method is not None:
        return str(args.method).upper()
    if args.path.upper() in _METHODS:
        raise UsageError("give PATH", "api")
    sends = (args.fields or args.input is not None) and not args.paginate
    return "POST" if sends else "GET"


def _in_query(path: str) -> list[tuple[str, str]]:
    """The fields in a path's query. One that is repeated is a list, and counts once."""
    return list(dict(parse_qsl(path.partition("?")[2], keep_blank_values=True)).items())


@contextmanager
def _printing_refusals(args: Namespace) -> Iterator[None]:
    """Print error responses too; --jq is for the documents of other responses."""
    try:
        yield
    except duvo.APIError as error:
        if args.include:
            _print_head(error)
        if error.body is not None:
            json.print_unfiltered(error.body)
        raise


def _print_head(response: duvo.Response | duvo.APIError) -> None:
    head = [f"HTTP {response.status}"]
    head += [f"{name}: {value}" for name, value in response.headers.items()]
    terminal.write("\n".join(terminal.in_one_line(line) for line in head) + "\n")


def _body(args: Namespace, *, reads: bool) -> bytes | None:
    if args.input is None:
        return fields.document(args.fields) if args.fields and not reads else None
    if reads:
        raise UsageError("--input does not go with GET and HEAD", "api")
    data = text.stdin().read() if args.input == "-" else text.read_file(args.input)
    try:
        return fields.checked_json(data)
    except ValueError as error:
        source = "stdin" if args.input == "-" else args.input
        raise CommandFailed(f"{source} is not JSON: {error}") from None
