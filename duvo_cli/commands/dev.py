"""`duvo dev`: serve agents on this machine, or run one program against them."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from argparse import Namespace
from functools import partial
from pathlib import Path

import duvo
from duvo import local

from ..detaching import ENGINE, KEPT, TEMPORARY
from ..engine import log, reloading
from ..engine.server import default_database, port, say_stopping, serving, show
from ..engine.signals import Signals
from ..engine.stdout import kept_from_agents
from ..errors import UsageError
from ..output import terminal
from ..parser import Parser, count


def register(parser: Parser) -> None:
    parser.usage = "duvo dev [OPTION …] [FILE.py …] [-- COMMAND …]"
    parser.add_argument("files", nargs="*", metavar="FILE.py", help="a file with agents")
    parser.add_argument(
        "--port", type=port, metavar="N", help="the port (7411, or the next free one)"
    )
    parser.add_argument("--database", metavar="FILE|URL", help="an SQLite file, or postgresql://…")
    parser.add_argument(
        "--rate-limit", type=count, metavar="N", help="requests per minute (no limit)"
    )
    parser.add_argument("--no-examples", action="store_true", help="leave out the built-in agents")
    parser.add_argument(
        "--no-reload", action="store_true", help="do not load files again when they change"
    )
    parser.add_argument(
        "--quiet", action="store_true", help="of what happens to runs, log failures only"
    )
    parser.explain(
        "Serves the agents of the files, and built-in examples, until Ctrl-C. Unfinished\n"
        "runs continue at the next start. Other terminals reach the server with the\n"
        "profile `local`, which is the default where no other is set.\n\n"
        "A file that changes, or a module that it imports from its folder, is loaded\n"
        "again. Turns that have begun end on the old code.\n\n"
        "With -- COMMAND, runs COMMAND against a temporary engine, with DUVO_API_KEY,\n"
        "DUVO_API_BASE_URL and DUVO_TEAM_ID set, and exits as COMMAND does.",
        examples="""
duvo dev
duvo dev agents.py --rate-limit 300
duvo dev -- duvo runs start --agent "Invoice approver" --follow --on-request approve
duvo dev agents.py -- pytest
""",
    )


def run(args: Namespace) -> int:
    if args.program == []:
        raise UsageError("give a COMMAND after --", "dev")
    if args.program is None:
        _check_for_command(args.files)
    # The program shows its runs itself.
    log.show(debug=args.debug, quiet=args.quiet or args.program is not None)
    with kept_from_agents():
        if args.program is not None:
            return _run_program(args, args.program)
        return _serve_until_signalled(args)


def _check_for_command(files: list[str]) -> None:
    """Refuse what seems to be a command without `--` in front of it."""
    for number, name in enumerate(files, 1):
        # There may be a directory of the command's name.
        is_path = Path(name).is_file() or (number == len(files) and Path(name).is_dir())
        if not name.endswith(".py") and not is_path:
            raise UsageError(f"{name!r} is not a Python file; a command goes after --", "dev")


def _serve_until_signalled(args: Namespace) -> int:
    signals = Signals()
    database = args.database or default_database("dev")
    files = local.AgentFiles(args.files)
    with serving(partial(_make, args, files, database, args.port), signals) as server:
        if args.files and not args.no_reload:
            reloading.start(files, server)
        _show(server, args, _write_profile(server))
        signals.wait()
        if server.failure is not None:
            return 1
        say_stopping("unfinished runs continue at the next start")
    return 0


def _run_program(args: Namespace, program: list[str]) -> int:
    from ..engine import program as programs

    signals = Signals()
    folder = tempfile.mkdtemp(prefix="duvo-dev-")
    clean_up = partial(shutil.rmtree, folder, ignore_errors=True)
    try:
        database = args.database or str(Path(folder) / "engine.sqlite")
        free_port = 0 if args.port is None else args.port
        make = partial(_make, args, local.AgentFiles(args.files), database, free_port)
        with serving(make, signals, clean_up) as server:
            settings = {
                "DUVO_API_KEY": server.api_key,
                "DUVO_API_BASE_URL": server.base_url,
                "DUVO_TEAM_ID": server.team_id,
            }
            # The engine outlives a command of a script, but not `duvo` itself.
            if Path(program[0]).name == "duvo":
                settings[ENGINE] = KEPT if args.database else TEMPORARY
            code = programs.run(program, settings, signals)
            return code if server.failure is None else 1
    finally:
        clean_up()


def _make(
    args: Namespace, files: local.AgentFiles, database: str, port: int | None
) -> local.Server:
    return local.Server(
        files.load(),
        database=database,
        port=port,
        rate_limit=args.rate_limit,
        examples=not args.no_examples,
    )


def _write_profile(server: local.Server) -> str | None:
    """Save a profile for the engine, and return its name, or None if it cannot be saved."""
    from duvo import profiles

    engine = profiles.LocalEngine(server.port or 0, os.getpid())
    try:
        added = profiles.add_engine(server.api_key, server.base_url, server.team_id, engine)
    except duvo.ConfigError as error:
        terminal.say(f"the profile of the engine could not be saved: {error}")
        return None
    return added.name


def _show(server: local.Server, args: Namespace, profile: str | None) -> None:
    first = server.agents[0].name if server.agents else "…"
    named = ["--profile", profile] if profile else []
    start = shlex.join(["duvo", *named, "runs", "start", "--agent", first, "--follow"])
    facts = [
        ("Address", server.base_url),
        ("Key", server.api_key),
        ("Database", server.database),
        ("Profile", profile or "none"),
    ]
    footer = ["In another terminal:", "", f"  {start}", "", "Ctrl-C stops it."]
    show(args, server, facts, footer, api_key=server.api_key, profile=profile)
