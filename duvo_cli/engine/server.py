"""Starting, describing and stopping the engine: shared by `duvo dev` and `duvo serve`."""

from __future__ import annotations

from contextlib import contextmanager

from ..errors import CommandFailed, UsageError
from ..output import terminal
from .signals import (
    ENDING,
    end_within,
    signals_end_the_process,
    signals_interrupt_the_main_thread,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Iterable, Iterator

    from duvo.local import Agent, Server

_CLOSE_TIMEOUT = 4.0
_END_TIMEOUT = 4.3


def check_port(args: argparse.Namespace, command: str) -> None:
    """Refuse a port above 65535.

    Raises:
        UsageError: `--port` is too high.
    """
    if args.port is not None and args.port > 65535:
        raise UsageError(f"--port is at most 65535, not {args.port}", command)


@contextmanager
def serving(
    make: Callable[[], Server],
    clean_up: Callable[[], object] = lambda: None,
    *,
    ended_by: Collection[int] = ENDING,
) -> Iterator[Server]:
    """Start a server for the length of a block.

    Args:
        make: loads the agents and makes the server.
        clean_up: called if a signal ends the process before the server has started.
        ended_by: the signals that end the process until then.

    Raises:
        CommandFailed: the server cannot be made or started.
    """
    from duvo import local

    try:
        with signals_end_the_process(clean_up, ended_by):
            server = make()
            server.start()
    except local.EngineError as error:
        raise CommandFailed(str(error)) from None
    try:
        with signals_interrupt_the_main_thread():
            yield server
    finally:
        server.close(_CLOSE_TIMEOUT)


def say_stopping(what_remains: str) -> None:
    """Announce that the server is stopping, and make sure that the process ends."""
    terminal.say(f"stopping; {what_remains}")
    end_within(_END_TIMEOUT, 0)


def agents_of(files: Iterable[str]) -> list[Agent]:
    """Load the agents of all files."""
    from duvo import local

    return [agent for file in files for agent in local.load_agents(file)]


def default_database(command: str) -> str:
    """The database of a command that was not given one.

    Raises:
        CommandFailed: packages that the engine needs are not installed.
    """
    from duvo import local

    try:
        return str(local.default_database(command))
    except ImportError as error:
        raise CommandFailed(
            f"the engine needs packages that are missing ({error.name}); "
            'install them: pip install "duvo[local]"'
        ) from None


def show(
    args: argparse.Namespace,
    server: Server,
    facts: list[tuple[str, str]],
    footer: list[str],
    **secrets: str,
) -> None:
    """Print how to reach a server, and its agents.

    Args:
        args: the command line.
        server: the server.
        facts: names and values, as text.
        footer: lines below the agents, as text.
        secrets: what the JSON has besides address, team, database and agents.
    """
    if args.json:
        from ..output import json

        document = {
            "base_url": server.base_url,
            "team_id": server.team_id,
            "database": server.database,
            "agents": [{"id": agent.id, "name": agent.name} for agent in server.agents],
        }
        json.print_line({**document, **secrets})
        return
    from ..output.table import fields, table

    agents = [(agent.name, agent.description or "") for agent in server.agents]
    lines = [*fields(facts), "", *table(("AGENT", "DESCRIPTION"), agents), "", *footer]
    terminal.write("\n".join(lines))
