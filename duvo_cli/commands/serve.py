"""`duvo serve`: serve agents to other machines, by a server that stays."""

from __future__ import annotations

import queue
import signal
from functools import partial

from ..engine.server import (
    agents_of,
    as_json,
    as_lines,
    check_port,
    default_database,
    serving,
    stop,
)
from ..errors import UsageError
from ..output import logs, terminal
from ..parser import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from duvo.local import Server

    from ..parser import Parser

_ENDING = (signal.SIGINT, signal.SIGTERM)


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument("files", nargs="+", metavar="FILE.py", help="a file with agents")
    parser.add_argument(
        "--keys-file", required=True, metavar="FILE", help="the keys it accepts, one a line"
    )
    parser.add_argument(
        "--database",
        metavar="FILE|URL",
        help="SQLite file, or postgresql://… (serve.sqlite in the state folder)",
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="address (127.0.0.1)")
    parser.add_argument("--port", type=count, metavar="N", help="port (7411)")
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate, in the PEM format")
    parser.add_argument("--tls-key", metavar="FILE", help="its key, in the PEM format")
    parser.add_argument(
        "--insecure", action="store_true", help="plain HTTP beyond this machine too"
    )
    parser.explain(
        "Serves the agents of the files until it is told to end by SIGTERM or Ctrl-C.\n"
        "Runs outlive it. Several servers may share one PostgreSQL database and its\n"
        "runs: see the page on several machines in the documentation.\n\n"
        "Every key in the file opens it. Only its owner may read the file (chmod 600);\n"
        "blank lines and lines that begin with # are left out. On SIGHUP the keys and\n"
        "the certificate are read again.\n\n"
        "/health answers load balancers, /metrics Prometheus; the latter asks for a key\n"
        "unless the server is on loopback alone.",
        examples="""
duvo serve agents.py --keys-file keys.txt
duvo serve agents.py --keys-file keys.txt --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
duvo serve agents.py --keys-file keys.txt --database postgresql://duvo@db.internal/duvo
""",
    )


def run(args: argparse.Namespace) -> int:
    """Serve; returns the exit code."""
    check_port(args, "serve")
    if (args.tls_cert is None) != (args.tls_key is None):
        raise UsageError("serve: --tls-cert and --tls-key go together", "serve")
    logs.show(debug=args.debug)
    told: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (*_ENDING, signal.SIGHUP):
        signal.signal(number, lambda number, frame: told.put(number))
    with serving(partial(_made, args), ended_by=_ENDING) as server:
        _tell(server, args)
        while told.get() == signal.SIGHUP:
            _read_again(server, "the keys and the certificate" if args.tls_cert else "the keys")
        stop("runs that have not ended stay as they are")
    return 0


def _made(args: argparse.Namespace) -> Server:
    from duvo import local

    return local.Server(
        agents_of(args.files),
        examples=False,
        database=args.database or default_database("serve"),
        host=args.host,
        port=local.DEFAULT_PORT if args.port is None else args.port,
        keys_file=args.keys_file,
        tls_cert=args.tls_cert,
        tls_key=args.tls_key,
        insecure=args.insecure,
        monitoring=True,
    )


def _read_again(server: Server, what: str) -> None:
    from duvo import local

    try:
        server.read_again()
    except local.EngineError as error:
        terminal.say(f"{error}; what was read before still holds")
    else:
        terminal.say(f"{what} were read again")


def _tell(server: Server, args: argparse.Namespace) -> None:
    if args.json:
        from ..output import json

        json.print_line(as_json(server))
        return
    lines = as_lines(
        server,
        [
            ("Address", server.base_url),
            ("Keys", str(server.key_file)),
            ("Database", server.database),
        ],
    )
    terminal.write("\n".join([*lines, "", "Ctrl-C stops it; SIGHUP reads the keys again."]))
