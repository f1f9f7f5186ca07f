"""`duvo complete`: words from the API, for the completion scripts. It never complains."""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import duvo

LONGEST = 0.9
"""Seconds from here to the end, whatever happens; Python's own start comes on top."""

_MOST_RUNS = 50
_MOST_AGENTS = 500
_SETTINGS = {"--profile": "profile", "--team": "team_id", "--base-url": "base_url"}


def run(arguments: list[str]) -> int:
    """Print the words, one a line, or nothing at all; returns the exit code, which is 0.

    Args:
        arguments: `runs`, `agents` or `profiles`, and then the command line
            that is being completed, whose settings are used.
    """
    _thread.start_new_thread(_end_in_time, ())
    # Warnings, logs and tracebacks would land in the middle of what is being typed.
    sys.stderr = None
    try:
        words = dict.fromkeys(filter(_fits_a_line, _words(*arguments)))
        os.write(1, os.fsencode("".join(f"{word}\n" for word in words)))
    except BaseException:
        return 0
    return 0


def _end_in_time() -> None:
    # A signal would not do: its handler waits until the look-up of a host name is over.
    time.sleep(LONGEST)
    os._exit(0)


def _words(kind: str, line: str = "") -> list[str]:
    if kind == "profiles":
        from duvo import profiles

        return list(profiles.load().profiles)
    with _client(line) as client:
        if kind == "runs":
            return [one.id for one in client.runs.list(limit=_MOST_RUNS)]
        if kind == "agents":
            return [one.name for one in client.agents.list(limit=_MOST_AGENTS)]
    return []


def _client(line: str) -> duvo.Client:
    import duvo

    given = settings(line)
    return duvo.Client(
        base_url=given.get("base_url"),
        team_id=given.get("team_id"),
        profile=given.get("profile"),
        timeout=LONGEST,
        max_retries=0,
        user_agent=f"duvo-cli/{duvo.__version__}",
    )


def settings(line: str) -> dict[str, str]:
    """The settings on a command line that is being typed, by the client's names for them.

    Args:
        line: the line; a quote at its end may be open.
    """
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
        # The quote that is open: nothing before the word in it is lost.
        return


def _fits_a_line(word: str) -> bool:
    return word != "" and word.isprintable()
