"""`duvo serve`: serve agents to other machines, as a long-running server."""

from __future__ import annotations

import signal
from argparse import Namespace
from functools import partial

from duvo import local

from ..engine import log
from ..engine.server import default_database, port, say_stopping, serving, show
from ..engine.service import READY, STOPPING, ServiceManager
from ..engine.signals import Signals
from ..engine.stdout import kept_from_agents
from ..errors import CommandFailed, UsageError
from ..parser import Parser

_ENDING = (signal.SIGINT, signal.SIGTERM)
_RELOADING = getattr(signal, "SIGHUP", None)


def register(parser: Parser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE.py", help="a file with agents")
    parser.add_argument(
        "--keys-file", required=True, metavar="FILE", help="the accepted keys, one per line"
    )
    parser.add_argument(
        "--database",
        metavar="FILE|URL",
        help="an SQLite file, or postgresql://… (serve.sqlite in the state directory)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="the address to listen on (127.0.0.1)"
    )
    parser.add_argument("--port", type=port, metavar="N", help="the port (7411)")
    parser.add_argument("--tls-cert", metavar="FILE", help="the certificate, in PEM format")
    parser.add_argument("--tls-key", metavar="FILE", help="the certificate's key, in PEM format")
    parser.add_argument(
        "--insecure", action="store_true", help="allow plain HTTP to other machines"
    )
    parser.add_argument(
        "--quiet", action="store_true", help="of what happens to runs, log failures only"
    )
    parser.add_argument(
        "--log-format",
        choices=log.FORMATS,
        default="text",
        help="the format of the log on stderr (text)",
    )
    variables = parser.read_environment("DUVO_SERVE_")
    parser.explain(
        "Serves the agents of the files until SIGTERM or Ctrl-C. Unfinished runs\n"
        "continue at the next start. Several servers can share one PostgreSQL database\n"
        "and its runs: see the page on several machines in the documentation.\n\n"
        "Clients may use any key in the file. Only its owner may have access to the file\n"
        "(chmod 600); if it belongs to root, its group may read it (chmod 640). It may be\n"
        "a pipe. Blank lines and lines that begin with # are ignored. SIGHUP reloads the\n"
        "keys and the certificate.\n\n"
        "/health is for load balancers and /metrics for Prometheus; /metrics needs a key\n"
        "unless the server listens on loopback only.",
        examples="""
duvo serve agents.py --keys-file keys.txt
duvo serve agents.py --keys-file keys.txt --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
duvo serve agents.py --keys-file keys.txt --database postgresql://duvo@db.internal/duvo
""",
        notes=f"options by environment variables:\n{variables.help()}\n\n"
        "An option on the command line takes precedence, and an empty variable counts as\n"
        "not set. 1 stands for an option without a value, and 0 for its absence.\n\n"
        "As a service of systemd with Type=notify, the server reports when it is ready.",
    )


def run(args: Namespace) -> int:
    try:
        if (args.tls_cert is None) != (args.tls_key is None):
            raise UsageError("--tls-cert and --tls-key go together", "serve")
        log.show(debug=args.debug, quiet=args.quiet, timed=args.log_format)
        with kept_from_agents():
            return _serve(args)
    except CommandFailed as error:
        if not args.variables:
            raise
        names = ", ".join(args.variables)
        raise CommandFailed(f"{error} (set in the environment: {names})", error.code) from None


def _serve(args: Namespace) -> int:
    # Before any program is started.
    manager = ServiceManager()
    signals = Signals()
    with serving(partial(_make, args), signals, ended_by=_ENDING) as server:
        facts = [
            ("Address", server.base_url),
            ("Keys", str(server.key_file)),
            ("Database", server.database),
        ]
        reloads = "; SIGHUP reloads the keys" if _RELOADING is not None else ""
        show(args, server, facts, [f"Ctrl-C stops it{reloads}."])
        manager.report(READY)
        while signals.wait() == _RELOADING:
            _reload(server, "the keys and the certificate" if args.tls_cert else "the keys")
        manager.report(STOPPING)
        if server.failure is not None:
            return 1
        say_stopping("unfinished runs stay as they are")
    return 0


def _make(args: Namespace) -> local.Server:
    return local.Server(
        local.AgentFiles(args.files).load(),
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


def _reload(server: local.Server, what: str) -> None:
    try:
        server.read_again()
    except local.EngineError as error:
        log.server.warning("%s; keeping %s as before", log.text_of(error), what)
    else:
        log.server.info("reloaded %s", what)
