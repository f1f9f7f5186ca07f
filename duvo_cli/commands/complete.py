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
    """Print words of a kind (runs, agents, profiles) for a line that is typed; returns 0."""
    _thread.start_new_thread(_end_in_time, ())
    # Warnings, logs and tracebacks would appear in the middle of the typed line.
    sys.stderr = None
    try:
        words = dict.fromkeys(filter(_fits_a_line, _words(*arguments)))
        os.write(1, os.fsencode("".join(f"{word}\n" for word in words)))
    except BaseException:
        return 0
    return 0


def _end_in_time() -> None:
    # A signal handler would have to wait until a host name look-up returns.
    time.sleep(TIME_LIMIT)
    os._exit(0)


def _words(kind: str, line: str = "") -> list[str]:
    if kind == "profiles":
        from duvo import profiles

        return list(profiles.load().profiles)
    with _client(line) as client:
        if kind == "runs":
            return [run.id for run in client.runs.list(limit=_MOST_RUNS)]
        if kind == "agents":
            return [agent.name for agent in client.agents.list(limit=_MOST_AGENTS)]
    return []


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


def _fits_a_line(word: str) -> bool:
    return word != "" and word.isprintable()
