"""The commands by name, and which of them a command line means. Loads nothing."""

from __future__ import annotations

from .errors import UsageError

GROUPS = {
    "runs": "start, follow, answer and stop runs",
    "agents": "the agents of the team",
    "profiles": "named keys, so that none has to be typed",
}

COMMANDS = {
    "runs start": "start a run, and follow it or wait for it",
    "runs start-many": "start a run for each row of a file, and gather what comes of them",
    "runs get": "show one run, and what it asks a human for",
    "runs list": "list runs, the newest first",
    "runs messages": "show a run's conversation, and follow it",
    "runs wait": "wait until a run has ended, and print its answer",
    "runs watch": "watch many runs until all have ended",
    "runs send-message": "post a message to a run; one that has ended goes on",
    "runs inbox": "show what waits for a human, across runs, and answer it",
    "runs respond": "answer what a run asks a human for",
    "runs stop": "stop a run",
    "agents list": "list the agents",
    "agents get": "show one agent",
    "api": "send any request of the API",
    "profiles add": "add a profile, or replace one",
    "profiles list": "list the profiles",
    "profiles use": "make a profile the default one",
    "profiles remove": "remove a profile",
    "whoami": "show whose key it is, and of which team",
    "dev": "serve agents on this machine; no account is needed",
    "serve": "serve agents to other machines, by a server that stays",
    "completion": "print a completion script for a shell",
    "help": "explain a command, the exit codes or the environment",
}

HIDDEN = "complete"
"""The command that the completion scripts call; it has no parser."""

OPTIONS_WITH_VALUE = frozenset({"--profile", "--team", "--base-url", "--timeout"})


class Found:
    """What a command line means.

    Attributes:
        name: the command, or None when none was named.
        group: the group that was named without a command, or "".
        arguments: everything else, in order.
    """

    __slots__ = ("arguments", "group", "name")

    def __init__(self, name: str | None, group: str, arguments: list[str]):
        self.name = name
        self.group = group
        self.arguments = arguments


def sentence(about: str) -> str:
    """What a command or a group is about, as a sentence."""
    return f"{about[:1].upper()}{about[1:]}."


def module_of(command: str) -> str:
    """The module under `duvo_cli.commands` that has the command."""
    return command.replace(" ", ".").replace("-", "_")


def find(argv: list[str]) -> Found:
    """Which command the arguments name. Options that all commands share may stand before it.

    Raises:
        UsageError: it names a command that there is not.
    """
    rest = list(argv)
    options: list[str] = []
    group = ""
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            options.append(word)
            if word in OPTIONS_WITH_VALUE and rest:
                options.append(rest.pop(0))
            continue
        name = f"{group} {word}".strip()
        if name in COMMANDS:
            return Found(name, group, [*options, *rest])
        if name not in GROUPS:
            raise _unknown(name, group)
        group = name
    return Found(None, group, options)


def _unknown(name: str, group: str) -> UsageError:
    from difflib import get_close_matches

    close = get_close_matches(name, [*GROUPS, *COMMANDS], 1)
    meant = f"; did you mean `duvo {close[0]}`?" if close else ""
    return UsageError(f"there is no command {name!r}{meant}", group)
