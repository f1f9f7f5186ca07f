"""Starting, describing and stopping the engine: shared by `duvo dev` and `duvo serve`."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from duvo import local

from ..errors import CommandFailed
from ..output import json, terminal
from ..parser import count
from . import log
from .signals import ENDING, Signals, end_within

_CLOSE_TIMEOUT = 4.0
_END_TIMEOUT = 4.3


def port(text: str) -> int:
    """An argument type: the number of a port, or 0."""
    number = count(text)
    if number > 65535:
        raise ArgumentTypeError(f"{text!r} is above 65535")
    return number


@contextmanager
def serving(
    make: Callable[[], local.Server],
    signals: Signals,
    clean_up: Callable[[], object] = lambda: None,
    *,
    ended_by: Collection[int] = ENDING,
) -> Iterator[local.Server]:
    """Make and start a server for the length of a block.

    Args:
        clean_up: called if a signal ends the process before the server has started.
        ended_by: the signals that end the process until then.
    """
    try:
        with signals.ending_the_process(clean_up, ended_by):
            server = make()
            server.start()
    except local.EngineError as error:
        log.report(error)
        raise CommandFailed(log.text_of(error)) from None
    try:
        threading.Thread(target=_end_with, args=(server, signals), daemon=True).start()
        yield server
    finally:
        server.close(_CLOSE_TIMEOUT)


def _end_with(server: local.Server, signals: Signals) -> None:
    try:
        server.wait()
    except local.EngineError:
        # The command ends as after this signal, with another exit code.
        signals.receive(signal.SIGTERM)


def say_stopping(what_remains: str) -> None:
    """Announce that the server is stopping, and make sure that the process ends."""
    log.server.info("stopping; %s", what_remains)
    end_within(_END_TIMEOUT)


def default_database(command: str) -> str:
    """The database of a command that was not given one."""
    try:
        return str(local.default_database(command))
    except local.EngineError as error:
        raise CommandFailed(log.text_of(error)) from None
    except ImportError as error:
        raise CommandFailed(
            f"the engine needs packages that are missing ({error.name}); "
            'install them: pip install "duvo[local]"'
        ) from None


def show(
    args: Namespace,
    server: local.Server,
    facts: list[tuple[str, str]],
    footer: list[str],
    **secrets: str | None,
) -> None:
    """Print how to reach a server, and its agents.

    Args:
        facts: names and values, as text.
        footer: lines below the agents, as text.
        secrets: what the JSON has besides address, team, database and agents.
    """
    if args.json:
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
