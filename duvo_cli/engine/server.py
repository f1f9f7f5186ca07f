"""Starting the engine from a command: what `duvo dev` and `duvo serve` share."""

from __future__ import annotations

from contextlib import contextmanager

from ..errors import CommandFailed, UsageError
from ..output import terminal
from .signals import ENDING, end_within, signals_end_the_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Iterable, Iterator

    from duvo.local import Agent, Server

_LONGEST_TO_CLOSE = 4.0
_LONGEST_TO_END = 4.3


def check_port(args: argparse.Namespace, command: str) -> None:
    """Refuse a port that there is not.

    Raises:
        UsageError: `--port` is above 65535.
    """
    if args.port is not None and args.port > 65535:
        raise UsageError(f"{command}: there is no port {args.port}", command)


@contextmanager
def serving(
    make: Callable[[], Server],
    clean_up: Callable[[], object] = lambda: None,
    *,
    ended_by: Collection[int] = ENDING,
) -> Iterator[Server]:
    """A server that has been started, closed at the end of the block.

    Args:
        make: loads the agents and makes the server.
        clean_up: called when a signal ends the process before the server stands.
        ended_by: the signals that end the process until then.

    Raises:
        CommandFailed: it cannot be made or started.
    """
    from duvo import local

    try:
        with signals_end_the_process(clean_up, ended_by):
            server = make()
            server.start()
    except local.EngineError as error:
        raise CommandFailed(str(error)) from None
    try:
        yield server
    finally:
        server.close(_LONGEST_TO_CLOSE)


def stop(why: str) -> None:
    """Say that the server is about to stop, and see to it that it does."""
    terminal.say(f"stopping; {why}")
    end_within(_LONGEST_TO_END, 0)


def agents_of(files: Iterable[str]) -> list[Agent]:
    """The agents of all files."""
    from duvo import local

    return [agent for file in files for agent in local.load_agents(file)]


def default_database(command: str) -> str:
    """Where a command keeps its runs unless it is told otherwise.

    Raises:
        CommandFailed: the packages that the engine runs on are not installed.
    """
    from duvo import local

    try:
        return str(local.default_database(command))
    except ImportError as error:
        raise CommandFailed(
            f"the engine needs packages that are missing ({error.name}); "
            'install them: pip install "duvo[local]"'
        ) from None


def as_json(server: Server) -> dict[str, object]:
    """What leads to a server, without its key."""
    return {
        "base_url": server.base_url,
        "team_id": server.team_id,
        "database": server.database,
        "agents": [{"id": agent.id, "name": agent.name} for agent in server.agents],
    }


def as_lines(server: Server, facts: list[tuple[str, str]]) -> list[str]:
    """What leads to a server, and its agents, for people to read.

    Args:
        facts: what else there is to tell, each with its name.
    """
    from ..output.table import fields, table

    agents = [(agent.name, agent.description or "") for agent in server.agents]
    return [*fields(facts), "", *table(("AGENT", "WHAT IT DOES"), agents)]
