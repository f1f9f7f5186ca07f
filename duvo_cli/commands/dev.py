"""`duvo dev`: serve agents on this machine, or run one program against them."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

from .. import logs, terminal
from ..errors import CommandFailed, UsageError
from ..parser import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from duvo.local import Server

    from ..parser import Parser

PROFILE = "local"

_LONGEST_TO_CLOSE = 4.0


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.usage = "duvo dev [OPTION …] [FILE.py …] [-- COMMAND …]"
    parser.add_argument("files", nargs="*", metavar="FILE.py", help="a file with agents")
    parser.add_argument("--port", type=count, metavar="N", help="port (7411, or the next free one)")
    parser.add_argument("--database", metavar="FILE|URL", help="SQLite file, or postgresql://…")
    parser.add_argument(
        "--rate-limit", type=count, metavar="N", help="requests a minute (no limit)"
    )
    parser.add_argument("--no-examples", action="store_true", help="without the built-in agents")
    parser.explain(
        "Serves the agents of the files, and built-in examples, until Ctrl-C. Runs\n"
        "outlive it: those that have not ended go on when it starts again. The profile\n"
        f"`{PROFILE}` leads to it from other terminals.\n\n"
        "With -- COMMAND, runs COMMAND against an engine that is thrown away afterwards,\n"
        "with DUVO_API_KEY, DUVO_API_BASE_URL and DUVO_TEAM_ID set, and exits as it does.",
        examples="""
duvo dev
duvo dev agents.py --rate-limit 300
duvo dev -- duvo runs start --agent "Invoice approver" --follow --on-request approve
duvo dev agents.py -- pytest
""",
    )


def run(args: argparse.Namespace) -> int:
    """Serve; returns the exit code."""
    if args.program == []:
        raise UsageError("dev: no COMMAND stands behind --", "dev")
    if args.port is not None and args.port > 65535:
        raise UsageError(f"dev: there is no port {args.port}", "dev")
    logs.show(debug=args.debug)
    if args.program is not None:
        return _run_program(args, args.program)
    return _serve_until_told(args)


def _serve_until_told(args: argparse.Namespace) -> int:
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: told.set())
    database = args.database or _default_database()
    with _serving(args, database, args.port) as server:
        if told.is_set():
            return 0
        _write_profile(server)
        _tell(server, args)
        told.wait()
        terminal.say("stopping; runs that have not ended go on when it starts again")
    return 0


def _run_program(args: argparse.Namespace, program: list[str]) -> int:
    from .. import program as programs

    with programs.forwarding_signals() as signals:
        folder = tempfile.mkdtemp(prefix="duvo-dev-")
        try:
            database = args.database or str(Path(folder) / "engine.sqlite")
            port = 0 if args.port is None else args.port
            with _serving(args, database, port, folder) as server:
                settings = {
                    "DUVO_API_KEY": server.api_key,
                    "DUVO_API_BASE_URL": server.base_url,
                    "DUVO_TEAM_ID": server.team_id,
                }
                return programs.run(program, settings, signals)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(
    args: argparse.Namespace, database: str, port: int | None, folder: str | None = None
) -> Iterator[Server]:
    """A server that stands; a signal before that removes the folder and ends the process."""
    from duvo import local

    from ..early_end import signals_end_the_process

    def clean_up() -> None:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    try:
        with signals_end_the_process(clean_up):
            server = _start(args, database, port)
    except local.EngineError as error:
        raise CommandFailed(str(error)) from None
    try:
        yield server
    finally:
        server.close(_LONGEST_TO_CLOSE)


def _start(args: argparse.Namespace, database: str, port: int | None) -> Server:
    from duvo import local

    agents = [agent for file in args.files for agent in local.load_agents(file)]
    server = local.Server(
        agents,
        database=database,
        port=port,
        rate_limit=args.rate_limit,
        examples=not args.no_examples,
    )
    server.start()
    return server


def _default_database() -> str:
    from duvo import local

    try:
        return str(local.default_database())
    except ImportError as error:
        raise CommandFailed(
            f"the engine needs packages that are missing ({error.name}); "
            'install them: pip install "duvo[local]"'
        ) from None


def _write_profile(server: Server) -> None:
    import duvo
    from duvo import profiles

    try:
        profiles.add(
            PROFILE,
            server.api_key,
            base_url=server.base_url,
            team_id=server.team_id,
            default=False,
        )
    except duvo.ConfigError as error:
        terminal.say(f"the profile {PROFILE!r} could not be saved: {error}")


def _tell(server: Server, args: argparse.Namespace) -> None:
    if args.json:
        from .. import json_output

        json_output.print_line(
            {
                "base_url": server.base_url,
                "api_key": server.api_key,
                "team_id": server.team_id,
                "database": server.database,
                "profile": PROFILE,
                "agents": [{"id": agent.id, "name": agent.name} for agent in server.agents],
            }
        )
        return
    import shlex

    from ..table import fields, table

    first = server.agents[0].name if server.agents else "…"
    start = shlex.join(
        ["duvo", "--profile", PROFILE, "runs", "start", "--agent", first, "--follow"]
    )
    lines = fields(
        [
            ("Address", server.base_url),
            ("Key", server.api_key),
            ("Database", server.database),
            ("Profile", PROFILE),
        ]
    )
    agents = [(agent.name, agent.description or "") for agent in server.agents]
    lines += ["", *table(("AGENT", "WHAT IT DOES"), agents)]
    lines += ["", "In another terminal:", "", f"  {start}", "", "Ctrl-C stops it."]
    terminal.write("\n".join(lines))
