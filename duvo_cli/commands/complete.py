"""`duvo complete`: words from the API for completion scripts. Errors are silent."""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import duvo

TIME_LIMIT = 0.9
"""Seconds until the command ends, whatever happens; Python's start-up is extra."""

_MOST_RUNS = 50
_MOST_AGENTS = 500
_SETTINGS = {"--profile": "profile", "--team": "team_id", "--base-url": "base_url"}


def run(arguments: list[str]) -> int:
    """Print words of a kind (runs, agents, profiles) for a line that is typed; returns 0.

    A tab and a description may follow a word.
    """
    _thread.start_new_thread(_end_in_time, ())
    # Warnings, logs and tracebacks would appear in the middle of the typed line.
    sys.stderr = None
    try:
        words = dict(filter(_fits_a_line, _words(*arguments)))
        lines = (f"{word}\t{text}\n" if text else f"{word}\n" for word, text in words.items())
        os.write(1, os.fsencode("".join(lines)))
    except BaseException:
        return 0
    return 0


def _end_in_time() -> None:
    # A signal handler would have to wait until a host name look-up returns.
    time.sleep(TIME_LIMIT)
    os._exit(0)


def _words(kind: str, line: str = "") -> list[tuple[str, str]]:
    """The words of a kind, each with a description or ""."""
    if kind == "profiles":
        from duvo import profiles

        return [(name, "") for name in profiles.load().profiles]
    with _client(line) as client:
        if kind == "runs":
            return [(run.id, _described(run)) for run in _runs(client, line)]
        if kind == "agents":
            return [(agent.name, "") for agent in client.agents.list(limit=_MOST_AGENTS)]
    return []


def _runs(client: duvo.Client, line: str) -> Iterator[duvo.Run]:
    """The newest runs for which the command on the line can do something."""
    command = _command(line)
    status = "waiting" if command == "runs respond" else None
    for run in client.runs.list(status=status, limit=_MOST_RUNS):
        if not (run.is_finished and command in ("runs stop", "runs wait", "runs watch")):
            yield run


def _described(run: duvo.Run) -> str:
    return ", ".join(part for part in (run.agent_name, run.status) if part)


def _command(line: str) -> str | None:
    from ..errors import UsageError
    from ..registry import find

    try:
        return find(list(_split(line))[1:])[0]
    except UsageError:
        return None


def _client(line: str) -> duvo.Client:
    import duvo

    found = settings(line)
    return duvo.Client(
        base_url=found.get("base_url"),
        team_id=found.get("team_id"),
        profile=found.get("profile"),
        timeout=TIME_LIMIT,
        max_retries=0,
        user_agent=f"duvo-cli/{duvo.__version__}",
    )


def settings(line: str) -> dict[str, str]:
    """The settings on a line that is being typed, by the client's argument names."""
    found = {}
    words = _split(line)
    for word in words:
        if word == "--":
            break
        name, attached, value = word.partition("=")
        if name in _SETTINGS:
            value = value if attached else next(words, "")
            if value:
                found[_SETTINGS[name]] = value
    return found


def _split(line: str) -> Iterator[str]:
    import shlex

    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        yield from lexer
    except ValueError:
        # An open quote: all words before it have been found.
        return


def _fits_a_line(entry: tuple[str, str]) -> bool:
    word, text = entry
    return word != "" and (word + text).isprintable()
